"""Networks of several layers, outputs and classes that several tests share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

import fastaif as fa

from .network_makers import make

Array = npt.NDArray[np.float64]

KINDS = ["squared_error", "logistic", "softmax", "outputs"]
ACTIVATIONS = ["tanh", "logistic", "softplus", "gelu", "relu", "identity"]
OUTPUTS = {"squared_error": 1, "logistic": 1, "softmax": 3, "outputs": 2}


def data(kind: str, n: int = 40, m: int = 3, seed: int = 0) -> tuple[Array, Array, Array]:
    """Inputs, targets and weights, some of them zero; three classes of softmax."""
    if kind in ("squared_error", "logistic"):
        return make(kind, n, m, seed)
    X, y, w = make("squared_error", n, m, seed)
    if kind == "outputs":
        noise = np.random.default_rng(seed + 1).normal(size=n)
        return X, np.column_stack([y, np.cos(X[:, 0]) + X[:, 1] + 0.4 * noise]), w
    return X, np.digitize(y, [-0.2, 0.7]).astype(float), w


def make_model(kind: str) -> Any:
    """The estimator's class."""
    return fa.MLPClassification if kind in ("logistic", "softmax") else fa.MLPRegression


def with_parameters(
    kind: str, m: int, hidden: tuple[int, ...], activation: str, alpha: float = 0.01, seed: int = 0
) -> Any:
    """A network of random parameters that nothing was fitted to."""
    model = make_model(kind)(hidden=hidden, activation=activation, alpha=alpha)
    if kind in ("logistic", "softmax"):
        model._prepare_targets(np.arange(3.0) if kind == "softmax" else np.array([-1.0, 1.0]))
    else:
        model._prepare_targets(np.zeros((2, OUTPUTS[kind])))
    layers = model.layers(m)
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=layers.n_parameters) / np.sqrt(max(hidden))
    model.set_parameters(theta, m)
    model.n_features_in_ = m
    return model


@cache
def fitted(kind: str, activation: str = "tanh") -> Any:
    """A small network of two hidden layers at a local minimum at which H is definite."""
    X, y, _ = data(kind, n=200, m=2)
    model = make_model(kind)(hidden=(3, 2), activation=activation, alpha=3e-3, random_state=3)
    return model.fit(X, y)

"""Data and networks that several tests share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

import fastaif as fa

Array = npt.NDArray[np.float64]

ACTIVATIONS = ["tanh", "softplus", "gelu"]
CLASSES = {"squared_error": fa.MLPRegression, "logistic": fa.MLPClassification}


def diabetes() -> tuple[Array, Array]:
    """scikit-learn's diabetes data, inputs and targets standardised."""
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)


def make(loss: str, n: int = 60, m: int = 3, seed: int = 0) -> tuple[Array, Array, Array]:
    """Targets that bend in x, and weights, some of them zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m))
    f = np.sin(1.5 * X[:, 0]) + X[:, 1] * np.tanh(X[:, -1]) + 0.3
    if loss == "logistic":
        y = np.where(f + 0.5 * rng.logistic(size=n) > 0, 1.0, -1.0)
    else:
        y = f + 0.3 * rng.normal(size=n)
    return X, y, rng.integers(0, 4, size=n).astype(float)


def with_parameters(
    loss: str, m: int, hidden: int, activation: str, alpha: float = 0.01, seed: int = 0
) -> Any:
    """A network of random parameters that nothing was fitted to."""
    rng = np.random.default_rng(seed)
    model = CLASSES[loss](hidden=hidden, activation=activation, alpha=alpha)
    theta = rng.normal(size=(m + 2) * hidden + 1) / np.sqrt(hidden)
    model.set_parameters(theta, m)
    model.n_features_in_ = m
    if loss == "logistic":
        model._prepare_targets(np.array([-1.0, 1.0]))
    return model


@cache
def fitted(loss: str, activation: str, weighted: bool = False) -> Any:
    """A small network at a local minimum at which every unit is in use: H is definite."""
    X, y, w = make(loss, n=200)
    model = CLASSES[loss](hidden=3, activation=activation, alpha=1e-3, random_state=2)
    return model.fit(X, y, w if weighted else None)

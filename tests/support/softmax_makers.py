"""Data of several classes, and softmax models of any number of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import fastaif as fa
from fastaif.api.prepare import assemble, start
from fastaif.bases.builtin import Linear
from fastaif.data.rows import RowSource
from fastaif.families.softmax.model import SoftmaxModel
from fastaif.families.vector.layout import Layout, parameter_names
from fastaif.influence.compute import conclude
from fastaif.influence.result import InfluenceResult
from fastaif.losses.targets import class_encoder
from fastaif.threat.threat import Threat

Array = npt.NDArray[np.float64]


class Classes(NamedTuple):
    """Inputs, numbers of classes, weights."""

    X: Array
    y: npt.NDArray[np.int64]
    w: Array


def make(n_classes: int = 3, n: int = 90, m: int = 4, seed: int = 0) -> Classes:
    """Correlated inputs of unlike scales; classes overlap, and a few weights are zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.2 * rng.normal(size=(m, m)))
    z = X @ rng.normal(size=(m, n_classes)) * 0.7 + rng.gumbel(size=(n, n_classes))
    y = np.argmax(z, axis=1)
    y[: 2 * n_classes] = np.arange(2 * n_classes) % n_classes
    return Classes((X + 0.3) * rng.uniform(0.5, 2.0, size=m), y, rng.integers(0, 4, n) + 0.0)


def theta_of(model: Any) -> Array:
    """All of W by rows, then b if there is one."""
    W = np.ravel(model.coef_)
    return np.append(W, model.intercept_) if model.fit_intercept else W


def described(theta: Array, n_classes: int, m: int, alpha: float) -> SoftmaxModel:
    """A model of any number of classes, two of them too, with an intercept."""
    names = parameter_names(tuple("abcdefgh"[:m]), tuple(map(str, range(n_classes))), True)
    return SoftmaxModel(
        basis=Linear(), theta=theta, n_outputs=n_classes, alpha=lambda weight: alpha, names=names,
        encode=class_encoder(np.arange(n_classes)), rebuild=lambda found: found, n_features=m,
    )  # fmt: skip


def problem_of(model: SoftmaxModel, data: Classes, **attack: Any) -> Any:
    """The problem of a description, θ̂ brought to its optimum first."""
    source = RowSource(data.X, data.y, data.w, model.encode)
    options = {"p": 2, "order": np.inf, "radius": "mean_norm", "feature_scale": None,
               "attackable": None, "attack_space": "scaled", "formula": "exact"}  # fmt: skip
    problem = assemble(model, source, Threat(**{**options, **attack}))
    start(problem)
    return problem.at(problem.fit_result().x)


def influence_of(model: SoftmaxModel, data: Classes, **attack: Any) -> InfluenceResult:
    """`aif` of it."""
    return conclude(problem_of(model, data, **attack), InfluenceResult, None)


def fitted(data: Classes, alpha: float = 0.02, **options: Any) -> fa.LogisticRegression:
    """Our estimator, with the weights."""
    return fa.LogisticRegression(alpha=alpha, **options).fit(data.X, data.y, data.w)


def layout_of(model: Any) -> Layout:
    """Where its θ has what."""
    return Layout(*np.shape(model.coef_), bool(model.fit_intercept))

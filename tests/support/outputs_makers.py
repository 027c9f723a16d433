"""Data of several outputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import fastaif as fa

Array = npt.NDArray[np.float64]


class Outputs(NamedTuple):
    """Inputs, targets (n, t), weights."""

    X: Array
    Y: Array
    w: Array


def make(t: int = 3, n: int = 60, m: int = 4, seed: int = 0, noise: float = 1.0) -> Outputs:
    """Correlated inputs of unlike scales, outputs that share their noise, and zero weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.2 * rng.normal(size=(m, m)))
    errors = rng.normal(size=(n, t)) + 0.5 * rng.normal(size=(n, 1))
    Y = X @ rng.normal(size=(m, t)) + noise * errors + np.arange(t)
    return Outputs((X + 0.3) * rng.uniform(0.5, 2.0, size=m), Y, rng.integers(0, 4, n) + 0.0)


def fitted(data: Outputs, alpha: float = 0.02, **options: bool) -> fa.LinearRegression:
    """Our estimator, with the weights."""
    return fa.LinearRegression(alpha=alpha, **options).fit(data.X, data.Y, data.w)

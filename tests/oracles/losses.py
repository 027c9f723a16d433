"""Pointwise losses l(f, y) with their first two derivatives in the prediction f."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Array = npt.NDArray[np.float64]


def squared_error(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """(f - y)^2, without a factor of one half."""
    r = f - y
    return r**2, 2.0 * r, np.full_like(r, 2.0)


def logistic(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """log(1 + exp(-y f)) for labels y = -1 or +1."""
    margin = y * f
    # expit and logaddexp are exact in both tails, where 1 - expit(margin) would cancel.
    return np.logaddexp(0.0, -margin), -y * expit(-margin), expit(margin) * expit(-margin)


def poisson(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """exp(f) - y f: the Poisson negative log likelihood up to a constant."""
    mean = np.exp(f)
    return mean - y * f, mean - y, mean


def huber(f: Array, y: Array, delta: float) -> tuple[Array, Array, Array]:
    """Pseudo-Huber delta^2 (sqrt(1 + (r / delta)^2) - 1), r = f - y."""
    r = f - y
    root = np.hypot(1.0, r / delta)
    # delta^2 (root - 1) = r^2 / (root + 1): no cancellation at small residuals.
    return r * (r / (root + 1.0)), r / root, root**-3.0


def loss(
    name: str, f: npt.ArrayLike, y: npt.ArrayLike, delta: float = 1.0
) -> tuple[Array, Array, Array]:
    """The loss of that name, elementwise: its value, first and second derivative in f."""
    f, y = np.broadcast_arrays(np.asarray(f, dtype=np.float64), np.asarray(y, dtype=np.float64))
    if name == "huber":
        return huber(f, y, delta)
    functions = {"squared_error": squared_error, "logistic": logistic, "poisson": poisson}
    return functions[name](f, y)

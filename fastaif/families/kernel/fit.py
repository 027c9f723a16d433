"""Fits of the dual coefficients in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...solvers.cholesky import minimum_norm_solve
from ...solvers.gram_solver import make_system
from ...solvers.newton import Local, NewtonResult

Array = NDArray[Any]


def fit_dual(
    form: Callable[[], Array], y: Array, weights: Array, alpha: float, penalty: str
) -> tuple[Array, bool]:
    """argmin Σ ω (Kθ − y)² + α ‖θ‖² or α θᵀKθ.

    Parameters
    ----------
    form : callable
        Forms K (n, n), which is then overwritten; called again where K + α is singular.
    y, weights : arrays (n,)
        Σω = 1.
    alpha : float
    penalty : {"l2", "rkhs"}

    Returns
    -------
    array (n,) and bool
        θ, and whether it is one of many minimisers (the one of least norm).
    """
    K = form()
    if not np.isfinite(K).all():
        raise FloatingPointError("kernel values are not finite")
    system = make_system(K, weights, alpha, penalty)
    if system is not None:
        return system.solve(y, None).x, False
    return _least_norm(form(), y, weights, alpha, penalty), True


def _least_norm(K: Array, y: Array, weights: Array, alpha: float, penalty: str) -> Array:
    kept, theta = weights > 0, np.zeros(len(y))
    if penalty == "rkhs":
        inner = K[np.ix_(kept, kept)]
        inner[np.diag_indices(len(inner))] += alpha / weights[kept]
        theta[kept] = minimum_norm_solve(inner, y[kept])
        return theta
    root = np.sqrt(weights)
    rows, target = root[:, None] * K, root * y
    if alpha > 0.0:
        rows = np.vstack([rows, np.sqrt(alpha) * np.eye(len(K))])
        target = np.append(target, np.zeros(len(K)))
    return np.asarray(np.linalg.lstsq(rows, target, rcond=None)[0])


def fit_at(K: Array, y: Array, weights: Array, alpha: float, penalty: str) -> NewtonResult:
    """The fit to a given Gram matrix, with the objective and what is left of its gradient."""
    theta, singular = fit_dual(K.copy, y, weights, alpha, penalty)
    f = K @ theta
    slope = weights * (f - y)
    if penalty == "rkhs":
        gradient, shrunk = K @ (slope + alpha * theta), float(theta @ f)
    else:
        gradient, shrunk = K @ slope + alpha * theta, float(theta @ theta)
    value = float(weights @ (f - y) ** 2) + alpha * shrunk
    yardstick = 2.0 * float(np.abs(slope) @ np.linalg.norm(K, axis=1))
    local = Local(value, 2.0 * gradient, np.empty((0, 0)), yardstick)
    return NewtonResult(theta, local, 1, True, singular)

"""What fits of networks share beside Newton's method: L-BFGS towards a minimum, and its metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .newton import Local

Array = NDArray[Any]

_FLOOR = 0.03  # of the mean eigenvalue


def descend_by_lbfgs(
    objective: Callable[[Array], Local], x: Array, max_iter: int, tol: float
) -> tuple[Array, int]:
    """L-BFGS until the gradient has fallen by `tol`; the iterations that it took."""
    from scipy.optimize import minimize

    def value_and_slope(theta: Array) -> tuple[float, Array]:
        local = objective(theta)
        return local.value, local.gradient

    largest = float(np.abs(objective(x).gradient).max())
    options: Any = {
        "maxiter": max_iter, "maxfun": 2 * max_iter, "ftol": 1e-15, "gtol": tol * largest,
        "maxcor": 30,
    }  # fmt: skip
    found = minimize(value_and_slope, x, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x), int(found.nit)


def definite_metric(H: Array) -> Array:
    """A Cholesky factor of |H|, its eigenvalues kept well above zero: H may be indefinite."""
    values, vectors = np.linalg.eigh(H)
    kept = np.maximum(np.abs(values), _FLOOR * np.abs(values).mean())
    return np.linalg.cholesky((vectors * kept) @ vectors.T)

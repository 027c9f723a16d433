"""Robust linear and logistic regression as one would write them in CVXPY, for Clarabel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_DUAL = {1.0: np.inf, 2.0: 2.0, np.inf: 1.0}


def robust_fit(
    X: Array, y: Array, rho: float, p: float, kind: str, intercept: bool = True
) -> tuple[Array, float]:
    """θ = (β, b) and the objective; attacks ‖δ‖_p ≤ rho, kind "linear" or "logistic"."""
    import cvxpy as cp

    n, m = X.shape
    beta, b, size = cp.Variable(m), cp.Variable(), cp.Variable(nonneg=True)
    f = X @ beta + b if intercept else X @ beta
    if kind == "linear":
        loss: Any = cp.sum_squares(cp.abs(f - y) + size) / n
    else:
        loss = cp.sum(cp.logistic(size - cp.multiply(y, f))) / n
    norm = cp.norm(beta, "inf" if np.isinf(_DUAL[p]) else int(_DUAL[p]))
    problem = cp.Problem(cp.Minimize(loss), [size >= rho * norm])
    problem.solve(solver=cp.CLARABEL)
    return np.append(beta.value, b.value if intercept else 0.0), float(problem.value)

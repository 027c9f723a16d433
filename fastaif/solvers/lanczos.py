"""Extreme eigenvalues of a symmetric operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_STORED_DOUBLES = 1 << 25  # of Lanczos vectors: 256 MB


def extreme_eigenvalues(
    d: int, forward: Callable[[Array], Array], inverse: Callable[[Array], Array]
) -> tuple[float, float]:
    """The least and the largest eigenvalue, to three digits, by Lanczos' method on both."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    def largest(multiply: Callable[[Array], Array]) -> float:
        operator = LinearOperator((d, d), multiply, dtype=np.float64)
        options: dict[str, Any] = {"k": 1, "tol": 1e-3, "return_eigenvectors": False}
        return float(eigsh(operator, which="LM", v0=np.ones(d), **options)[0])

    return 1.0 / largest(inverse), largest(forward)


def largest_eigenvalue(d: int, multiply: Callable[[Array], Array], tol: float = 1e-3) -> float:
    """The largest eigenvalue of a positive semi-definite operator, by Lanczos' method."""
    return lanczos(d, multiply, least_tol=np.inf, tol=tol)[1]


def lanczos(
    d: int,
    multiply: Callable[[Array], Array],
    *,
    least_tol: float = 1e-2,
    floor: float = 1e-12,
    tol: float = 1e-3,
    max_steps: int = 400,
) -> tuple[float, float]:
    """The least and the largest eigenvalue, by Lanczos' method with full orthogonalisation.

    Products with the operator alone are used. The least is found to `least_tol` relative
    to itself, or to `floor` relative to the largest, whichever is easier; where `max_steps`
    (or d) products do not suffice it is the least Ritz value, an upper bound.
    """
    from scipy.linalg import eigh_tridiagonal

    steps = min(max_steps, d, max(32, _STORED_DOUBLES // d))
    Q = np.empty((steps, d))
    start = np.random.default_rng(0).standard_normal(d)
    Q[0] = start / np.linalg.norm(start)
    diagonal: list[float] = []
    beside: list[float] = []
    for k in range(steps):
        w = np.array(multiply(Q[k]))
        diagonal.append(float(Q[k] @ w))
        for _ in range(2):  # twice is enough
            w -= Q[: k + 1].T @ (Q[: k + 1] @ w)
        rest = float(np.linalg.norm(w))
        if k == steps - 1 or k % 5 == 4 or rest <= 1e-14 * abs(diagonal[0]):
            values, vectors = eigh_tridiagonal(diagonal, beside)
            error, top = rest * np.abs(vectors[-1]), float(np.abs(values).max())
            enough = max(least_tol * abs(float(values[0])), floor * top)
            found = error[0] <= enough and error[-1] <= tol * top
            if found or rest <= 1e-14 * top:  # or an invariant subspace
                break
        if k + 1 < steps:
            beside.append(rest)
            Q[k + 1] = w / rest
    return float(values[0]), float(values[-1])

"""Extreme eigenvalues of a symmetric positive definite operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


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

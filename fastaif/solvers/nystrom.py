"""Randomised Nyström preconditioners, from products with a matrix alone.

Frangella, Tropp & Udell, "Randomized Nyström preconditioning", SIAM Journal on Matrix
Analysis and Applications 44 (2023): for a random orthonormal Ω (d, k) and Y = AΩ

    A ≈ Y (ΩᵀY)⁻¹ Yᵀ = U Λ Uᵀ,
    M⁻¹ = (λ_k + μ) U (Λ + μ)⁻¹ Uᵀ + (1 − U Uᵀ)

for A + μ. Where the eigenvalues of A fall fast, what is left has a condition number of about
(λ_k + μ) / μ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDING = 1e-14  # of the largest eigenvalue, times d


class NegativeCurvatureError(np.linalg.LinAlgError):
    """A curves downwards in the space of the sketch; `curvature` is how much."""

    def __init__(self, curvature: float) -> None:
        super().__init__(f"the matrix has an eigenvalue of at most {curvature:.3g}")
        self.curvature = curvature


@dataclass(frozen=True, eq=False)
class Nystrom:
    """M⁻¹ as an operator.

    Attributes
    ----------
    vectors : array (d, r)
        U, orthonormal.
    shares : array (r, 1)
        (λ_r + μ) / (λ + μ) − 1 of each.
    """

    vectors: Array
    shares: Array

    def __call__(self, R: Array) -> Array:
        """M⁻¹R for R (d, k)."""
        return np.asarray(R + self.vectors @ (self.shares * (self.vectors.T @ R)))


def nystrom(
    multiply: Callable[[Array], Array], d: int, rank: int, shift: float = 0.0, seed: int = 0
) -> Nystrom:
    """The preconditioner of A + μ.

    Parameters
    ----------
    multiply : callable
        (d, k) to A (d, k), symmetric.
    d : int
    rank : int
        Of the sketch, at most d: so many products with A.
    shift : float
        μ ≥ 0.
    seed : int

    Raises
    ------
    NegativeCurvatureError
        A + μ is seen to be indefinite.
    """
    start = np.random.default_rng(seed).standard_normal((d, min(rank, d)))
    sketch = np.linalg.qr(start)[0]
    Y = np.asarray(multiply(sketch), dtype=float)
    inner = sketch.T @ Y
    values, vectors = np.linalg.eigh(0.5 * (inner + inner.T))
    rounding = d * _ROUNDING * float(np.abs(values).max(initial=0.0))
    if values[0] + shift < -rounding:
        raise NegativeCurvatureError(float(values[0]) + shift)
    kept = values > rounding
    if not kept.any():
        return Nystrom(np.zeros((d, 0)), np.zeros((0, 1)))
    # Y V λ^−½ has the singular values Λ^½.
    U, roots, _ = np.linalg.svd(Y @ (vectors[:, kept] / np.sqrt(values[kept])), False)
    found = roots**2 + shift
    return Nystrom(U, (found[-1:] / found - 1.0)[:, None])

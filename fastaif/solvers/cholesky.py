"""Cholesky factors of symmetric matrices whose rows may have very different scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Factor:
    """H = S L Lᵀ S with S = diag(√H_jj): scaling rows costs nothing and saves digits."""

    lower: Array
    scale: Array
    norm: float  # of the scaled matrix, the largest sum of magnitudes of a column

    @property
    def rcond(self) -> float:
        """The reciprocal condition number of the scaled matrix, estimated."""
        from scipy.linalg.lapack import dpocon

        return float(dpocon(self.lower, self.norm, uplo="L")[0])

    @property
    def is_regular(self) -> bool:
        """Whether the scaled matrix is regular beyond rounding: rcond is 8 d rounding units.

        Its diagonal is 1, so that the other eigenvalues' product is at most (d/(d−1))^(d−1) < e,
        and the least of all is at least det/e: where that is enough, nothing need be estimated.
        """
        d, pivots = len(self.lower), self.lower.diagonal()
        least = 8.0 * d * _EPS
        if float(np.multiply.reduce(pivots)) ** 2 > 3.0 * d * self.norm * least:
            return True
        return self.rcond >= least

    def solve(self, b: Array) -> Array:
        """H⁻¹ b for b (d,) or (d, k)."""
        from scipy.linalg.lapack import dpotrs

        scale = self.scale if b.ndim == 1 else self.scale[:, None]
        return np.asarray(dpotrs(self.lower, b / scale, lower=1)[0] / scale)

    def inverse_diagonal(self) -> Array:
        """diag(H⁻¹), shape (d,)."""
        from scipy.linalg.lapack import dtrtri

        inverse, _ = dtrtri(self.lower, lower=1)  # zero above the diagonal, as the factor is
        return np.asarray(np.einsum("ij,ij->j", inverse, inverse) / self.scale**2)


def factorize(H: Array) -> Factor | None:
    """The factor of a positive definite matrix, or None where H is not numerically so.

    "Numerically": the reciprocal condition number of the unit-diagonal scaled matrix
    exceeds 8 d times the rounding unit.
    """
    from scipy.linalg.lapack import dpotrf

    diagonal = H.diagonal()
    if not np.minimum.reduce(diagonal) > 0.0 or np.maximum.reduce(diagonal) == np.inf:
        return None
    scale = np.sqrt(diagonal)
    scaled = np.empty(H.shape, order="F")  # LAPACK's own, which it then need not copy
    np.divide(H, scale, out=scaled)
    scaled /= scale[:, None]
    norm = np.maximum.reduce(np.add.reduce(np.abs(scaled), axis=0))
    if not math.isfinite(norm):
        return None
    lower, info = dpotrf(scaled, lower=1, overwrite_a=1)
    if info != 0:
        return None
    factor = Factor(lower, scale, float(norm))
    return factor if factor.is_regular else None


def minimum_norm_solve(H: Array, b: Array) -> Array:
    """H⁺ b for a positive semi-definite H; eigenvalues below d·ε·λ_max count as zero."""
    from scipy.linalg import eigh

    values, vectors = eigh(H)
    kept = values > H.shape[0] * np.finfo(float).eps * max(float(values[-1]), 0.0)
    return np.asarray(vectors[:, kept] @ ((vectors[:, kept].T @ b) / values[kept]))

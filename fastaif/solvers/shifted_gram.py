"""Cholesky factors of shifted Gram matrices K + diag(shift), in K's own memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class ShiftedGram:
    """C = K + diag(shift), factored; K stays readable in the upper triangle.

    Attributes
    ----------
    packed : array (n, n)
        C-ordered: the factor of C / unit in the lower triangle, K / unit strictly above it.
    diagonal : array (n,)
        That of K / unit.
    unit : float
        A power of two; 1 for kernels of ordinary size.
    rcond : float
        About the reciprocal condition number of C scaled to a unit diagonal, at least:
        Cholesky's factor does not mind the scale of rows.
    """

    packed: Array
    diagonal: Array
    unit: float
    rcond: float

    def solve(self, b: Array) -> Array:
        """C⁻¹ b for b (n,) or (n, k)."""
        from scipy.linalg.blas import dtrsv
        from scipy.linalg.lapack import dpotrs

        factor = self.packed.T  # its Fortran view: an upper triangular factor
        if b.ndim == 1:
            return np.asarray(dtrsv(factor, dtrsv(factor, b, trans=1))) / self.unit
        return np.asarray(dpotrs(factor, b, lower=0)[0]) / self.unit

    def multiply(self, b: Array) -> Array:
        """K b for b (n,) or (n, k)."""
        from scipy.linalg.blas import dsymm, dsymv

        factor, symmetric = self.packed.T, dsymv if b.ndim == 1 else dsymm
        own = self.diagonal - np.diagonal(self.packed)
        return self.unit * (np.asarray(symmetric(1.0, factor, b, lower=1)) + along(own, b) * b)

    def unpacked(self) -> Array:
        """K (n, n), as a copy."""
        upper = np.triu(self.packed, 1)
        upper += upper.T
        upper[np.diag_indices(len(upper))] = self.diagonal
        return self.unit * upper


def shifted_gram(K: Array, shift: Array) -> ShiftedGram | None:
    """Factor K + diag(shift) in K's own memory, or None where it is not positive definite.

    "Numerically" so: scaled to a unit diagonal, the reciprocal condition number exceeds 8 n
    times the rounding unit. (Weights of very different size make shifts that are, too.)
    """
    from scipy.linalg.lapack import dpocon, dpotrf

    n, unit = len(K), _unit(np.diagonal(K))
    if unit != 1.0:
        K /= unit
    diagonal = np.diagonal(K).copy()
    K[np.diag_indices(n)] += shift / unit
    roots = np.sqrt(np.maximum(np.diagonal(K), np.finfo(float).tiny))
    norm = _one_norm(K, roots)
    factor, info = dpotrf(K.T, lower=0, overwrite_a=1, clean=0)
    if info != 0:
        return None
    assert np.shares_memory(factor, K)
    # No less than the least scaled shift.
    rcond = float(np.min(shift / unit / roots**2)) / norm if norm > 0 else 0.0
    limit = 8 * n * np.finfo(float).eps
    if rcond < limit:
        rcond = float(dpocon(K.T / roots, norm, uplo="U")[0])
    return ShiftedGram(K, diagonal, unit, rcond) if rcond >= limit else None


def _unit(diagonal: Array) -> float:
    """The power of two nearest the mean of an extreme diagonal, 1 for an ordinary one."""
    mean = float(np.mean(diagonal))
    if not 0.0 < mean < np.inf or 2.0**-13 < mean < 2.0**13:
        return 1.0
    return float(np.exp2(np.round(np.log2(mean))))


def _one_norm(K: Array, roots: Array) -> float:
    """The largest sum of |K_ij| / (roots_i roots_j) over a row, a block of rows at a time."""
    parts = 1 + len(K) // 256
    blocks = zip(np.array_split(K, parts), np.array_split(roots, parts), strict=True)
    inverse = 1.0 / roots
    return max(float(np.max((np.abs(block) @ inverse) / own)) for block, own in blocks)


def along(values: Array, like: Array) -> Array:
    """Values (n,) in the shape that multiplies `like`, (n,) or (n, k), row by row."""
    return values if like.ndim == 1 else values[:, None]

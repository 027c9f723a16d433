"""Cholesky factors of symmetric matrices whose rows may have very different scales."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._compute.rooms import empty_matrix

Array = NDArray[Any]
_EPS = float(np.finfo(float).eps)


class Inverse(Protocol):
    """H⁻¹, by the factor of some matrix."""

    @property
    def rcond(self) -> float:
        """A reciprocal condition number."""

    def solve(self, b: Array) -> Array:
        """H⁻¹ b for b (d,) or (d, k)."""

    def inverse_diagonal(self) -> Array:
        """diag(H⁻¹), shape (d,)."""


@functools.cache
def _lapack() -> Any:
    """LAPACK, loaded when it is first needed; to import a function of it takes as long as to run it
    on a small matrix."""
    from scipy.linalg import lapack

    return lapack


class Factor(NamedTuple):
    """H = S L Lᵀ S with S = diag(√H_jj): scaling rows costs nothing and saves digits.

    L is the lower triangle of `lower`, which above its diagonal keeps the scaled matrix S⁻¹HS⁻¹;
    that one's own diagonal is 1.
    """

    lower: Array
    scale: Array
    norm: float  # of the scaled matrix, the largest sum of magnitudes of a row

    @property
    def inner(self) -> Factor:
        """The factor itself; others are in other coordinates than θ."""
        return self

    @property
    def rcond(self) -> float:
        """The reciprocal condition number of the scaled matrix, estimated."""
        return float(_lapack().dpocon(self.lower, self.norm, uplo="L")[0])

    def is_regular(self, ridge: Array | None = None) -> bool:
        """Whether the scaled matrix is regular beyond rounding: rcond is 8 d rounding units.

        Its diagonal is 1, so that the other eigenvalues' product is at most (d/(d−1))^(d−1) < e,
        and the least of all is at least det/e; a ridge that is a part of a positive definite H
        may tell more of it. Where that is enough, nothing need be estimated.
        """
        d = len(self.lower)
        least = 8.0 * d * _EPS
        enough = d * self.norm * least  # for the least eigenvalue
        if math.prod(self.lower.diagonal().tolist()) ** 2 > 3.0 * enough:
            return True
        if ridge is not None and self.least_by(ridge) > 2.0 * enough:
            return True
        return self.rcond >= least

    def least_by(self, ridge: Array) -> float:
        """A bound from below on the scaled matrix's least eigenvalue, of what a ridge adds to it.

        For |u|² + |w|² = 1, w where there is no ridge, the form is at least δ|u|², δ the least
        share of the ridge in a diagonal entry, and at least (√λ|w| − √ν|u|)², λ the least
        eigenvalue of the part of w and ν the norm. Where |u|² is λ/(4ν + λ) or more the first is
        enough, and below the second is at least λ|w|²/4.
        """
        held = ridge > 0.0
        free = np.flatnonzero(~held)
        if 8 * free.size > len(ridge):
            return 0.0
        part = np.triu(self.lower[np.ix_(free, free)], 1)
        values = np.linalg.eigvalsh(part + part.T + np.eye(free.size))
        least = max(float(np.min(values, initial=1.0)), 0.0)
        share = float(np.min(ridge[held] / self.scale[held] ** 2))
        return min(share, self.norm) * least / (4.0 * self.norm + least)

    def solve(self, b: Array) -> Array:
        """H⁻¹ b for b (d,) or (d, k)."""
        scale = self.scale if b.ndim == 1 else self.scale[:, None]
        return np.asarray(_lapack().dpotrs(self.lower, b / scale, lower=1)[0] / scale)

    def whitened(self, b: Array) -> Array:
        """L⁻¹S⁻¹ b for b (d,) or (d, k): half of `solve`, in which H⁻¹ is the identity."""
        scale = self.scale if b.ndim == 1 else self.scale[:, None]
        return np.asarray(_lapack().dtrtrs(self.lower, b / scale, lower=1, overwrite_b=1)[0])

    def coloured(self, u: Array) -> Array:
        """S⁻¹L⁻ᵀ u (d,): the other half."""
        return np.asarray(_lapack().dtrtrs(self.lower, u, lower=1, trans=1)[0] / self.scale)

    def inverse_diagonal(self) -> Array:
        """diag(H⁻¹), shape (d,)."""
        inverse = np.tril(_lapack().dtrtri(self.lower, lower=1)[0])
        return np.asarray(np.einsum("ij,ij->j", inverse, inverse) / self.scale**2)


def factorize(H: Array, ridge: Array | None = None) -> Factor | None:
    """The factor of a positive definite matrix, or None where H is not numerically so.

    A ridge (d,) counts as part of H's diagonal; beside it H is positive semi-definite.

    "Numerically": the reciprocal condition number of the unit-diagonal scaled matrix
    exceeds 8 d times the rounding unit.
    """
    diagonal = H.diagonal() if ridge is None else H.diagonal() + ridge
    entries = diagonal.tolist()
    if not (min(entries, default=1.0) > 0.0 and max(entries, default=1.0) < math.inf):
        return None  # NaN may pass, and shows in the norm below
    scale = np.sqrt(diagonal)
    scaled = np.divide(H, scale[:, None], out=empty_matrix(len(H), len(H)))
    scaled /= scale
    if ridge is not None:
        np.fill_diagonal(scaled, 1.0)
    lapack, turned = _lapack(), scaled.T  # symmetric, and LAPACK need not copy its own order
    norm = float(lapack.dlange("I", turned))
    if not math.isfinite(norm):
        return None
    lower, info = lapack.dpotrf(turned, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        return None
    factor = Factor(lower, scale, norm)
    return factor if factor.is_regular(ridge) else None


def minimum_norm_solve(H: Array, b: Array) -> Array:
    """H⁺ b for a positive semi-definite H; eigenvalues below d·ε·λ_max count as zero."""
    from scipy.linalg import eigh

    values, vectors = eigh(H)
    kept = values > H.shape[0] * np.finfo(float).eps * max(float(values[-1]), 0.0)
    return np.asarray(vectors[:, kept] @ ((vectors[:, kept].T @ b) / values[kept]))

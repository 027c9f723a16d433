"""The linear systems of the interior-point method's Newton steps, in (θ, τ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .design import Design
from .norm_terms import Curvature

Array = NDArray[Any]
_REFINED = 2
MANY = 2000  # columns, from which on no matrix of them is made whatever it costs in digits
_WIDE = 400  # columns, below which a matrix of them costs little


@dataclass(frozen=True)
class Quadratic:
    """Second derivatives in (θ, τ) or (θ, κ): a matrix (d, d), a column (d,) and the corner."""

    gram: Any
    cross: Array
    corner: float

    def plus(self, other: Quadratic) -> Quadratic:
        """The sum."""
        return Quadratic(
            self.gram + other.gram, self.cross + other.cross, self.corner + other.corner
        )


class System(Protocol):
    """The rows' second derivatives with what the norm, the penalty and κ add to them."""

    def solve(self, right: Array, right_tau: float) -> tuple[Array, float]:
        """The step that takes the derivatives `right` (d,) and `right_tau` to zero."""


def is_wide(design: Design) -> bool:
    """Whether there are so many more columns than rows that no matrix of the columns is made."""
    return design.n_columns > _WIDE and design.n_columns > 1.5 * design.weights.size


class Dense:
    """One matrix of d + 1 rows, and its Cholesky factor.

    Parameters
    ----------
    rows : Quadratic
        Of the rows, in (θ, τ).
    free : array (k,)
        The attacked coefficients.
    scale : array (k,)
        Their D.
    diagonal : array (d,)
        Of the penalty.
    norm : Curvature
    """

    def __init__(
        self, rows: Quadratic, free: Array, scale: Array, diagonal: Array, norm: Curvature
    ) -> None:
        d = len(rows.gram)
        M = np.empty((d + 1, d + 1))
        M[:d, :d], M[:d, d], M[d, d] = rows.gram, rows.cross, rows.corner + norm.corner
        M[np.arange(d), np.arange(d)] += diagonal
        M[free, free] += scale**2 * norm.diagonal
        M[free, d] += scale * norm.cross
        M[d] = M[:, d]
        row = np.zeros(d + 1)
        row[free], row[d] = scale * norm.row, norm.row_corner
        if row.any():
            M += np.outer(row, row / norm.total)
        self._matrix = M
        self._factorize()

    def _factorize(self) -> None:
        """Scaled to a unit diagonal, which is raised by as little as makes it definite."""
        self._unit = 1.0 / np.sqrt(np.maximum(np.diagonal(self._matrix), 1e-300))
        self._factor = _raised_factor(self._matrix * self._unit * self._unit[:, None])

    def _apply_inverse(self, right: Array) -> Array:
        from scipy.linalg.lapack import dpotrs

        found, _ = dpotrs(self._factor, self._unit * right, lower=1)
        return np.asarray(self._unit * found)

    def solve(self, right: Array, right_tau: float) -> tuple[Array, float]:
        right = np.append(right, right_tau)
        step = -self._apply_inverse(right)
        step -= self._apply_inverse(right + self._matrix @ step)  # refined once
        return step[:-1], float(step[-1])


def _raised_factor(matrix: Array) -> Array:
    """The lower Cholesky factor of a matrix of unit diagonal or more."""
    from scipy.linalg.lapack import dpotrf

    for ridge in (0.0, 1e-15, 1e-13, 1e-11, 1e-9, 1e-7):
        raised = matrix + ridge * np.eye(len(matrix)) if ridge else matrix
        factor, info = dpotrf(raised, lower=1)
        if info == 0:
            return np.asarray(factor)
    raise FloatingPointError("the Newton system of a robust fit is not finite")


class Wide:
    """With fewer rows than columns: Λ + ZᵀAZ by the n × n matrix 1 + √A Z Λ⁻¹ Zᵀ √A.

    Λ is the diagonal that the norm and the penalty give the columns. A column without one (the
    intercept's) is lent one, which a border takes back; the norm's row, what rows share and τ are
    in the border, too.

    Parameters
    ----------
    design : Design
    weights : array (n,)
        A.
    rows : Quadratic
        The others of the rows' second derivatives.
    shared : float
        What multiplies the outer product of their column with itself, in θ.
    free, scale, diagonal, norm
        As for `Dense`.
    """

    def __init__(
        self, design: Design, weights: Array, rows: Quadratic, shared: float, free: Array,
        scale: Array, diagonal: Array, norm: Curvature,
    ) -> None:  # fmt: skip
        self._design, self._free, self._scale = design, free, scale
        self._weights = np.maximum(weights, 0.0)
        Lambda = diagonal.copy()
        Lambda[free] += scale**2 * norm.diagonal
        lent = np.where(Lambda > 0.0, 0.0, float(self._weights.sum()))
        self._lambda = Lambda + lent
        self._factorize()
        self._border(rows.cross, rows.corner, norm, shared, lent)

    def _factorize(self) -> None:
        root = np.sqrt(self._weights)
        gram = root[:, None] * self._design.outer(1.0 / self._lambda) * root
        gram[np.diag_indices_from(gram)] += 1.0
        self._unit = 1.0 / np.sqrt(np.diagonal(gram))
        self._factor = _raised_factor(gram * self._unit * self._unit[:, None])
        self._unit = self._unit * root

    def _border(
        self, cross: Array, corner: float, norm: Curvature, shared: float, lent: Array
    ) -> None:
        free, scale, bare = self._free, self._scale, np.flatnonzero(lent)
        sides = np.zeros((cross.size, 3 + bare.size))
        sides[:, 0] = cross
        sides[free, 0] += scale * norm.cross
        sides[free, 1] = scale * norm.row
        sides[:, 2] = cross if shared else 0.0
        sides[bare, np.arange(3, 3 + bare.size)] = 1.0
        low = -1.0 / shared if shared else 1.0
        self._corner = np.diag([corner + norm.corner, -norm.total, low, *(1.0 / lent[bare])])
        self._corner[0, 1] = self._corner[1, 0] = norm.row_corner
        self._sides = sides
        self._solved = self._apply_inverse(sides)
        self._small = self._corner - sides.T @ self._solved

    def _apply_inverse(self, right: Array) -> Array:
        """(Λ + ZᵀAZ)⁻¹ of (d, k)."""
        from scipy.linalg.lapack import dpotrs

        first = right / self._lambda[:, None]
        seen = self._unit[:, None] * self._design.predict(first)
        found, _ = dpotrs(self._factor, seen, lower=1)
        back = self._design.pull(self._unit[:, None] * found)
        return np.asarray(first - back / self._lambda[:, None])

    def _apply(self, x: Array, beside: Array) -> tuple[Array, Array]:
        seen = self._weights[:, None] * self._design.predict(x)
        first = self._lambda[:, None] * x + self._design.pull(seen) + self._sides @ beside
        return first, self._sides.T @ x + self._corner @ beside

    def _bordered(self, right: Array, low: Array) -> tuple[Array, Array]:
        first = self._apply_inverse(right)
        beside = np.linalg.solve(self._small, low - self._sides.T @ first)
        return first - self._solved @ beside, beside

    def solve(self, right: Array, right_tau: float) -> tuple[Array, float]:
        low = np.zeros((len(self._corner), 1))
        low[0] = right_tau
        right = right[:, None]
        x, beside = self._bordered(-right, -low)
        for _ in range(_REFINED):
            first, second = self._apply(x, beside)
            dx, dbeside = self._bordered(-right - first, -low - second)
            x, beside = x + dx, beside + dbeside
        return x[:, 0], float(beside[0, 0])

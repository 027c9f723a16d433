"""The linear systems of the interior-point method's Newton steps, in (θ, τ)."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .design import Design
from .norm_terms import Curvature

Array = NDArray[Any]


class System(Protocol):
    """ZᵀAZ with what the norm, the penalty and κ add to it."""

    def make(
        self, weights: Array, numbers: Array, corner: float, norm: Curvature, shared: float
    ) -> Array:
        """Pass over the rows; Zᵀ of numbers (n, k), of which the first couples θ and τ and its
        outer product is added `shared` times."""

    def solve(self, right: Array, right_tau: float) -> tuple[Array, float]:
        """The step that takes the derivatives `right` (d,) and `right_tau` to zero."""


def system(design: Design, free: Array, scale: Array, diagonal: Array) -> System:
    """The system of a design's shape.

    Parameters
    ----------
    design : Design
    free : array (k,)
        The attacked coefficients.
    scale : array (k,)
        Their D.
    diagonal : array (d,)
        Of the penalty.
    """
    return _Dense(design, free, scale, diagonal)


class _Dense:
    """One matrix of d + 1 rows, and its Cholesky factor."""

    def __init__(self, design: Design, free: Array, scale: Array, diagonal: Array) -> None:
        self._design, self._free, self._scale, self._diagonal = design, free, scale, diagonal

    def make(
        self, weights: Array, numbers: Array, corner: float, norm: Curvature, shared: float
    ) -> Array:
        gram, pulled = self._design.gram(weights, numbers)
        if shared:
            gram += shared * np.outer(pulled[:, 0], pulled[:, 0])
        d, free, scale = len(gram), self._free, self._scale
        M = np.empty((d + 1, d + 1))
        M[:d, :d], M[:d, d], M[d, d] = gram, pulled[:, 0], corner + norm.corner
        M[np.arange(d), np.arange(d)] += self._diagonal
        M[free, free] += scale**2 * norm.diagonal
        M[free, d] += scale * norm.cross
        M[d] = M[:, d]
        places = np.append(free, d)
        row = np.append(scale * norm.row, norm.row_corner)
        M[np.ix_(places, places)] += np.outer(row, row / norm.total)
        self._matrix = M
        self._factorize()
        return pulled

    def _factorize(self) -> None:
        """Scaled to a unit diagonal, which is raised by as little as makes it definite."""
        from scipy.linalg.lapack import dpotrf

        self._unit = 1.0 / np.sqrt(np.maximum(np.diagonal(self._matrix), 1e-300))
        scaled = self._matrix * self._unit * self._unit[:, None]
        for ridge in (0.0, 1e-15, 1e-13, 1e-11, 1e-9, 1e-7):
            raised = scaled + ridge * np.eye(len(scaled)) if ridge else scaled
            self._factor, info = dpotrf(raised, lower=1)
            if info == 0:
                return
        raise FloatingPointError("the Newton system of a robust fit is not finite")

    def _apply_inverse(self, right: Array) -> Array:
        from scipy.linalg.lapack import dpotrs

        found, _ = dpotrs(self._factor, self._unit * right, lower=1)
        return np.asarray(self._unit * found)

    def solve(self, right: Array, right_tau: float) -> tuple[Array, float]:
        right = np.append(right, right_tau)
        step = -self._apply_inverse(right)
        step -= self._apply_inverse(right + self._matrix @ step)  # refined once
        return step[:-1], float(step[-1])

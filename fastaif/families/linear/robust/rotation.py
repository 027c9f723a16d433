"""Robust fits with p = 2 in the space of the rows.

Where all coefficients are attacked, Dβ at the optimum is in the range of D⁻¹Vᵀ: a part outside
would lengthen it and move no prediction. With D⁻¹Vᵀ = QR and Dβ = Qc the predictions are Rᵀc, and
‖Dβ‖₂ = ‖c‖₂: a problem of as many unknowns as rows.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....bases.builtin import Linear
from ....data.rows import RowSource
from .design import Design, unchanged
from .objective import RobustProblem

Array = NDArray[Any]


def rotates(problem: RobustProblem) -> bool:
    """Whether the norm, and the penalty with it, are those of c."""
    D, pen = problem.weights, problem.penalized[: problem.m]
    if problem.q != 2.0 or not np.all(D > 0.0) or problem.l1 is not None:
        return False
    return problem.alpha == 0.0 or bool(np.all(D[0] == D) and np.all(pen == pen[0]))


class Rotation:
    """The problem in c, and the way there and back."""

    def __init__(self, problem: RobustProblem, design: Design) -> None:
        from scipy.linalg.lapack import dgeqrf

        self._problem = problem
        # Q stays the reflections that it is a product of: to make its columns would cost as much.
        wide = (design.inputs() / problem.weights).T
        self._reflections, self._tau, _, _ = dgeqrf(wide, lwork=64 * wide.shape[1], overwrite_a=1)
        k = self._tau.size
        upper = np.triu(self._reflections[:k])
        rows = RowSource(np.ascontiguousarray(upper.T), design.targets, design.weights, unchanged)
        sweep = dataclasses.replace(problem.sweep, source=rows, basis=Linear(), ball=None)
        shrunk = problem.penalized[0] / problem.weights[0] ** 2
        penalized = np.concatenate([np.full(k, shrunk), problem.penalized[problem.m :]])
        self.inner = dataclasses.replace(
            problem,
            sweep=sweep,
            penalized=penalized,
            weights=np.ones(k),
            best=None,
            natural=None,
        )

    def enter(self, theta: Array) -> Array:
        """The nearest (c, b)."""
        m, k = self._problem.m, self._tau.size
        return np.append(self._turned(self._problem.weights * theta[:m], "T")[:k], theta[m:])

    def leave(self, inner: Array) -> Array:
        """θ."""
        k = self._tau.size
        lengthened = np.zeros(self._problem.m)
        lengthened[:k] = inner[:k]
        return np.append(self._turned(lengthened, "N") / self._problem.weights, inner[k:])

    def _turned(self, vector: Array, which: str) -> Array:
        """Q, or Qᵀ, times a vector (m,)."""
        from scipy.linalg.lapack import dormqr

        found, _, _ = dormqr("L", which, self._reflections, self._tau, vector[:, None], 64)
        return np.asarray(found[:, 0])

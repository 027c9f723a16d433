"""Newton steps of natural fits with fewer rows than parameters, by matrices of the rows.

With V the rows in working coordinates, A the curvatures and R the penalty's diagonal, the step of
H = ZᵀAZ + R from a gradient g solves, with multipliers λ = A (Vβ + b),

    (A⁻¹ + V R⁻¹ Vᵀ) λ − b = V R⁻¹ g_β,  1ᵀλ = g_b,  β = R⁻¹ (g_β − Vᵀλ).

Without a penalty it is the one of least norm, from the eigenvectors of √A Z Zᵀ √A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...passes.linear import Sweep
from ...solvers.newton import Local
from ...utils.caching import cached_property

Array = NDArray[Any]
_WIDE = 400  # parameters, below which a matrix of them costs little
_ENTRIES = 1 << 27  # of rows that are kept: 1 GB


def are_few(n: int, d: int) -> bool:
    """Whether matrices of n rows are the smaller ones, and the rows few enough to be kept."""
    return d > _WIDE and d > 1.5 * n and n * d <= _ENTRIES


def has_few_rows(sweep: Sweep, ridge: Array) -> bool:
    """Whether matrices of the rows are the smaller ones; `ridge` is the penalty's, or its diagonal.

    The penalty has to be nothing, or on every coefficient.
    """
    on = ridge[: sweep.n_coefs] > 0.0
    plain = ridge.ndim == 1 and (bool(on.all()) or not on.any())
    return plain and are_few(sweep.source.n_rows, sweep.n_coefs)


def positive_rows(sweep: Sweep) -> tuple[Array, Array, Array]:
    """Z (n, d), y and w̄ (n,), of the rows of positive weight."""
    source = sweep.source
    V = sweep.basis.transform(np.asarray(source.inputs(0, source.n_rows), dtype=np.float64))
    if sweep.fit_intercept:
        V = np.column_stack([V, np.ones(len(V))])
    w = source.weights()
    w = w if w.size else np.ones(len(V))
    kept = w > 0
    return V[kept], source.targets()[kept], w[kept] / w[kept].sum()


@dataclass(frozen=True)
class RowSpaceSteps:
    """H⁻¹g, or the least-norm solution in the units given.

    Attributes
    ----------
    sweep : Sweep
        In working coordinates.
    ridge : array (d,)
        2α on the penalised entries.
    units : array (d,)
    """

    sweep: Sweep
    ridge: Array
    units: Array

    @cached_property
    def _rows(self) -> tuple[Array, Array, Array]:
        return positive_rows(self.sweep)

    def __call__(self, theta: Array, here: Local) -> tuple[Array, bool]:
        """The step, and whether H is singular."""
        Z, y, w = self._rows
        A = w * self.sweep.loss.curvature(Z @ theta, y)
        if self.ridge.any():
            return self._penalized(Z, A, here.gradient), False
        root = np.sqrt(A)
        M = root[:, None] * Z * self.units
        values, vectors = np.linalg.eigh(M @ M.T)
        kept = values > Z.shape[1] * np.finfo(float).eps * max(float(values[-1]), 0.0)
        U = vectors[:, kept] / values[kept]
        step = M.T @ (U @ (U.T @ (M @ (self.units * here.gradient))))
        return np.asarray(self.units * step), True

    def _penalized(self, Z: Array, A: Array, g: Array) -> Array:
        m = self.sweep.n_coefs
        curved = A > 0.0
        V, A = Z[curved, :m], A[curved]
        n, extra = len(V), g.size - m
        over = V / self.ridge[:m]
        matrix = np.zeros((n + extra, n + extra))
        matrix[:n, :n] = over @ V.T
        matrix[np.arange(n), np.arange(n)] += 1.0 / A
        matrix[:n, n:], matrix[n:, :n] = -1.0, -1.0
        right = np.concatenate([over @ g[:m], -g[m:]])
        found = np.linalg.solve(matrix, right)
        beta = (g[:m] - V.T @ found[:n]) / self.ridge[:m]
        return np.concatenate([beta, found[n:]])

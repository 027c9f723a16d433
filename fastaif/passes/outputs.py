"""The pass over rows of linear models with several outputs and the squared error.

With r = z − y, W the first m columns of Θ and φ = φ_c(Wᵀr),

    gradient:  2 E r (u, 1)ᵀ
    Φ/s:       2 E [r (φ, 0)ᵀ + W φ (u, 1)ᵀ]
    H:         2 E (u, 1)(u, 1)ᵀ of every output, and nothing between two of them.

All of it is products of matrices of a chunk's rows, which BLAS makes. Rows that are fitted but for
rounding, whose direction of attack would be noise, count as zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..threat.budget import shares_of
from .sums import InfluenceSums
from .vector import VectorSums, VectorSweep

Array = NDArray[Any]

_FLAT = 1e-11  # of the terms of a residual: what is none
_NEWTON = 10.0  # times what a Newton step changes: where Θ is less exact than that
_STATIONARY = 1e-4  # of the terms: a Θ that a step moves by more is not stationary at all


@dataclass
class OutputsSums(VectorSums):
    """`VectorSums` of several outputs, of which one matrix is all of H."""

    family: ClassVar[str] = "outputs"

    @property
    def curvature(self) -> Array:
        """2 E (u, 1)(u, 1)ᵀ, (c, c): the block of each output."""
        return np.asarray(self.raw.hessian / self.weight)

    @property
    def squared_errors(self) -> Array:
        """E r_k² of each output, (K,); where it is fitted exactly, what rounding leaves of y_k."""
        return np.asarray(self.raw.vectors[c.V_FF, : self.n_outputs] / self.weight)

    @property
    def blocks(self) -> Array:
        """The same for every output, and zero between two, (K, K, c, c)."""
        return np.multiply.outer(np.eye(self.n_outputs), self.curvature)


@dataclass(frozen=True)
class OutputsSweep(VectorSweep):
    """The pass of a linear model of several outputs; targets are (n, K).

    Attributes
    ----------
    step : array (K, c) or None
        The Newton step left at Θ, where that may matter (see `are_flat`).
    """

    step: Array | None = None

    kind: ClassVar[str] = "outputs"

    def run_here(self, coef: Array, need: int, *, exponent: float) -> OutputsSums:
        """`run` in this process."""
        K, size = self.n_outputs, self.n_entries
        given = np.array(coef, dtype=float).reshape(K, size)
        scaling = [np.asarray(part).tobytes() for part in self.basis.arrays(self.source.n_columns)]
        attack = None if self.ball is None else self.ball.fingerprint()
        step = b"" if self.step is None else self.step.tobytes()
        fingerprint = self.kind, need, exponent, given.tobytes(), *scaling, attack, step
        shape = (size, size) if need & c.NEED_HESSIAN else (0, 0)

        def work(start: int, stop: int) -> OutputsSums:
            raw = c.Sums(np.zeros(shape), np.zeros((c.N_VECTORS, K * size)), np.zeros(c.N_SCALARS))
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                self._add(start, stop, given, need, exponent, raw)
            return OutputsSums(fingerprint, raw, self.fit_intercept, exponent, n_outputs=K)

        source = self.source
        found = self.executor.reduce(
            source, source.chunks(), work, InfluenceSums.merge, source.n_rows * K * size
        )
        return cast(OutputsSums, found)

    def _add(
        self, start: int, stop: int, coef: Array, need: int, exponent: float, sums: c.Sums
    ) -> None:
        """Add the sums over a range of rows; those of no weight may hold what is no number."""
        X, Z = self.source.inputs(start, stop), self.inputs(start, stop)
        Y, w = self.source.targets(start, stop), self.source.weights(start, stop)
        if not w.size:
            w = np.ones(len(X))
        elif not w.all():
            X, Z, Y, w = (part[w > 0.0] for part in (X, Z, Y, w))
        r = Z @ coef.T - Y
        sums.vectors[c.V_FF, : len(coef)] = w @ (r**2 + (_FLAT * Y) ** 2)
        squares = np.sum(r * r, axis=1)
        lengths = 2.0 * np.sqrt(squares)
        scalars = sums.scalars
        scalars[c.S_WEIGHT], scalars[c.S_W2] = w.sum(), w @ w
        scalars[c.S_FF], scalars[c.S_F2] = 2.0 * w.sum(), 4.0 * (w @ squares)
        scalars[c.S_LOSS], scalars[c.S_K] = w @ squares, w @ lengths
        if need & c.NEED_YARDSTICK:
            scalars[c.S_YARDSTICK] = (w * lengths) @ np.sqrt(np.sum(Z * Z, axis=1))
        if need & c.NEED_NORM and self.ball is not None:
            scalars[c.S_NORM] = w @ self.ball.norms(np.asarray(X, dtype=float))
        if need & c.NEED_HESSIAN:
            scaled = Z * np.sqrt(2.0 * w)[:, None]
            sums.hessian[...] = scaled.T @ scaled
        if need & c.NEED_GRADIENT:
            sums.vectors[c.V_F] = (2.0 * (r * w[:, None]).T @ Z).ravel()
        if need & c.NEED_MIXED:
            r[are_flat(Z, coef, Y, r, self.step)] = 0.0
            self._add_mixed(X, Z, 2.0 * r, w, coef, exponent, sums)

    def _add_mixed(
        self, X: Array, Z: Array, a: Array, w: Array, coef: Array, exponent: float, sums: c.Sums
    ) -> None:
        """Φ/s and the scalar sums that go with it."""
        assert self.ball is not None
        m = self.source.n_columns
        W = np.ascontiguousarray(coef[:, :m])
        phi, gains, ties = self.ball.directions(a @ W, X)
        rates = w
        if exponent:
            peak = float(gains.max(initial=0.0))
            shares = shares_of(gains, peak, exponent)
            rates = w * shares
            sums.scalars[c.S_PEAK] = peak
            sums.scalars[c.S_POWER] = rates @ gains / (peak or 1.0)
        mixed = (2.0 * rates[:, None] * (phi @ W.T)).T @ Z
        mixed[:, :m] += (rates[:, None] * a).T @ phi
        sums.vectors[c.V_MIXED] = mixed.ravel()
        zero = gains == 0.0
        sums.scalars[c.S_SLOPE] = w @ gains
        sums.scalars[c.S_ZERO], sums.scalars[c.S_TIES] = np.sum(zero), np.sum(ties[~zero])


def are_flat(
    inputs: Array, coef: Array, y: Array, residuals: Array, step: Array | None = None
) -> Array:
    """Rows (n,) whose residuals (n, K) are all zero but for the rounding of their terms.

    Where a step (K, c) is left at Θ, they are as far from the optimum's as it moves them.
    """
    terms = np.abs(y) + np.abs(inputs) @ np.abs(coef).T
    doubt = _FLAT * terms
    if step is not None:
        moved = np.abs(inputs @ step.T)
        doubt = np.maximum(doubt, np.where(moved <= _STATIONARY * terms, _NEWTON * moved, 0.0))
    return np.asarray(np.all(np.abs(residuals) <= doubt, axis=1))

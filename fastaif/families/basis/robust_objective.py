"""The robust objective of basis models with its Gauss-Newton matrix, in one pass.

    R(θ) = E max(ℓ(f⁺), ℓ(f⁻)) + α ‖θ_pen‖²,   f± the extremes of f over a sample's ball
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bases.expansion import Expansion
from ...solvers.newton import Local
from ..finite_sum.natural_fit import add_penalty
from .extremes import Extremes
from .problem import BasisProblem

Array = NDArray[Any]


class OutOfPassesError(Exception):
    """The objective was asked for more passes over the data than it was granted."""


class _Part(NamedTuple):
    """Sums over a block, of w(·): ψ, the hard maximum, |c|, gradient, yardstick, Hessian."""

    scalars: Array
    gradient: Array
    hessian: Array


def _merge(a: _Part, b: _Part) -> _Part:
    for mine, theirs in zip(a, b, strict=True):
        mine += theirs
    return a


@dataclass
class RobustObjective:
    """R as the solver sees it; `width` μ is 0 for R itself.

    Attributes
    ----------
    problem : BasisProblem
    basis : Expansion
        v, in the solver's working coordinates.
    penalized : array (d,)
    radius : float
        ρ = ε s.
    exact : bool
        Whether the extremes are.
    width : float
    hard, spread : float
        R and E |c|, c = (ℓ(f⁺) − ℓ(f⁻))/2, at the last θ.
    n_passes, granted : int
        Passes so far, and how many are allowed (None: any number).
    """

    problem: BasisProblem
    basis: Expansion
    penalized: Array
    radius: float
    exact: bool
    width: float = 0.0
    hard: float = 0.0
    spread: float = 0.0
    n_passes: int = 0
    granted: int | None = None

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Gauss-Newton Hessian and yardstick at θ."""
        self.problem.executor.tick()
        if self.granted is not None and self.n_passes >= self.granted:
            raise OutOfPassesError
        self.n_passes += 1
        problem = self.problem
        d = problem.model.n_coefs
        extremes = Extremes(self.basis, theta[:d], problem.ball, self.radius, self.exact)
        intercept = float(theta[d:].sum())
        source = problem.source
        size = max(64, (1 << 17) // d)

        def work(start: int, stop: int) -> _Part:
            total = _Part(np.zeros(5), np.zeros(theta.size), np.zeros((theta.size, theta.size)))
            for k in range(start, stop, size):
                rows = slice(k, min(k + size, stop))
                _merge(total, self._block(extremes, intercept, rows.start, rows.stop))
            return total

        with np.errstate(over="ignore", invalid="ignore"):
            total = problem.executor.reduce(
                source, source.chunks(columns=d), work, _merge, 4 * source.n_rows * d
            )
        weight, value, hard, spread, yardstick = total.scalars
        penalty = problem.alpha * float(self.penalized @ theta**2)
        self.hard, self.spread = hard / weight + penalty, spread / weight
        local = Local(
            value / weight, total.gradient / weight, total.hessian / weight, yardstick / weight
        )
        return add_penalty(local, theta, problem.alpha, self.penalized)

    def _block(self, extremes: Extremes, intercept: float, start: int, stop: int) -> _Part:
        source, loss = self.problem.source, self.problem.model.loss
        y, w = source.targets(start, stop), source.weights(start, stop)
        w = w if w.size else np.ones(stop - start)
        U = self.basis.inner(source.inputs(start, stop))
        f = self.basis.features_at(U) @ extremes.beta + intercept
        up, down = extremes.end(U, 1.0), extremes.end(U, -1.0)
        high, low = f + up.change, f + down.change
        gap = 0.5 * loss.change(low, up.change - down.change, y)
        worse = np.where(gap >= 0.0, 1.0, -1.0)
        hard = loss.value(np.where(worse > 0, high, low), y)
        if self.width == 0.0:
            t = np.where(worse[:, None] > 0, up.t, down.t)
            g = np.where(worse > 0, high, low)
            Z = self._design(extremes.moved(U, t))
            rows = [(Z, w * loss.slope(g, y), w * loss.curvature(g, y))]
            value = hard
        else:
            root = np.hypot(gap, self.width)
            share = gap / root
            value = hard - np.abs(gap) + root
            Z, Y = (self._design(extremes.moved(U, end.t)) for end in (up, down))
            first, second = loss.slope(high, y), loss.slope(low, y)
            above, below = 0.5 * w * (1.0 + share), 0.5 * w * (1.0 - share)
            turn = 0.5 * (first[:, None] * Z - second[:, None] * Y)
            bend = w * (self.width / root) ** 2 / root
            rows = [
                (Z, above * first, above * loss.curvature(high, y)),
                (Y, below * second, below * loss.curvature(low, y)),
                (turn, np.zeros(len(y)), bend),
            ]
        return _add_rows(rows, w, value, hard, gap)

    def _design(self, U: Array) -> Array:
        V = self.basis.features_at(U)
        if not self.problem.model.fit_intercept:
            return V
        return np.hstack([V, np.ones((len(V), 1))])


def _add_rows(
    rows: list[tuple[Array, Array, Array]], w: Array, value: Array, hard: Array, gap: Array
) -> _Part:
    """Σ a z and Σ b z zᵀ over groups of rows (z, a, b), with the scalar sums."""
    kept = w > 0
    d = rows[0][0].shape[1]
    gradient, hessian, yardstick = np.zeros(d), np.zeros((d, d)), 0.0
    for Z, a, b in rows:
        Z, a, b = Z[kept], a[kept], b[kept]
        gradient += a @ Z
        yardstick += float(np.abs(a) @ np.linalg.norm(Z, axis=1))
        scaled = np.sqrt(b)[:, None] * Z
        hessian += scaled.T @ scaled
    w = w[kept]
    scalars = np.array(
        [w.sum(), w @ value[kept], w @ hard[kept], w @ np.abs(gap[kept]), yardstick]
    )
    return _Part(scalars, gradient, hessian)

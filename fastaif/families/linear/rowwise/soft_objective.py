"""The robust objective of linear predictors without its kinks, for rows with sets of their own.

    R_μ(θ) = E ½(a + b + √((a − b)² + 4μ²)) + α‖β‖²,   a = ℓ(f + κ⁺),  b = ℓ(f − κ⁻)

with κ± softened by a width. It goes to E max(a, b) + α‖β‖² with both. Its gradient is that of a
mixture: row i attacked at its two ends with shares λ_i and 1 − λ_i, by attacks that are in its set.
As a function of θ alone that mixture's loss is nowhere above the robust objective, so that its
least value bounds it from below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....data.rows import RowSource
from ....solvers.newton import Local
from ..problem import LinearProblem

Array = NDArray[Any]


class _Side(NamedTuple):
    """One end of some rows: the moves of u (k, m) and of f (k,), and from factors (k,) to
    Σ c_i ∇²κ_i (m, m)."""

    moves: Array
    gains: Array
    bend: Callable[[Array], Array]


class _Sums(NamedTuple):
    value: float
    gradient: Array
    hessian: Array
    yardstick: float

    def merge(self, other: _Sums) -> _Sums:
        return _Sums(
            self.value + other.value, self.gradient + other.gradient, self.hessian + other.hessian,
            self.yardstick + other.yardstick,
        )  # fmt: skip


class Mixture(NamedTuple):
    """Rows attacked at both ends, (2n, m), and their weights (2n,)."""

    inputs: Array
    weights: Array


@dataclass(frozen=True)
class SoftObjective:
    """R_μ of a problem at ε.

    Attributes
    ----------
    problem : LinearProblem
    eps : float
    mu : float
        In units of the loss.
    width : float
        In units of the gain.
    """

    problem: LinearProblem
    eps: float
    mu: float
    width: float

    def __call__(self, theta: Array) -> Local:
        """Value, gradient and Hessian at θ, the penalty included."""
        problem, source = self.problem, self.problem.source
        shares = problem.shares

        def work(start: int, stop: int) -> _Sums:
            return self._sums(theta, start, stop, shares[start:stop])

        entries = 8 * source.n_rows * source.n_columns
        found = problem.executor.reduce(source, source.chunks(), work, _Sums.merge, entries)
        shrunk = problem.shrinkage(theta)
        hessian = found.hessian
        hessian[np.diag_indices_from(hessian)] += 2.0 * problem.alpha * problem.penalized
        return Local(
            found.value + float(shrunk @ theta), found.gradient + 2.0 * shrunk, hessian,
            found.yardstick,
        )  # fmt: skip

    def _sums(self, theta: Array, start: int, stop: int, share: Array) -> _Sums:
        loss, m = self.problem.model.loss, self.problem.model.n_features
        Z, f, y, sides = self._rows(theta, start, stop)
        ends = [f + sides[0].gains, f - sides[1].gains]
        values = [loss.value(end, y) for end in ends]
        slopes = [loss.slope(end, y) for end in ends]
        # a − b to its last digits.
        gap = loss.change(ends[1], ends[0] - ends[1], y)
        spread = np.hypot(gap, 2.0 * self.mu)
        lam = 0.5 + 0.5 * gap / spread
        parts = [share * lam, share * (1.0 - lam)]
        rows = []
        for side in sides:
            moved = Z.copy()
            moved[:, :m] += side.moves
            rows.append(moved)
        gradient = sum(
            (part * slope) @ moved for part, slope, moved in zip(parts, slopes, rows, strict=True)
        )
        hessian = np.zeros((len(theta), len(theta)))
        for sign, part, slope, moved, end, side in zip(
            (1.0, -1.0), parts, slopes, rows, ends, sides, strict=True
        ):
            hessian += (moved * (part * loss.curvature(end, y))[:, None]).T @ moved
            hessian[:m, :m] += side.bend(part * np.maximum(sign * slope, 0.0))
        across = slopes[0][:, None] * rows[0] - slopes[1][:, None] * rows[1]
        hessian += (across * (share * 2.0 * self.mu**2 / spread**3)[:, None]).T @ across
        worst = values[1] + 0.5 * (gap + spread)
        pulls = np.abs(parts[0] * slopes[0]) + np.abs(parts[1] * slopes[1])
        lengths = np.sqrt(np.einsum("ij,ij->i", Z, Z))
        return _Sums(float(share @ worst), np.asarray(gradient), hessian, float(pulls @ lengths))

    def _rows(
        self, theta: Array, start: int, stop: int
    ) -> tuple[Array, Array, Array, tuple[_Side, _Side]]:
        """(v, 1), predictions, targets and both ends of a range of rows."""
        problem, m = self.problem, self.problem.model.n_features
        source, d = problem.source, len(theta)
        rows = source.inputs(start, stop).astype(np.float64, copy=False)
        Z = np.ones((stop - start, d))
        Z[:, :m] = problem.model.basis.transform(rows)
        sizes = self.eps * problem.radius * source.budgets(start, stop)
        return Z, Z @ theta, source.targets(start, stop), self._sides(theta[:m], rows, sizes)

    def _sides(self, beta: Array, rows: Array, sizes: Array) -> tuple[_Side, _Side]:
        ball = self.problem.ball
        if ball.varies:
            found = [ball.soft_rows(side * beta, rows, sizes, self.width) for side in (1.0, -1.0)]
            up, down = (_Side(part.attacks, part.values, _summed(part)) for part in found)
            return up, down
        value, attack, bend = ball.soft(beta, self.width)
        moves = sizes[:, None] * attack
        gains = sizes * value

        def scaled(factors: Array) -> Array:
            return float(factors @ sizes) * bend

        return _Side(moves, gains, scaled), _Side(-moves, gains, scaled)

    def mixture(self, theta: Array) -> Mixture:
        """The attack whose gradient this one's is, up to the widths."""
        problem, source, loss = self.problem, self.problem.source, self.problem.model.loss
        n = source.n_rows
        inputs, weights = np.empty((2 * n, source.n_columns)), np.empty(2 * n)
        base = source.weights()

        def work(start: int, stop: int) -> None:
            _, f, y, sides = self._rows(theta, start, stop)
            low = f - sides[1].gains
            gap = loss.change(low, f + sides[0].gains - low, y)
            lam = 0.5 + 0.5 * gap / np.hypot(gap, 2.0 * self.mu)
            w = base[start:stop] if base.size else 1.0
            for place, part, side in ((0, lam, sides[0]), (n, 1.0 - lam, sides[1])):
                rows = source.inputs(start, stop) + problem.ball.raw(side.moves)
                inputs[place + start : place + stop] = rows
                weights[place + start : place + stop] = w * part

        problem.executor.map_rows(source, work)
        return Mixture(inputs, weights)


def _summed(part: Any) -> Callable[[Array], Array]:
    """From factors to the sum of the rows' Hessians."""

    def bend(factors: Array) -> Array:
        out = np.diag(factors @ part.diagonals)
        return np.asarray(out - (part.vectors * factors[:, None]).T @ part.vectors)

    return bend


def attacked_rows(source: RowSource, mixture: Mixture) -> RowSource:
    """A mixture as rows."""
    return source._replace(
        x=mixture.inputs, y=np.concatenate([source.y, source.y]), weight=mixture.weights,
        budget=None,
    )  # fmt: skip

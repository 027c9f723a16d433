"""The robust objective of quadratic models for p = 2, smoothed, and bounds on its minimum.

    R(θ) = E max(ℓ(f⁺), ℓ(f⁻)) + α ‖θ_pen‖² = E max(ℓ↑(f⁺), ℓ↓(f⁻)) + α ‖θ_pen‖²

ℓ↑ and ℓ↓ are ℓ without its falling and without its rising part. In the second form all is
convex and monotone, so that it stays convex when each part is smoothed: f⁺ and f⁻ by a
barrier ν, |c| with c = (ℓ↑ − ℓ↓)/2 by √(c² + μ²).

The gradient's weights (1 ± c/√(c² + μ²))/2 and attacks are a mixed strategy of the adversary.
Against one fixed strategy the model's best loss is an ordinary, smooth fit; no other θ has a
robust objective below it. That is the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bases.expansion import Expansion
from ...losses import Loss
from ...solvers.newton import Local
from ...utils.caching import cached_property
from ..finite_sum.natural_fit import add_penalty
from .problem import BasisProblem
from .smooth_extremes import Curvature, SmoothEnd, SmoothExtremes

Array = NDArray[Any]


class Smoothing(NamedTuple):
    """ν in units of f, μ in units of the loss; the unit of widths (constant)."""

    barrier: float
    width: float
    unit: float


@dataclass
class Sums:
    """Sums over rows; `merge` adds another's."""

    scalars: Array
    gradient: Array
    hessian: Array
    curvature: Curvature

    def merge(self, other: Sums) -> Sums:
        """Add another part's sums to these."""
        self.scalars += other.scalars
        self.gradient += other.gradient
        self.hessian += other.hessian
        for mine, theirs in zip(self.curvature, other.curvature, strict=True):
            mine += theirs
        return self

    def add(self, Z: Array, a: Array, b: Array) -> None:
        """Add Σ a z and Σ b z zᵀ over rows, b ≥ 0, and Σ |a| ‖z‖ to the yardstick."""
        self.gradient += a @ Z
        self.scalars[2] += float(np.abs(a) @ np.linalg.norm(Z, axis=1))
        scaled = np.sqrt(b)[:, None] * Z
        self.hessian += scaled.T @ scaled


class _Side(NamedTuple):
    """ℓ↑ or ℓ↓ at an end, (k,) each."""

    at: Array
    slope: Array
    curvature: Array


def _one_sided(loss: Loss, f: Array, y: Array, turn: Array, side: float) -> _Side:
    """ℓ↑ (side 1) or ℓ↓ (−1); `turn` is where ℓ stops falling, NaN where it is monotone."""
    at = np.where(side * (f - turn) < 0.0, turn, f)
    active = at == f
    return _Side(
        at, np.where(active, loss.slope(f, y), 0.0), np.where(active, loss.curvature(f, y), 0.0)
    )


class _Block(NamedTuple):
    """What a block of rows of positive weight gives at one θ."""

    U: Array
    y: Array
    w: Array
    ends: tuple[SmoothEnd, SmoothEnd]
    sides: tuple[_Side, _Side]
    gap: Array
    root: Array
    shares: tuple[Array, Array]


@dataclass(frozen=True)
class SmoothRobust:
    """The smoothed R at θ: its derivatives, and the adversary's strategy there.

    Attributes
    ----------
    problem : BasisProblem
    basis : Expansion
        v, in the solver's working coordinates.
    penalized : array (d,)
    radius : float
        ρ = ε s.
    smoothing : Smoothing
    theta : array (d,)
    step : array (d,) or None
        A step from θ that the strategy takes into account, to first order. θ itself may not
        have the digits for a last step, the strategy's weights and attacks have.
    """

    problem: BasisProblem
    basis: Expansion
    penalized: Array
    radius: float
    smoothing: Smoothing
    theta: Array
    step: Array | None = None

    @cached_property
    def _extremes(self) -> SmoothExtremes:
        beta = self.theta[: self.problem.model.n_coefs]
        barrier, _, unit = self.smoothing
        return SmoothExtremes(self.basis, beta, self.problem.ball, self.radius, barrier, unit)

    def local(self) -> Local:
        """Value, gradient, Hessian and yardstick of the smoothed R at θ."""
        total = self._sum(self._add_smooth)
        d = self.problem.model.n_coefs
        hessian = total.hessian
        hessian[:d, :d] += self._extremes.curvature(total.curvature)
        return self._mean(total, self.theta)

    def bound(self, theta: Array) -> Local:
        """The model's objective at any θ against the adversary's strategy: below R everywhere."""

        def add(block: _Block, total: Sums) -> None:
            for Z, share in zip(*self._strategy(block), strict=True):
                f, w = Z @ theta, block.w * share
                loss = self.problem.model.loss
                kept = w > 0
                total.scalars[1] += float(w[kept] @ loss.value(f, block.y)[kept])
                total.add(
                    Z[kept], (w * loss.slope(f, block.y))[kept],
                    (w * loss.curvature(f, block.y))[kept],
                )

        return self._mean(self._sum(add), theta)

    def _strategy(self, block: _Block) -> tuple[list[Array], tuple[Array, Array]]:
        """E (v, 1) of the attacks at either end, and how often each end is attacked."""
        designs = [self._design(self._extremes.features(end)) for end in block.ends]
        if self.step is None:
            return designs, block.shares
        up, down = (
            side.slope * (Z @ self.step) for side, Z in zip(block.sides, designs, strict=True)
        )
        turn = np.where(self._open(block), 0.5 * (up - down), 0.0)
        over = np.clip(block.shares[0] + 0.5 * self._bend(block) * turn, 0.0, 1.0)
        beta = self.step[: self.problem.model.n_coefs]
        designs = [
            self._design(self._extremes.features_after(end, block.U, side, beta))
            for end, side in zip(block.ends, (1.0, -1.0), strict=True)
        ]
        return designs, (over, 1.0 - over)

    def _open(self, block: _Block) -> Array:
        """Whether both ends are attacked."""
        return np.asarray(block.shares[0] * block.shares[1] > 0)

    def _bend(self, block: _Block) -> Array:
        """The second derivative of √(c² + μ²) in c."""
        bend = (self.smoothing.width / block.root) ** 2 / block.root
        return np.where(self._open(block), bend, 0.0)

    def _mean(self, total: Sums, theta: Array) -> Local:
        weight, value, yardstick = total.scalars
        local = Local(
            value / weight, total.gradient / weight, total.hessian / weight, yardstick / weight
        )
        return add_penalty(local, theta, self.problem.alpha, self.penalized)

    def _sum(self, add: Any) -> Sums:
        """`add(block, total)` over all rows."""
        source, d = self.problem.source, self.problem.model.n_coefs
        size = max(64, (1 << 17) // d)
        n = self.theta.size

        def work(start: int, stop: int) -> Sums:
            total = Sums(
                np.zeros(3), np.zeros(n), np.zeros((n, n)), self._extremes.empty_curvature()
            )
            for k in range(start, stop, size):
                block = self._block(k, min(k + size, stop))
                total.scalars[0] += block.w.sum()
                add(block, total)
            return total

        with np.errstate(over="ignore", invalid="ignore"):
            return self.problem.executor.reduce(
                source, source.chunks(columns=d), work, Sums.merge, 8 * source.n_rows * d
            )

    def _block(self, start: int, stop: int) -> _Block:
        source, loss = self.problem.source, self.problem.model.loss
        y, w = source.targets(start, stop), source.weights(start, stop)
        U = self.basis.inner(source.inputs(start, stop))
        if w.size:
            U, y, w = U[w > 0], y[w > 0], w[w > 0]
        else:
            w = np.ones(len(y))
        d = self.problem.model.n_coefs
        f = self.basis.features_at(U) @ self.theta[:d] + float(self.theta[d:].sum())
        ends = self._extremes.end(U, 1.0), self._extremes.end(U, -1.0)
        turn = loss.zero_slope_prediction(y)
        monotone = np.isnan(turn)
        up, down = (
            _one_sided(loss, f + end.change, y, turn, side)
            for end, side in zip(ends, (1.0, -1.0), strict=True)
        )
        gap = 0.5 * loss.change(down.at, up.at - down.at, y)
        # A monotone loss is largest at an end that is known.
        gap = np.where(monotone, np.sign(loss.slope(np.zeros(len(y)), y)), gap)
        root = np.where(monotone, 1.0, np.hypot(gap, self.smoothing.width))
        over = 0.5 * (1.0 + gap / root), 0.5 * (1.0 - gap / root)
        return _Block(U, y, w, ends, (up, down), gap, root, over)

    def _add_smooth(self, block: _Block, total: Sums) -> None:
        """Value and derivatives of the smoothed losses."""
        loss, (up, down) = self.problem.model.loss, block.sides
        worse = np.where(block.gap >= 0, up.at, down.at)
        hard = loss.value(worse, block.y)
        total.scalars[1] += float(block.w @ (hard + (block.root - np.abs(block.gap))))
        designs = []
        for end, side, share in zip(block.ends, block.sides, block.shares, strict=True):
            w = np.where(share > 0, block.w * share, 0.0)
            slope = np.where(share > 0, side.slope, 0.0)
            curvature = np.where(share > 0, side.curvature, 0.0)
            Z = self._design(self._extremes.features(end))
            total.add(Z, w * slope, w * curvature)
            self._add_bend(end, w * np.abs(slope), total)
            designs.append(slope[:, None] * Z)
        turn = 0.5 * (designs[0] - designs[1])
        bend = block.w * self._bend(block)
        total.add(turn, np.zeros(len(bend)), bend)

    def _add_bend(self, end: SmoothEnd, weights: Array, total: Sums) -> None:
        d = self.problem.model.n_coefs
        self._extremes.add_curvature(end, weights, total.curvature)
        scaled = np.sqrt(weights)[:, None] * self._extremes.shifts(end)
        total.hessian[:d, :d] -= scaled.T @ scaled

    def _design(self, V: Array) -> Array:
        if not self.problem.model.fit_intercept:
            return V
        return np.hstack([V, np.ones((len(V), 1))])

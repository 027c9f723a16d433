"""Robust fits under attacks whose budget samples share, of any finite order and loss.

    J(θ) = min over μ of μ + E s(f_i, κ, μ) + α‖β‖²,   κ = ρ‖Dβ‖_q

with the price μ of `priced_moves`. Where sizes at the best price spend the budget, J is the loss
under the worst attack; where the size of some rows jumps there it is that of the worst attack that
may split their weight, and never less than the other's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....utils.caching import cached_property
from .certificate import duality_gap
from .design import Design
from .dual_points import DualPoint
from .objective import RobustProblem
from .priced_moves import Moves, Pricing
from .row_terms import RowTerms
from .shared_points import SharedMultipliers, vertex_rises, worst_value
from .shared_rows import SharedRows

Array = NDArray[Any]
_FLAT = 1e-12  # of the curvature's terms: less is rounding


@dataclass(frozen=True)
class SharedSums:
    """The worst loss and its derivatives in (θ, κ), with the names that a pass's sums have."""

    loss: float
    gain: float
    gradient: Array
    hessian: Array
    mixed_direction: Array
    along_kappa: float
    yardstick: float

    def scalar(self, place: int) -> float:
        """∂²/∂κ²."""
        if place != c.S_KK:
            raise ValueError(f"no such sum: {place}")
        return self.along_kappa

    @property
    def is_finite(self) -> bool:
        """Whether all of it is."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.hessian).all())


@dataclass
class SharedProblem(RobustProblem):
    """J for a budget of order u.

    Attributes
    ----------
    order : float
    """

    order: float = 2.0

    @cached_property
    def _rows(self) -> Pricing:
        return Pricing(self.sweep.loss, self.design.targets, self.order)

    @property
    def has_kinks(self) -> bool:
        """Rows are no kinks for an active set."""
        return False

    @property
    def is_quadratic(self) -> bool:
        """Sizes are no linear functions."""
        return False

    @property
    def stays_dense(self) -> bool:
        """Systems are of the columns."""
        return True

    @property
    def least_gap(self) -> float:
        """No active set goes on from where the central path ends."""
        return 1e-13

    @property
    def furthest(self) -> Array:
        """The size that one row may have."""
        return np.asarray(self.design.weights ** (-1.0 / self.order))

    def _pricing(self, y: Array) -> Pricing:
        return self._rows if y is self.design.targets else Pricing(self.sweep.loss, y, self.order)

    def worst(self, f: Array, y: Array, kappa: float, w: Array) -> float:
        """The bound at the best price."""
        return worst_value(self._pricing(y), f, w, kappa)

    def worst_between(self, ends: tuple[Array, Array], t: float, kappa: float) -> float:
        """Of all rows together."""
        f, w, rows = ends[0] + t * (ends[1] - ends[0]), self.design.weights, self._rows
        if self.order == 1.0 or kappa == 0.0:
            return worst_value(rows, f, w, kappa)
        return float(w @ rows.loss.value(f, rows.y)) + rows.roughly(f, w, kappa)

    def shared_rows(self, theta: Array, f: Array) -> SharedRows:
        """All rows with their pieces."""
        design, kappa = self.design, self.rho * self.norm(theta)
        rows = self._rows
        if self.order == 1.0:
            price = float(vertex_rises(rows, f, design.weights, kappa).max())
        else:
            price = rows.best(f, design.weights, kappa).price
        return SharedRows(rows, design, f, kappa, price)

    def row_terms(self, y: Array, w: Array) -> RowTerms:
        raise NotImplementedError("rows that share a budget come all together")

    def at_zero(self, f: Array, slope: Array) -> tuple[float, DualPoint]:
        """How steep the worst loss is in κ at κ = 0, and the point of the dual problem."""
        w, u = self.design.weights, self.order
        rows, size = self._rows, np.abs(slope)
        peak = float(size.max()) or 1.0
        if u == 1.0:
            tied = size >= peak * (1.0 - 1e-12)
            share = np.where(tied, w, 0.0) / w[tied].sum()  # of the budget
            weight = np.concatenate([share * w, (1.0 - share) * w])
            everyone, move = np.arange(f.size), np.sign(slope) / w
            return peak, SharedMultipliers(
                rows, w, np.concatenate([everyone, everyone]), weight,
                np.concatenate([move, 0.0 * move]), np.concatenate([slope, slope]),
            )  # fmt: skip
        v = u / (u - 1.0)
        mean = float(w @ (size / peak) ** v)
        sizes = (size / peak) ** (v - 1.0) * mean ** (-1.0 / u)
        point = SharedMultipliers(rows, w, np.arange(f.size), w, np.sign(slope) * sizes, slope)
        return peak * mean ** (1.0 / v), point.within_budget()

    def dual_point(self, f: Array, y: Array, w: Array, kappa: float, balance: Array) -> DualPoint:
        """That of the worst attack."""
        rows = self._pricing(y)
        if self.order == 1.0:
            place = int(np.argmax(vertex_rises(rows, f, w, kappa)))
            move = np.zeros(f.size)
            up, down = (rows.loss.change(f, end * kappa / w, y)[place] for end in (1.0, -1.0))
            move[place] = (1.0 if up >= down else -1.0) / w[place]
            slope = rows.loss.slope(f + kappa * move, y)
            return SharedMultipliers(rows, w, np.arange(f.size), w, move, slope)
        return _point_of(rows, f, w, kappa, rows.best(f, w, kappa))

    def gap_of_whole_rows(self, theta: Array) -> float:
        """J(θ) less a bound from attacks that split no row's weight: a mixture of two of them."""
        design, rows = self.design, self._rows
        f, w, kappa = design.predict(theta), design.weights, self.rho * self.norm(theta)
        moves = rows.best(f, w, kappa)
        spent = w @ (moves.sizes**self.order).T
        sizes = moves.sizes * np.minimum(1.0, spent ** (-1.0 / self.order))[:, None]
        point = _point_of(rows, f, w, kappa, dataclasses.replace(moves, sizes=sizes))
        return duality_gap(self, design, theta, point, f)

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> Any:
        """One pass at θ."""
        self.count_pass()
        design, rows = self.design, self._rows
        f, w = design.predict(theta), design.weights
        if self.order == 1.0:
            return _vertex_sums(self, rows, f, kappa)
        return _smooth_sums(design, rows, f, w, kappa, rows.best(f, w, kappa))


def _point_of(
    rows: Pricing, f: Array, w: Array, kappa: float, moves: Moves
) -> SharedMultipliers:
    share = np.array([1.0 - moves.share, moves.share])
    if not moves.jumps:
        share = np.array([1.0, 0.0])
    everyone = np.arange(f.size)
    signed = (moves.sizes * moves.side).ravel()
    row = np.concatenate([everyone, everyone])
    slope = rows.loss.slope(f[row] + kappa * signed, rows.y[row])
    return SharedMultipliers(
        rows, w, row, np.outer(share, w).ravel(), signed, slope
    ).within_budget()  # fmt: skip


def _smooth_sums(
    design: Design, rows: Pricing, f: Array, w: Array, kappa: float, moves: Moves
) -> SharedSums:
    """The price follows (f, κ): it is eliminated from the second derivatives in (f, κ, μ)."""
    share = moves.share if moves.jumps else 0.0
    slopes, bends, mixed, far, numbers = _derivatives(rows, f, w, kappa, moves, 0)
    if share > 0.0:
        others = _derivatives(rows, f, w, kappa, moves, 1)
        slopes, bends, mixed, far, numbers = (
            (1.0 - share) * one + share * other
            for one, other in zip((slopes, bends, mixed, far, numbers), others, strict=True)
        )
    gain, corner, pull, spread = (float(number) for number in numbers)
    free = 1.0 / spread if spread > 0.0 and share == 0.0 else 0.0
    direction, along = design.pull(np.column_stack([mixed, far])).T
    return SharedSums(
        float(w @ rows.loss.value(f, rows.y)) + moves.bound, gain,
        design.pull(slopes[:, None])[:, 0], design.square(bends) - free * np.outer(along, along),
        direction - free * pull * along, corner - free * pull**2, design.yardstick(slopes),
    )  # fmt: skip


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def _derivatives(
    rows: Pricing, f: Array, w: Array, kappa: float, moves: Moves, which: int
) -> tuple[Array, ...]:
    """Those of Σ ω s at the sizes on one side of the price: ∂f, ∂ff, ∂fκ and ∂fμ (n,) each, and
    the numbers ∂κ, ∂κκ, ∂κμ and ∂μμ. Sizes follow: they add c cᵀ/D, with D the bend of a row's
    gain in its size and c the derivatives of its slope there."""
    u, loss, y = rows.order, rows.loss, rows.y
    t, side = moves.sizes[which], moves.side[which]
    there = f + side * kappa * t
    first, second = loss.slope(there, y), loss.curvature(there, y)
    own = u * (u - 1.0) * moves.price * t ** (u - 2.0)
    room = own - kappa**2 * second
    soft = (t > 0.0) & (t < w ** (-1.0 / u)) & (room > _FLAT * own)
    weight = np.where(soft, w / room, 0.0)
    by_f, by_kappa = side * kappa * second, side * first + t * kappa * second
    by_price = np.where(soft, -u * t ** (u - 1.0), 0.0)
    numbers = np.array([
        w @ (side * t * first), w @ (second * t**2) + weight @ by_kappa**2,
        weight @ (by_kappa * by_price), weight @ by_price**2,
    ])  # fmt: skip
    return (
        w * first, w * second + weight * by_f**2, w * side * t * second + weight * by_f * by_kappa,
        weight * by_f * by_price, numbers,
    )  # fmt: skip


def _vertex_sums(problem: SharedProblem, rows: Pricing, f: Array, kappa: float) -> SharedSums:
    """Of the one sample for which the attack is best."""
    design = problem.design
    w, loss, y = design.weights, rows.loss, rows.y
    rises = vertex_rises(rows, f, w, kappa)
    point = problem.dual_point(f, y, w, kappa, rises)
    assert isinstance(point, SharedMultipliers)
    there = f + kappa * point.move
    bends = w * loss.curvature(there, y)
    cross = bends * point.move
    slopes = w * loss.slope(there, y)
    pulled = design.pull(np.column_stack([slopes, cross]))
    value = float(w @ loss.value(f, y)) + float(rises.max())
    return SharedSums(
        value, point.along_kappa, pulled[:, 0], design.square(bends), pulled[:, 1],
        float(cross @ point.move), design.yardstick(slopes),
    )  # fmt: skip

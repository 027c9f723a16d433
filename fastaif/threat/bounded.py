"""Attacks that leave samples within bounds: lo ≤ x + δ ≤ hi beside ‖δ/c‖_p ≤ ε s.

The set is another one at every sample. To first order all that the bounds do is to forbid a sample
that is at one of them the way out; the rest of the gradient meets the ball's dual norm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..utils.arrays import read_only
from .attack_set import AddingUp, AttackSet, FirstSums, Furthest, Turn, register
from .ball import example_balls
from .filling import fill
from .inside import surely_inside
from .on_ball import OnBall
from .softened import SoftRows, soft_greedy, soft_interval, soft_water

Array = NDArray[Any]

_CUT = 1 << 13  # numbers of a block of rows that are cut off at once, in the cache


@dataclass(frozen=True, eq=False)
class Bounded(OnBall):
    """A ball of attacks on samples that have to stay between bounds.

    Parameters
    ----------
    ball : Ball
    low, high : arrays (m,)
        In raw units; infinite where a feature is free.
    """

    low: Array
    high: Array

    def __str__(self) -> str:
        return f"{self.ball} and bounds"

    def describe(self) -> dict[str, Any]:
        """What makes a set the same, by the names that users know it by."""
        return {**self.ball.describe(), "the bounds": (self.low, self.high)}

    def norms(self, rows: Array) -> Array:
        """‖x/c‖_p of raw inputs (k, m): the ball's."""
        return self.ball.norms(rows)

    def compiled_norm(self) -> c.NormOf:
        """The ball's."""
        return self.ball.compiled_norm()

    def ends(self, rows: Array) -> tuple[Array, Array]:
        """How far down and up samples (n, m) may go: (m,), or (n, m) where they have their own."""
        return self.low, self.high

    @property
    def _is_compiled(self) -> bool:
        """Whether there are compiled operations."""
        return self.ball.p in (2.0, np.inf)

    @property
    def _ends(self) -> Array:
        """lo and hi, (2, m)."""
        return np.stack([self.low, self.high])

    @property
    def reach(self) -> Array | None:
        """c, as far as there is room for it."""
        return self.ball.reach

    # --- samples --------------------------------------------------------------------------

    @property
    def varies(self) -> bool:
        """Each sample has room of its own."""
        return True

    def in_type(self, kind: np.dtype[Any]) -> Bounded:
        """The bounds as numbers of the samples' type, in which they are met."""
        if kind.kind != "f":
            return self
        with np.errstate(over="ignore"):
            ends = [end.astype(kind).astype(np.float64) for end in (self.low, self.high)]
        return dataclasses.replace(self, low=ends[0], high=ends[1])

    def refuse_outside(self, rows: Array, first: int, names: Sequence[str]) -> None:
        """Refuse a sample that is outside of the bounds as it is."""
        still = np.ones(self.low.size)
        if not len(rows) or surely_inside(rows, rows, still, self._ends, 0.0, np.inf).all():
            return
        for sign, side, bound in ((-1.0, "below", self.low), (1.0, "above", self.high)):
            out = np.argwhere(sign * rows > sign * bound)
            if len(out):  # NaN is told of elsewhere
                row, k = out[0]
                raise ValueError(
                    f"bounds: row {first + row} of X has {names[k]} = {rows[row, k]:g}, which is "
                    f"{side} {bound[k]:g}: widen the bounds, or leave such rows out"
                )

    def keeps(self, delta: Array, size: Any, rows: Array) -> Array:
        """Those of the ball: bounds are kept already."""
        return self.ball.contains(delta, size)

    def surely_keeps(self, attacked: Array, size: Any, samples: Array) -> Array:
        """Which attacked samples (n, m) are, without a closer look, where they may be (n,)."""
        return self.ball.surely_within(self._ends, attacked, size, samples)

    def keep_within(self, attacked: Array) -> None:
        """Cut attacked rows off at the bounds, in place."""
        kind = attacked.dtype
        np.clip(attacked, self.low.astype(kind), self.high.astype(kind), out=attacked)

    # --- first order ----------------------------------------------------------------------

    def felt(self, gradients: Array, rows: Array) -> Array:
        """The gradients (n, m) without what leads out of the bounds of their samples."""
        low, high = self.ends(rows)
        out = (gradients > 0.0) & (rows >= high) | (gradients < 0.0) & (rows <= low)
        return np.where(out, 0.0, gradients)

    def directions(self, gradients: Array, rows: Array | None = None) -> tuple[Array, Array, Array]:
        """Unit attacks on u (n, m), gains (n,) and ties (n,), for a gradient a row."""
        if rows is None:
            self._refuse("gradients without their samples")
        zeros = np.count_nonzero(gradients[:, self.free] == 0.0, axis=1)
        gradients[...] = self.felt(gradients, rows)
        gradients, gains, ties = self.ball.directions(gradients)
        if self.ball.has_turns:  # what leads out is no tie
            ties = np.where(gains > 0.0, ties if self.ball.p == 1 else zeros, 0).astype(float)
        return gradients, gains, ties

    def ties(self, beta: Array) -> int:
        """The ball's: how many entries of β (m,) sit on a kink of its gain."""
        return self.ball.ties(beta)

    def room(self, moves: Array, rows: Array) -> Array:
        """How many times their unit attacks on u samples can be moved by, (n,)."""
        raw, (low, high) = self.raw(moves), self.ends(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(raw > 0.0, (high - rows) / raw, (low - rows) / raw)
        return np.min(np.where(raw == 0.0, np.inf, steps), axis=1, initial=np.inf)

    @property
    def has_first_sums(self) -> bool:
        """For p = 2 and ∞."""
        return self._is_compiled

    def first_sums(self, predictor: c.Predictor, inner: c.Inner) -> AddingUp:
        """What adds up unit attacks on rows of a linear predictor."""
        t, units = self.units * predictor.beta, self.raw_units
        size = float(np.abs(t).max(initial=0.0))
        slopes = t / (size or 1.0)
        # How far x goes where the attack is of unit size: for p = 2 times 1/N.
        speeds = self.units * units * (np.abs(slopes) if self.ball.p == 2 else 1.0)
        reach = 1.0 / np.where(speeds > 0.0, speeds, 1.0)
        up, down = (np.where(slopes > 0.0, *ends) for ends in (
            (self.high, -self.low), (-self.low, self.high)
        ))  # fmt: skip
        ends = np.where(speeds * np.abs(slopes) > 0.0, [up, down], -np.inf)
        along = self.units * (slopes if self.ball.p == 2 else np.sign(slopes))
        zeros = int(np.count_nonzero(t[self.free] == 0.0)) if np.isinf(self.ball.p) else 0
        bounds = self._ends

        def add(rows: c.Rows, budgets: Array) -> FirstSums:
            sums, numbers = np.zeros((2, slopes.size)), np.array([0.0, 0.0, 0.0, np.inf, 0.0])
            get("bounded_sums")(
                rows, predictor, inner, budgets, ends, slopes, reach, bounds, self.ball.p, sums,
                numbers,
            )  # fmt: skip
            across, value, moved, room, outside = numbers.tolist()
            return FirstSums(
                size * sums[0], along * sums[1], size * across, size * value, room,
                zeros * int(moved), outside > 0.0,
            )  # fmt: skip

        return add

    @property
    def has_turns(self) -> bool:
        """Whether directions of attack jump where gradients move: as the ball's."""
        return self.ball.has_turns

    @property
    def turning(self) -> str:
        """What an entry of a gradient does where the direction jumps: as the ball's."""
        return self.ball.turning

    def first_turn(self, gradients: Array, speeds: Array) -> Turn:
        """The ball's, for gradients as they are `felt`."""
        return self.ball.first_turn(gradients, np.where(gradients != 0.0, speeds, 0.0))

    # --- attacks of finite size -----------------------------------------------------------

    def contains(self, delta: Array, size: Any, rows: Array | None = None) -> Array:
        """Whether attacks on samples stay within the bounds, and are of the ball."""
        inside = self.ball.contains(delta, size)
        if rows is None:
            self._refuse("attacks without their samples")
        moved, (low, high) = rows + delta, self.ends(rows)
        # Rounding may add a digit to x + (hi − x).
        spare = 1e-15 * (np.abs(rows) + np.abs(delta))
        within = (moved >= low - spare) & (moved <= high + spare)
        return np.asarray(inside & np.all(within | (delta == 0.0), axis=-1))

    def furthest(self, gradients: Array, rows: Array, sizes: Array) -> Furthest:
        """The attacks on u (n, m) of given sizes (n,) that gain most, and what they gain (n,)."""
        if self._is_compiled:
            return self._furthest(gradients, rows, sizes)
        slopes = self._slopes(gradients)
        room = np.where(slopes > 0.0, *reversed(self._rooms(rows)))
        t = fill(np.abs(slopes), room, sizes, self.ball.p)
        return Furthest(self._inner(np.sign(slopes) * t), np.einsum("ij,ij->i", np.abs(slopes), t))

    def _rooms(self, rows: Array) -> tuple[Array, Array]:
        """How far samples (n, m) may go down and up, (n, k), in the ball's own units."""
        x, scale = rows[:, self.free], self.ball.own.scale
        low, high = (end[..., self.free] for end in self.ends(rows))
        return np.maximum(x - low, 0.0) / scale, np.maximum(high - x, 0.0) / scale

    @property
    def box(self) -> c.Box | None:
        """For p = 2 and ∞."""
        if not self._is_compiled:
            return None
        units, scale = read_only(self.units), read_only(self.ball.scale)
        return c.Box(float(self.ball.p), units, scale, read_only(self._ends))

    def _furthest(self, gradients: Array, rows: Array, sizes: Array) -> Furthest:
        """The same by a compiled operation."""
        moves, gains = np.empty(rows.shape), np.empty(len(rows))
        get("bounded_moves")(
            c.Rows(read_only(rows), c.EMPTY, c.EMPTY), read_only(gradients), self.units,
            self.ball.scale, self._ends, sizes, self.ball.p, moves, gains,
        )  # fmt: skip
        return Furthest(moves, gains)

    def write_attacked(
        self, beta: Array, sides: Array, rows: Array, sizes: Array, out: Array
    ) -> None:
        """Write samples (n, m) moved as far as attacks of given sizes move predictions."""
        if not self._is_compiled:
            super().write_attacked(beta, sides, rows, sizes, out)
            return
        get("bounded_attacks")(
            c.Rows(rows, c.EMPTY, c.EMPTY), read_only(beta), read_only(sides), self.units,
            self.ball.scale, self._ends, read_only(sizes), self.ball.p, out,
        )  # fmt: skip

    def gains(self, gradients: Array) -> Array:
        """The ball's, for gradients as they are `felt`."""
        return self.ball.gains(gradients)

    def kinks(self, beta: Array) -> Array:
        """The ball's, for gradients as they are `felt`."""
        return self.ball.kinks(beta)

    def operator_norm(self, matrix: Array) -> float:
        """The ball's: bounds let attacks do less."""
        return self.ball.operator_norm(matrix)

    def curvature_bound(self, spectral: float) -> float:
        """The ball's: bounds let attacks do less."""
        return self.ball.curvature_bound(spectral)

    def has_turned(self, before: Array, after: Array) -> bool:
        """The ball's, for gradients as they are `felt`."""
        return self.ball.has_turned(before, after)

    def drawn(self, seed: int, draw: int, keys: Array, sizes: Array) -> Array:
        """The ball's: to be cut off."""
        return self.ball.drawn(seed, draw, keys, sizes)

    def cut(self, moves: Array, rows: Array) -> Array:
        """Moves of u (n, m), shortened where they lead out of the bounds: still of the ball."""
        out, size = np.empty(rows.shape), max(1, _CUT // rows.shape[1])
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            low, high = ((end - rows[block]) / self.raw_units for end in self.ends(rows[block]))
            np.minimum(low, 0.0, out=low)
            np.clip(moves[block], low, np.maximum(high, 0.0, out=high), out=out[block])
        return out

    # --- without kinks --------------------------------------------------------------------

    @property
    def has_soft(self) -> bool:
        """For 1 ≤ p ≤ 2, and p = ∞."""
        return self.ball.p <= 2.0 or bool(np.isinf(self.ball.p))

    def soft_rows(self, beta: Array, rows: Array, sizes: Array, width: float) -> SoftRows:
        """The gains within bounds without their kinks, in u, for one β (m,)."""
        if not self.has_soft:
            self._refuse("a robust fit")
        slopes = self._slopes(np.broadcast_to(beta, rows.shape))
        unit = np.where(sizes > 0.0, sizes, 1.0)[:, None]
        low, high = (room / unit for room in self._rooms(rows))
        if np.isinf(self.ball.p):
            found = soft_interval(slopes, low, high, width)
        elif self.ball.p == 1:
            found = soft_greedy(slopes, low, high, width)
        else:
            found = soft_water(slopes, np.where(slopes > 0.0, high, low), self.ball.p, width)
        roots = np.sqrt(sizes)[:, None]
        weights = self._inner(np.ones(self.free.size))
        diagonals = self._inner(found.diagonals * sizes[:, None]) * weights
        return SoftRows(
            found.values * sizes, self._inner(found.attacks * sizes[:, None]), diagonals,
            self._inner(found.vectors * roots),
        )  # fmt: skip


def _examples() -> list[AttackSet]:
    """Of every kind of exponent, with bounds that samples of zeros meet, and with free features."""
    low, high = np.array([0.0, -1.0, -np.inf, -0.1, -2.0]), np.array([1.0, np.inf, 0.2, 0.1, 0.0])
    return [Bounded(ball, low, high) for p in (1.0, 1.5, 2.0, np.inf) for ball in example_balls(p)]


register(Bounded, _examples)

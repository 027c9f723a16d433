"""Models on a basis under attacks that are more than a ball.

Attacks ascend on the loss. To first order they go along φ of ± ∇_u f in each row's own set, and

    Φ = s E t [ℓ'' sgn(ℓ') ‖∇_x f‖_q (v, 1) + ℓ' (J φ, 0)].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np

from ..._compute import types as c
from ..finite_sum.totals import Accumulated, RowwiseWithoutRows
from ..kinks import Kinks
from ..rowwise import FirstOrder, RowwiseProblem
from ..set_ascent import ClimbedProblem
from .problem import Array, BasisProblem


class _Attacked(NamedTuple):
    """z_i = ∇_θ⟨∇_x ℓ_i, φ_i⟩ by parts, of k rows: v and J φ (k, d), and what multiplies them (k,);
    gains, ties and rooms (k,), and whether ∇_x f is zero."""

    features: Array
    moved: Array
    signed: Array
    slope: Array
    gains: Array
    ties: Array
    rooms: Array
    flat: Array


@dataclass(frozen=True)
class RestrictedBasis(ClimbedProblem, RowwiseProblem, BasisProblem):
    """A BasisProblem whose rows have sets of their own, or one that is no ball."""

    @property
    def _needs(self) -> int:
        """NEED_* bits of the one pass, which knows no directions but a ball's."""
        return super()._needs & ~c.NEED_MIXED

    def _attacked(self, start: int, stop: int) -> _Attacked:
        """A range of rows under first-order attacks."""
        loss, X, y = (
            self.model.loss,
            self.source.inputs(start, stop),
            self.source.targets(start, stop),
        )
        U, d = self.basis.inner(X), self.model.n_coefs
        V = self.basis.features_at(U)
        f = V @ self.beta + self.params[d:].sum()
        slope, side = loss.slope(f, y), np.sign(loss.slope(f, y))
        slopes = side[:, None] * self.basis.gradients_at(U, self.beta)
        flat = ~slopes[:, self.ball.free].any(axis=1)
        idle = self.basis.basis.idle(U)
        kinks = None if idle is None else np.sum(self.ball.kinks(slopes) & ~idle, axis=1)
        moves, gains, ties = self.ball.directions(np.ascontiguousarray(slopes), X)
        if kinks is not None:  # entries that v does not depend on are no ties
            ties = np.minimum(ties, kinks)
        signed = loss.curvature(f, y) * side * gains
        rooms = self.ball.room(moves, X)
        moved = self.basis.moves_at(U, moves)
        return _Attacked(V, moved, signed, slope, np.abs(slope) * gains, ties, rooms, flat)

    def first_sums(self, start: int, stop: int, share: Array) -> FirstOrder:
        """What attacks on a range of rows add up to, for w̄_i t_i (k,)."""
        parts: list[FirstOrder] = []

        def work(first: int, last: int) -> None:
            part = share[first - start : last - start]
            parts.append(self._sums_of_block(first, last, part))

        self.in_blocks(work)(start, stop)
        return reduce(FirstOrder.merge, parts)

    def _sums_of_block(self, start: int, stop: int, share: Array) -> FirstOrder:
        at, d = self._attacked(start, stop), self.model.n_coefs
        mixed = np.empty(len(self.params))
        mixed[:d] = (share * at.signed) @ at.features + (share * at.slope) @ at.moved
        mixed[d:] = share @ at.signed
        kept = share > 0.0
        return FirstOrder(
            mixed, float(share @ at.gains), int(at.ties[kept & (at.gains > 0.0)].sum()),
            self.least_room(start, stop, share, at.rooms), int(np.count_nonzero(at.flat & kept)),
        )  # fmt: skip

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        out, d = np.empty((self.source.n_rows, len(self.params))), self.model.n_coefs

        def work(start: int, stop: int) -> None:
            at, t = self._attacked(start, stop), self.budgets[start:stop, None]
            z = out[start:stop]
            z[:, :d] = at.signed[:, None] * at.features + at.slope[:, None] * at.moved
            z[:, d:] = at.signed[:, None]
            z *= t
            self.share_out(z)

        self.map_rows(work)
        self.share_all(out)
        return out

    def slopes_along(self, step: Array, start: int, stop: int) -> tuple[Array, Array]:
        """± ∇_u f(θ̂) as attacks feel it and its derivative along a step, each (k, m)."""
        slopes, speeds = super().slopes_along(step, start, stop)
        X, d = self.source.inputs(start, stop), self.model.n_coefs
        f = self.basis.features_at(self.basis.inner(X)) @ self.beta + self.params[d:].sum()
        side = np.sign(self.model.loss.slope(f, self.source.targets(start, stop)))[:, None]
        return self.ball.felt(side * slopes, X), side * speeds

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI the expansion stops being smooth, or a bound is met."""
        return super().kinks(influence).up_to(self.first_bound)

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """ℓ, or −yf of a monotone one, (k,), and ± ∇_u f (k, m), the way that it grows."""
        d, loss, U = self.model.n_coefs, self.model.loss, self.basis.inner(X)
        f = self.basis.features_at(U) @ theta[:d] + theta[d:].sum()
        side = loss.worse_end(f, y, 0.0)
        heights = side * f if loss.is_monotone else loss.value(f, y)
        return np.asarray(heights), side[:, None] * self.basis.gradients_at(U, theta[:d])


@dataclass(frozen=True)
class AccumulatedRestricted(RowwiseWithoutRows, Accumulated, RestrictedBasis):
    """A RestrictedBasis whose rows are gone."""

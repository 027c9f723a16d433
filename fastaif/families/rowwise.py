"""Influences of rows that are attacked in ways of their own: bounds, budgets, metrics, groups.

Bounds leave each row a set of its own, budgets t_i a size. H is that of any other attack, and one
pass sums it. What first-order attacks φ_i add up to is summed apart, with the sets' own directions:

    Φ = s E t_i ∇_θ⟨∇_x ℓ_i, φ_i⟩   (Theorem 4.1).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils.caching import cached_property
from .kinks import Event
from .problem import Counts
from .summed import SummedProblem

Array = NDArray[Any]

_NUMBERS = 3  # value, ties and flat rows, behind Φ


class FirstOrder(NamedTuple):
    """What first-order attacks on some rows add up to: means over all rows.

    Attributes
    ----------
    mixed : array (d,)
        Φ/s.
    value : float
        E t_i ‖∇_x ℓ_i‖_q, in the norm of each row's own set.
    ties : int
        Entries of the directions that sit on a kink.
    room : float
        The largest size that every row has room for along its direction.
    flat : int
        Rows of positive weight and budget whose ∇_x ℓ is zero.
    """

    mixed: Array
    value: float
    ties: int
    room: float
    flat: int = 0

    def merge(self, other: FirstOrder) -> FirstOrder:
        """Those of both sets of rows."""
        return FirstOrder(
            self.mixed + other.mixed, self.value + other.value, self.ties + other.ties,
            min(self.room, other.room), self.flat + other.flat,
        )  # fmt: skip


@dataclass(frozen=True)
class RowwiseProblem(SummedProblem):
    """The part of a SummedProblem that first-order attacks make, whose rows have their own sets."""

    @abstractmethod
    def first_sums(self, start: int, stop: int, share: Array) -> FirstOrder:
        """What attacks on a range of rows add up to, for w̄_i t_i (k,)."""

    def begin(self) -> None:
        """Make the pass, and sum what first-order attacks add up to."""
        super().begin()  # type: ignore[safe-super]
        _ = self.first_order

    def _sum_up(self, factors: Array | None = None) -> FirstOrder:
        """The means, of shares of the weight times t_i, and factors (n,) where given."""
        source, total = self.source, self.total_weight

        def work(start: int, stop: int) -> FirstOrder:
            share = source.weights(start, stop) / total
            if not share.size:  # one number for all rows
                share = np.broadcast_to(1.0 / total, stop - start)
            if source.budget is not None:
                share = share * source.budgets(start, stop)
            if factors is not None:
                share = share * factors[start:stop]
            return self.first_sums(start, stop, share)

        entries = source.n_rows * source.n_columns
        found = self.executor.reduce(source, source.chunks(), work, FirstOrder.merge, entries)
        if not np.isfinite(found.mixed).all():
            raise FloatingPointError("sums are not finite")
        return found

    @property
    def total_weight(self) -> float:
        """W."""
        w = self.source.weights()
        return float(w.sum()) if w.size else float(self.n_rows)

    def least_room(self, start: int, stop: int, share: Array, rooms: Array) -> float:
        """The size up to which all of a range of rows that count have room."""
        t = self.source.budgets(start, stop)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.min(np.where(share > 0.0, rooms / t, np.inf), initial=np.inf))

    @cached_property
    def first_order(self) -> FirstOrder:
        """What first-order attacks add up to."""
        return self._sum_up()

    @property
    def rowwise_sums(self) -> Array:
        """Φ/s, E t‖∇_x ℓ‖, ties and flat rows, times the weight where they are means, (d + 3,)."""
        weight = self.total_weight
        if weight == 0.0:
            return np.zeros(len(self.params) + _NUMBERS)
        found = self.first_order
        numbers = [weight * found.value, float(found.ties), float(found.flat)]
        return np.concatenate([weight * found.mixed, numbers])

    def from_sums(self, sums: Array, weight: float) -> FirstOrder:
        """The same of totals over rows that are gone; how much room they have is not known."""
        value, ties, flat = sums[-_NUMBERS:]
        return FirstOrder(
            sums[:-_NUMBERS] / weight, float(value / weight), int(ties), np.inf, int(flat)
        )

    @cached_property
    def budgets(self) -> Array:
        """t (n,): what each row's size is multiplied by."""
        return self.source.budgets(0, self.source.n_rows)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ, for budgets that are multiplied by given factors (n,) where there are such."""
        if weights is None:
            return self.radius * self.first_order.mixed
        return self.radius * self._sum_up(weights).mixed

    @property
    def value_derivative(self) -> float:
        """s E t_i ‖∇_x ℓ_i‖_q."""
        return self.radius * self.first_order.value

    @property
    def counts(self) -> Counts:
        """Rows whose ∇_x ℓ is zero, and entries of directions on kinks."""
        return Counts(self.first_order.flat, self.first_order.ties, self.kinked_pairs)

    @property
    def first_bound(self) -> Event:
        """The ε at which a sample first meets its bounds."""
        return Event(self.first_order.room / self.radius, "a sample meets its bounds")

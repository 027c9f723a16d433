"""Dual points of rows that share a budget.

Attacks t within the budget, and numbers a, bound the worst loss from below:

    max E ψ ≥ Σ_k z_k [a_k (f + κ o_k) − ℓ*(a_k)]

for moves κ o_k of row(k), each with the weight z_k, the weights of a row's moves together its ω.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....utils.caching import cached_property
from .priced_moves import Pricing

Array = NDArray[Any]
_PART = 1e-9  # of a row's weight: less is what an interior point leaves


def worst_value(rows: Pricing, f: Array, w: Array, kappa: float) -> float:
    """μ + Σ ω s at the best price: what no attack within the budget exceeds."""
    with np.errstate(over="ignore", invalid="ignore"):
        natural = float(w @ rows.loss.value(f, rows.y))
        if kappa == 0.0 or not np.isfinite(natural):
            return natural
        if rows.order == 1.0:
            return natural + float(vertex_rises(rows, f, w, kappa).max())
        return natural + rows.best(f, w, kappa).bound


def vertex_rises(rows: Pricing, f: Array, w: Array, kappa: float) -> Array:
    """ω_j [max ℓ(f_j ± κ/ω_j) − ℓ(f_j)] (n,)."""
    far = kappa / w
    rise = np.maximum(rows.loss.change(f, far, rows.y), rows.loss.change(f, -far, rows.y))
    return np.asarray(w * np.maximum(rise, 0.0))


@dataclass(frozen=True)
class SharedMultipliers:
    """Weights z, moves o (signed sizes) and slopes a, (k,) each.

    Attributes
    ----------
    rows : Pricing
    w : array (n,)
    row : array of int
        Whose they are.
    weight, move, slope : array (k,)
    """

    rows: Pricing
    w: Array
    row: Array
    weight: Array
    move: Array
    slope: Array

    def within_budget(self) -> SharedMultipliers:
        """Sizes shrunk to what the budget allows."""
        u = self.rows.order
        spent = float(self.weight @ np.abs(self.move) ** u)
        if spent <= 1.0:
            return self
        return dataclasses.replace(self, move=self.move * (spent * (1.0 + 1e-15)) ** (-1.0 / u))

    @cached_property
    def along_f(self) -> Array:
        return np.bincount(self.row, self.weight * self.slope, self.w.size)

    @cached_property
    def along_kappa(self) -> float:
        return float((self.weight * self.move) @ self.slope)

    @cached_property
    def is_pure(self) -> bool:
        """Whether no row moves by several sizes: the attack is one of whole rows. Of order 1 mixed
        vertices are attacks of whole rows each."""
        if self.rows.order == 1.0:
            return True
        counted = self.weight > _PART * self.w[self.row]
        size, row = np.abs(self.move[counted]), self.row[counted]
        low, high = np.full(self.w.size, np.inf), np.zeros(self.w.size)
        np.minimum.at(low, row, size)
        np.maximum.at(high, row, size)
        return bool(np.all(high - low <= 1e-6 * high))

    def lost(self, f: Array, kappa: float) -> float:
        """Fenchel's and Young's differences, and what the worst attack does better."""
        loss, y = self.rows.loss, self.rows.y[self.row]
        ends = f[self.row] + kappa * self.move
        used = self.weight > 0.0
        value = loss.value(ends, y)
        terms = (value - self.slope * ends + loss.conjugate(self.slope, y))[used]
        young = float(self.weight[used] @ np.maximum(terms, 0.0))
        worst = worst_value(self.rows, f, self.w, kappa)
        return young + max(worst - float(self.weight[used] @ value[used]), 0.0)

    def light(self) -> SharedMultipliers:
        """These are no predictions'."""
        return self

    def at(self, f: Array) -> SharedMultipliers:
        """These are no predictions'."""
        return self

    def raised(self, ratio: float) -> SharedMultipliers:
        """There is none in closed form."""
        return self

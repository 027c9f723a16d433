"""Points of the dual problem, in what concerns the rows.

A dual point gives numbers g_i and K with E ψ ≥ gᵀf + K κ − const for all f and κ ≥ 0; what is
lost in that at a point (f, κ) is a sum of terms none of which is negative.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....losses import Loss
from ....utils.caching import cached_property
from .design import blocks

Array = NDArray[Any]


class DualPoint(Protocol):
    """A lower bound of the rows' part that is linear in (f, κ)."""

    @property
    def along_f(self) -> Array:
        """g (n,)."""

    @property
    def along_kappa(self) -> float:
        """K."""

    def lost(self, f: Array, kappa: float) -> float:
        """E ψ(f, κ) less the bound."""

    def light(self) -> DualPoint:
        """Without the predictions, to be kept."""

    def at(self, f: Array) -> DualPoint:
        """With them again."""

    def raised(self, ratio: float) -> DualPoint:
        """A point whose K outweighs g `ratio` ≥ 1 times better, if there is one in closed form."""


@dataclass(frozen=True)
class Shares:
    """Shares p of both ends of some rows, and slopes a there.

    Attributes
    ----------
    rows : array (k,)
        Their numbers, rising.
    share : array (2, k)
        Non-negative, of sum w̄.
    slope : array (2, k)
    """

    rows: Array
    share: Array
    slope: Array


@dataclass(frozen=True)
class RowMultipliers:
    """Shares p of both ends of each row and slopes a there.

        w̄ ψ(f, κ) ≥ Σ± p± (a± (f ± κ) − ℓ*(a±))

    They are those of a subgradient at (f, κ), which λ in [−1, 1] splits between the ends; some
    rows have `own` ones. Nothing of that is kept: a block of rows at a time is made.

    Attributes
    ----------
    loss : Loss
    y, w : array (n,)
        Targets, and weights of sum one.
    f, kappa : array (n,) or None, float
    balance : array (n,)
        λ.
    own : Shares or None
    lift : float
        What |slopes| are raised by, at both ends alike; where ℓ' is bounded, as a share of what is
        left to the bound, which rows far out have reached but for rounding.
    """

    loss: Loss
    y: Array
    w: Array
    f: Array | None
    kappa: float
    balance: Array
    own: Shares | None = None
    lift: float = 0.0

    def _blocks(self) -> Iterator[tuple[slice, Array, Array]]:
        """Rows, and their shares and slopes, (2, k) each."""
        for rows in blocks(self.y.size):
            yield rows, *self._lifted(rows, *self._block(rows))

    def _block(self, rows: slice) -> tuple[Array, Array]:
        assert self.f is not None
        f, y, w = self.f[rows], self.y[rows], self.w[rows]
        upper = 0.5 * (1.0 + self.balance[rows])
        share = np.vstack([upper, 1.0 - upper]) * w
        slope = np.vstack([self.loss.slope(f + self.kappa, y), self.loss.slope(f - self.kappa, y)])
        if self.own is not None:
            first, last = np.searchsorted(self.own.rows, [rows.start, rows.stop])
            places = self.own.rows[first:last] - rows.start
            share[:, places] = self.own.share[:, first:last]
            slope[:, places] = self.own.slope[:, first:last]
        return share, slope

    def _lifted(self, rows: slice, share: Array, slope: Array) -> tuple[Array, Array]:
        if self.lift == 0.0:
            return share, slope
        w, bound = self.w[rows], self.loss.lipschitz
        part = share * np.abs(slope)
        room = 1.0 if np.isinf(bound) else np.maximum(bound - part.sum(axis=0) / w, 0.0)
        part = part + self.lift * room * w
        total = part.sum(axis=0)
        steep = np.minimum(total / w, bound)
        share = np.where(total > 0.0, part * (w / total), 0.5 * w)
        return share, np.vstack([steep, -steep])

    @property
    def along_f(self) -> Array:
        out = np.empty(self.y.size)
        for rows, share, slope in self._blocks():
            out[rows] = (share * slope).sum(axis=0)
        return out

    @cached_property
    def along_kappa(self) -> float:
        parts = (
            np.vdot(share[0], slope[0]) - np.vdot(share[1], slope[1])
            for _, share, slope in self._blocks()
        )
        return float(sum(parts))

    def lost(self, f: Array, kappa: float) -> float:
        """Fenchel's and Young's differences, and what the better end's share gives away."""
        lost = 0.0
        for rows, shares, slopes in self._blocks():
            here, y = f[rows], self.y[rows]
            worst = self.loss.worst(here, y, kappa)
            ends = (here + kappa, here - kappa)
            for share, slope, end in zip(shares, slopes, ends, strict=True):
                used = share > 0.0
                a = slope[used]
                terms = worst[used] - a * end[used] + self.loss.conjugate(a, y[used])
                lost += float(share[used] @ np.maximum(terms, 0.0))
        return lost

    def light(self) -> RowMultipliers:
        """Without the predictions, to be kept."""
        return dataclasses.replace(self, f=None)

    def at(self, f: Array) -> RowMultipliers:
        """With them again."""
        return dataclasses.replace(self, f=f)

    def raised(self, ratio: float) -> RowMultipliers:
        """A symmetric loss has a steeper slope further out at both ends alike."""
        if not self.loss.is_symmetric:
            return self
        more, bound = 0.5 * (ratio - 1.0) * self.along_kappa, self.loss.lipschitz
        if np.isinf(bound):
            return dataclasses.replace(self, lift=self.lift + more)
        left = bound - self.along_kappa
        if not 2.0 * more < left:
            return self
        rest = (1.0 - 2.0 * self.lift) * (1.0 - 2.0 * more / left)
        return dataclasses.replace(self, lift=0.5 * (1.0 - rest))


def at_ends(
    loss: Loss, y: Array, w: Array, f: Array, kappa: float, balance: Array
) -> RowMultipliers:
    """The point of a subgradient: λ (n,) in [−1, 1] splits rows between their ends."""
    return RowMultipliers(loss, y, w, f, kappa, balance)

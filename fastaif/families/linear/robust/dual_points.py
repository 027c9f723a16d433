"""Points of the dual problem, in what concerns the rows.

A dual point gives numbers g_i and K with E ψ ≥ gᵀf + K κ − const for all f and κ ≥ 0; what is
lost in that at a point (f, κ) is a sum of terms none of which is negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....losses import Loss

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

    def raised(self, ratio: float) -> DualPoint:
        """A point whose K outweighs g `ratio` ≥ 1 times better, if there is one in closed form."""


@dataclass(frozen=True)
class RowMultipliers:
    """Shares p of both ends of each row and slopes a there.

        w̄ ψ(f, κ) ≥ Σ± p± (a± (f ± κ) − ℓ*(a±))

    Attributes
    ----------
    loss : Loss
    y, w : array (n,)
        Targets, and weights of sum one.
    share : array (2, n)
        Non-negative, of sum w̄.
    slope : array (2, n)
    """

    loss: Loss
    y: Array
    w: Array
    share: Array
    slope: Array

    @property
    def along_f(self) -> Array:
        return np.asarray((self.share * self.slope).sum(axis=0))

    @property
    def along_kappa(self) -> float:
        return float(np.vdot(self.share[0], self.slope[0]) - np.vdot(self.share[1], self.slope[1]))

    def lost(self, f: Array, kappa: float) -> float:
        """Fenchel's and Young's differences, and what the better end's share gives away."""
        worst, lost = self.loss.worst(f, self.y, kappa), 0.0
        for share, slope, end in zip(self.share, self.slope, (f + kappa, f - kappa), strict=True):
            used = share > 0.0
            a = slope[used]
            terms = worst[used] - a * end[used] + self.loss.conjugate(a, self.y[used])
            lost += float(share[used] @ np.maximum(terms, 0.0))
        return lost

    def raised(self, ratio: float) -> RowMultipliers:
        """A symmetric loss has a steeper slope further out at both ends alike."""
        if not self.loss.is_symmetric:
            return self
        more = 0.5 * (ratio - 1.0) * self.along_kappa
        part = self.share * np.abs(self.slope) + more * self.w
        total = part.sum(axis=0)
        slope = total / self.w
        share = np.where(total > 0.0, part * (self.w / total), 0.5 * self.w)
        return RowMultipliers(self.loss, self.y, self.w, share, np.vstack([slope, -slope]))


def at_ends(
    loss: Loss, y: Array, w: Array, f: Array, kappa: float, balance: Array
) -> RowMultipliers:
    """The point of a subgradient: λ (n,) in [−1, 1] splits rows between their ends."""
    upper = 0.5 * (1.0 + balance)
    slope = np.vstack([loss.slope(f + kappa, y), loss.slope(f - kappa, y)])
    return RowMultipliers(loss, y, w, np.vstack([upper, 1.0 - upper]) * w, slope)

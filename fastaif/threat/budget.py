"""Budgets that samples share: the order u of an attack (section 6.2 of the paper).

An attack of order u may spend ``(E ‖δ_i/c‖_p^u)^{1/u} ≤ ε s`` in all. To first order the
best it can do is to give sample i the share t_i of εs, with the gains g_i = ‖∇_x ℓ_i‖_q and
v = u/(u − 1):

    t_i = g_i^{v−1} / (E g^v)^{1/u},    d/dε of the robust optimum:  s (E g^v)^{1/v}.

For u = ∞ that is t = 1; for u = 1 the sample of the largest gain has it all, 1/ω_J for a
sample that is the share ω_J of the total weight (samples that tie share it evenly).

Theorem 6.1 as printed gives all to that sample for every u, which is right for u = 1 only;
`formula="paper"` does as it says, t_J = ω_J^{−1/u}.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._compute.types import TIED

Array = NDArray[Any]


class Gains(Protocol):
    """Sums of gains over samples: M, and E (g/M)^{e+1}."""

    @property
    def peak(self) -> float:
        """M, the largest gain."""

    @property
    def power(self) -> float:
        """E (g/M)^{e+1}."""


@dataclass(frozen=True)
class Sharing:
    """How an attack's budget is divided between samples.

    Attributes
    ----------
    order : float
        u, at least 1; inf: each sample has its own.
    formula : {"exact", "paper", "ball"}
        "ball", of order 1: samples may be split, so that the attack is any distribution within that
        Wasserstein distance of the data's.
    """

    order: float = math.inf
    formula: str = "exact"

    @property
    def is_shared(self) -> bool:
        """Whether samples share a budget at all."""
        return self.order < math.inf

    @property
    def splits_samples(self) -> bool:
        """Whether the attack may move parts of a sample's weight."""
        return self.formula == "ball"

    @property
    def exponent(self) -> float:
        """e of shares (g/M)^e, M the largest gain: v − 1, inf where one sample has it all."""
        if not self.is_shared or self.splits_samples:
            return 0.0
        if self.order == 1.0 or self.formula == "paper":
            return math.inf
        return 1.0 / (self.order - 1.0)

    def exactly(self) -> Sharing:
        """The same order by the exact formula."""
        return dataclasses.replace(self, formula="exact")

    def scale(self, power: float) -> float:
        """What turns shares (g/M)^e into t, given E (g/M)^{e+1}; 1 where nothing is shared."""
        if not self.is_shared:
            return 1.0
        return float(power ** (-1.0 / self.order)) if power > 0.0 else 0.0

    def value(self, mean: float, gains: Gains) -> float:
        """E t g, given E g and the other sums of gains: (E g^v)^{1/v} by the exact formula."""
        if not self.is_shared:
            return mean
        return gains.peak * gains.power * self.scale(gains.power)

    def alone(self, weights: Array) -> Array:
        """The t of a sample that has all of the budget, for its weight ω > 0: ω^(−1/u)."""
        return np.asarray(weights ** (-1.0 / self.order))

    def spent(self, sizes: Array, weights: Array) -> float:
        """(E t^u)^{1/u} of sizes t (n,) ≥ 0: 1 is all of the budget."""
        return float(weights @ sizes**self.order) ** (1.0 / self.order)

    def budgets(self, gains: Array, weights: Array) -> Array:
        """t (n,) for gains g (n,) and weights ω (n,) that sum to 1."""
        counted = np.where(weights > 0, gains, 0.0)
        peak = float(counted.max(initial=0.0))
        if not self.is_shared or self.splits_samples or peak == 0.0:
            return np.ones(len(gains))
        shares = shares_of(counted, peak, self.exponent)
        return np.asarray(shares * self.scale(float(weights @ (shares * (counted / peak)))))


def shares_of(gains: Array, peak: float, exponent: float) -> Array:
    """(g/M)^e for gains g (n,) and the largest of them M; 0 where that is 0."""
    if peak == 0.0:
        return np.zeros(gains.shape)
    ratios = gains / peak
    return np.asarray(ratios**exponent if exponent < math.inf else 1.0 * (ratios >= TIED))


OWN_BUDGETS = Sharing()

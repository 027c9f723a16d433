"""Σ λ_j |θ_j| as an interior-point method sees it: the least Σ λ_j a_j with |θ_j| ≤ a_j."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .barrier import Pairs

Array = NDArray[Any]


class L1Terms:
    """The bounds a, and what keeps them above the entries with λ > 0; there may be none.

    Attributes
    ----------
    places : array (k,)
        These entries.
    pairs : Pairs
        Of a ∓ θ.
    """

    pairs: Pairs

    def __init__(self, weights: Array) -> None:
        """λ (d,)."""
        self._d, self.places = weights.size, np.flatnonzero(weights > 0.0)
        self._weights = weights[self.places]

    def start(self, theta: Array, mu: float) -> None:
        """Onto the central path at θ."""
        x = theta[self.places]
        slack = mu / self._weights
        self._a = slack + np.hypot(slack, x)
        s = np.vstack([self._a - x, self._a + x])
        # The smaller of the two by its product with the other, 2aμ/λ: without cancellation.
        small = 2.0 * self._a * slack / s.max(axis=0)
        s = np.where(s == s.max(axis=0), s, small)
        self.pairs = Pairs.centred(s, mu / s)

    def refresh(self, theta: Array) -> None:
        """Defects at θ and the present a."""
        x = theta[self.places]
        self.pairs.defect = self.pairs.slack - np.vstack([self._a - x, self._a + x])

    @property
    def force(self) -> Array:
        """z₊ − z₋ (k,): what the terms add to the gradient."""
        return np.asarray(self.pairs.multiplier[0] - self.pairs.multiplier[1])

    @property
    def residual(self) -> float:
        """What z₊ + z₋ = λ lacks."""
        lacks = np.abs(self._weights - self.pairs.multiplier.sum(axis=0))
        return float(np.max(lacks / self._weights, initial=0.0))

    def curvature(self) -> Array:
        """(d,) Second derivatives after the pairs and a are eliminated."""
        ratio = self.pairs.ratio
        self._soft = 1.0 / (ratio[0] + ratio[1])
        self._skew = ratio[1] - ratio[0]
        out = np.zeros(self._d)
        out[self.places] = 4.0 * ratio[0] * ratio[1] * self._soft
        return out

    def right(self, mu: float, second: bool) -> Array:
        """Derivatives (k,) of what the Newton step minimises."""
        self._pull = self.pairs.pull(mu, second and self.places.size > 0)
        self._along_a = self._weights - self._pull[0] - self._pull[1]
        return np.asarray(self._pull[0] - self._pull[1] - self._skew * self._soft * self._along_a)

    def turn(self, step: Array) -> None:
        """The step that goes with one of θ."""
        dx = step[self.places]
        self._da = -self._soft * (self._skew * dx + self._along_a)
        self.pairs.turn(self._pull, np.vstack([self._da - dx, self._da + dx]))

    def merit(self, theta: Array, t: float, mu: float) -> float:
        """Σ λ a and the barrier's value after a step of length t, which leads to θ."""
        if not self.places.size:
            return 0.0
        x, a = theta[self.places], self._a + t * self._da
        slack = self.pairs.slack + t * self.pairs.d_slack
        defect = slack - np.vstack([a - x, a + x])
        return float(self._weights @ a) + self.pairs.merit(t, mu, defect)

    def advance(self, t: float) -> None:
        """Take the step."""
        self._a = self._a + t * self._da
        self.pairs.advance(t)

    def zeros(self) -> Array:
        """(d,) The entries whose multipliers outweigh their slacks at both ends."""
        out = np.zeros(self._d, dtype=bool)
        if self.places.size:
            size = float(self._a.sum())
            on = self.pairs.multiplier / self._weights > self.pairs.slack / size
            out[self.places] = on.all(axis=0)
        return out

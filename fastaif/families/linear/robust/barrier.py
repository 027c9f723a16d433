"""Pairs of slacks and multipliers, of which an interior-point method keeps both positive.

A constraint g ≤ h has the slack s = h − g and the multiplier z; on the central path s z = μ.
Slacks are variables of their own: the *defect* s − (h − g) is zero only in the limit where g or h
is curved, and Newton's method brings it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_PENALTY = 2.0  # of a defect, in multipliers


def reach(x: Array, step: Array) -> float:
    """The largest t ≤ 1 with x + t step ≥ 0."""
    falls = step < 0.0
    if not falls.any():
        return 1.0
    return min(1.0, float(np.min(x[falls] / -step[falls])))


@dataclass
class Pairs:
    """Two constraints for each of k entries: everything is (2, k).

    Attributes
    ----------
    slack, multiplier : array (2, k)
    defect : array (2, k)
        s − (h − g) at the present point.
    d_slack, d_multiplier : array (2, k)
        The step.
    """

    slack: Array
    multiplier: Array
    defect: Array
    d_slack: Array
    d_multiplier: Array

    @classmethod
    def centred(cls, slack: Array, multiplier: Array) -> Pairs:
        """Pairs without a defect."""
        nothing = np.zeros_like(slack)
        return cls(slack, multiplier, nothing, nothing, nothing)

    @property
    def ratio(self) -> Array:
        """z/s: what a constraint adds to curvature."""
        return np.asarray(self.multiplier / self.slack)

    def pull(self, mu: float, second: bool) -> Array:
        """The multiplier that s z = μ asks for if the point stays; with the last step's product
        Δs Δz taken off (Mehrotra's correction) if `second`."""
        aim = mu + self.multiplier * self.defect
        if second:
            product = self.d_slack * self.d_multiplier
            aim = aim - np.clip(product, -self._bound, self._bound)
        return np.asarray(aim / self.slack)

    @property
    def _bound(self) -> float:
        """Corrections larger than a few μ come from steps that will not be taken."""
        return 3.0 * self.product / self.slack.size

    def turn(self, pull: Array, opening: Array) -> None:
        """The step that goes with a change `opening` of h − g."""
        self.d_multiplier = pull - self.multiplier - self.ratio * opening
        self.d_slack = opening - self.defect

    @property
    def product(self) -> float:
        """Σ s z."""
        return float(np.vdot(self.slack, self.multiplier))

    def product_after(self, t: float) -> float:
        """Σ s z after a step of length t."""
        slack = self.slack + t * self.d_slack
        return float(np.vdot(slack, self.multiplier + t * self.d_multiplier))

    def reach(self) -> float:
        """How far the step goes before a slack or a multiplier is zero."""
        return min(reach(self.slack, self.d_slack), reach(self.multiplier, self.d_multiplier))

    def advance(self, t: float) -> None:
        """Take the step."""
        self.slack = self.slack + t * self.d_slack
        self.multiplier = self.multiplier + t * self.d_multiplier

    def merit(self, t: float, mu: float, defect: Array) -> float:
        """−μ Σ log s, with a defect after a step of length t as a penalty."""
        slack = self.slack + t * self.d_slack
        barrier = -mu * float(np.log(slack).sum())
        price = np.maximum(self.multiplier, mu / self.slack)
        return barrier + _PENALTY * float(np.vdot(price, np.abs(defect)))

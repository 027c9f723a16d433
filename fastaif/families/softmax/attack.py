"""Attacks on the inputs of softmax models.

A loss −log softmax(z)_y grows with the lead of the other classes, log Σ_{k≠y} e^{z_k} − z_y.
Ascents start where each of the other classes gains most on the sample's own, too; of two classes
that is the maximum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...threat.attack_set import AttackSet
from ..vector.attack import Search

Array = NDArray[Any]


@dataclass(frozen=True)
class SoftmaxSearch(Search):
    """The search for maxima of the lead of other classes."""

    @staticmethod
    def is_exact(ball: AttackSet, n_outputs: int) -> bool:
        """Whether the extreme points where the maximum may be are few."""
        return ball.own.is_cross_polytope or n_outputs == 2

    def exact(self) -> Array:
        """The best of all extreme points at which a maximum can be."""
        return self._towards(1) if len(self.slopes) == 2 else super().exact()

    def starts(self) -> Iterator[Array]:
        """Towards each other class."""
        for ahead in range(1, len(self.slopes)):
            yield self._towards(ahead)

    def _towards(self, ahead: int) -> Array:
        """Where the class so many places after a row's own, in a circle, gains most on it."""
        own = self.y.astype(int)
        other = (own + ahead) % len(self.slopes)
        return self.rho * self.own.directions(self.slopes[other] - self.slopes[own])

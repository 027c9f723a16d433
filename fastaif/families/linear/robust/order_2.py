"""Least squares under attacks whose budget samples share with order 2.

There the inner maximum is closed: Ψ(θ, κ) = (A + κ)² with A = √(E r²), for every norm. It
takes the place of E ψ(f_i, κ) in a `RobustProblem`; samples have no kinks, and all
derivatives come from the sums at κ = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....passes.sums import InfluenceSums
from .objective import RobustProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class RootSums:
    """Ψ and its derivatives in (θ, κ), with the names that `InfluenceSums` has for E ψ's."""

    natural: InfluenceSums
    kappa: float

    @property
    def root(self) -> float:
        """A = √(E r²)."""
        return float(np.sqrt(self.natural.loss))

    @property
    def loss(self) -> float:
        """(A + κ)²."""
        return (self.root + self.kappa) ** 2

    @property
    def gain(self) -> float:
        """Ψ_κ = 2 (A + κ)."""
        return 2.0 * (self.root + self.kappa)

    @property
    def mixed_direction(self) -> Array:
        """Ψ_θκ = 2 ∇A."""
        return self.natural.gradient / self.root

    @property
    def gradient(self) -> Array:
        """Ψ_θ = 2 (A + κ) ∇A."""
        return (1.0 + self.kappa / self.root) * self.natural.gradient

    @property
    def hessian(self) -> Array:
        """Ψ_θθ = 2 ∇A ∇Aᵀ + 2 (A + κ) ∇²A, ∇²A = (½∇²A² − ∇A ∇Aᵀ)/A."""
        ratio, slope = self.kappa / self.root, 0.5 * self.mixed_direction
        return (1.0 + ratio) * self.natural.hessian - 2.0 * ratio * np.outer(slope, slope)

    def scalar(self, place: int) -> float:
        """Ψ_κκ = 2."""
        if place != c.S_KK:
            raise ValueError(f"no such sum: {place}")
        return 2.0

    @property
    def yardstick(self) -> float:
        """What gradients are small or large against."""
        return (1.0 + self.kappa / self.root) * self.natural.yardstick

    @property
    def is_finite(self) -> bool:
        """Whether the residuals do not all vanish, where A has a kink, and are finite."""
        return self.natural.is_finite and self.root > 0.0


@dataclass
class RootProblem(RobustProblem):
    """J = (√(E r²) + ρ‖Dβ‖_q)² + α ‖β‖²."""

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> Any:
        """One pass at θ; samples are not smoothed."""
        return RootSums(super().sums(theta, 0.0), kappa)

    @property
    def has_kinks(self) -> bool:
        """No sample has two worst ends."""
        return False

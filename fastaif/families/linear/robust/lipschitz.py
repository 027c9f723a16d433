"""Robust fits against the Wasserstein ball of order 1: a multiple of the norm is added.

    J(θ) = E ℓ(f) + Lip κ + α‖β‖²,   κ = ρ‖Dβ‖_q
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....losses import Loss
from ....passes.sums import InfluenceSums
from .dual_points import DualPoint
from .objective import RobustProblem
from .row_terms import RowTerms, SmoothTerms

Array = NDArray[Any]


@dataclass(frozen=True)
class LipschitzSums:
    """The natural sums, and Lip κ, with the names that `InfluenceSums` has."""

    natural: InfluenceSums
    lipschitz: float
    kappa: float

    @property
    def loss(self) -> float:
        """E ℓ + Lip κ."""
        return self.natural.loss + self.lipschitz * self.kappa

    @property
    def gain(self) -> float:
        """∂/∂κ."""
        return self.lipschitz

    @property
    def mixed_direction(self) -> Array:
        """∂²/∂θ∂κ."""
        return np.zeros(self.natural.gradient.size)

    @property
    def gradient(self) -> Array:
        """∂/∂θ."""
        return self.natural.gradient

    @property
    def hessian(self) -> Array:
        """∂²/∂θ²."""
        return self.natural.hessian

    def scalar(self, place: int) -> float:
        """∂²/∂κ²."""
        if place != c.S_KK:
            raise ValueError(f"no such sum: {place}")
        return 0.0

    @property
    def yardstick(self) -> float:
        """What gradients are small or large against."""
        return self.natural.yardstick

    @property
    def is_finite(self) -> bool:
        """Whether all of it is."""
        return self.natural.is_finite


@dataclass(frozen=True)
class Slopes:
    """Σ w̄ (a f − ℓ*(a)) + Lip κ, a lower bound for all slopes a (n,)."""

    loss: Loss
    y: Array
    w: Array
    slope: Array

    @property
    def along_f(self) -> Array:
        return np.asarray(self.w * self.slope)

    @property
    def along_kappa(self) -> float:
        return self.loss.lipschitz

    def lost(self, f: Array, kappa: float) -> float:
        """Fenchel's and Young's differences."""
        a, y = self.slope, self.y
        terms = self.loss.value(f, y) - a * f + self.loss.conjugate(a, y)
        return float(self.w @ np.maximum(terms, 0.0))

    def light(self) -> Slopes:
        """These are no predictions'."""
        return self

    def at(self, f: Array) -> Slopes:
        """These are no predictions'."""
        return self

    def raised(self, ratio: float) -> Slopes:
        """Flatter slopes."""
        return dataclasses.replace(self, slope=self.slope / ratio)


class _LipschitzTerms(SmoothTerms):
    """E ℓ + Lip κ."""

    def _total(self, f: Array, kappa: float) -> float:
        return float(self._w @ self._loss.value(f, self._y)) + self._loss.lipschitz * kappa

    def refresh(self, f: Array, kappa: float) -> None:
        self.value = self._total(f, kappa)
        self._slope = self._w * self._loss.slope(f, self._y)
        self._bend = self._w * self._loss.curvature(f, self._y)

    @property
    def slopes(self) -> tuple[Array, float]:
        return self._slope, self._loss.lipschitz

    def curvature(self) -> tuple[Array, Array, float, float]:
        return self._bend, np.zeros(self._bend.size), 0.0, 0.0

    def multipliers(self) -> tuple[Array, Array]:
        raise NotImplementedError("rows have no shares of a norm")


@dataclass
class LipschitzProblem(RobustProblem):
    """J = E ℓ + ρ Lip ‖Dβ‖_q + α ‖β‖²."""

    @property
    def has_kinks(self) -> bool:
        """No sample is attacked at an end of its own."""
        return False

    @property
    def furthest(self) -> float:
        """The norm's price grows with θ: there is no escape along a ray."""
        return float(np.finfo(float).max)

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> Any:
        """One pass at θ."""
        return LipschitzSums(super().sums(theta, 0.0), self.sweep.loss.lipschitz, kappa)

    def worst(self, f: Array, y: Array, kappa: float, w: Array) -> float:
        """E ℓ + Lip κ."""
        loss = self.sweep.loss
        return float(w @ loss.value(f, y)) + loss.lipschitz * kappa

    def worst_between(self, ends: tuple[Array, Array], t: float, kappa: float) -> float:
        """The same between two points."""
        f = ends[0] + t * (ends[1] - ends[0])
        return self.worst(f, self.design.targets, kappa, self.design.weights)

    def dual_point(self, f: Array, y: Array, w: Array, kappa: float, balance: Array) -> DualPoint:
        """That of the slopes."""
        return Slopes(self.sweep.loss, y, w, self.sweep.loss.slope(f, y))

    def at_zero(self, f: Array, slope: Array) -> tuple[float, DualPoint]:
        """Lip, and the slopes."""
        loss, design = self.sweep.loss, self.design
        return loss.lipschitz, Slopes(loss, design.targets, design.weights, slope)

    def row_terms(self, y: Array, w: Array) -> RowTerms:
        """All rows together."""
        return _LipschitzTerms(self.sweep.loss, y, w)

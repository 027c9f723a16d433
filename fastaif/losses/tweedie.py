"""The Tweedie loss with a log link: counts and sums of gamma variables, zero now and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inversion import conjugate_of
from .log_link import LogLinkLoss, exp_gap
from .one_parameter import OneParameterLoss

Array = NDArray[Any]


@dataclass(frozen=True)
class Tweedie(LogLinkLoss, OneParameterLoss):
    """exp((2 − π) f)/(2 − π) + y exp((1 − π) f)/(π − 1), half the Tweedie deviance of y ≥ 0.

    At π = 1 and 2 it would be, up to constants, the Poisson and the gamma loss.

    Parameters
    ----------
    power : float, default 1.5
        π, 1 < π < 2: the variance is proportional to the mean's power π.

    Raises
    ------
    TypeError, ValueError
        π is not a number between 1 and 2.
    """

    power: float = 1.5

    name = "tweedie"
    field = "power"
    low, high = 1.0, 2.0
    at_ends = ": 1 is the Poisson loss, and 2 the gamma loss"
    code = 5

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        up, down, a, b = self._parts(f, y)
        return up / a + down / b

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        up, down, _, _ = self._parts(f, y)
        return up - down

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        up, down, a, b = self._parts(f, y)
        return a * up + b * down

    @np.errstate(over="ignore", invalid="ignore")
    def _parts(self, f: Array, y: Array) -> tuple[Array, Array, float, float]:
        """exp(a f), y exp(−b f), a = 2 − π, b = π − 1."""
        a, b = 2.0 - self.power, self.power - 1.0
        return np.exp(a * f), np.where(y > 0, y * np.exp(-b * f), 0.0), a, b

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        short = np.clip(step, -1.0, 1.0)
        up, down, a, b = self._parts(f, y)
        near = up * np.expm1(a * short) / a + down * np.expm1(-b * short) / b
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        down = np.where(y > 0, y * exp_gap(1.0 - self.power, f, kappa), 0.0)
        return exp_gap(2.0 - self.power, f, kappa) - down

    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded.

        Where y = 0 slopes are positive, and f is log(slope)/(2 − π).
        """
        a = 2.0 - self.power
        with np.errstate(divide="ignore", invalid="ignore"):
            steep = np.maximum(slope, 0.0)
            alone = np.where(steep > 0.0, steep / a * (np.log(steep) - 1.0), 0.0)
        alone = np.where(slope >= 0.0, alone, np.inf)
        return np.where(y > 0, conjugate_of(self, slope, np.where(y > 0, y, 1.0)), alone)

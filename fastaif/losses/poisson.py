"""The Poisson loss with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .log_link import LogLinkLoss, exp_gap

Array = NDArray[Any]


@dataclass(frozen=True)
class Poisson(LogLinkLoss):
    """exp(f) − y f, the negative log likelihood of counts y up to a constant."""

    name = "poisson"
    code = 2

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        return np.exp(f) - y * f

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return np.exp(f) - y

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        return np.exp(f)

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        # The exact identity for exp cancels in its turn for long steps.
        short = np.clip(step, -1.0, 1.0)
        near = np.exp(f) * np.expm1(short) - y * short
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        return exp_gap(1.0, f, kappa) - y

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        rate = slope + y
        return np.where(rate >= 0.0, xlogy(rate, rate) - rate, np.inf)

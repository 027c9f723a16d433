"""The gamma loss with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .log_link import LogLinkLoss, exp_gap

Array = NDArray[Any]


@dataclass(frozen=True)
class Gamma(LogLinkLoss):
    """y exp(−f) + f, the negative log likelihood of y > 0 up to a constant and the shape."""

    name = "gamma"
    code = 4
    attains_minimum = True
    takes_zeros = False

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        return y * np.exp(-f) + f

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return 1.0 - y * np.exp(-f)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        return y * np.exp(-f)

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        # The exact identity for exp cancels in its turn for long steps.
        short = np.clip(step, -1.0, 1.0)
        near = y * np.exp(-f) * np.expm1(-short) + short
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        return 1.0 - y * exp_gap(-1.0, f, kappa)

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        rest = 1.0 - slope
        return np.where(rest >= 0.0, xlogy(rest, rest / y) - rest, np.inf)

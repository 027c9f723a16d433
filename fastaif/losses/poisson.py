"""The Poisson loss with a log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Loss
from .targets import as_float

Array = NDArray[Any]


@dataclass(frozen=True)
class Poisson(Loss):
    """exp(f) − y f, the negative log likelihood of counts y up to a constant."""

    name = "poisson"
    code = 2
    attains_minimum = False  # not where y = 0
    needs_start = True
    has_positive_targets = True

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
        if kappa > 1.0:  # exp(f) sinh(κ) could be 0 · ∞
            return (np.exp(f + kappa) - np.exp(f - kappa)) / (2.0 * kappa) - y
        sinhc = np.sinh(kappa) / kappa if kappa > 1e-4 else 1.0 + kappa**2 / 6.0
        return np.exp(f) * sinhc - y

    def zero_slope_prediction(self, y: Array) -> Array:
        """log y; NaN where y = 0."""
        with np.errstate(divide="ignore"):
            return np.where(y > 0, np.log(np.maximum(y, 0.0)), np.nan)

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        rate = slope + y
        return np.where(rate >= 0.0, xlogy(rate, rate) - rate, np.inf)

    def null_prediction(self, mean: float) -> float:
        """The log of the mean count."""
        return float(np.log(mean)) if mean > 0 else 0.0

    def starting_intercept(self, mean: float) -> float | None:
        """The log of the mean count: from zero the first step could overflow."""
        return self.null_prediction(mean)

    def encode(self, y: Array) -> Array:
        """Counts (any non-negative reals) as float64."""
        counts = as_float(y)
        if counts.size and counts.min() < 0:
            least = f"{counts.min():g}"
            raise ValueError(f"y must not be negative for a Poisson model, but has {least}")
        return counts

    def response(self, f: Array) -> Array:
        """The expected count exp(f)."""
        return np.exp(f)

    def reach(self, f: Array, change: float) -> Array:
        """log(1 + change/exp(f)): upwards, for downwards is further."""
        return np.asarray(np.logaddexp(0.0, np.log(change) - f))

    def score(self, y: Array, predicted: Array, sample_weight: Array | None = None) -> float:
        """D²: the fraction of the Poisson deviance explained."""
        from sklearn.metrics import d2_tweedie_score

        mean = np.maximum(predicted, np.finfo(float).tiny)
        return float(d2_tweedie_score(y, mean, sample_weight=sample_weight, power=1))

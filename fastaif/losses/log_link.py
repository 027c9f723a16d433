"""What losses of a positive mean exp(f) share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..utils.inputs import TargetsLike, WeightsLike
from .base import Loss
from .targets import as_float

Array = NDArray[Any]


class LogLinkLoss(Loss):
    """A negative log likelihood (up to terms without f) of targets whose mean is exp(f).

    Attributes
    ----------
    takes_zeros : bool
        Targets may be zero; ℓ has no minimiser there.
    """

    attains_minimum = False  # not where y = 0
    needs_start = True
    has_positive_targets = True
    takes_zeros: ClassVar[bool] = True

    def zero_slope_prediction(self, y: Array) -> Array:
        """log y; NaN where y = 0."""
        with np.errstate(divide="ignore"):
            return np.where(y > 0, np.log(np.maximum(y, 0.0)), np.nan)

    def target_reach(self, y: Array) -> Array:
        """1, whatever the unit of y: f is the logarithm of a mean."""
        return np.ones(np.shape(y))

    def null_prediction(self, mean: float) -> float:
        """The log of the mean target."""
        return float(np.log(mean)) if mean > 0 else 0.0

    def starting_intercept(self, mean: float) -> float | None:
        """The log of the mean target: from zero the first step could overflow."""
        return self.null_prediction(mean)

    def encode(self, y: Array) -> Array:
        """Non-negative (or, without `takes_zeros`, positive) reals as float64."""
        targets = as_float(y)
        if targets.size and targets.min() < 0:
            least = f"{targets.min():g}"
            raise ValueError(f"y must not be negative for {self._model}, but has {least}")
        if targets.size and not self.takes_zeros and targets.min() == 0:
            raise ValueError(f"y must be above zero for {self._model}, but has 0")
        return targets

    @property
    def _model(self) -> str:
        return f"a {self.name.replace('_', ' ').capitalize()} model"

    def response(self, f: Array) -> Array:
        """The expected target exp(f)."""
        return np.exp(f)

    def reach(self, f: Array, change: float) -> Array:
        """log(1 + change/exp(f)): upwards, for downwards is further."""
        return np.asarray(np.logaddexp(0.0, np.log(change) - f))

    def score(
        self, y: TargetsLike, predicted: Array, sample_weight: WeightsLike = None
    ) -> float:
        """D²: the fraction of the deviance explained."""
        y = np.asarray(y, dtype=float)
        w = None if sample_weight is None else np.asarray(sample_weight)
        mean = np.maximum(predicted, np.finfo(float).tiny)
        middle = np.full(y.shape, np.average(y, weights=w))
        parts = (np.average(self._deviance(y, m), weights=w) for m in (mean, middle))
        own, null = parts
        return float(1.0 - own / null) if null > 0 else float("nan")

    def _deviance(self, y: Array, mean: Array) -> Array:
        """What ℓ at log(mean) is above its least value, elementwise; zero targets' is the limit."""
        own = np.log(np.where(y > 0, y, np.finfo(float).tiny))
        return np.asarray(self.value(np.log(mean), y) - self.value(own, y))


def exp_gap(a: float, f: Array, kappa: float) -> Array:
    """(exp(a(f + κ)) − exp(a(f − κ))) / 2aκ, for a of either sign."""
    reach = abs(a) * kappa
    if reach > 1.0:  # exp(f) sinh(κ) could be 0 · ∞
        return (np.exp(a * f + reach) - np.exp(a * f - reach)) / (2.0 * reach)
    sinhc = np.sinh(reach) / reach if reach > 1e-4 else 1.0 + reach**2 / 6.0
    return np.exp(a * f) * sinhc

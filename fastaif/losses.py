"""Pointwise losses ℓ(f, y): descriptions and vectorised values.

None carries a factor ½ (the squared error is (f − y)²): sensitivities scale with the
loss, the influence does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compute import types

Array = NDArray[Any]
_CODES = {
    "squared_error": types.SQUARED_ERROR,
    "logistic": types.LOGISTIC,
    "poisson": types.POISSON,
    "huber": types.HUBER,
}


@dataclass(frozen=True)
class Loss:
    """A loss by name, with the pseudo-Huber's δ where it has one.

    Parameters
    ----------
    name : {"squared_error", "logistic", "poisson", "huber"}
        (f − y)²; log(1 + exp(−y f)), y = ±1; exp(f) − y f; δ²(√(1 + ((f − y)/δ)²) − 1).
    delta : float
        The pseudo-Huber's transition between square and absolute error, in units of y.
    """

    name: str
    delta: float = 1.0

    @property
    def code(self) -> int:
        """The loss's number in compiled code."""
        return _CODES[self.name]

    @property
    def is_monotone(self) -> bool:
        """Whether ℓ falls in y f for ever: then the worse end of an interval is always −y's."""
        return self.name == "logistic"

    @property
    def is_symmetric(self) -> bool:
        """Whether ℓ depends on |f − y| alone."""
        return self.name in ("squared_error", "huber")

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        if self.name == "squared_error":
            return (f - y) ** 2
        if self.name == "logistic":
            return np.logaddexp(0.0, -y * f)
        if self.name == "poisson":
            return np.exp(f) - y * f
        r = f - y
        return r * (r / (np.hypot(1.0, r / self.delta) + 1.0))

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        if self.name == "squared_error":
            return 2.0 * (f - y)
        if self.name == "logistic":
            from scipy.special import expit

            return -y * np.asarray(expit(-y * f))
        if self.name == "poisson":
            return np.exp(f) - y
        r = f - y
        return r / np.hypot(1.0, r / self.delta)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        if self.name == "squared_error":
            return np.full(np.shape(f), 2.0)
        if self.name == "logistic":
            from scipy.special import expit

            return np.asarray(expit(f) * expit(-f))
        if self.name == "poisson":
            return np.exp(f)
        return np.asarray(np.hypot(1.0, (f - y) / self.delta) ** -3.0)

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        if self.name == "squared_error":
            return step * (step + 2.0 * (f - y))
        if self.name == "huber":
            u, v = (f - y) / self.delta, (f + step - y) / self.delta
            return step * ((step + 2.0 * (f - y)) / (np.hypot(1.0, u) + np.hypot(1.0, v)))
        # The exact identities for exp and log1p cancel in their turn for long steps.
        short = np.clip(step, -1.0, 1.0)
        if self.name == "poisson":
            near = np.exp(f) * np.expm1(short) - y * short
        else:
            from scipy.special import expit

            near = np.log1p(np.asarray(expit(-y * f)) * np.expm1(-y * short))
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        if self.name == "squared_error":
            return 2.0 * (f - y)
        if self.name == "logistic":
            if kappa == 0.0:
                return self.slope(f, y)
            return self.change(f - kappa, np.asarray(2.0 * kappa), y) / (2.0 * kappa)
        if self.name == "poisson":
            if kappa > 1.0:  # exp(f) sinh(κ) could be 0 · ∞
                return (np.exp(f + kappa) - np.exp(f - kappa)) / (2.0 * kappa) - y
            sinhc = np.sinh(kappa) / kappa if kappa > 1e-4 else 1.0 + kappa**2 / 6.0
            return np.exp(f) * sinhc - y
        r = f - y
        plus, minus = (r + kappa) / self.delta, (r - kappa) / self.delta
        return 2.0 * r / (np.hypot(1.0, plus) + np.hypot(1.0, minus))

    def worst(self, f: Array, y: Array, kappa: float) -> Array:
        """max ℓ(f ± κ), elementwise."""
        return np.maximum(self.value(f + kappa, y), self.value(f - kappa, y))

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        if self.name == "squared_error":
            return slope * (y + 0.25 * slope)
        if self.name == "huber":
            size = np.abs(slope) / self.delta
            root = np.sqrt(np.maximum((1.0 - size) * (1.0 + size), 0.0))
            inside = slope * y + slope * (slope / (1.0 + root))
            return np.where(size <= 1.0, inside, np.inf)
        from scipy.special import xlogy

        if self.name == "poisson":
            rate = slope + y
            return np.where(rate >= 0.0, xlogy(rate, rate) - rate, np.inf)
        share = -y * slope
        inside = xlogy(share, share) + xlogy(1.0 - share, 1.0 - share)
        return np.where((share >= 0.0) & (share <= 1.0), inside, np.inf)

    def null_prediction(self, mean: float) -> float:
        """The constant f that fits (or nearly fits) targets of this mean."""
        if self.name == "poisson":
            return float(np.log(mean)) if mean > 0 else 0.0
        if self.name == "logistic":
            share = min(max(mean, -1.0 + 1e-12), 1.0 - 1e-12)
            return float(np.log1p(share) - np.log1p(-share))
        return mean

    def worse_end(self, f: Array, y: Array, kappa: float) -> Array:
        """±1: at which end of [f − κ, f + κ] the loss is larger; +1 where they tie."""
        if self.name == "logistic":
            return -np.asarray(y, dtype=float)
        return np.where(self.end_gap(f, y, kappa) < 0, -1.0, 1.0)

    def zero_slope_prediction(self, y: Array) -> Array:
        """The f at which ℓ' changes sign; NaN where it never does."""
        if self.name == "logistic":
            return np.full(np.shape(y), np.nan)
        if self.name == "poisson":
            with np.errstate(divide="ignore"):
                return np.where(y > 0, np.log(np.maximum(y, 0.0)), np.nan)
        return np.asarray(y, dtype=float)

"""The logistic loss of two labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .labels import LabelLoss

Array = NDArray[Any]


def _expit(f: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(f))


@dataclass(frozen=True)
class Logistic(LabelLoss):
    """log(1 + exp(−y f)), y = ±1."""

    name = "logistic"
    code = 1

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        return np.logaddexp(0.0, -y * f)

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return -y * _expit(-y * f)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        return np.asarray(_expit(f) * _expit(-f))

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        # The exact identity for log1p cancels in its turn for long steps.
        short = np.clip(step, -1.0, 1.0)
        near = np.log1p(_expit(-y * f) * np.expm1(-y * short))
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    @property
    def lipschitz(self) -> float:
        """1."""
        return 1.0

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        share = -y * slope
        inside = xlogy(share, share) + xlogy(1.0 - share, 1.0 - share)
        return np.where((share >= 0.0) & (share <= 1.0), inside, np.inf)

    def null_prediction(self, mean: float) -> float:
        """The log odds of +1."""
        share = min(max(mean, -1.0 + 1e-12), 1.0 - 1e-12)
        return float(np.log1p(share) - np.log1p(-share))

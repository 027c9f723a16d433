"""The squared error, without a factor ½."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Loss

Array = NDArray[Any]


@dataclass(frozen=True)
class SquaredError(Loss):
    """(f − y)²."""

    name = "squared_error"
    code = 0
    is_quadratic = True
    is_of_residuals = True
    is_symmetric = True

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        return (f - y) ** 2

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return 2.0 * (f - y)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        return np.full(np.shape(f), 2.0)

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y)."""
        return step * (step + 2.0 * (f - y))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ, which does not depend on κ."""
        return 2.0 * (f - y)

    def zero_slope_prediction(self, y: Array) -> Array:
        """y."""
        return np.asarray(y, dtype=float)

    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise."""
        return slope * (y + 0.25 * slope)

    def null_prediction(self, mean: float) -> float:
        """The mean."""
        return mean

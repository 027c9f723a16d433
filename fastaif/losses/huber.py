"""The pseudo-Huber loss: quadratic near zero, linear far out, smooth everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .one_parameter import OneParameterLoss

Array = NDArray[Any]

_ROUNDING = 4.0 * np.finfo(float).eps  # what slopes of rows far out may be beyond δ by


@dataclass(frozen=True)
class Huber(OneParameterLoss):
    """δ²(√(1 + ((f − y)/δ)²) − 1).

    Parameters
    ----------
    delta : float, default 1.0
        δ > 0, the transition between square and absolute error, in units of y.

    Raises
    ------
    TypeError, ValueError
        δ is not a number, or not above zero.
    """

    delta: float = 1.0

    name = "huber"
    field = "delta"
    code = 3
    is_of_residuals = True
    is_symmetric = True
    needs_start = True

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        r = f - y
        return r * (r / (np.hypot(1.0, r / self.delta) + 1.0))

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        r = f - y
        return r / np.hypot(1.0, r / self.delta)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        return np.asarray(np.hypot(1.0, (f - y) / self.delta) ** -3.0)

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        u, v = (f - y) / self.delta, (f + step - y) / self.delta
        return step * ((step + 2.0 * (f - y)) / (np.hypot(1.0, u) + np.hypot(1.0, v)))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        r = f - y
        plus, minus = (r + kappa) / self.delta, (r - kappa) / self.delta
        return 2.0 * r / (np.hypot(1.0, plus) + np.hypot(1.0, minus))

    @property
    def lipschitz(self) -> float:
        """δ."""
        return float(self.delta)

    def zero_slope_prediction(self, y: Array) -> Array:
        """y."""
        return np.asarray(y, dtype=float)

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        size = np.abs(slope) / self.delta
        size = np.where(size > 1.0 + _ROUNDING, size, np.minimum(size, 1.0))
        root = np.sqrt(np.maximum((1.0 - size) * (1.0 + size), 0.0))
        inside = slope * y + slope * (slope / (1.0 + root))
        return np.where(size <= 1.0, inside, np.inf)

    def null_prediction(self, mean: float) -> float:
        """The mean."""
        return mean

    def easier(self, y: Array) -> Sequence[Huber]:
        """Those of ten times δ, and so on up to the scale of the targets, the widest first.

        Where most residuals are beyond δ the loss is nearly flat in curvature, and Newton
        needs to start close.
        """
        wider, delta = [], float(np.mean(np.abs(y - np.median(y))))
        while delta > 3.0 * self.delta:
            wider.append(Huber(delta))
            delta *= 0.1
        return wider

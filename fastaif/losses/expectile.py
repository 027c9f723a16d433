"""The expectile loss: squares that weigh more on one side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .one_parameter import OneParameterLoss

Array = NDArray[Any]


@dataclass(frozen=True)
class Expectile(OneParameterLoss):
    """``|τ − 1(y < f)| (y − f)²``: τ of the squares of what f falls short of y, 1 − τ of the rest.

    Parameters
    ----------
    tau : float, default 0.5
        0 < τ < 1; above a half the fit is an upper expectile, at a half the mean (and the loss
        half of the squared error).

    Raises
    ------
    TypeError, ValueError
        τ is not a number between 0 and 1.
    """

    tau: float = 0.5

    name = "expectile"
    field = "tau"
    high = 1.0
    code = 10
    is_of_residuals = True

    def _side(self, r: Array) -> Array:
        return np.where(r > 0.0, 1.0 - self.tau, self.tau)

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        return self._side(f - y) * np.square(f - y)

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return 2.0 * self._side(f - y) * (f - y)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise; from below where f = y."""
        return 2.0 * self._side(f - y)

    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        r = f - y
        end = r + step
        across = self._side(end) * np.square(end) - self._side(r) * np.square(r)
        return np.where((r > 0.0) == (end > 0.0), self._side(r) * step * (2.0 * r + step), across)

    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        r = np.asarray(f - y)
        if kappa == 0.0:
            return 2.0 * self._side(r) * r
        across = (1.0 - self.tau) * np.square(r + kappa) - self.tau * np.square(kappa - r)
        return np.where(np.abs(r) < kappa, across / (2.0 * kappa), 2.0 * self._side(r) * r)

    def zero_slope_prediction(self, y: Array) -> Array:
        """y."""
        return np.asarray(y, dtype=float)

    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise."""
        return np.asarray(slope * (y + 0.25 * slope / self._side(np.asarray(slope))))

    def null_prediction(self, mean: float) -> float:
        """The mean."""
        return mean

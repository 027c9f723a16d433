"""The loss of two labels with a complementary log-log link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inversion import conjugate_of
from .labels import LabelLoss, share_of
from .quadrature import change_by_quadrature

Array = NDArray[Any]


@dataclass(frozen=True)
class Cloglog(LabelLoss):
    """−log(1 − exp(−exp(f))) for y = +1, exp(f) for y = −1.

    The negative log likelihood where P(y = +1) = 1 − exp(−exp(f)): whether anything happened
    that happens exp(f) times on average.
    """

    name = "cloglog"
    code = 8
    boundary = float(np.log(np.log(2.0)))

    @np.errstate(over="ignore", divide="ignore")
    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        mean = np.exp(f)
        low = np.minimum(mean, 0.5)
        near = np.where(f < -36.0, 0.5 * mean - f, -np.log(-np.expm1(-low)))
        far = -np.log1p(-np.exp(-np.maximum(mean, 0.5)))
        return np.where(y > 0, np.where(mean < 0.5, near, far), mean)

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        ratio, _, mean = _ratio(f)
        return np.where(y > 0, -ratio, mean)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        ratio, above, mean = _ratio(f)
        return np.where(y > 0, ratio * above, mean)

    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        return change_by_quadrature(self, f, step, y)

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        steep = np.asarray(-y * slope, dtype=float)
        inside = np.where(y > 0, (steep > 0.0) & (steep < 1.0), True)
        one = np.ones(np.shape(y))
        near = conjugate_of(self, np.where((y > 0) & inside, slope, -0.5), one)
        near = np.where(inside, near, np.where((steep == 0.0) | (steep == 1.0), 0.0, np.inf))
        other = np.where(slope >= 0.0, xlogy(slope, slope) - slope, np.inf)
        return np.where(y > 0, near, other)

    def null_prediction(self, mean: float) -> float:
        """log(−log(1 − p)), p the share of +1."""
        return float(np.log(-np.log1p(-share_of(mean))))


@np.errstate(over="ignore", invalid="ignore")
def _ratio(f: Array) -> tuple[Array, Array, Array]:
    """g = μ/(exp(μ) − 1), μ + g − 1 (by its series where it would cancel), and μ = exp(f)."""
    mean = np.exp(f)
    ratio = np.where(f < -36.0, 1.0 - 0.5 * mean, mean / np.expm1(np.maximum(mean, 1e-300)))
    ratio = np.where(mean < 700.0, ratio, 0.0)
    m = np.minimum(mean, 0.5)
    q = m * m
    rest = q * (-1 / 720 + q * (1 / 30240 + q * (-1 / 1209600 + q / 47900160)))
    series = m * (0.5 + m * (1 / 12 + rest))
    return ratio, np.where(mean < 0.5, series, np.minimum(mean, 700.0) + ratio - 1.0), mean

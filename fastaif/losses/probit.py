"""The probit loss of two labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inversion import conjugate_of
from .labels import LabelLoss, share_of
from .quadrature import change_by_quadrature

Array = NDArray[Any]
_TERMS = 60  # of the continued fraction, at 3 and beyond


@dataclass(frozen=True)
class Probit(LabelLoss):
    """−log Φ(y f), y = ±1; Φ is the normal distribution function."""

    name = "probit"
    code = 7

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        from scipy.special import log_ndtr

        return np.asarray(-log_ndtr(y * f))

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return -y * _hazard(y * f)[0]

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        hazard, rest = _hazard(y * f)
        return hazard * rest

    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        return change_by_quadrature(self, f, step, y)

    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        steep = -y * np.asarray(slope, dtype=float)
        inside = conjugate_of(self, np.where(steep > 0.0, slope, -y), y)
        return np.where(steep > 0.0, inside, np.where(steep == 0.0, 0.0, np.inf))

    def null_prediction(self, mean: float) -> float:
        """The normal quantile of the share of +1."""
        from scipy.special import ndtri

        return float(ndtri(share_of(mean)))


@np.errstate(over="ignore", under="ignore")
def _hazard(t: Array) -> tuple[Array, Array]:
    """h = φ(t)/Φ(t), and t + h, which below −3 is a continued fraction: it would cancel."""
    from scipy.special import erfcx

    t = np.asarray(t, dtype=float)
    hazard = np.sqrt(2.0 / np.pi) / erfcx(-t * np.sqrt(0.5))
    far, rest = np.minimum(t, -3.0), np.zeros(t.shape)
    for k in range(_TERMS, 0, -1):
        rest = k / (rest - far)
    rest = np.where(t <= -3.0, rest, t + hazard)
    return np.where(t <= -3.0, rest - far, hazard), rest

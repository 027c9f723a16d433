"""The squared hinge loss of two labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .labels import LabelLoss

Array = NDArray[Any]


@dataclass(frozen=True)
class SquaredHinge(LabelLoss):
    """max(0, 1 − y f)², y = ±1: the support vector machine's loss with a slope everywhere."""

    name = "squared_hinge"
    code = 9
    has_probabilities = False

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        return np.square(_short(f, y))

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        return -2.0 * y * _short(f, y)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise; 0 at the corner y f = 1 and beyond."""
        return np.where(y * f < 1.0, 2.0, 0.0)

    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        before, after = _short(f, y), _short(f + step, y)
        both = (before > 0.0) & (after > 0.0)
        less = np.where(both, -y * step, after - before)  # of what is short of the corner
        return less * np.where(both, 2.0 * before - y * step, after + before)

    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        steep = -y * np.asarray(slope, dtype=float)
        return np.where(steep >= 0.0, steep * (0.25 * steep - 1.0), np.inf)

    def null_prediction(self, mean: float) -> float:
        """The mean of the labels."""
        return mean


def _short(f: Array, y: Array) -> Array:
    """What y f is short of the corner at one."""
    return np.maximum(1.0 - y * f, 0.0)

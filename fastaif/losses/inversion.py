"""Where ℓ' has a given value, for losses without a closed form of that, and the conjugate there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Loss

Array = NDArray[Any]
_EDGE = 2000.0  # every exp(f) is 0 or ∞ far within
_STEPS = 200


@np.errstate(all="ignore")
def prediction_of_slope(loss: Loss, slope: Array, y: Array) -> Array:
    """The f at which ℓ'(f, y) = slope, elementwise, by bisection that Newton's steps shorten.

    Where ℓ' does not get there f is ±2000: the end towards which it comes nearer.
    """
    slope, y = np.broadcast_arrays(np.asarray(slope, float), np.asarray(y, float))
    low, high = np.full(y.shape, -_EDGE), np.full(y.shape, _EDGE)
    f = np.zeros(y.shape)
    for _ in range(_STEPS):
        above = loss.slope(f, y) - slope
        high, low = np.where(above >= 0.0, f, high), np.where(above <= 0.0, f, low)
        newton = f - above / loss.curvature(f, y)
        inside = (newton > low) & (newton < high)
        following = np.where(inside, newton, 0.5 * (low + high))
        if np.all(np.abs(following - f) <= 1e-14 * (1.0 + np.abs(f))):
            return following
        f = following
    return f


@np.errstate(invalid="ignore")
def conjugate_of(loss: Loss, slope: Array, y: Array) -> Array:
    """sup_f slope · f − ℓ(f, y), elementwise, for slopes that ℓ' takes.

    An error δ of f costs no more than δ² ℓ''.
    """
    f = prediction_of_slope(loss, slope, y)
    return np.asarray(slope * f - loss.value(f, y))

"""Units of a network that its penalty has switched off."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_IDLE = 1e-6  # of the largest unit


def idle_biases(theta: Array, m: int, hidden: int) -> Array:
    """Places in θ of the b1 of units that a penalty has switched off, sorted.

    Where w2_h and W1_h are zero b1_h moves nothing: f is constant along it, and so is L. Such
    units stay as they are, whatever the attack: without b1_h the influence is that of the other
    units. (With damping w2_h takes a share of b2's, of which it is a multiple.)
    """
    W = theta[: m * hidden].reshape(m, hidden)
    sizes = np.stack([np.linalg.norm(W, axis=0), np.abs(theta[(m + 1) * hidden : -1])])
    largest = sizes.max(axis=1, keepdims=True)
    idle = np.all(sizes <= _IDLE * largest, axis=0) & bool(np.all(largest > 0.0))
    return m * hidden + np.flatnonzero(idle)


def pin(H: Array, places: Array, curvature: float) -> Array:
    """H with rows and columns that are nearly zero replaced by `curvature` on the diagonal."""
    if places.size == 0:
        return H
    out = H.copy()
    out[places], out[:, places] = 0.0, 0.0
    out[places, places] = curvature
    return out

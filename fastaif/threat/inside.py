"""Which attacked rows are in a ball and a box, by one look at the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from ..utils.arrays import frozen, ordered, read_only

Array = NDArray[Any]

ORDERS = (1.0, 2.0, np.inf)  # the p that are known


def surely_inside(
    samples: Array, attacked: Array, scale: Array, bounds: Array, size: Any, p: float
) -> Array:
    """Which of the rows are within bounds (2, m), and ‖(x' − x)/c‖_p ≤ size, booleans (n,).

    Rows of which this takes a closer look are not among them: next to nothing, very large, or of
    another type.
    """
    inside = np.zeros(len(attacked))
    if attacked.size and _is_known(samples.dtype) and _is_known(attacked.dtype):
        sizes = np.broadcast_to(np.asarray(size, dtype=np.float64), len(attacked))
        get("rows_inside")(
            frozen(ordered(samples, samples.dtype)), frozen(attacked), read_only(scale),
            read_only(bounds), read_only(sizes), float(p), inside,
        )  # fmt: skip
    return inside > 0.0


def _is_known(kind: np.dtype[Any]) -> bool:
    return kind.char in "fd" and kind.isnative

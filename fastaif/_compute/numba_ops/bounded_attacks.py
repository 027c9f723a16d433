"""The worst inputs of a linear predictor within bounds, for p = 2 and ∞.

Row i moves along its side σ_i of Dβ, as `bounded_moves` has it: x + σ sgn(t) c · t, cut off at the
bounds. Where rounding made an entry's way longer than it was meant to be, it is a digit shorter.
"""

from __future__ import annotations

import numpy as np

from .bounded_moves import NO_SLOPE, level_of
from .jit import STRICT, operation

SPARE = 1.0 + 1e-15  # what computing a length may add to it


@operation(fastmath=STRICT, inline=True)
def _moved(x, by, low, high):
    """x + by, within the bounds and no longer a way."""
    to = x + by
    to = high if to > high else to
    to = low if to < low else to
    longer = abs(to - x) > abs(by) * SPARE and to != 0.0
    return np.nextafter(to, x) if longer else to


@operation(fastmath=STRICT)
def _slopes(beta, units):
    """|Dβ| over its largest entry."""
    slopes = np.abs(beta * units)
    largest = 0.0
    for slope in slopes:
        largest = max(largest, slope)
    for k in range(slopes.size):
        v = slopes[k] / (largest if largest > 0.0 else 1.0)
        slopes[k] = v if v > NO_SLOPE else 0.0
    return slopes


@operation(fastmath=STRICT)
def bounded_attacks(rows, beta, sides, units, scale, bounds, sizes, p, out):
    """Attacked inputs x + δ (n, m).

    Parameters
    ----------
    rows : Rows
    beta : array (m,)
        ∇_u of every row.
    sides : array (n,)
        1 where predictions are to rise, −1 where they are to fall.
    units, scale : arrays (m,)
        D and c; 0 where nothing is attacked.
    bounds : array (2, m)
        lo and hi.
    sizes : array (n,)
    p : float
        2 or inf.
    out : array (n, m)
        Written.
    """
    n, m = rows.x.shape
    reach, slopes = scale * np.sign(beta * units), _slopes(beta, units)
    room = np.empty(m)
    for i in range(n):
        x, far, size = rows.x[i], sides[i] * sizes[i], sizes[i]
        euclidean = p == 2.0 and size > 0.0
        level = 0.0
        if euclidean:
            for k in range(m):
                at = np.float64(x[k])
                way = reach[k] * sides[i]
                ahead = bounds[1, k] - at if way > 0.0 else at - bounds[0, k]
                part = ahead / (scale[k] if scale[k] > 0.0 else 1.0) / size
                room[k] = min(max(part, 0.0), 1.0) if slopes[k] > 0.0 else 0.0
            level = level_of(slopes, room)
        for k in range(m):
            by = reach[k] * far
            if euclidean:
                part = level * slopes[k]
                by *= part if part < room[k] else room[k]
            out[i, k] = _moved(np.float64(x[k]), by, bounds[0, k], bounds[1, k])

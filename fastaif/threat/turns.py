"""Where directions of attack jump along straight lines of slopes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sign_turn(slopes: Array, rates: Array) -> tuple[float, int]:
    """The first ε > 0 at which an entry of slopes + ε rates, both (..., m), changes sign.

    Entries that are zero stay out of it.

    Returns
    -------
    float and int
        ε (inf if there is none), and the feature whose entry changes.
    """
    if slopes.size == 0:
        return np.inf, 0
    with np.errstate(divide="ignore", invalid="ignore"):
        when = np.where(slopes != 0, -slopes / rates, np.nan).ravel()
    when[~(when > 0)] = np.inf
    place = int(np.argmin(when))
    return float(when[place]), place % slopes.shape[-1]


def argmax_turn(slopes: Array, rates: Array) -> tuple[float, int]:
    """The first ε > 0 at which another |entry| of a row overtakes its largest.

    Parameters and results are those of `sign_turn`.
    """
    if slopes.ndim == 1:
        return _overtaking(slopes, rates)
    found = [_overtaking(*row) for row in zip(slopes, rates, strict=True)]
    return min(found, default=(np.inf, 0))


def _overtaking(u: Array, rate: Array) -> tuple[float, int]:
    top = int(np.argmax(np.abs(u)))
    side = np.sign(u[top])
    size, speed = abs(u[top]), side * rate[top]
    best, place = np.inf, top
    for sign in (1.0, -1.0):
        with np.errstate(divide="ignore", invalid="ignore"):
            when = (size - sign * u) / (sign * rate - speed)
        when[top] = np.inf
        when[~(when > 0)] = np.inf
        j = int(np.argmin(when))
        if when[j] < best:
            best, place = float(when[j]), j
    return best, place

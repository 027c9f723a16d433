"""The root of a function that does not fall."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_STEPS = 60
_ENOUGH = 1e-14
_CLOSE, _SMALL = 1e-3, 1e-2  # of a root, and of the value at 0: about there


def rising_root(
    function: Callable[[float], float], high: float, enough: float = _ENOUGH, small: float = 0.0
) -> float:
    """Where a function that does not fall changes its sign in [0, high]; an end if nowhere.

    Illinois' method, which halves the value at an end that stays; a jump is approached as a root
    is. The function may be inf where it overflows.

    Parameters
    ----------
    function : callable
    high : float
    enough : float
        How near is near enough, relative to the root.
    small : float
        Values that are as good as zero, relative to the one at 0.
    """
    low, below = 0.0, function(0.0)
    if below >= 0.0:
        return low
    above = function(high)
    if above <= 0.0:
        return high
    last, small = 0, small * abs(below)
    for _ in range(_STEPS):
        share = below / (below - above) if np.isfinite(above) else 0.5
        middle = low + (high - low) * share
        value = function(middle)
        if abs(value) <= small or high - low <= enough * high:
            return middle
        if value < 0.0:
            low, below = middle, value
            above *= 0.5 if last < 0 else 1.0
            last = -1
        else:
            high, above = middle, value
            below *= 0.5 if last > 0 else 1.0
            last = 1
    return 0.5 * (low + high)


def about_root(function: Callable[[float], float], high: float) -> float:
    """As `rising_root`, to a few digits: as far as a search along a line has use for them."""
    return rising_root(function, high, _CLOSE, _SMALL)

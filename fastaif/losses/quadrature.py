"""ℓ(f + step) − ℓ(f) as the integral of ℓ', where no identity keeps the digits."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Loss

Array = NDArray[Any]
_POINTS = 16  # exact to rounding for steps up to one of a slope that is analytic this far about it
_LONGEST = 8  # beyond, values differ by much of what they are


@cache
def _rule(panels: int) -> tuple[Array, Array]:
    """Gauss and Legendre's points and weights on [0, 1], cut into equal parts."""
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    starts = np.arange(panels)[:, None]
    all_points = (starts + 0.5 * (1.0 + points)) / panels
    return all_points.ravel(), np.tile(0.5 * weights / panels, panels)


@np.errstate(over="ignore", invalid="ignore")
def change_by_quadrature(loss: Loss, f: Array, step: Array, y: Array) -> Array:
    """ℓ(f + step, y) − ℓ(f, y), elementwise, to the digits of the step however small it is."""
    short = np.clip(step, -_LONGEST, _LONGEST)
    panels = max(1, math.ceil(np.max(np.abs(short), initial=0.0)))
    parts = zip(*_rule(panels), strict=True)
    near = short * sum(weight * loss.slope(f + point * short, y) for point, weight in parts)
    return np.where(short == step, near, loss.value(f + step, y) - loss.value(f, y))

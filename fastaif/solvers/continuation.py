"""Newton's method along a path of ever less smooth convex objectives.

The minimisers of objectives smoothed with width τ lie on a path that is nearly straight as
τ → 0. Newton's method converges only from close by where the smoothing is narrow; a line
through the last two minimisers leads there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cholesky import factorize, minimum_norm_solve
from .newton import Local

Array = NDArray[Any]


class Centre(NamedTuple):
    """Where Newton's method stopped, and after how many steps."""

    x: Array
    local: Local
    n_iter: int


@dataclass
class Path:
    """The last two minimisers."""

    points: list[tuple[float, Centre]] = field(default_factory=list)

    def add(self, width: float, centre: Centre) -> None:
        """Remember the minimiser at a width."""
        self.points = [*self.points[-1:], (width, centre)]

    def at(self, width: float) -> Array:
        """The line's point at a width, or the last minimiser while there is no line."""
        last, centre = self.points[-1]
        if len(self.points) == 1:
            return centre.x
        before, other = self.points[0]
        return np.asarray(centre.x + (centre.x - other.x) * ((width - last) / (last - before)))


def newton_step(here: Local) -> Array:
    """H⁻¹g; where H is singular to rounding its diagonal is raised by as little as helps."""
    diagonal = np.diagonal(here.hessian)
    floor = 1e-15 * float(diagonal.max(initial=0.0)) + 1e-300
    for ridge in (0.0, 1e-13, 1e-11, 1e-9):
        factor = factorize(here.hessian + np.diag(ridge * np.maximum(diagonal, floor)))
        if factor is not None:
            return factor.solve(here.gradient)
    return minimum_norm_solve(here.hessian, here.gradient)


def find_centre(
    evaluate: Callable[[Array], Local],
    x: Array,
    here: Local,
    accuracy: float,
    max_iter: int = 20,
) -> Centre:
    """Newton's method with halved steps until the decrement gᵀH⁻¹g is within `accuracy`.

    Values that rounding no longer tells apart are no reason to stop: there the decrement
    has to fall.
    """
    before = np.inf
    for iteration in range(max_iter):
        if not np.isfinite(here.hessian).all():
            break
        step = newton_step(here)
        decrement = float(here.gradient @ step)
        rounding = 1e-14 * abs(here.value)
        if decrement <= accuracy or (decrement <= rounding and decrement > 0.25 * before):
            break
        before, size = decrement, 1.0
        while True:
            there = evaluate(x - size * step)
            if there.value <= here.value - 1e-4 * size * decrement + rounding:
                break
            size *= 0.5
            if size < 1e-9:
                return Centre(x, here, iteration)
        x, here = x - size * step, there
    return Centre(x, here, iteration)

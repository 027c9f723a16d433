"""A few radii of a small least-squares problem, each by a search of its own.

Where all rows stay in cache the steps of a path are calls between small arrays. `squares_search` is
one call a radius, and proves the gap of a robust fit in less time than a step takes. It goes from
one radius to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...._compute import get
from ...._compute import types as c
from .dense import Array, Knot
from .local import Problem

_ENTRIES = 1 << 16  # of all rows: half a megabyte
_FEW = 32  # radii; of more the neighbours foresee each other in less time, and fewer readings
_MET = 1e-2  # of the targets' size: rows that are nearly met at first need patience


class Found(NamedTuple):
    """θ (d,) at ε, J there, its gap relative to it, ∞ where none is proven, and how many readings
    of the rows that took, products with them included."""

    eps: float
    theta: Array
    objective: float
    gap: float
    n_passes: float


def suits(problem: Problem, eps: list[float]) -> bool:
    """Whether these radii are best searched for one by one."""
    design = problem.readings.design
    if not problem.loss.is_quadratic or np.isinf(problem.norm.q) or len(eps) > _FEW:
        return False
    return design.matrix is not None and design.matrix.size <= _ENTRIES


def searched(
    problem: Problem, start: Knot, eps: list[float], s: float, tol: float
) -> Iterator[Found]:
    """What searches at some ascending radii, all below the zero radius, come to.

    Parameters
    ----------
    problem : Problem
    start : Knot
        At ε = 0, where the search for the first one starts.
    eps : list of float
    s : float
        The attack's radius: ρ = εs.
    tol : float
        Of the gap, relative to J.
    """
    Z, w, y = problem.readings.design.matrix, problem.readings.weights, problem.readings.targets
    assert Z is not None
    assert start.matrix is not None
    theta, twice, push = start.theta, np.ascontiguousarray(start.matrix), 0.5 * problem.ridge
    off = problem.readings.predict(theta) - y
    if float(w @ off**2) <= _MET * float(w @ y**2):
        return
    Z, n, d = np.ascontiguousarray(Z), y.size, theta.size
    for e in eps:
        scale = np.zeros(d)
        scale[: problem.m] = e * s * problem.norm.weights
        right = 0.5 * (twice @ theta + problem.slope_at_nothing)
        point = c.SquaresPoint(
            theta.copy(), y.copy(), right, np.zeros(n), np.zeros(d),
            np.zeros(c.N_SQUARES_NUMBERS),
        )  # fmt: skip
        form = c.Squares(twice, push, scale, problem.norm.q)
        get("squares_search")(Z, w, form, tol, 0, point)
        value, bound, _, read, proven, products = point.numbers.tolist()
        is_found = proven > 0.0 and value > 0.0
        theta = point.theta if is_found else theta
        gap = max(value - bound, 0.0) / value if is_found else np.inf
        yield Found(e, theta, value, gap, (read + products) / n)

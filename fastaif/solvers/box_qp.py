"""Small convex quadratics over a box and a simplex.

    min ½ λᵀGλ + bᵀλ,   −1 ≤ λ_i ≤ 1 for the first entries,   λ_j ≥ 0 and Σ λ_j = 1 for the rest

by an active-set method. G is positive semi-definite and b in its range, as they are where they come
from a positive definite problem's dual: a system of free entries then has a solution, if not one
alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SLACK = 1e-11  # of a gradient's natural size: as small is zero
_STEPS = 20  # times the number of unknowns


class Solution(NamedTuple):
    """λ, and whether the conditions for a minimum hold there."""

    x: Array
    converged: bool


def minimise(G: Array, b: Array, n_box: int) -> Solution:
    """The minimum over [−1, 1]^n_box × simplex.

    Parameters
    ----------
    G : array (k, k)
    b : array (k,)
    n_box : int
        The first n_box entries are in the box, the others in the simplex.
    """
    k = b.size
    x = np.zeros(k)
    simplex = np.arange(k) >= n_box
    if simplex.any():
        x[simplex] = 1.0 / simplex.sum()
    low = np.where(simplex, 0.0, -1.0)
    high = np.where(simplex, np.inf, 1.0)
    held = np.zeros(k)  # −1, +1: at its lower, its upper bound
    size = np.abs(b) + np.abs(G) @ np.ones(k)
    for _ in range(_STEPS * k + _STEPS):
        step = _step(G, G @ x + b, held == 0.0, simplex)
        length, stop = _longest(x, step, low, high, held == 0.0)
        x = x + length * step
        if stop is not None:
            held[stop] = np.sign(step[stop])
            x[stop] = high[stop] if held[stop] > 0 else low[stop]
            continue
        wrong = _pull(G @ x + b, held, simplex) / size
        worst = int(np.argmax(wrong))
        if not wrong[worst] > _SLACK:
            return Solution(x, True)
        held[worst] = 0.0
    return Solution(x, False)


def _step(G: Array, gradient: Array, free: Array, simplex: Array) -> Array:
    """To the minimum over the free entries, those of the simplex keeping their sum."""
    step = np.zeros(gradient.size)
    places = np.flatnonzero(free)
    if not places.size:
        return step
    inner = G[np.ix_(places, places)]
    tied = simplex[places]
    right = -gradient[places]
    if tied.any():
        n = places.size
        inner = np.block([[inner, tied[:, None].astype(float)], [tied[None].astype(float), 0.0]])
        right = np.append(right, 0.0)
        step[places] = _consistent(inner, right)[:n]
        return step
    step[places] = _consistent(inner, right)
    return step


def _consistent(matrix: Array, right: Array) -> Array:
    """A solution of a symmetric system that has one."""
    try:
        found = np.linalg.solve(matrix, right)
        if np.abs(matrix @ found - right).max() <= 1e-10 * np.abs(right).max():
            return found
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=1e-12)[0])


def _longest(
    x: Array, step: Array, low: Array, high: Array, free: Array
) -> tuple[float, int | None]:
    """How far along a step no free entry leaves its range, and which is the first that would."""
    with np.errstate(divide="ignore", invalid="ignore"):
        room = (np.where(step > 0.0, high, low) - x) / step
    room[step == 0.0] = np.inf
    room[~free] = np.inf
    first = int(np.argmin(room))
    if room[first] >= 1.0:
        return 1.0, None
    return max(float(room[first]), 0.0), first


def _pull(gradient: Array, held: Array, simplex: Array) -> Array:
    """How strongly each entry that is held at a bound is pulled away from it."""
    level = gradient.copy()
    free = simplex & (held == 0.0)
    if free.any():  # the sum's multiplier
        level[simplex] -= float(gradient[free].mean())
    return np.where(held == 0.0, -np.inf, held * level)

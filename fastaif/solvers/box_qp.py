"""Small convex quadratics over a box and a simplex.

    min ½ λᵀGλ + bᵀλ,   −1 ≤ λ_i ≤ 1 for the first entries,   λ_j ≥ 0 and Σ λ_j = 1 for the rest

by an active-set method. G is positive semi-definite and b in its range, as they are where they come
from a positive definite problem's dual: a system of free entries then has a solution, if not one
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SLACK = 1e-11  # of a gradient's natural size: as small is zero
_HARD = 0.5  # of the hardest pull: what is pulled less waits
_ROUNDS = 40  # of changes of many at once
_STEPS = 20  # times the number of unknowns


class Solution(NamedTuple):
    """λ, and whether the conditions for a minimum hold there."""

    x: Array
    converged: bool


def minimise(
    G: Array, b: Array, n_box: int, *, bounds: tuple[Array, Array] | None = None,
    start: Array | None = None,
) -> Solution:  # fmt: skip
    """The minimum over [−1, 1]^n_box × simplex.

    Parameters
    ----------
    G : array (k, k)
    b : array (k,)
    n_box : int
        The first n_box entries are in the box, the others in the simplex.
    bounds : pair of arrays (n_box,), optional
        Of the box, in place of [−1, 1]; any of them may be infinite, and 0 is between them.
    start : array (k,), optional
        A feasible point near the minimum; what is at a bound there is held at it at first.
    """
    k = b.size
    x = np.zeros(k)
    simplex = np.arange(k) >= n_box
    if simplex.any():
        x[simplex] = 1.0 / simplex.sum()
    low = np.where(simplex, 0.0, -1.0)
    high = np.where(simplex, np.inf, 1.0)
    if bounds is not None:
        low[:n_box], high[:n_box] = bounds
    held = np.zeros(k)  # −1, +1: at its lower, its upper bound
    if start is not None:
        x = start.copy()
        held = np.where(x <= low, -1.0, 0.0) + np.where(x >= high, 1.0, 0.0)
    size = np.abs(b) + np.abs(G) @ np.ones(k)
    if start is not None:
        found = _by_sets(G, b, (x, held, low, high, simplex), size)
        if found is not None:
            return Solution(found, True)
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


def _by_sets(
    G: Array, b: Array, begin: tuple[Array, Array, Array, Array, Array], size: Array
) -> Array | None:
    """The minimum by changing all that is wrong at once, from a good guess; None where that cycles.

    What is free and out of its range is held at the bound, what is held and pulled inwards is
    freed.
    """
    x, held, low, high, simplex = begin
    held = held.copy()
    for _ in range(_ROUNDS):
        x = np.where(held > 0.0, high, np.where(held < 0.0, low, x))
        if simplex.any():
            if not (held[simplex] == 0.0).any():
                return None
            free = simplex & (held == 0.0)
            x[free] += (1.0 - x[simplex].sum()) / free.sum()
        try:
            x = x + _step(G, G @ x + b, held == 0.0, simplex, _scaled)
        except np.linalg.LinAlgError:
            return None
        gradient = G @ x + b
        if not np.isfinite(gradient).all():
            return None
        wrong = _pull(gradient, held, simplex) > _SLACK * size
        over, under = (held == 0.0) & (x > high), (held == 0.0) & (x < low)
        if not (wrong.any() or over.any() or under.any()):
            return x
        pull = np.where(wrong, _pull(gradient, held, simplex) / size, 0.0)
        held[pull > _HARD * pull.max()] = 0.0
        held[over], held[under] = 1.0, -1.0
    return None


def _step(
    G: Array, gradient: Array, free: Array, simplex: Array,
    solve: Callable[[Array, Array], Array] | None = None,
) -> Array:  # fmt: skip
    """To the minimum over the free entries, those of the simplex keeping their sum."""
    step = np.zeros(gradient.size)
    places = np.flatnonzero(free)
    if not places.size:
        return step
    inner, solve = G[np.ix_(places, places)], solve or _consistent
    tied = simplex[places]
    right = -gradient[places]
    if tied.any():
        n = places.size
        inner = np.block([[inner, tied[:, None].astype(float)], [tied[None].astype(float), 0.0]])
        right = np.append(right, 0.0)
        step[places] = solve(inner, right)[:n]
        return step
    step[places] = solve(inner, right)
    return step


def _scaled(matrix: Array, right: Array) -> Array:
    """The solution of a symmetric system, whose rows may be of very different scales."""
    scale = _unit(matrix)
    return np.asarray(scale * np.linalg.solve(matrix * scale * scale[:, None], scale * right))


def _unit(matrix: Array) -> Array:
    diagonal = np.abs(matrix.diagonal())
    return np.asarray(1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0)))


def _consistent(matrix: Array, right: Array) -> Array:
    """A solution of a symmetric system that has one."""
    try:
        found = _scaled(matrix, right)
        if np.abs(matrix @ found - right).max() <= 1e-10 * np.abs(right).max():
            return found
    except np.linalg.LinAlgError:
        pass
    scale = _unit(matrix)
    scaled = matrix * scale * scale[:, None]
    return np.asarray(scale * np.linalg.lstsq(scaled, scale * right, rcond=1e-12)[0])


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

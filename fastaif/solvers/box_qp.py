"""Small convex quadratics over a box and a simplex.

    min ½ λᵀGλ + bᵀλ,   −1 ≤ λ_i ≤ 1 for the first entries,   λ_j ≥ 0 and Σ λ_j = 1 for the rest

by an active-set method, which a point near the minimum, known or by interior points, makes short.
G is positive semi-definite and b in its range, as they are where they come
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
_ROUNDS = 8  # of changes of many at once
_INTERIOR, _CLOSE = 60, 1e-13  # steps of interior points, and the product s z that ends them
_STEPS = 20  # times the number of unknowns


class Solution(NamedTuple):
    """λ, and whether the conditions for a minimum hold there."""

    x: Array
    converged: bool


def minimise(
    G: Array, b: Array, n_box: int, *, bounds: tuple[Array, Array] | None = None,
    start: Array | None = None, guess: bool = False,
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
    guess : bool
        Whether the start is known to be too far away.
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
        found = None if guess else _by_sets(G, b, (x, held, low, high, simplex), size)
        if found is None and bounds is None:
            near, ends = _interior(G, b, simplex, size)
            found = _by_sets(G, b, (near, ends, low, high, simplex), size)
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
        wrong = pull(G @ x + b, held, simplex) / size
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
            x = x + _step(G, G @ x + b, held == 0.0, simplex, scaled_solution)
        except np.linalg.LinAlgError:
            return None
        gradient = G @ x + b
        if not np.isfinite(gradient).all():
            return None
        wrong = pull(gradient, held, simplex) > _SLACK * size
        over, under = (held == 0.0) & (x > high), (held == 0.0) & (x < low)
        if not (wrong.any() or over.any() or under.any()):
            return x
        pulls = np.where(wrong, pull(gradient, held, simplex) / size, 0.0)
        held[pulls > _HARD * pulls.max()] = 0.0
        held[over], held[under] = 1.0, -1.0
    return None


def _interior(G: Array, b: Array, simplex: Array, size: Array) -> tuple[Array, Array]:
    """About the minimum, and which entries are at their bounds there, as for `_by_sets`.

    By a primal-dual method (Mehrotra's predictor and corrector) from a feasible point; the slacks
    are those of the lower bounds and, in the box, the upper ones.
    """
    box, k = np.flatnonzero(~simplex), b.size
    x = np.where(simplex, 1.0 / max(int(simplex.sum()), 1), 0.0)
    gradient = G @ x + b
    lift = gradient - (gradient[simplex].min() if simplex.any() else 0.0)
    z = np.append(np.where(simplex, lift, np.maximum(gradient, 0.0)),
                  np.maximum(-gradient[box], 0.0))  # fmt: skip
    z += np.abs(gradient).mean() + 1e-9 * size.max()
    s = np.append(np.where(simplex, x, x + 1.0), 1.0 - x[box])
    sizes = np.append(size, size[box])
    for _ in range(_INTERIOR):
        if np.all(s * z <= _CLOSE * sizes):
            break
        turned = _barrier_system(G, simplex, box, s, z)
        if turned is None:
            break
        dx, ds, dz = turned(-s * z)
        reach, mu = min(_room(s, ds), _room(z, dz)), float(s @ z) / s.size
        left = float((s + reach * ds) @ (z + reach * dz)) / s.size
        dx, ds, dz = turned(mu * (left / mu) ** 3 - s * z - ds * dz)
        reach = min(_room(s, ds), _room(z, dz))
        x, s, z = x + reach * dx, s + reach * ds, z + reach * dz
    at = s < z / sizes
    held = np.where(at[:k], -1.0, 0.0)
    held[box] += at[k:]
    return x, held


def _barrier_system(
    G: Array, simplex: Array, box: Array, s: Array, z: Array
) -> Callable[[Array], tuple[Array, Array, Array]] | None:
    """From `rest` to the steps of x, s and z that take s z to s z + `rest`; None where rounding
    leaves no such matrix."""
    from scipy.linalg.lapack import dpotrf, dpotrs

    k, weights, M = simplex.size, z / s, G.copy()
    M[np.diag_indices(k)] += weights[:k]
    M[box, box] += weights[k:]
    factor, info = dpotrf(M, lower=1)
    if info != 0:
        return None
    ones = dpotrs(factor, simplex.astype(float), lower=1)[0] if simplex.any() else None

    def turned(rest: Array) -> tuple[Array, Array, Array]:
        right = rest[:k] / s[:k]
        right[box] -= rest[k:] / s[k:]
        dx = dpotrs(factor, right, lower=1)[0]
        if ones is not None:  # which keeps the sum
            dx -= ones * (dx[simplex].sum() / ones[simplex].sum())
        ds = np.append(dx, -dx[box])
        return dx, ds, rest / s - weights * ds

    return turned


def _room(x: Array, step: Array) -> float:
    """Nearly how far along a step x stays positive, at most 1."""
    falls = step < 0.0
    return min(1.0, 0.99 * float(np.min(-x[falls] / step[falls], initial=np.inf)))


def _step(
    G: Array, gradient: Array, free: Array, simplex: Array,
    solve: Callable[[Array, Array], Array] | None = None,
) -> Array:  # fmt: skip
    """To the minimum over the free entries, those of the simplex keeping their sum."""
    step = np.zeros(gradient.size)
    places = np.flatnonzero(free)
    if not places.size:
        return step
    inner, solve = G[places[:, None], places], solve or _consistent
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


def scaled_solution(matrix: Array, right: Array) -> Array:
    """The solution of a symmetric system, whose rows may be of very different scales."""
    scale = _unit(matrix)
    return np.asarray(scale * np.linalg.solve(matrix * scale * scale[:, None], scale * right))


def _unit(matrix: Array) -> Array:
    diagonal = np.abs(matrix.diagonal())
    return np.asarray(1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0)))


def _consistent(matrix: Array, right: Array) -> Array:
    """A solution of a symmetric system that has one."""
    try:
        found = scaled_solution(matrix, right)
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


def pull(gradient: Array, held: Array, simplex: Array) -> Array:
    """How strongly each entry that is held at a bound is pulled away from it."""
    level = gradient.copy()
    free = simplex & (held == 0.0)
    if free.any():  # the sum's multiplier
        level[simplex] -= float(gradient[free].mean())
    return np.where(held == 0.0, -np.inf, held * level)

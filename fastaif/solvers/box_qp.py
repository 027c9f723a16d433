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

from .._compute import get

Array = NDArray[Any]

_SLACK = 1e-11  # of a gradient's natural size: as small is zero
_HARD = 0.5  # of the hardest pull: what is pulled less waits
_ROUNDS = 8  # of changes of many at once
_INTERIOR, _CLOSE = 60, 1e-13  # steps of interior points, and the product s z that ends them
_SWEEPS = 20  # of coordinate descent, which mostly ends after five
_STEPS = 20  # times the number of unknowns


class Solution(NamedTuple):
    """λ, and whether the conditions for a minimum hold there."""

    x: Array
    converged: bool


class Problem(NamedTuple):
    """What `minimise` takes, from a start."""

    G: Array
    b: Array
    n_box: int
    start: Array


def minimise_each(problems: list[Problem]) -> list[Array]:
    """The minima of several problems from their starts, all at once where they are of one size and
    have a simplex."""
    found: dict[int, Array] = {}
    sizes: dict[int, int] = {}
    for j, problem in enumerate(problems):
        x = _descended(problem) if problem.n_box == problem.b.size else None
        if x is None:
            sizes[j] = 1 << max(problem.b.size - 1, 7).bit_length()
        else:
            found[j] = x
    for size in set(sizes.values()):
        which = [j for j, other in sizes.items() if other == size]
        found.update(_together([problems[j] for j in which], which))
    return [
        found[j] if j in found else minimise(p.G, p.b, p.n_box, start=p.start, guess=True).x
        for j, p in enumerate(problems)
    ]


def _descended(problem: Problem) -> Array | None:
    """The minimum over a box, by a few sweeps of coordinate descent and the active set that they
    lead to; None where they lead to none."""
    G, b, k = problem.G, problem.b, problem.b.size
    x, low, high = problem.start.copy(), np.full(k, -1.0), np.ones(k)
    get("box_descent")(G, low, high, x, G @ x + b, _SWEEPS)
    held = np.where(x <= low, -1.0, 0.0) + np.where(x >= high, 1.0, 0.0)
    size = np.abs(b) + np.abs(G).sum(axis=1)
    return _by_sets(G, b, (x, held, low, high, np.zeros(k, dtype=bool)), size)


class _Several:
    """Problems side by side; entries beyond a problem's own are held at zero.

    Attributes
    ----------
    G, b, x, low, high, simplex, size, held : arrays (few, k, …)
        As in `minimise`.
    """

    def __init__(self, problems: list[Problem]) -> None:
        few, k = len(problems), max(problem.b.size for problem in problems)
        self.G, self.b, self.x = np.zeros((few, k, k)), np.zeros((few, k)), np.zeros((few, k))
        self.low, self.high = np.zeros((few, k)), np.zeros((few, k))
        self.simplex = np.zeros((few, k), dtype=bool)
        for j, (G, b, n_box, start) in enumerate(problems):
            own = b.size
            self.G[j, :own, :own], self.b[j, :own], self.x[j, :own] = G, b, start
            self.low[j, :n_box], self.high[j, :n_box] = -1.0, 1.0
            self.high[j, n_box:own], self.simplex[j, n_box:own] = np.inf, True
        size = np.abs(self.b) + np.abs(self.G).sum(axis=2)
        self.size = np.where(size > 0.0, size, 1.0)
        at_low, at_high = self.x <= self.low, self.x >= self.high
        self.held = np.where(at_low, -1.0, 0.0) + np.where(at_high, 1.0, 0.0)
        self._pad()

    def _pad(self) -> None:
        self.held[self.low == self.high] = 1.0

    def keep(self, which: Array) -> None:
        """These alone, booleans (few,)."""
        for name in ("G", "b", "x", "low", "high", "simplex", "size", "held"):
            setattr(self, name, getattr(self, name)[which])

    def change(self) -> tuple[Array, Array]:
        """One round of `_by_sets`; which problems are done, and for which it is no good."""
        at_high = np.where(self.simplex, 0.0, self.high)
        x = np.where(self.held > 0.0, at_high, np.where(self.held < 0.0, self.low, self.x))
        free = self.held == 0.0
        tied = self.simplex & free
        count = np.maximum(tied.sum(axis=1), 1)
        x += tied * ((1.0 - (x * self.simplex).sum(axis=1)) / count)[:, None]
        x = x + _steps(self.G, self._gradient(x), free, tied)
        gradient = self._gradient(x)
        level = ((gradient * tied).sum(axis=1) / count)[:, None]
        pull = np.where(free, -np.inf, self.held * (gradient - level * self.simplex)) / self.size
        wrong, over, under = pull > _SLACK, free & (x > self.high), free & (x < self.low)
        lost = ~np.isfinite(gradient).all(axis=1)
        lost |= self.simplex.any(axis=1) & ~tied.any(axis=1)
        done = ~(wrong | over | under).any(axis=1) & ~lost
        hardest = np.where(wrong, pull, 0.0).max(axis=1)[:, None]
        self.held[wrong & (pull > _HARD * hardest)] = 0.0
        self.held[over], self.held[under] = 1.0, -1.0
        self._pad()
        self.x = x
        return done, lost

    def _gradient(self, x: Array) -> Array:
        return np.asarray((self.G @ x[:, :, None])[:, :, 0] + self.b)


def _together(problems: list[Problem], names: list[int]) -> dict[int, Array]:
    """By `_by_sets`'s changes, each numpy call for all; those that it ends for."""
    found: dict[int, Array] = {}
    several, left = _Several(problems), np.arange(len(problems))
    for _ in range(_ROUNDS):
        try:
            done, lost = several.change()
        except np.linalg.LinAlgError:
            break
        for j in np.flatnonzero(done):
            problem = left[j]
            found[names[problem]] = several.x[j, : problems[problem].b.size]
        kept = ~(done | lost)
        if not kept.any():
            break
        left = left[kept]
        several.keep(kept)
    return found


def _steps(G: Array, gradient: Array, free: Array, tied: Array) -> Array:
    """As `_step`, of several problems.

    Raises
    ------
    numpy.linalg.LinAlgError
        One of the systems is singular.
    """
    few, k = gradient.shape
    with_sum = bool(tied.any())
    M = np.zeros((few, k + with_sum, k + with_sum))
    inner = M[:, :k, :k]
    np.multiply(G, free[:, :, None] & free[:, None, :], out=inner)
    diagonal = np.arange(k)
    unit = np.sqrt(inner[:, diagonal, diagonal])
    unit = np.where(unit > 0.0, 1.0 / np.where(unit > 0.0, unit, 1.0), 1.0)
    inner *= unit[:, :, None] * unit[:, None, :]
    inner[:, diagonal, diagonal] = 1.0
    right = np.zeros((few, k + with_sum, 1))
    right[:, :k, 0] = -gradient * unit * free
    if with_sum:
        M[:, k, :k] = M[:, :k, k] = tied * unit
        M[:, k, k] = ~tied.any(axis=1)
    return np.asarray(np.linalg.solve(M, right)[:, :k, 0] * unit)


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

"""The minimum over a box and a simplex from which multipliers are near their bounds there.

A system of the free entries, of which there are few, tells where the quadratic is least over them.
The way there is followed as far as it falls: an entry that comes to its bound is held there, and
the others go on. At the end of such a way what is pulled inwards is freed. It always falls, so that
no set of free entries comes back.
"""

from __future__ import annotations

import numpy as np

from .jit import FAST, STRICT, operation
from .kink_descent import _add, _dot

_ROUNDS, _MORE = 100, 2  # ways, and as many more for each dimension and entry
_FREE, _FEW = 4, 40  # times the dimensions: of more free entries nothing is settled yet
_HARD = 0.5  # of the hardest pull: what is pulled less waits
_SLACK = 1e-11  # of a slope's natural size: as small is zero
_AGAIN = 3  # ways over the same entries, where rounding leaves them slopes


@operation(fastmath=STRICT)
def _place(held, shares, n_box):
    """What is held at its bound, and a sum of one; whether there is something to bring it about."""
    total, tied = 0.0, 0
    for i in range(shares.size):
        if held[i] != 0.0:
            shares[i] = held[i] if i < n_box else 0.0
        if i >= n_box:
            total += shares[i]
            tied += held[i] == 0.0
    for i in range(n_box, shares.size):
        if held[i] == 0.0:
            shares[i] += (1.0 - total) / tied
    return n_box == shares.size or tied > 0


@operation(fastmath=STRICT)
def _move_there(columns, start, first, squares, held, n_box, shares, move, free):
    """The move that goes with the shares, and which entries are free; how many, without the last
    of them: that of the simplex, if any, which makes up for the others."""
    n_free, top = 0, -1
    for j in range(move.size):
        move[j] = first[j]
    for i in range(shares.size):
        if shares[i] != start[i]:
            _add(move, start[i] - shares[i], columns[i])
        if i >= n_box and held[i] == 0.0 and (top < 0 or shares[i] > shares[top]):
            top = i
    for i in range(shares.size):
        if i != top and held[i] == 0.0 and squares[i] > 0.0:
            free[n_free] = i
            n_free += 1
    free[n_free] = top
    return n_free


@operation(fastmath=STRICT)
def _find_ways(columns, offsets, start, squares, free, n_box, ridge, shares, move, ways, step):
    """How u changes with each free entry, (f, d), and the slopes along them: one of the simplex
    goes at the cost of its last."""
    f, top = free.size - 1, free[-1]
    for a in range(f):
        i = free[a]
        drawn, spring = offsets[i], squares[i] * (shares[i] - start[i])
        for j in range(move.size):
            ways[a, j] = columns[i, j]
        if i >= n_box:
            _add(ways[a], -1.0, columns[top])
            drawn -= offsets[top]
            spring -= squares[top] * (shares[top] - start[top])
        step[a] = _dot(ways[a], move) + drawn - ridge * spring


@operation(fastmath=FAST)
def _factored(ways, free, squares, n_box, ridge, units):
    """The lower factor of the free entries' matrix, scaled to a diagonal of one; 0 at its end
    where it has none."""
    f = ways.shape[0]
    L, shared = np.empty((f, f)), ridge * squares[free[f]] if free[f] >= 0 else 0.0
    for a in range(f):
        common = shared if free[a] >= n_box else 0.0
        units[a] = np.sqrt(_dot(ways[a], ways[a]) + ridge * squares[free[a]] + common)
        for b in range(a):
            entry = _dot(ways[a], ways[b]) + (common if free[b] >= n_box else 0.0)
            L[a, b] = (entry / (units[a] * units[b]) - _dot(L[a, :b], L[b, :b])) / L[b, b]
        pivot = 1.0 - _dot(L[a, :a], L[a, :a])
        L[a, a] = np.sqrt(pivot) if pivot > 0.0 else 0.0
        if not pivot > 0.0:
            L[f - 1, f - 1] = 0.0
            break
    return L


@operation(fastmath=STRICT)
def _solve(L, x):
    for a in range(x.size):
        x[a] = (x[a] - _dot(L[a, :a], x[:a])) / L[a, a]
    for a in range(x.size - 1, -1, -1):
        x[a] /= L[a, a]
        _add(x[:a], -x[a], L[a, :a])


@operation(fastmath=STRICT)
def _find_step(ways, free, squares, n_box, ridge, step):
    """From slopes to the step to the minimum over the free entries; whether there is one."""
    f = ways.shape[0]
    step[f] = 0.0
    if f == 0:
        return True
    units = np.empty(f)
    L = _factored(ways, free, squares, n_box, ridge, units)
    if L[f - 1, f - 1] == 0.0:
        return False
    for a in range(f):
        step[a] /= units[a]
    _solve(L, step[:f])
    for a in range(f):
        step[a] /= units[a]
        step[f] -= step[a] if free[a] >= n_box else 0.0
    return True


@operation(fastmath=STRICT)
def _end(is_boxed, speed):
    """The bound that an entry moves to."""
    if is_boxed:
        return 1.0 if speed > 0.0 else -1.0
    return np.inf if speed > 0.0 else 0.0


@operation(fastmath=STRICT)
def _next_stop(offsets, start, squares, free, n_box, ridge, shares, step):
    """The first of some moving entries to come to its bound, and when; what offsets and springs
    add to the slope and the bend along the way."""
    first, room, slope, bend = -1, np.inf, 0.0, 0.0
    for a in range(free.size):
        i, speed = free[a], step[a]
        if speed == 0.0:
            continue
        spring = ridge * squares[i] * speed
        slope += spring * (shares[i] - start[i]) - speed * offsets[i]
        bend += spring * speed
        end = _end(i < n_box, speed)
        if (end - shares[i]) / speed < room:
            first, room = a, (end - shares[i]) / speed
    return first, room, slope, bend


@operation(fastmath=STRICT)
def _go(ways, offsets, start, squares, free, n_box, ridge, shares, move, step, held):
    """Along a step as long as the quadratic falls, without what comes to its bound; how many do.

    One of the simplex ends the way: without it the others do not keep their sum.
    """
    speed, stopped = np.zeros(move.size), 0
    for a in range(ways.shape[0]):
        _add(speed, step[a], ways[a])
    while True:
        first, room, slope, bend = _next_stop(
            offsets, start, squares, free, n_box, ridge, shares, step
        )
        slope -= _dot(move, speed)
        if not slope < 0.0:
            return stopped
        wanted = -slope / (bend + _dot(speed, speed)) if stopped else 1.0
        time = min(room, wanted)
        for a in range(free.size):
            if step[a] == 0.0:
                continue
            low, high = _end(free[a] < n_box, -1.0), _end(free[a] < n_box, 1.0)
            shares[free[a]] = min(max(shares[free[a]] + time * step[a], low), high)
        _add(move, -time, speed)
        if not room < wanted:
            return stopped
        i, stopped = free[first], stopped + 1
        held[i] = 1.0 if step[first] > 0.0 else -1.0
        if i >= n_box:
            return stopped
        _add(speed, -step[first], ways[first])
        step[first] = 0.0


@operation(fastmath=STRICT)
def _pulls(columns, offsets, start, squares, held, n_box, ridge, length, shares, move, pulls):
    """How strongly each entry is pulled away from its bound, relative to its slope's natural size;
    the hardest, and the steepest slope of those that are free."""
    total, level, tied = length, 0.0, 0
    for i in range(shares.size):
        total += np.sqrt(squares[i]) * abs(shares[i] - start[i])
        spring = ridge * squares[i] * (shares[i] - start[i])
        pulls[i] = spring - _dot(columns[i], move) - offsets[i]
        if i >= n_box and held[i] == 0.0:
            level += pulls[i]
            tied += 1
    level = level / tied if tied else 0.0
    hardest, steepest = 0.0, 0.0
    for i in range(shares.size):
        size = abs(offsets[i]) + np.sqrt(squares[i]) * total
        slope = pulls[i] - level if i >= n_box else pulls[i]
        slope = slope / size if size > 0.0 else 0.0
        pulls[i] = held[i] * slope
        hardest = max(hardest, pulls[i]) if np.isfinite(slope) else np.inf
        if held[i] == 0.0 and squares[i] > 0.0:
            steepest = max(steepest, abs(slope))
    return hardest, steepest


@operation(fastmath=STRICT)
def _release(held, pulls, hardest):
    """Free what is pulled hard; how many that is."""
    freed = 0
    for i in range(held.size):
        if held[i] != 0.0 and pulls[i] > max(_HARD * hardest, _SLACK):
            held[i] = 0.0
            freed += 1
    return freed


@operation(fastmath=STRICT)
def kink_settle(columns, offsets, start, first, n_box, ridge, shares, move):
    """The minimum of ½ ‖u‖² − oᵀλ + ½ ridge Σ ‖w_i‖² (λ − λ₀)_i², u = u₀ − Wᵀ(λ − λ₀).

    Parameters
    ----------
    columns : array (k, d)
        W; an entry whose row is 0 stays.
    offsets, start : arrays (k,)
        o and λ₀.
    first : array (d,)
        u₀.
    n_box : int
    ridge : float
    shares : array (k,)
        What is near λ, and feasible; replaced by λ.
    move : array (d,)
        Replaced by u.

    Returns
    -------
    settled : int
        0 where the free entries' system has no solution, or ways find no end: λ is then somewhere
        between.
    """
    k = shares.size
    squares, held, pulls, free = np.empty(k), np.zeros(k), np.empty(k), np.empty(k + 1, np.int64)
    for i in range(k):
        squares[i] = _dot(columns[i], columns[i])
        if shares[i] <= (-1.0 if i < n_box else 0.0):
            held[i] = -1.0
        elif i < n_box and shares[i] >= 1.0:
            held[i] = 1.0
    step, length, again = np.empty(k + 1), np.sqrt(_dot(first, first)), 0
    for _ in range(_ROUNDS + _MORE * (move.size + k)):
        if not _place(held, shares, n_box):
            return 0
        f = _move_there(columns, start, first, squares, held, n_box, shares, move, free)
        if f > _FREE * move.size + _FEW:
            return 0
        inner, way, ways = free[: f + 1], step[: f + 1], np.empty((f, move.size))
        _find_ways(columns, offsets, start, squares, inner, n_box, ridge, shares, move, ways, way)
        if not _find_step(ways, inner, squares, n_box, ridge, way):
            return 0
        if _go(ways, offsets, start, squares, inner, n_box, ridge, shares, move, way, held):
            continue
        hardest, steepest = _pulls(
            columns, offsets, start, squares, held, n_box, ridge, length, shares, move, pulls
        )
        if not np.isfinite(hardest):
            return 0
        if steepest > _SLACK and again < _AGAIN:
            again += 1
            continue
        if not _release(held, pulls, hardest):
            return 1
        again = 0
    return 0

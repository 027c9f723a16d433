"""The minimum over a box and a simplex from which multipliers are near their bounds there.

What is free and out of its range is held at the bound, what is held and pulled inwards is freed,
all at once; in between a system of the free entries is solved, of which there are few.
"""

from __future__ import annotations

import numpy as np

from .jit import FAST, STRICT, operation
from .kink_descent import _add, _dot

_ROUNDS = 8
_FREE, _FEW = 4, 40  # times the dimensions: of more free entries nothing is settled yet
_HARD = 0.5  # of the hardest pull: what is pulled less waits
_SLACK = 1e-11  # of a slope's natural size: as small is zero


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
def _move_there(columns, start, first, squares, held, shares, move, free):
    """The move that goes with the shares, and which entries are free; how many."""
    n_free = 0
    for j in range(move.size):
        move[j] = first[j]
    for i in range(shares.size):
        if shares[i] != start[i]:
            _add(move, start[i] - shares[i], columns[i])
        if held[i] == 0.0 and squares[i] > 0.0:
            free[n_free] = i
            n_free += 1
    return n_free


@operation(fastmath=FAST)
def _factored(columns, free, squares, ridge):
    """The lower factor of the free entries' matrix, scaled to a diagonal of one; 0 at its end
    where it has none."""
    f = free.size
    L = np.empty((f, f))
    for a in range(f):
        for b in range(a):
            unit = np.sqrt(squares[free[a]] * squares[free[b]])
            L[a, b] = _dot(columns[free[a]], columns[free[b]]) / unit
        L[a, a] = 1.0 + ridge
    for a in range(f):
        for b in range(a):
            L[a, b] = (L[a, b] - _dot(L[a, :b], L[b, :b])) / L[b, b]
        pivot = L[a, a] - _dot(L[a, :a], L[a, :a])
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
def _keep_sum(squares, free, n_box, ones, step):
    """A step whose entries of the simplex, which come last, sum to zero but for rounding: where
    others span them what is left of their sum is lost in the solves."""
    f, tied = free.size, 0
    for a in range(f):
        tied += free[a] >= n_box
    drift = _dot(ones, step) / tied
    for a in range(f - tied, f):
        step[a] -= drift * np.sqrt(squares[free[a]])


@operation(fastmath=STRICT)
def _step(columns, offsets, start, squares, free, n_box, ridge, shares, move):
    """To the minimum over the free entries, those of the simplex keeping their sum; whether there
    is one."""
    f = free.size
    if f == 0 or f > _FREE * move.size + _FEW:
        return f == 0
    L = _factored(columns, free, squares, ridge)
    if L[f - 1, f - 1] == 0.0:
        return False
    step, ones = np.empty(f), np.zeros(f)
    for a in range(f):
        i, unit = free[a], np.sqrt(squares[free[a]])
        spring = ridge * squares[i] * (shares[i] - start[i])
        step[a] = (_dot(columns[i], move) + offsets[i] - spring) / unit
        ones[a] = 1.0 / unit if i >= n_box else 0.0
    _solve(L, step)
    if free[f - 1] >= n_box:
        across = ones.copy()
        _solve(L, across)
        _add(step, -(_dot(ones, step) / _dot(ones, across)), across)
        _keep_sum(squares, free, n_box, ones, step)
    for a in range(f):
        i = free[a]
        change = step[a] / np.sqrt(squares[i])
        shares[i] += change
        _add(move, -change, columns[i])
    return True


@operation(fastmath=STRICT)
def _pulls(columns, offsets, start, squares, held, n_box, ridge, length, shares, move, pulls):
    """How strongly each entry is pulled away from its bound, relative to its slope's natural size;
    the hardest."""
    total, level, tied = length, 0.0, 0
    for i in range(shares.size):
        total += np.sqrt(squares[i]) * abs(shares[i] - start[i])
        spring = ridge * squares[i] * (shares[i] - start[i])
        pulls[i] = spring - _dot(columns[i], move) - offsets[i]
        if i >= n_box and held[i] == 0.0:
            level += pulls[i]
            tied += 1
    level = level / tied if tied else 0.0
    hardest = 0.0
    for i in range(shares.size):
        size = abs(offsets[i]) + np.sqrt(squares[i]) * total
        slope = pulls[i] - level if i >= n_box else pulls[i]
        pulls[i] = held[i] * slope / size if size > 0.0 else 0.0
        hardest = max(hardest, pulls[i]) if np.isfinite(slope) else np.inf
    return hardest


@operation(fastmath=STRICT)
def _exchange(held, pulls, hardest, n_box, shares):
    """Hold what is out of its range, and free what is pulled hard; how many change."""
    changed = 0
    for i in range(shares.size):
        if held[i] == 0.0:
            if shares[i] > 1.0 and i < n_box:
                held[i] = 1.0
            elif shares[i] < (-1.0 if i < n_box else 0.0):
                held[i] = -1.0
            changed += held[i] != 0.0
        elif pulls[i] > max(_HARD * hardest, _SLACK):
            held[i] = 0.0
            changed += 1
    return changed


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
        What is near λ, replaced by λ.
    move : array (d,)
        Replaced by u.

    Returns
    -------
    settled : int
        0 where the exchange of what is held cycles, and λ is nowhere in particular.
    """
    k = shares.size
    squares, held, pulls, free = np.empty(k), np.zeros(k), np.empty(k), np.empty(k, np.int64)
    for i in range(k):
        squares[i] = _dot(columns[i], columns[i])
        if shares[i] <= (-1.0 if i < n_box else 0.0):
            held[i] = -1.0
        elif i < n_box and shares[i] >= 1.0:
            held[i] = 1.0
    length = np.sqrt(_dot(first, first))
    for _ in range(_ROUNDS):
        if not _place(held, shares, n_box):
            return 0
        n_free = _move_there(columns, start, first, squares, held, shares, move, free)
        if not _step(columns, offsets, start, squares, free[:n_free], n_box, ridge, shares, move):
            return 0
        hardest = _pulls(
            columns, offsets, start, squares, held, n_box, ridge, length, shares, move, pulls
        )
        if not np.isfinite(hardest):
            return 0
        if not _exchange(held, pulls, hardest, n_box, shares):
            return 1
    return 0

"""Coordinate descent for the multipliers of kinks, until what is at its bounds stays so.

Which entries are at their bounds at the minimum is what takes an active-set method its time; few
sweeps over the entries tell it, and where they do not the method has a start that is nearer. The
matrix of the quadratic is known by its factor: of many kinks in few dimensions it is never formed.
"""

from __future__ import annotations

import numpy as np

from .jit import FAST, operation

_CALM = 3  # sweeps


@operation(fastmath=FAST)
def _dot(a, b):
    total = 0.0
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@operation(fastmath=FAST)
def _add(out, factor, a):
    for j in range(a.size):
        out[j] += factor * a[j]


@operation(fastmath=FAST)
def _sweep_box(columns, offsets, shares, move, n_box):
    """Each entry in turn to where J is least along it; how many come to a bound or leave one."""
    changed = 0
    for i in range(n_box):
        column, x = columns[i], shares[i]
        slope = -(_dot(column, move) + offsets[i])
        if (x <= -1.0 and slope >= 0.0) or (x >= 1.0 and slope <= 0.0):
            continue
        bend = _dot(column, column)
        if not bend > 0.0:
            continue
        new = min(max(x - slope / bend, -1.0), 1.0)
        if new == x:
            continue
        if (abs(new) >= 1.0) != (abs(x) >= 1.0) or new * x <= -1.0:
            changed += 1
        shares[i] = new
        _add(move, x - new, column)
    return changed


@operation(fastmath=FAST)
def _sweep_simplex(columns, offsets, shares, move, n_box):
    """The same of entries that add up to one: each against the largest of them."""
    changed, k = 0, shares.size
    if k <= n_box:
        return 0
    top = n_box + np.argmax(shares[n_box:])
    for i in range(n_box, k):
        if i == top:
            continue
        slope = _dot(columns[top], move) + offsets[top] - _dot(columns[i], move) - offsets[i]
        x, room = shares[i], shares[top]
        if (x <= 0.0 and slope >= 0.0) or (room <= 0.0 and slope <= 0.0):
            continue
        bend = 0.0
        for j in range(move.size):
            bend += (columns[i, j] - columns[top, j]) ** 2
        if not bend > 0.0:
            continue
        new = min(max(x - slope / bend, 0.0), x + room)
        if new == x:
            continue
        if (new > 0.0) != (x > 0.0):
            changed += 1
        shares[i] = new
        shares[top] = max(room - (new - x), 0.0)
        _add(move, x - new, columns[i])
        _add(move, new - x, columns[top])
        if shares[i] > shares[top]:
            top = i
    return changed


@operation(fastmath=FAST)
def kink_descent(columns, offsets, shares, move, n_box, n_sweeps):
    """Towards the minimum of ½ ‖u‖² − oᵀλ, u = u₀ − Wᵀ(λ − λ₀), over a box and a simplex.

    Parameters
    ----------
    columns : array (k, d)
        W; an entry whose row is 0 stays.
    offsets : array (k,)
        o.
    shares : array (k,)
        λ₀, replaced by λ: in [−1, 1] the first n_box, the others ≥ 0 and of sum one.
    move : array (d,)
        u₀, replaced by u.
    n_box : int
    n_sweeps : int
        At most; three after which nothing has come to a bound, or left one, end it.
    """
    calm = 0
    for _ in range(n_sweeps):
        changed = _sweep_box(columns, offsets, shares, move, n_box)
        changed += _sweep_simplex(columns, offsets, shares, move, n_box)
        calm = 0 if changed else calm + 1
        if calm == _CALM:
            break

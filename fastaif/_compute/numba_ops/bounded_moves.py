"""The best attacks of a ball on rows that stay within bounds, for p = 2 and ∞.

In t = δ/c, with rooms r up to the bounds that lie ahead along u = Dg, they are t = min(|u|, r) with
the sign of u: for p = ∞ as far as there is room, for p = 2 min(level |u|, r) at the level at which
‖t‖₂ is the size. That level is reached from below: from where no entry is full on, as long as more
entries become full.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import FAST, STRICT, operation

NO_SLOPE = 1e-140  # of the largest: one that has no square, and gains nothing


@operation(fastmath=STRICT)
def _enter(x, g, units, scale, bounds, size, slopes, rooms):
    """A row's |Dg| and its rooms, at most its size."""
    for k in range(g.size):
        slope, at = g[k] * units[k], np.float64(x[k])
        ahead = bounds[1, k] - at if slope > 0.0 else at - bounds[0, k]
        room = min(max(ahead / (scale[k] if scale[k] > 0.0 else 1.0), 0.0), size)
        slopes[k] = abs(slope)
        rooms[k] = room if slopes[k] > 0.0 else 0.0


@operation(fastmath=FAST)
def _parts(slopes, rooms, level):
    """Σ r² of what is full at a level, and Σ v² of what is not."""
    spent, growing = 0.0, 0.0
    for k in range(slopes.size):
        full = level * slopes[k] >= rooms[k]
        spent += rooms[k] * rooms[k] if full else 0.0
        growing += 0.0 if full else slopes[k] * slopes[k]
    return spent, growing


@operation(fastmath=STRICT)
def level_of(slopes, rooms):
    """The level of p = 2, for slopes and rooms of about 1."""
    level = 0.0
    while True:
        spent, growing = _parts(slopes, rooms, level)
        if not growing > 0.0:
            return np.inf
        further = math.sqrt(max(1.0 - spent, 0.0) / growing)
        if not further > level:
            return level
        level = further


@operation(fastmath=STRICT)
def move_of_row(x, g, box, size, v, r, move):
    """A row's move, written, and what it gains; `v` and `r` (m,) are room, `box` (D, c, bounds,
    p)."""
    units, scale, bounds, p = box
    _enter(x, g, units, scale, bounds, size, v, r)
    largest, level, unit, gain = 1.0, np.inf, 1.0, 0.0
    if p == 2.0 and size > 0.0:
        largest, unit = 0.0, size
        for k in range(v.size):
            largest = max(largest, v[k])
        if largest > 0.0:
            for k in range(v.size):
                v[k] = v[k] / largest if v[k] > NO_SLOPE * largest else 0.0
                r[k] = r[k] / size if v[k] > 0.0 else 0.0
            level = level_of(v, r)
    for k in range(v.size):
        t = r[k] if v[k] == 0.0 else unit * min(level * v[k], r[k])
        move[k] = math.copysign(units[k] * t, g[k])
        gain += v[k] * t
    return largest * gain


@operation(fastmath=STRICT)
def bounded_moves(rows, slopes, units, scale, bounds, sizes, p, moves, gains):
    """Moves of the model's inputs (n, m), and by how much they raise predictions (n,).

    Parameters
    ----------
    rows : Rows
    slopes : array (n, m)
        ∇_u of each row.
    units, scale : arrays (m,)
        D and c; 0 where nothing is attacked.
    bounds : array (2, m)
        lo and hi.
    sizes : array (n,)
    p : float
        2 or inf.
    moves, gains : arrays (n, m), (n,)
        Written.
    """
    m = rows.x.shape[1]
    v, r, box = np.empty(m), np.empty(m), (units, scale, bounds, p)
    for i in range(rows.x.shape[0]):
        gains[i] = move_of_row(rows.x[i], slopes[i], box, sizes[i], v, r, moves[i])

"""First-order attacks of linear predictors within bounds, for p = 2 and ∞.

With t = Dβ row i, attacked along side_i β, feels the entries of t whose way is not closed: x_ik
has not come to the bound that lies ahead. Turned so that side_i sgn(t_k) x_ik grows, these are
entries below `ends`. Its gain N_i is the dual norm of what it feels, its attack φ_i goes along
that, and how far along it can go is its room.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import STRICT, operation


@operation(fastmath=STRICT)
def bounded_sums(rows, sides, rates, ends, slopes, reach, origin, p, gains, rooms, sums):
    """Gains N and rooms of rows; sums over them are added to.

    Parameters
    ----------
    rows : Rows
    sides : array (n,)
        ±1, or 0 for rows whose rates are zero.
    rates : array (2, n)
        What multiplies N_i (x_i − origin), and φ_i.
    ends : array (2, m)
        Of sgn(t_k) x_k for side 1, of −sgn(t_k) x_k for side −1; −∞ where nothing is attacked.
    slopes : array (m,)
        t, of a size that has a square.
    reach : array (m,)
        How often a unit attack has to be made to move x_k by one: 1/c_k, or of p = 2
        1/(c_k |t_k|), which N_i multiplies.
    origin : array (m,)
    p : float
        2 or inf.
    gains, rooms : arrays (n,)
        Written.
    sums : array (2, m)
        Σ rates_0i N_i (x_i − origin), and Σ rates_1i side_i [felt] / N_i (p = 2; / 1 of p = ∞).
    """
    m = slopes.size
    euclidean = p == 2.0
    left = np.empty(m)
    for i in range(sides.size):
        side = sides[i]
        gain, room = 0.0, np.inf
        for k in range(m):
            a = float(rows.x[i, k])
            end = ends[0, k] if side > 0.0 else ends[1, k]
            left[k] = end - side * (-a if slopes[k] < 0.0 else a)
            if left[k] > 0.0:
                gain += slopes[k] * slopes[k] if euclidean else abs(slopes[k])
                room = min(room, left[k] * reach[k])
        if euclidean:
            gain = math.sqrt(gain)
            if gain > 0.0:
                room *= gain
        gains[i], rooms[i] = gain, room
        first, move = rates[0, i] * gain, rates[1, i] * side
        if euclidean:
            move = move / gain if gain > 0.0 else 0.0
        for k in range(m):
            sums[0, k] += first * (float(rows.x[i, k]) - origin[k])
            if left[k] > 0.0:
                sums[1, k] += move

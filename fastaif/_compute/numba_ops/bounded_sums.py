"""First-order attacks of linear predictors within bounds, for p = 2 and ∞.

Row i is attacked to the side σ_i = sgn(ℓ'_i), along σ_i β, and with t = Dβ feels the entries of t
whose way is not closed: x_ik has not come to the bound that lies ahead. Turned so that
σ_i sgn(t_k) x_ik grows, these are entries below `ends`. Its gain N_i is the dual norm of what it
feels, its attack φ_i goes along that. How far along it can go ends where the first bound is met.

Rows go block by block through the first two stages of `linear_sums`, and are read twice more.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import N_SCALARS, NEED_GRADIENT
from .accumulate import dot_rows, load
from .jit import FAST, STRICT, operation
from .losses import slopes as slopes_of

_BLOCK_DOUBLES = 4096  # of a block, which stays in the first cache


@operation(fastmath=FAST)
def _gain_of_row(x, end, turn, sizes, bounds):
    """What open ways add to a row's gain, and how many of its entries are outside."""
    gain, outside = 0.0, 0
    for k in range(sizes.size):
        a = np.float64(x[k])
        gain += sizes[k] if end[k] - turn[k] * a > 0.0 else 0.0
        outside += (1 if a < bounds[0, k] else 0) + (1 if a > bounds[1, k] else 0)
    return gain, outside


@operation(fastmath=FAST)
def _add_row(x, v, end, turn, reach, across, move, unit, sums, steps):
    """A row's part of the sums, and of the least number of steps in each column."""
    for k in range(reach.size):
        left = end[k] - turn[k] * np.float64(x[k])
        far = left * reach[k] * unit
        sums[0, k] += across * v[k]
        sums[1, k] += move if left > 0.0 else 0.0
        steps[k] = far if left > 0.0 and far < steps[k] else steps[k]


@operation(fastmath=STRICT)
def bounded_sums(
    rows, predictor, inner, budgets, ends, slopes, reach, bounds, p, sums, numbers
):
    """Sums over rows are added to, the least room is kept.

    Parameters
    ----------
    rows : Rows
        Weights are w_i t_i.
    predictor, inner : Predictor, Inner
        The natural loss, κ = 0.
    budgets : array (n,)
        t; empty: all are 1.
    ends : array (2, m)
        Of sgn(t_k) x_k for side 1, of −sgn(t_k) x_k for side −1; −∞ where nothing is attacked.
    slopes : array (m,)
        t, of a size that has a square.
    reach : array (m,)
        How often a unit attack has to be made to move x_k by one: 1/c_k, or of p = 2
        1/(c_k |t_k|), which N_i multiplies.
    bounds : array (2, m)
        lo and hi; infinite where there are none.
    p : float
        2 or inf.
    sums : array (2, m)
        Σ w ℓ'' σ N_i v_i, v the predictor's inputs, and Σ w |ℓ'| [felt] / N_i (p = 2; / 1 of
        p = ∞).
    numbers : array (5,)
        Σ w ℓ'' σ N_i, Σ w |ℓ'| N_i, how many rows are moved, how many times its attack every row
        has room for; the last one becomes 1 where an entry is outside of the bounds.
    """
    n, m = rows.x.shape
    size = min(n, max(16, min(256, _BLOCK_DOUBLES // max(m, 1))))
    v, f, derivatives = np.empty((size, m)), np.empty(size), np.empty((3, size))
    ones, scalars, steps = np.ones(size), np.zeros(N_SCALARS), np.full(m, np.inf)
    turns = np.where(slopes < 0.0, -1.0, 1.0)
    turns = np.stack((turns, -turns))
    euclidean = p == 2.0
    sizes = slopes * slopes if euclidean else np.abs(slopes)
    for start in range(0, n, size):
        k = min(size, n - start)
        load(rows.x, start, v[:k], predictor.shift, predictor.inverse_scale)
        dot_rows(v[:k], predictor.beta, predictor.intercept, f[:k])
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        y = rows.y[start : start + k]
        slopes_of(f[:k], y, inner, start, w, NEED_GRADIENT, derivatives, scalars)
        for i in range(k):
            x, move = rows.x[start + i], abs(derivatives[0, i])
            side = 1 if derivatives[0, i] < 0.0 else 0
            gain, outside = _gain_of_row(x, ends[side], turns[side], sizes, bounds)
            if outside > 0:
                numbers[4] = 1.0
            if not move > 0.0:
                continue
            if euclidean:
                gain = math.sqrt(gain)
            across = derivatives[1, i] * gain
            numbers[0] += across
            numbers[1] += move * gain
            numbers[2] += 1.0 if gain > 0.0 else 0.0
            unit = gain if euclidean else 1.0
            if not unit > 0.0:
                continue
            t = budgets[start + i] if budgets.size else 1.0
            _add_row(
                x, v[i], ends[side], turns[side], reach, across, move / unit, unit / t, sums, steps
            )
    for k in range(m):
        numbers[3] = min(numbers[3], steps[k])

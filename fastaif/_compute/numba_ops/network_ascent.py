"""Projected gradient ascent on the inputs of a one-layer network, block by block.

The unit of work is a block of samples that takes all its steps before the next begins: its
points, gradients and hidden units stay in the cache, and both products of a step are BLAS's.
Everything happens in the units of the ball, t = δ / c over the attackable features, where
the units' arguments are z + tᵀ moves.

A loss convex in f is largest at an end of the range of f over the ball. Each start climbs
towards one end: the sample itself towards the end to which ℓ' points, the antipode of where
that led towards the other, random points likewise in turn.

A step is first a leap (not from random points), t = radius φ(g), the fixed points of which
are the maxima on the boundary; in a small ball it contracts. Where it does not raise f, steps
along g / ‖g‖₂ follow, projected, whose length grows while they do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..types import TANH
from .blas import add_product
from .jit import FAST, STRICT, operation
from .losses import worth
from .network_units import activation_at, tanh_units
from .pointwise import project_ball, row_direction
from .row_geometry import random_points

_BLOCK_DOUBLES = 24576  # 192 KiB
_ROUNDING = 4e-16
_STILL = 1e-15  # of the radius


class _Pace(NamedTuple):
    """How each row of a block climbs, (k,) each."""

    step: np.ndarray  # the length of the next step; ∞ stands for a leap
    change: np.ndarray  # the largest change of a coordinate that is proposed
    last: np.ndarray  # and that was last accepted


@operation(fastmath=FAST)
def _load_rows(x, start, network, u):
    shifted = network.shift.size > 0
    for r in range(u.shape[0]):
        for j in range(u.shape[1]):
            u[r, j] = x[start + r, j]
        if shifted:
            for j in range(u.shape[1]):
                u[r, j] = (u[r, j] - network.shift[j]) * network.inverse_scale[j]


@operation(fastmath=FAST)
def _output(w2, b2, values):
    """f, and Σ|w2 σ|, which its rounding is relative to."""
    total, size = b2, abs(b2)
    for i in range(values.size):
        term = w2[i] * values[i]
        total += term
        size += abs(term)
    return total, size


@operation(fastmath=FAST)
def _times(w2, slopes, z):
    for i in range(z.size):
        z[i] = w2[i] * slopes[i]


@operation(fastmath=STRICT)
def _evaluate(network, moves, base, live, t, z, f, sizes):
    """f at t of the rows `live`, the sizes of its terms, and z = w2σ'; all but `base` are of
    these rows alone."""
    for i in range(live.size):
        z[i] = base[live[i]]
    add_product(t, False, moves, False, 1.0, z)
    values, slopes = np.empty(z.shape[1]), np.empty(z.shape[1])
    for i in range(live.size):
        if network.activation == TANH:
            tanh_units(z[i], values, slopes)
        else:
            for j in range(z.shape[1]):
                values[j], slopes[j], _ = activation_at(network.activation, z[i, j])
        f[i], sizes[i] = _output(network.w2, network.b2, values)
        _times(network.w2, slopes, z[i])


@operation(fastmath=STRICT)
def _propose(t, g, side, step, ball, ahead, trial):
    """A leap (step = ∞), or a projected step along the gradient; the largest change."""
    radius, p = ball
    leap = step == np.inf
    row_direction(g, p if leap else 2.0, trial)
    change = 0.0
    if leap:
        for j in range(t.size):
            trial[j] *= side * radius
    else:
        for j in range(t.size):
            ahead[j] = t[j] + side * step * trial[j]
        project_ball(ahead, radius, p, trial)
    for j in range(t.size):
        change = max(change, abs(trial[j] - t[j]))
    return change


@operation(fastmath=STRICT)
def _propose_rows(t, g, side, pace, ball, live, trial):
    """The next points of the live rows; those that would not move live no longer.

    The rest keep their order at the beginning of `live`, and so do their points in `trial`.
    """
    count, ahead = 0, np.empty(t.shape[1])
    for r in live:
        pace.change[r] = _propose(t[r], g[r], side[r], pace.step[r], ball, ahead, trial[count])
        if pace.change[r] > _STILL * ball[0]:
            live[count] = r
            count += 1
    return count


@operation(fastmath=STRICT)
def _accept_rows(ahead, here, live, side, sizes, pace, radius):
    """Go on to where f rose, and adapt the steps; `ahead` and `here` are (t, ∇f, f)."""
    (trial, following, there), (t, g, f) = ahead, here
    for i in range(live.size):
        r = live[i]
        rise, rounding = side[r] * (there[i] - f[r]), _ROUNDING * sizes[i]
        # Where f cannot tell, steps that shrink still converge to the maximum.
        shrinks = rise >= -rounding and pace.change[r] < 0.9 * pace.last[r]
        if rise > rounding or shrinks:
            t[r], g[r] = trial[i], following[i]
            f[r] = there[i]
            pace.last[r] = pace.change[r]
            if rise > rounding:
                pace.step[r] *= 2.0
        elif pace.step[r] == np.inf:
            pace.step[r], pace.last[r] = 0.5 * radius, np.inf
        else:
            pace.step[r] *= 0.25


@operation(fastmath=STRICT, inline=True)
def _first(space, count):
    """The first rows of a C-ordered array, as one."""
    return space.ravel()[: count * space.shape[1]].reshape(count, space.shape[1])


@operation(fastmath=STRICT)
def _climb(network, moves, base, side, steps, first, t, f):
    """Raise side · f from t, in place, each row for itself; f is written.

    `first` is the length of the first step; ∞ stands for leaps. Most rows arrive long before
    the last one: only those that still move are evaluated.
    """
    k = t.shape[0]
    ball = (steps.radius, steps.p)
    z, trial = np.empty(base.shape), np.empty(t.shape)
    g, following = np.empty(t.shape), np.empty(t.shape)
    there, sizes, live = np.empty(k), np.empty(k), np.arange(k)
    pace = _Pace(np.full(k, first), np.zeros(k), np.full(k, np.inf))
    _evaluate(network, moves, base, live, t, z, f, sizes)
    add_product(z, False, moves, True, 0.0, g)
    for _ in range(steps.n_steps):
        count = _propose_rows(t, g, side, pace, ball, live, trial)
        if count == 0:
            break
        live = live[:count]
        points, units, slopes = _first(trial, count), _first(z, count), _first(following, count)
        _evaluate(network, moves, base, live, points, units, there, sizes)
        add_product(units, False, moves, True, 0.0, slopes)
        _accept_rows((points, slopes, there), (t, g, f), live, side, sizes, pace, steps.radius)


@operation(fastmath=STRICT)
def _start(steps, draw, row, side, t):
    """The sample, then the antipode of where that led, then random points; sides alternate."""
    if draw == 0:
        t[:] = 0.0
        return
    for r in range(side.size):
        side[r] = -side[r]
    if draw == 1:
        for r in range(side.size):
            for j in range(t.shape[1]):
                t[r, j] = -t[r, j]
    else:
        random_points(steps.seed, draw, row, steps.radius, steps.p, t)


@operation(fastmath=STRICT)
def _first_step(steps, draw):
    """Leaps from random points would forget where they started."""
    if steps.step > 0.0:
        return steps.step
    return np.inf if draw < 2 else 0.1 * steps.radius


@operation(fastmath=STRICT)
def _attack_block(rows, start, network, moves, inner, steps, out, f):
    """The best end of all starts, for as many rows from `start` on as `f` has."""
    k, h = f.size, moves.shape[1]
    u, base, t = np.empty((k, rows.x.shape[1])), np.empty((k, h)), np.zeros(out.shape)
    here, side, best = np.empty(k), np.empty(k), np.empty(k)
    _load_rows(rows.x, start, network, u)
    for r in range(k):
        base[r] = network.b1
    add_product(u, False, network.w1, False, 1.0, base)
    _evaluate(network, moves, base, np.arange(k), t, np.empty((k, h)), here, np.empty(k))
    out[:] = 0.0
    for r in range(k):
        best[r], side[r] = worth(inner, here[r], rows.y[start + r], start + r)
        f[r] = here[r]
    for draw in range(steps.draws):
        _start(steps, draw, steps.first_row + start, side, t)
        _climb(network, moves, base, side, steps, _first_step(steps, draw), t, here)
        for r in range(k):
            value, _ = worth(inner, here[r], rows.y[start + r], start + r)
            # NaN must not be hidden: it is found in the result.
            if not value <= best[r]:
                best[r] = value
                f[r] = here[r]
                out[r] = t[r]


@operation(fastmath=STRICT)
def network_ascent(rows, network, moves, inner, steps, out, f):
    """The best attack found for each sample.

    Parameters
    ----------
    rows : Rows
    network : Network
    moves : array (m_free, h)
        By how much the units' arguments move with t.
    inner : Inner
        The loss; where `multiplier` gives ±1 for each row, ± f takes its place.
    steps : Steps
        A `step` of 0 stands for leaps first; `slopes` is not used.
    out : array (k, m_free)
        t = δ / c, written.
    f : array (k,)
        The predictions there, written.
    """
    n, m = rows.x.shape
    free, h = moves.shape
    size = max(1, min(n, max(16, min(256, _BLOCK_DOUBLES // (m + 3 * free + 2 * h)))))
    for start in range(0, n, size):
        block = slice(start, min(start + size, n))
        _attack_block(rows, start, network, moves, inner, steps, out[block], f[block])

"""Ascents on the inputs of a network of any depth, within a ball, p = 2 or ∞, and bounds.

A row goes from where it is some part of the way to the point of its set where its slopes gain most
(`bounded_moves`). The whole way is tried first; where that would lower the height a quarter of it
is, and where it does not the next part is twice as long. A row has arrived when what slopes promise
is no more than `enough` of what the point gains, or two steps in a row brought no more than that;
with `enough` zero, when it moves no more. No step lowers a height by more than rounding.
"""

from __future__ import annotations

import numpy as np

from .bounded_moves import move_of_row
from .jit import FAST, STRICT, operation
from .layered_slopes import rise

_ROUNDING = 4.0 * np.finfo(float).eps
_SHORTER, _LONGER, _SHORTEST = 0.25, 2.0, 1e-9
_QUIET = 2  # steps that bring nothing to speak of


@operation(fastmath=STRICT)
def _is_worth_it(pace, targets, gain, here, slopes, state):
    """Whether a row goes on; `state` is its part, its quiet steps, and how many it has left."""
    part, quiet, left = state
    if not (part > _SHORTEST and left > 0):
        return False
    if pace.enough == 0.0:
        move = 0.0
        for k in range(here.size):
            move = max(move, abs(targets[k] - here[k]))
        return part * move > pace.still
    promise = gain - _dot(slopes, here)
    return promise > pace.enough * gain and quiet < _QUIET


@operation(fastmath=FAST)
def _dot(a, b):
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@operation(fastmath=STRICT)
def _moved(layers, x, delta, u):
    """u at x and the model's inputs moved by δ."""
    shifted = layers.shift.size > 0
    for k in range(u.size):
        at = (x[k] - layers.shift[k]) * layers.inverse_scale[k] if shifted else x[k]
        u[k] = at + delta[k]
    return u


@operation(fastmath=STRICT)
def _climb_row(evaluate, box, size, pace, delta):
    """Raise a row from δ (m,), in place; its height. `evaluate` is what its heights are made of."""
    x, y, layers, head, units, bends = evaluate
    m = x.size
    u, v, r, targets = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    slopes, following = np.empty(m), np.empty(m)
    ball = (box.units, box.scale, box.bounds, box.p)
    value = rise(layers, head, _moved(layers, x, delta, u), y, units, bends, slopes)
    part, quiet, left = pace.part, 0, pace.n_steps
    while True:
        gain = move_of_row(x, slopes, ball, size, v, r, targets)
        if not _is_worth_it(pace, targets, gain, delta, slopes, (part, quiet, left)):
            return value
        if part < 1.0:
            for k in range(m):
                targets[k] = delta[k] + part * (targets[k] - delta[k])
        there = rise(layers, head, _moved(layers, x, targets, u), y, units, bends, following)
        up = there - value >= -_ROUNDING * abs(value)
        if there - value > pace.enough * gain:
            quiet = 0
        elif up:
            quiet += 1
        part, left = min(1.0, _LONGER * part) if up else _SHORTER * part, left - 1
        if up:
            value = there
            delta[:] = targets
            slopes[:] = following


@operation(fastmath=STRICT)
def bounded_ascent(x, targets, layers, head, box, sizes, pace, delta, heights):
    """The attack to which each sample climbs from where it starts.

    Parameters
    ----------
    x : array (n, m)
    targets : array (n, k)
        Of several outputs one each, else one.
    layers : Layers
    head : Head
    box : Box
    sizes : array (n,)
    pace : Pace
    delta : array (n, m)
        Moves of the model's inputs: from where samples start, and then where they have ended.
    heights : array (n,)
        There, written.
    """
    size = layers.widths.sum()
    units, bends = np.empty(size), np.empty(size)
    for i in range(x.shape[0]):
        evaluate = (x[i], targets[i], layers, head, units, bends)
        heights[i] = _climb_row(evaluate, box, sizes[i], pace, delta[i])

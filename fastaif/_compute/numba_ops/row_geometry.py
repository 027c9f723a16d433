"""Directions of attack and projections, row by row of a block."""

from __future__ import annotations

import math

import numpy as np

from .jit import FAST, STRICT, operation
from .philox import ATTACK_STARTS, fill_normal
from .pointwise import project_ball, row_direction, row_norm


@operation(fastmath=STRICT)
def _ties(t, p, weights):
    """Entries on a kink of the dual norm: for p = ∞ zeros, for p = 1 further largest ones."""
    count = 0
    if p == np.inf:
        for k in range(t.size):
            count += t[k] == 0.0 and weights[k] > 0.0
    elif p == 1.0:
        largest = np.abs(t).max()
        for k in range(t.size):
            count += abs(t[k]) == largest
        count -= 1
    return count


@operation(fastmath=FAST)
def _weighted_squares(g, weights, squares):
    for i in range(squares.size):
        squares[i] = 0.0
    for k in range(g.shape[0]):
        for i in range(squares.size):
            t = weights[k] * g[k, i]
            squares[i] += t * t


@operation(fastmath=FAST)
def _euclidean_directions(g, weights, gains, out):
    """D² g / ‖D g‖, given the norms; zero where they are."""
    for k in range(g.shape[0]):
        square = weights[k] * weights[k]
        for i in range(gains.size):
            out[k, i] = square * g[k, i] / gains[i] if gains[i] > 0.0 else 0.0


@operation(fastmath=STRICT)
def attack_directions(g, attack, out, gains, ties):
    """Directions D φ(D g) in scaled inputs, and gains ‖D g‖_q.

    Parameters
    ----------
    g : array (m, k)
        ∇_u f of k rows, feature-major.
    attack : Attack
    out : array (m, k)
    gains : array (k,)
    ties : array (k,)
        The number of ties of each row.
    """
    m = g.shape[0]
    t, direction = np.empty(m), np.empty(m)
    if attack.p == 2.0:
        _weighted_squares(g, attack.weights, gains)
        ties[:] = 0.0
        safe = True
        for i in range(gains.size):
            safe &= 1e-290 < gains[i] < 1e290
            gains[i] = math.sqrt(gains[i])
        if safe:
            _euclidean_directions(g, attack.weights, gains, out)
            return
    for i in range(gains.size):
        for k in range(m):
            t[k] = attack.weights[k] * g[k, i]
        row_direction(t, attack.p, direction)
        gain = 0.0
        for k in range(m):
            gain += t[k] * direction[k]
            out[k, i] = attack.weights[k] * direction[k]
        gains[i] = gain
        ties[i] = _ties(t, attack.p, attack.weights)


@operation(fastmath=STRICT)
def ascend_rows(t, g, step, ball, steepest, moved):
    """One step of projected gradient ascent for each row.

    Parameters
    ----------
    t, g : array (k, m)
        Points of the ball, and the gradients of what is to grow.
    step : array (k,)
        Lengths; negative ones go down.
    ball : tuple (radius, p)
        ‖t‖_p ≤ radius.
    steepest : bool
        Along φ(g) rather than g / ‖g‖₂. In a ball of a norm other than ℓ2 only the
        gradient's own direction stands still at a maximum; φ(g) is the best first step.
    moved : array (k, m)
        Written.

    Returns
    -------
    float
        The largest change of an entry.
    """
    radius, p = ball
    m = t.shape[1]
    direction, trial = np.empty(m), np.empty(m)
    largest = 0.0
    for i in range(t.shape[0]):
        row_direction(g[i], p if steepest else 2.0, direction)
        for k in range(m):
            trial[k] = t[i, k] + step[i] * direction[k]
        project_ball(trial, radius, p, moved[i])
        for k in range(m):
            largest = max(largest, abs(moved[i, k] - t[i, k]))
    return largest


@operation(fastmath=STRICT)
def random_points(seed, draw, first_row, radius, p, u):
    """Write a random point of the ball ‖u‖_p ≤ radius to each row, keyed by its number.

    |N(0, 1)| clipped to 1 is the share of the radius: a third lie on the boundary.
    """
    share = np.empty(1)
    for i in range(u.shape[0]):
        fill_normal(seed, ATTACK_STARTS, draw, first_row + i, u[i])
        fill_normal(seed, ATTACK_STARTS + 1, draw, first_row + i, share)
        reach = min(abs(share[0]), 1.0) * radius / row_norm(u[i], p)
        for k in range(u.shape[1]):
            u[i, k] *= reach

"""Projected gradient ascent on the inputs of a linear-predictor model.

Everything happens in the units of the ball, u = δ / c over the attackable features: the
ball is ‖u‖_p ≤ radius, the prediction moves by ⟨c ∘ ∇_x f, u⟩ and the steepest step is
φ(c ∘ ∇_x f). Each sample takes all its steps before the next begins, so that its u
stays in the first-level cache; the best iterate of all starts is kept.
"""

from __future__ import annotations

import numpy as np

from .jit import STRICT, operation
from .losses import worth
from .pointwise import project_ball, row_direction
from .row_geometry import random_points


@operation(fastmath=STRICT)
def _start(steps, draw, row, u):
    """The sample itself, then the antipode of where that led (u holds it), then random points.

    A loss convex in f has its maxima at the two ends of the ball; the antipode leads to
    the other one.
    """
    if draw < 2:
        for k in range(u.size):
            u[k] = 0.0 if draw == 0 else -u[k]
        return
    random_points(
        steps.seed, draw, steps.first_row + row, steps.radius, steps.p, u.reshape(1, u.size)
    )


@operation(fastmath=STRICT)
def linear_pgd(prediction, y, inner, steps, out):
    """The best attack found for each sample.

    Parameters
    ----------
    prediction, y : array (k,)
        f at the clean inputs, and targets.
    inner : Inner
        The loss; where `multiplier` gives ±1 for each row, ± f takes its place.
    steps : Steps
    out : array (k, m_free)
        u = δ / c, written.
    """
    free = steps.slopes.size
    direction, u = np.empty(free), np.empty(free)
    trial, moved = np.empty(free), np.empty(free)
    row_direction(steps.slopes, steps.p, direction)
    for i in range(prediction.size):
        best, side = worth(inner, prediction[i], y[i], i)
        out[i] = 0.0
        for draw in range(steps.draws):
            _start(steps, draw, i, u)
            for _ in range(steps.n_steps + 1):
                move = 0.0
                for k in range(free):
                    move += steps.slopes[k] * u[k]
                value, side = worth(inner, prediction[i] + move, y[i], i)
                if value > best:
                    best = value
                    out[i] = u
                for k in range(free):
                    trial[k] = u[k] + side * steps.step * direction[k]
                project_ball(trial, steps.radius, steps.p, moved)
                change = 0.0
                for k in range(free):
                    change = max(change, abs(moved[k] - u[k]))
                    u[k] = moved[k]
                if change <= 1e-13 * steps.radius:
                    break  # a fixed point: every further step would end here again

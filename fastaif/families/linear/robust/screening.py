"""Which rows of a squared error may have another worse end at the optimum than now.

With all ends as they are the objective is a quadratic and a norm: its minimum costs no rows. How
far that lies is how far predictions may yet move, and rows further than that from their kinks are
settled for the time being.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .design import Design, blocks
from .far_rows import FarRows
from .interior_point import InteriorPoint
from .objective import RobustProblem

Array = NDArray[Any]
_ROUGHLY, _STEPS = 1e-4, 12  # the gap of a minimum that only guides, and how many steps it has
_ROUNDS, _FEW = 6, 1.0  # until going through near rows, times m, costs no more than all do
_SHRINKS = 0.4  # of a move, that makes another round worth it
_REACH = 2.0  # moves that rows may be from their kinks and still count as near


@dataclass(frozen=True)
class Screened:
    """A start, the rows near their kinks, the others, how far predictions may move, and they."""

    theta: Array
    near: Array
    far: FarRows
    width: float
    f: Array


def screened(problem: RobustProblem, design: Design, theta: Array, f: Array) -> Screened:
    """Rows near their kinks about a point that is better than θ, where predictions are f."""
    nobody = np.empty(0, dtype=int)
    far: FarRows | None = None
    before = np.inf
    for _ in range(_ROUNDS):
        point = InteriorPoint(problem, design, theta, nobody, far=far, f=f)
        for _ in range(_STEPS):
            if point.gap <= _ROUGHLY and point.residual <= 10.0 * _ROUGHLY:
                break
            point.advance(0.1 * _ROUGHLY, sorts=False)
        far = point.rows.far
        assert far is not None
        theta, t = _along(problem, theta, f, point)
        length, near, f = _reached(design, f, point.f, t)
        del point  # and its predictions
        kappa = problem.rho * problem.norm(theta)
        if near.size * theta.size <= _FEW * f.size or not 0.0 < length <= _SHRINKS * before:
            break
        before = length
        far.change(f, kappa, nobody)
    assert far is not None
    far.change(f, kappa, near)
    return Screened(theta, near, far, length, f)


def _along(
    problem: RobustProblem, theta: Array, f: Array, point: InteriorPoint
) -> tuple[Array, float]:
    """The best point on the way to the quadratic's minimum, and its share of the way."""
    from scipy.optimize import minimize_scalar

    step, ends = point.theta - theta, (f, point.f)

    def value(t: float) -> float:
        there = theta + t * step
        worst = problem.worst_between(ends, t, problem.rho * problem.norm(there))
        return worst + problem.penalty(there)

    t = float(minimize_scalar(
        value, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-2, "maxiter": 12}
    ).x)  # fmt: skip
    t = 1.0 if value(1.0) <= value(t) else t
    return theta + t * step, t


def _reached(design: Design, f: Array, g: Array, t: float) -> tuple[float, Array, Array]:
    """The length of the move from predictions f to g, the rows that such a move from f + t (g − f)
    may carry over their kinks, and these predictions."""
    y, w = design.targets, design.weights
    length = float(np.sqrt(sum(w[part] @ (g[part] - f[part]) ** 2 for part in blocks(f.size))))
    there, near = np.empty(f.size), []
    for part in blocks(f.size):
        move = g[part] - f[part]
        there[part] = f[part] + t * move
        bound = _REACH * np.maximum(np.abs(move), length)
        near.append(part.start + np.flatnonzero(np.abs(there[part] - y[part]) <= bound))
    return length, np.concatenate(near), there

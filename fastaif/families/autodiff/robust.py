"""Robust fits of differentiable models: gradients at the worst attacks found (Danskin).

With attacks as functions of θ the gradient G(θ) = E ∇_θ ℓ(θ, x_i + δ_i(θ)) + α∇P(θ) is
that of the robust objective, and descent from θ̂ ends in the robust optimum nearby.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...solvers.danskin import CONVERGED, decrement, descend
from ...threat.ascent_settings import PgdSettings
from ..adversary import Optimum
from ..objective import number
from .attack import Attacker
from .fit import curved_up
from .problem import AutodiffProblem

Array = NDArray[Any]

USUAL = PgdSettings(n_restarts=2)  # from the sample, and from the antipode of where that led


@dataclass(frozen=True)
class _Point:
    x: Array
    value: float
    gradient: Array
    yardstick: float

    @property
    def residual(self) -> float:
        return float(np.linalg.norm(self.gradient)) / self.yardstick


@dataclass
class _Objective:
    """The robust objective and its gradient; counts its evaluations."""

    problem: AutodiffProblem
    attacker: Attacker
    yardstick: float = 1.0
    n_calls: int = 0

    def __call__(self, theta: Array) -> _Point:
        problem, attacker = self.problem, self.attacker
        attacker.search(theta)
        self.n_calls += 1
        problem.executor.tick()
        value, gradient = 0.0, problem.penalty_gradient(theta)
        if problem.alpha > 0.0:
            value = problem.alpha * problem.derivatives.penalty(theta)
        for batch in problem.batches():
            _, X, y, shares = attacker.attacked(batch)
            value += float(shares @ problem.derivatives("losses", theta, X, y))
            gradient = gradient + problem.derivatives("gradient", theta, X, y, shares)
        if not np.isfinite(value):
            value = np.inf
        return _Point(theta, value, gradient, self.yardstick)

    def lengths(self, theta: Array) -> float:
        """E‖∇_θ ℓ_i‖ under attack."""
        problem, total = self.problem, 0.0
        for batch in problem.batches():
            _, X, y, shares = self.attacker.attacked(batch)
            rows = problem.derivatives("row_gradients", theta, X, y)
            total += float(shares @ np.linalg.norm(rows, axis=1))
        return total or 1.0


def solve(
    problem: AutodiffProblem, eps: float, tol: float, max_iter: int | None,
    settings: PgdSettings, kind: type[Attacker] = Attacker,
) -> Optimum:  # fmt: skip
    """A robust optimum near θ̂; `kind` looks for the attacks."""
    objective = _Objective(problem, kind(problem, eps * problem.radius, settings))
    start = objective(problem.params)
    objective.yardstick = objective.lengths(problem.params)
    limit = 1000 if max_iter is None else max_iter
    metric = _metric(problem)
    start = dataclasses.replace(start, yardstick=objective.yardstick)
    here = descend(objective, start, metric, tol, limit)
    return Optimum(
        here.x, here.value, here.residual, decrement(metric, here) / (abs(here.value) or 1.0),
        objective.n_calls, here.residual <= max(tol, CONVERGED),
    )  # fmt: skip


def _metric(problem: AutodiffProblem) -> Array:
    """A Cholesky factor of H + damping, its curvature turned up where that is indefinite."""
    d = len(problem.params)
    return np.linalg.cholesky(
        curved_up(np.asarray(problem.hessian) + problem.added_damping * np.eye(d))
    )


def robust_gain(
    problem: AutodiffProblem, theta: Array, eps: float, kind: type[Attacker] = Attacker
) -> float:
    """How much lower the adversarial loss is at θ than at θ̂, as a mean of changes."""
    before = kind(problem, eps * problem.radius, USUAL)
    after = kind(problem, eps * problem.radius, USUAL)
    before.search(problem.params)
    after.search(theta)
    total = 0.0
    for batch in problem.batches():
        old, new = before.attacked(batch), after.attacked(batch)
        high = problem.derivatives("losses", problem.params, old.X, old.y)
        low = problem.derivatives("losses", theta, new.X, new.y)
        total += float(batch.shares @ (high - low))
    return number(total)

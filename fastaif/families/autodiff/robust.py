"""Robust fits of differentiable models: gradients at the worst attacks found (Danskin).

With attacks as functions of θ the gradient G(θ) = E ∇_θ ℓ(θ, x_i + δ_i(θ)) + α∇P(θ) is
that of the robust objective. Close to θ̂ the steps −H⁻¹G, H that of the natural objective,
converge fast to the robust optimum nearby; where they do not (a larger ε, kinks) a
quasi-Newton method takes over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...solvers.lbfgs import minimize_adversarial
from ...threat.ascent_settings import PgdSettings
from ..adversary import Optimum
from ..objective import number
from .attack import Attacker
from .fit import curved_up
from .problem import AutodiffProblem

Array = NDArray[Any]

_STEPS = 50
_ENOUGH = 0.5  # by which every step has to lower the gradient
USUAL = PgdSettings(n_restarts=2)  # from the sample, and from the antipode of where that led
_CONVERGED = 1e-9  # of the quasi-Newton method, whose attacks are not exact


@dataclass(frozen=True)
class _Point:
    theta: Array
    value: float
    gradient: Array

    @property
    def size(self) -> float:
        return float(np.linalg.norm(self.gradient))


@dataclass
class _Objective:
    """The robust objective and its gradient; counts its evaluations."""

    attacker: Attacker
    n_calls: int = 0

    def __call__(self, theta: Array) -> _Point:
        problem, attacker = self.attacker.problem, self.attacker
        attacker.search(theta)
        self.n_calls += 1
        value, gradient = 0.0, problem.penalty_gradient(theta)
        if problem.alpha > 0.0:
            value = problem.alpha * problem.derivatives.penalty(theta)
        for batch in problem.batches():
            _, X, y, shares = attacker.attacked(batch)
            value += float(shares @ problem.derivatives("losses", theta, X, y))
            gradient = gradient + problem.derivatives("gradient", theta, X, y, shares)
        if not np.isfinite(value):
            value = np.inf
        return _Point(theta, value, gradient)

    def yardstick(self, theta: Array) -> float:
        """E‖∇_θ ℓ_i‖ under attack."""
        problem, total = self.attacker.problem, 0.0
        for batch in problem.batches():
            _, X, y, shares = self.attacker.attacked(batch)
            rows = problem.derivatives("row_gradients", theta, X, y)
            total += float(shares @ np.linalg.norm(rows, axis=1))
        return total or 1.0


def solve(
    problem: AutodiffProblem, eps: float, tol: float, max_iter: int | None,
    settings: PgdSettings,
) -> Optimum:  # fmt: skip
    """A robust optimum near θ̂."""
    objective = _Objective(Attacker(problem, eps * problem.radius, settings))
    here = objective(problem.params)
    yardstick = objective.yardstick(problem.params)
    limit = 1000 if max_iter is None else max_iter
    goal = tol * yardstick
    metric = _metric(problem)
    here = _steps(metric, objective, here, goal, min(_STEPS, limit))
    if here.size > _CONVERGED * yardstick and objective.n_calls < limit:
        start = here
        found = minimize_adversarial(
            lambda theta: _pair(objective(theta)), here.theta, metric,
            limit - objective.n_calls,
        )  # fmt: skip
        there = objective(found.theta)
        here = there if there.value <= start.value else start
        here = _steps(metric, objective, here, goal, _STEPS)
    decrement = np.linalg.solve(metric, here.gradient)
    residual = here.size / yardstick
    return Optimum(
        here.theta, here.value, residual,
        0.5 * float(decrement @ decrement) / (abs(here.value) or 1.0), objective.n_calls,
        residual <= max(tol, _CONVERGED),
    )  # fmt: skip


def _pair(point: _Point) -> tuple[float, Array]:
    return point.value, point.gradient


def _steps(
    metric: Array, objective: _Objective, here: _Point, goal: float, limit: int
) -> _Point:
    """Steps −H⁻¹G for as long as each of them lowers the gradient enough."""
    from scipy.linalg import cho_solve

    for _ in range(limit):
        if here.size <= goal:
            break
        there = objective(here.theta - cho_solve((metric, True), here.gradient))
        if not there.size <= _ENOUGH * here.size:
            break
        here = there
    return here


def _metric(problem: AutodiffProblem) -> Array:
    """A Cholesky factor of H + damping, its curvature turned up where that is indefinite."""
    d = len(problem.params)
    return np.linalg.cholesky(
        curved_up(np.asarray(problem.hessian) + problem.added_damping * np.eye(d))
    )


def robust_gain(problem: AutodiffProblem, theta: Array, eps: float) -> float:
    """How much lower the adversarial loss is at θ than at θ̂, as a mean of changes."""
    before = Attacker(problem, eps * problem.radius, USUAL)
    after = Attacker(problem, eps * problem.radius, USUAL)
    before.search(problem.params)
    after.search(theta)
    total = 0.0
    for batch in problem.batches():
        old, new = before.attacked(batch), after.attacked(batch)
        high = problem.derivatives("losses", problem.params, old.X, old.y)
        low = problem.derivatives("losses", theta, new.X, new.y)
        total += float(batch.shares @ (high - low))
    return number(total)

"""Adversarial training of networks.

    R(θ) = E max ℓ(f_θ(x + δ), y) + α (‖W1‖² + ‖w2‖²),   ‖δ/c‖_p ≤ ε s

By Danskin's theorem the gradient of R is that of the loss at the maximisers, which gradient
ascent finds to rounding. From θ̂ Newton's method follows first: its Hessian is that at the
attacked inputs held fixed, and a memory of secants learns what the maximisers' own move adds.
Where that does not get to the end, because R bends too much or has kinks, L-BFGS goes on.
R is not convex: the optimum is the one that descent from θ̂ leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import streaming
from .attacks import PgdSettings
from .network_attacks import ascend
from .network_fit import NetworkObjective
from .network_problem import NetworkProblem
from .solvers.cholesky import factorize
from .solvers.descent import minimize_nonconvex
from .solvers.newton import Local, NewtonResult
from .solvers.pgd import minimize_adversarial
from .solvers.steady import steadily

Array = NDArray[Any]

# Both ends of the range of f, to rounding: steps end when the points stand still.
_TIGHT = PgdSettings(n_steps=300, n_restarts=2)
_POLISH = 40  # passes that Newton's method gets after L-BFGS


@dataclass(frozen=True)
class NetworkOptimum:
    """Where adversarial training stopped; see `verification.RobustFit`."""

    theta: Array
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool


@dataclass
class RobustNetwork:
    """R at θ, with the Hessian at fixed attacks."""

    problem: NetworkProblem
    eps: float
    settings: PgdSettings
    n_passes: int = 0

    def __call__(self, theta: Array) -> Local:
        """Value, Danskin gradient, Hessian and yardstick."""
        self.n_passes += 1
        problem = self.problem
        with np.errstate(over="ignore", invalid="ignore"):
            attacked = ascend(problem, theta, self.eps, self.settings)
            source = problem.source._replace(x=attacked.X)
            sweep = problem.layer.sweep(source, None, problem.n_threads)
            return NetworkObjective(sweep, problem.alpha, problem.penalized)(theta)


def solve(
    problem: NetworkProblem,
    eps: float,
    tol: float,
    max_iter: int | None,
    settings: PgdSettings = _TIGHT,
) -> NetworkOptimum:
    """A local minimum of R, by descent from θ̂."""
    objective = RobustNetwork(problem, eps, settings)
    limit = 1000 if max_iter is None else max_iter
    with streaming.single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        found = steadily(objective, problem.params, tol, limit)
        if not found.converged and objective.n_passes < limit:
            found = _descend(objective, found, tol, limit)
        local = found.local
        factor = factorize(local.hessian)
        decrement = np.inf
        if factor is not None:
            decrement = 0.5 * float(local.gradient @ factor.solve(local.gradient))
    return NetworkOptimum(
        found.x, local.value, local.residual, decrement / (abs(local.value) or 1.0),
        objective.n_passes, found.converged,
    )  # fmt: skip


def _descend(
    objective: RobustNetwork, before: NewtonResult, tol: float, limit: int
) -> NewtonResult:
    """L-BFGS on the Danskin gradient, and Newton's method from where that led."""
    start, here = before.x, before.local
    natural = objective.problem.params
    H = objective(natural).hessian
    least = float(np.linalg.eigvalsh(H)[0])
    shift = max(1e-6 * float(np.trace(H)) / len(H) - least, 0.0)
    metric = np.linalg.cholesky(H + shift * np.eye(len(H)))

    def evaluate(theta: Array) -> tuple[float, Array]:
        local = objective(theta)
        return local.value, local.gradient

    if not here.value <= objective(natural).value:
        start = natural
    lowest = minimize_adversarial(evaluate, start, metric, limit)
    found = steadily(objective, lowest.theta, tol, objective.n_passes + _POLISH)
    if not found.converged:  # units that have died leave a Hessian that is singular
        damped = minimize_nonconvex(objective, lowest.theta, tol=tol, max_iter=_POLISH)
        if damped.local.residual < found.local.residual:
            found = damped
    if found.local.value <= lowest.objective + 1e-13 * abs(lowest.objective):
        return found
    return NewtonResult(lowest.theta, objective(lowest.theta), lowest.n_iter, False, False)


def gain(problem: NetworkProblem, theta: Array, eps: float) -> float:
    """R(θ̂) − R(θ) without the penalty: a mean of per-sample changes."""
    before, after = (ascend(problem, at, eps, _TIGHT).f for at in (problem.params, theta))
    change = problem.model.loss.change(before, after - before, problem.source.targets())
    return -problem.source.mean(change)

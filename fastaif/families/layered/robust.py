"""Adversarial training of networks: R(θ) = E max ℓ(F_θ(x + δ), y) + α Σ‖W_l‖², a local minimum.

By Danskin's theorem the gradient of R is that of the loss at the maximisers. From θ̂ Newton's
method goes first: its Hessian is that at the attacked inputs held fixed, and a memory of secants
learns what the maximisers' own move adds. Where that does not get to the end, because R bends too
much or has kinks, L-BFGS goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...solvers.cholesky import factorize
from ...solvers.lbfgs import minimize_adversarial
from ...solvers.monitored_newton import steadily
from ...solvers.newton import Local, NewtonResult
from ...solvers.nonconvex_newton import past_saddles
from ...solvers.quasi_newton import definite_metric
from ...threat.ascent_settings import PgdSettings
from ..adversary import Optimum
from .attack import LayeredAttacker
from .fit import LayeredObjective
from .problem import LayeredProblem

Array = NDArray[Any]

TIGHT = PgdSettings(n_steps=100, n_restarts=2)  # from the sample, and the antipode of its end
_CONVERGED = 1e-9  # of the residual: attacks are not exact
_POLISH = 40  # passes that Newton's method gets after L-BFGS
_HALVINGS = 6  # of its steps: near the end whole ones serve, or none does


@dataclass
class RobustLayers:
    """R at θ, with the Hessian at fixed attacks."""

    problem: LayeredProblem
    eps: float
    settings: PgdSettings
    n_passes: int = 0

    def __post_init__(self) -> None:
        self.attacker = LayeredAttacker(
            self.problem, self.eps * self.problem.radius, self.settings
        )

    def __call__(self, theta: Array) -> Local:
        """Value, Danskin gradient, Hessian and yardstick."""
        return self._objective(theta)(theta)

    def value_and_slope(self, theta: Array) -> tuple[float, Array]:
        """R and its Danskin gradient."""
        local = replace(self._objective(theta), hessians=False)(theta)
        return (local.value if np.isfinite(local.value) else np.inf), local.gradient

    def _objective(self, theta: Array) -> LayeredObjective:
        self.n_passes += 1
        self.problem.executor.tick()
        self.attacker.search(theta)
        return self.problem.objective(self.problem.shares, self.attacker.attacked)


def solve(
    problem: LayeredProblem, eps: float, tol: float, max_iter: int | None, settings: PgdSettings
) -> Optimum:
    """A local minimum of R, by descent from θ̂."""
    objective = RobustLayers(problem, eps, settings)
    limit = 1000 if max_iter is None else max_iter
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        found = past_saddles(
            objective, _steps(objective, problem.params, tol, limit),
            lambda x: _steps(objective, x, tol, limit),
        )  # fmt: skip
        local, decrement = found.local, np.inf
        factor = factorize(local.hessian)
        if factor is not None:
            decrement = 0.5 * float(local.gradient @ factor.solve(local.gradient))
    return Optimum(
        found.x, local.value, local.residual, decrement / (abs(local.value) or 1.0),
        objective.n_passes, found.converged or local.residual <= _CONVERGED,
    )  # fmt: skip


def _steps(objective: RobustLayers, start: Array, tol: float, limit: int) -> NewtonResult:
    """Newton's method, and where that does not get to the end the others."""
    found = steadily(objective, start, tol, limit)
    if not found.converged and objective.n_passes < limit:
        found = _descend(objective, found, tol, limit)
    return found


def _descend(
    objective: RobustLayers, before: NewtonResult, tol: float, limit: int
) -> NewtonResult:
    """L-BFGS on the Danskin gradient, and Newton's method from where that led."""
    start, natural = before.x, objective.problem.params
    at_natural = objective(natural)
    if not before.local.value <= at_natural.value:
        start = natural
    steps = max(limit - objective.n_passes, _POLISH)
    lowest = minimize_adversarial(
        objective.value_and_slope, start, definite_metric(at_natural.hessian), steps, restarts=3
    )
    found = steadily(
        objective, lowest.theta, tol, objective.n_passes + _POLISH, halvings=_HALVINGS
    )
    if found.local.value <= lowest.objective + 1e-13 * abs(lowest.objective):
        return found
    return NewtonResult(lowest.theta, objective(lowest.theta), lowest.n_iter, False, False)


def gain(problem: LayeredProblem, theta: Array, eps: float) -> float:
    """R(θ̂) − R(θ) without the penalty: a mean of per-sample changes."""
    total = 0.0
    before, after = (
        LayeredAttacker(problem, eps * problem.radius, TIGHT) for _ in range(2)
    )  # fmt: skip
    before.search(problem.params)
    after.search(theta)
    for batch in problem.batches():
        old = problem.derivatives("outputs", problem.params, before.attacked(batch).X)
        new = problem.derivatives("outputs", theta, after.attacked(batch).X)
        change = problem.model.head.change(old, new - old, batch.y)
        total -= float(batch.shares @ change)
    return total

"""Adversarial training of networks.

    R(θ) = E max ℓ(f_θ(x + δ), y) + α (‖W1‖² + ‖w2‖²),   ‖δ/c‖_p ≤ ε s

By Danskin's theorem the gradient of R is that of the loss at the maximisers, which gradient
ascent finds to rounding. From θ̂ Newton's method follows first: its Hessian is that at the
attacked inputs held fixed, and a memory of secants learns what the maximisers' own move adds.
Where that does not get to the end, because R bends too much or has kinks, L-BFGS goes on. R is
not convex: the optimum is the one that descent from θ̂ leads to.

Kinks are mostly where both ends of the range of f are equally bad for a sample. Where R keeps
to them, |c| with c = (ℓ(f⁺) − ℓ(f⁻))/2 is smoothed to √(c² + μ²), ever less; the lowest R is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute.types import NEED_HESSIAN
from ...data.blas import single_threaded_blas
from ...solvers.cholesky import factorize
from ...solvers.lbfgs import minimize_adversarial
from ...solvers.monitored_newton import steadily
from ...solvers.newton import Local, NewtonResult
from ...solvers.nonconvex_newton import minimize_nonconvex, past_saddles
from ...solvers.quasi_newton import definite_metric
from ...threat.ascent_settings import PgdSettings
from ..adversary import Optimum
from .attack import ascend, ascend_both
from .fit import GRADIENT, NetworkObjective
from .problem import NetworkProblem

Array = NDArray[Any]

# Both ends of the range of f, to rounding: steps end when the points stand still.
TIGHT = PgdSettings(n_steps=300, n_restarts=2)
_ONE_END = PgdSettings(n_steps=300, n_restarts=1)
_WIDTHS = 0.3 * 0.1 ** np.arange(5)  # μ, in units of the mean |c|
_SMOOTH_STEPS = 150  # of L-BFGS for each of them
_ENOUGH = 1e-6  # of μ: a decrease in one iteration that smoothing hides
_POLISH = 40  # passes that Newton's method gets after L-BFGS
_HALVINGS = 6  # of its steps: near the end whole ones serve, or none does


@dataclass
class RobustNetwork:
    """R at θ, with the Hessian at fixed attacks."""

    problem: NetworkProblem
    eps: float
    settings: PgdSettings
    n_passes: int = 0

    def __call__(self, theta: Array) -> Local:
        """Value, Danskin gradient, Hessian and yardstick."""
        return self.at(theta, GRADIENT | NEED_HESSIAN)

    def value_and_slope(self, theta: Array) -> tuple[float, Array]:
        """R and its Danskin gradient."""
        local = self.at(theta, GRADIENT)
        return local.value, local.gradient

    def at(self, theta: Array, need: int) -> Local:
        """What `need` asks for."""
        self.n_passes += 1
        problem = self.problem
        with np.errstate(over="ignore", invalid="ignore"):
            attacked = ascend(problem, theta, self.eps, self.settings)
            source = problem.source._replace(x=attacked.X)
            sweep = problem.model.sweep(source, None, problem.executor)
            return NetworkObjective(sweep, problem.alpha, problem.penalized, need)(theta)


@dataclass
class SmoothedNetwork:
    """R with |c| smoothed to √(c² + μ²), without a Hessian; `spread` is E |c| at the last θ."""

    problem: NetworkProblem
    eps: float
    width: float = 0.0
    spread: float = 0.0
    n_passes: int = 0

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient: that of a mixture of both ends."""
        self.n_passes += 1
        problem, source = self.problem, self.problem.source
        with np.errstate(over="ignore", invalid="ignore"):
            up, down = ascend_both(problem, theta, self.eps, _ONE_END)
            c = 0.5 * problem.model.loss.change(down.f, up.f - down.f, source.targets())
            root = np.hypot(c, self.width)
            share = np.divide(c, root, out=np.ones_like(c), where=root > 0.0)
            self.spread = source.mean(np.abs(c))
            w = source.weights() if source.weights().size else np.ones(source.n_rows)
            both = source._replace(
                x=np.concatenate([up.X, down.X]), y=np.concatenate([source.y, source.y]),
                weight=np.concatenate([0.5 * w * (1.0 + share), 0.5 * w * (1.0 - share)]),
            )  # fmt: skip
            sweep = problem.model.sweep(both, None, problem.executor)
            local = NetworkObjective(sweep, problem.alpha, problem.penalized, GRADIENT)(theta)
            # √(c² + μ²) is above λc by μ²/√(c² + μ²).
            extra = source.mean(self.width * (self.width / np.where(root > 0.0, root, 1.0)))
        return local.value + extra, local.gradient


def solve(
    problem: NetworkProblem,
    eps: float,
    tol: float,
    max_iter: int | None,
    settings: PgdSettings = TIGHT,
) -> Optimum:
    """A local minimum of R, by descent from θ̂."""
    objective = RobustNetwork(problem, eps, settings)
    limit = 1000 if max_iter is None else max_iter
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        found = past_saddles(
            objective, _steps(objective, problem.params, tol, limit),
            lambda x: _steps(objective, x, tol, limit),
        )  # fmt: skip
        local = found.local
        factor = factorize(local.hessian)
        decrement = np.inf
        if factor is not None:
            decrement = 0.5 * float(local.gradient @ factor.solve(local.gradient))
    return Optimum(
        found.x, local.value, local.residual, decrement / (abs(local.value) or 1.0),
        objective.n_passes, found.converged,
    )  # fmt: skip


def _steps(objective: RobustNetwork, start: Array, tol: float, limit: int) -> NewtonResult:
    """Newton's method, and where that does not get to the end the others."""
    found = steadily(objective, start, tol, limit)
    if not found.converged and objective.n_passes < limit:
        if objective.problem.model.loss.has_kinks:
            found = _smooth(objective, found, limit)
        found = _descend(objective, found, tol, limit)
    return found


def _descend(
    objective: RobustNetwork, before: NewtonResult, tol: float, limit: int
) -> NewtonResult:
    """L-BFGS on the Danskin gradient, and Newton's method from where that led."""
    start, here = before.x, before.local
    natural = objective.problem.params
    at_natural = objective(natural)
    metric = definite_metric(at_natural.hessian)
    if not here.value <= at_natural.value:
        start = natural
    steps = max(limit - objective.n_passes, _POLISH)
    lowest = minimize_adversarial(objective.value_and_slope, start, metric, steps, restarts=3)
    found = steadily(
        objective, lowest.theta, tol, objective.n_passes + _POLISH, halvings=_HALVINGS
    )
    if not found.converged:  # units that have died leave a Hessian that is singular
        damped = minimize_nonconvex(objective, lowest.theta, tol=tol, max_iter=_POLISH)
        as_low = damped.local.value <= found.local.value + 1e-13 * abs(found.local.value)
        if as_low and damped.local.residual < found.local.residual:
            found = damped
    if found.local.value <= lowest.objective + 1e-13 * abs(lowest.objective):
        return found
    return NewtonResult(lowest.theta, objective(lowest.theta), lowest.n_iter, False, False)


def _smooth(objective: RobustNetwork, best: NewtonResult, limit: int) -> NewtonResult:
    """Ever narrower smoothing of where both ends are equally bad; the lowest R is kept."""
    problem = objective.problem
    smoothed = SmoothedNetwork(problem, objective.eps)
    theta = problem.params
    smoothed(theta)
    metric = definite_metric(objective(theta).hessian)
    for width in _WIDTHS * smoothed.spread:
        if objective.n_passes + smoothed.n_passes >= limit:
            break
        smoothed.width = float(width)
        enough = _ENOUGH * smoothed.width / abs(best.local.value)
        found = minimize_adversarial(
            smoothed, theta, metric, _SMOOTH_STEPS, restarts=1, ftol=enough
        )
        theta = found.theta
        local = objective(theta)
        if local.value < best.local.value:
            best = NewtonResult(theta, local, best.n_iter, False, best.singular)
    objective.n_passes += smoothed.n_passes
    return best


def gain(problem: NetworkProblem, theta: Array, eps: float) -> float:
    """R(θ̂) − R(θ) without the penalty: a mean of per-sample changes."""
    before, after = (ascend(problem, at, eps, TIGHT).f for at in (problem.params, theta))
    change = problem.model.loss.change(before, after - before, problem.source.targets())
    return -problem.source.mean(change)

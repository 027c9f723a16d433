"""The robust optimum of a problem, and what it gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compute import _types as c
from ._sums import InfluenceSums
from .attacks import PgdSettings, projected_ascent
from .linear_problem import LinearProblem
from .solvers import robust_linear
from .solvers.pgd import minimize_adversarial
from .solvers.robust_problem import RobustProblem
from .streaming import single_threaded_blas

Array = NDArray[Any]


@dataclass(frozen=True)
class RobustSolution:
    """A robust optimum θ_ε and how well it is known."""

    theta: Array
    eps: float
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool


def solve_robust(
    problem: LinearProblem, eps: float, tol: float = 1e-12, max_iter: int | None = None
) -> RobustSolution:
    """The exact robust optimum at ε: the closed inner maximum, a convex outer problem."""
    if eps == 0.0:
        return _natural(problem, max_iter)
    work, ball = problem.coordinates, problem.ball
    penalized, weights = problem.penalized, ball.weights
    if work is not None:
        penalized, weights = work.penalized(penalized), weights / work.units
    inner = RobustProblem(
        problem.working_sweep(), problem.alpha, penalized, weights, ball.p, ball.q,
        eps * problem.radius, 1000 if max_iter is None else max_iter,
    )  # fmt: skip
    with single_threaded_blas():
        found = robust_linear.solve(inner, problem.enter(problem.params), tol)
    theta = found.theta if work is None else work.leave(found.theta)
    return RobustSolution(
        theta, eps, found.objective, found.residual, found.gap, found.n_passes,
        found.converged,
    )  # fmt: skip


def _natural(problem: LinearProblem, max_iter: int | None) -> RobustSolution:
    """At ε = 0 the robust optimum is the natural one."""
    found = problem.fit_result(max_iter=100 if max_iter is None else max_iter)
    local = found.local
    return RobustSolution(
        found.x, 0.0, local.value, local.residual, 0.0, found.n_iter, found.converged
    )


def robust_gain(problem: LinearProblem, solution: RobustSolution) -> float:
    """How much lower the adversarial objective is at θ_ε than at θ̂.

    Summed as per-sample changes of the loss from the worst end at θ̂ to the worst end at
    θ_ε: at small ε the difference of the two objectives would keep few digits.
    """
    moved = solution.theta - problem.params
    loss = problem.model.loss
    f, step, y = problem.moves(moved)
    budget, m = solution.eps * problem.radius, problem.model.n_features
    kappa = budget * problem.gain
    after = budget * problem.ball.gain(solution.theta[:m])
    side, new_side = loss.worse_end(f, y, kappa), loss.worse_end(f + step, y, after)
    with np.errstate(over="ignore", invalid="ignore"):  # ∞ where the loss at θ̂ overflows
        change = loss.change(f + side * kappa, step + new_side * after - side * kappa, y)
    penalty = problem.alpha * problem.penalized
    shrunk = float(penalty @ (moved * (problem.params + solution.theta)))
    return -problem.source.mean(change) - shrunk


def solve_by_pgd(
    problem: LinearProblem, eps: float, settings: PgdSettings, max_iter: int | None = None
) -> RobustSolution:
    """The robust optimum by projected gradient ascent and Danskin's theorem."""
    adversarial = np.empty((problem.source.n_rows, problem.source.n_columns))
    penalty = problem.alpha * problem.penalized

    def sums(theta: Array) -> InfluenceSums:
        projected_ascent(problem, theta, eps, settings, adversarial)
        attacked = problem.source._replace(x=adversarial)
        return problem.model.sweep(attacked, None, problem.n_threads).run(
            theta, c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK
        )

    def evaluate(theta: Array) -> tuple[float, Array]:
        with np.errstate(over="ignore", invalid="ignore"):
            total = sums(theta)
        return total.loss + float(penalty @ theta**2), total.gradient + 2.0 * penalty * theta

    H = problem.hessian  # a little more than H, so that a singular one scales as well
    metric = np.linalg.cholesky(H + 1e-8 * np.diag(np.diagonal(H) + np.trace(H) / len(H)))
    found = minimize_adversarial(evaluate, problem.params, metric, max_iter)
    yardstick = sums(found.theta).yardstick or 1.0
    decrement = np.linalg.solve(metric, found.gradient)
    return RobustSolution(
        found.theta, eps, found.objective, float(np.linalg.norm(found.gradient)) / yardstick,
        0.5 * float(decrement @ decrement) / (abs(found.objective) or 1.0), found.n_iter,
        found.converged,
    )  # fmt: skip

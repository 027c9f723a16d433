"""The robust optimum of a problem, and what it gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import LinearProblem
from .solvers import robust_linear

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
    inner = robust_linear.RobustProblem(
        problem.model.sweep(problem.source, None, problem.n_threads),
        problem.alpha, problem.penalized, problem.ball.weights, problem.ball.p, problem.ball.q,
        eps * problem.radius,
    )  # fmt: skip
    found = robust_linear.solve(inner, problem.params, tol, max_iter)
    return RobustSolution(
        found.theta, eps, found.objective, found.residual, found.gap, found.n_passes,
        found.converged,
    )  # fmt: skip


def worst_predictions(problem: LinearProblem, theta: Array, eps: float) -> Array:
    """f_i moved to the end of [f_i − κ, f_i + κ] where the loss is larger, shape (n,)."""
    f = problem.sweep.predictions(theta)
    kappa = eps * problem.radius * problem.ball.gain(theta[: problem.model.n_features])
    gap = problem.model.loss.end_gap(f, problem.source.targets(), kappa)
    return f + np.where(gap < 0, -kappa, kappa)


def robust_gain(problem: LinearProblem, solution: RobustSolution) -> float:
    """How much lower the adversarial objective is at θ_ε than at θ̂.

    Summed as per-sample differences: at small ε the difference of the two objectives
    would keep few digits.
    """
    before = worst_predictions(problem, problem.params, solution.eps)
    after = worst_predictions(problem, solution.theta, solution.eps)
    change = problem.model.loss.difference(before, after, problem.source.targets())
    w = problem.source.weights()
    penalty = problem.alpha * problem.penalized
    return float(np.average(change, weights=w if w.size else None)) + float(
        penalty @ ((problem.params - solution.theta) * (problem.params + solution.theta))
    )

"""Robust optima by projected gradient ascent inside, and Danskin's theorem outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...passes.sums import InfluenceSums
from ...solvers.lbfgs import minimize_adversarial
from ..adversary import Optimum
from .problem import SumProblem

Array = NDArray[Any]


def slightly_more(H: Array) -> Array:
    """A Cholesky factor of a little more than H, so that a singular one scales as well.

    More of each entry's own size, or a small one's curvature would be lost beside a large one's.
    """
    own = np.diagonal(H)
    more = np.where(own > 0.0, 2.0 * own, np.trace(H) / len(H))
    return np.linalg.cholesky(H + 1e-8 * np.diag(more))


def solve_by_ascent(
    problem: SumProblem, attack: Callable[[Array, Array], None], max_iter: int | None
) -> Optimum:
    """argmin E ℓ(x + δ(θ)) + α θᵀPθ, δ held fixed in its gradient.

    Parameters
    ----------
    problem : SumProblem
        With its Hessian formed.
    attack : callable
        Writes the rows attacked at θ, (n, m).
    max_iter : int or None
    """
    adversarial = np.empty((problem.source.n_rows, problem.source.n_columns))

    def sums(theta: Array) -> InfluenceSums:
        attack(theta, adversarial)
        attacked = problem.source._replace(x=adversarial)
        return problem.model.sweep(attacked, None, problem.executor).run(
            theta, c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK
        )

    def evaluate(theta: Array) -> tuple[float, Array]:
        with np.errstate(over="ignore", invalid="ignore"):
            total = sums(theta)
        shrunk = problem.shrinkage(theta)
        return total.loss + float(shrunk @ theta), total.gradient + 2.0 * shrunk

    metric = slightly_more(np.asarray(problem.hessian))
    found = minimize_adversarial(evaluate, problem.params, metric, max_iter)
    yardstick = sums(found.theta).yardstick or 1.0
    decrement = np.linalg.solve(metric, found.gradient)
    return Optimum(
        found.theta, found.objective, float(np.linalg.norm(found.gradient)) / yardstick,
        0.5 * float(decrement @ decrement) / (abs(found.objective) or 1.0), found.n_iter,
        found.converged,
    )  # fmt: skip

"""Robust fits of softmax models: gradients at the worst attacks found (Danskin), over contrasts.

With attacks held fixed the objective is a natural one, convex in θ, and its gradient is that of the
robust objective. Steps −H⁻¹G, H that of the natural objective, converge fast where ε is small;
elsewhere a quasi-Newton method takes over.

At a θ where the gradient is zero the attacks found say that no θ does better: the natural objective
on the rows that they attack is least there. What is left open is how much worse an attack there
could be than was found, which the certificate bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...passes.sums import InfluenceSums
from ...solvers.lbfgs import minimize_adversarial
from ...threat.ascent_settings import PgdSettings
from ..adversary import Optimum
from ..finite_sum.robust_by_ascent import slightly_more
from . import attack
from .fit import NEED
from .gauge import centred, contrasts
from .problem import SoftmaxProblem

Array = NDArray[Any]

_STEPS = 50
_ENOUGH = 0.5  # by which every step has to lower the gradient
_CONVERGED = 1e-9  # of the quasi-Newton method, whose attacks are not exact
TIGHT = PgdSettings(n_steps=500, n_restarts=2)  # from the sample, and towards each other class


@dataclass(frozen=True)
class _Point:
    """R and its gradient at z, and E |a| ‖(u, 1)‖, which gradients are large or small against."""

    z: Array
    value: float
    gradient: Array
    yardstick: float

    @property
    def residual(self) -> float:
        return float(np.linalg.norm(self.gradient)) / (self.yardstick or 1.0)


@dataclass
class _Objective:
    """The robust objective over contrasts about θ̂; counts its evaluations.

    Attributes
    ----------
    problem : SoftmaxProblem
    eps : float
    settings : PgdSettings or None
        None: attacks are exact.
    """

    problem: SoftmaxProblem
    eps: float
    settings: PgdSettings | None
    n_calls: int = 0

    def theta(self, z: Array) -> Array:
        """θ at z: the start's part that is the same for all classes stays, but for a penalty."""
        layout, Q = self.problem.model.layout, contrasts(self.problem.model.n_classes)
        start = self.problem.model.matrix
        still = start - centred(start)
        if self.problem.alpha > 0.0:
            still[:, : layout.n_features] = 0.0
        return layout.vector(still + Q @ z.reshape(Q.shape[1], -1))

    def __call__(self, z: Array) -> _Point:
        problem, theta = self.problem, self.theta(z)
        self.n_calls += 1
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self._sums(theta)
            shrunk = problem.shrinkage(theta)
            gradient = sums.gradient + problem.model.layout.matrix(2.0 * shrunk)
            value = sums.loss + float(shrunk @ theta)
        inner = (contrasts(problem.model.n_classes).T @ gradient).ravel()
        return _Point(z, value if np.isfinite(value) else np.inf, inner, sums.yardstick)

    def _sums(self, theta: Array) -> InfluenceSums:
        problem = self.problem
        attacked = attack.worst(problem, theta, self.eps, self.settings).X
        sweep = problem.model.sweep(problem.source._replace(x=attacked), None, problem.executor)
        return sweep.run(problem.model.layout.matrix(theta), NEED)


def solve(
    problem: SoftmaxProblem, start: Array, eps: float, tol: float, max_iter: int | None,
    settings: PgdSettings | None,
) -> Optimum:  # fmt: skip
    """The robust optimum, from θ = `start`."""
    objective, layout = _Objective(problem, eps, settings), problem.model.layout
    metric = slightly_more(problem.contrast_hessian)
    limit = 1000 if max_iter is None else max_iter
    here = objective((contrasts(layout.n_classes).T @ layout.matrix(start)).ravel())
    here = _steps(metric, objective, here, tol, min(_STEPS, limit))
    if here.residual > max(tol, _CONVERGED) and objective.n_calls < limit:
        found = minimize_adversarial(
            lambda z: _pair(objective(z)), here.z, metric, limit - objective.n_calls
        )
        there = objective(found.theta)
        here = there if there.value <= here.value else here
        here = _steps(metric, objective, here, tol, _STEPS)
    return _optimum(problem, objective, metric, here, tol)


def _optimum(
    problem: SoftmaxProblem, objective: _Objective, metric: Array, here: _Point, tol: float
) -> Optimum:
    """How well the last point is known: its decrement, and what attacks may have missed."""
    theta, decrement = objective.theta(here.z), np.linalg.solve(metric, here.gradient)
    open_ = 0.5 * float(decrement @ decrement)
    if objective.settings is not None:
        penalty = float(theta @ problem.shrinkage(theta))
        proven = attack.certificate(problem, theta, objective.eps)
        open_ += max(proven - (here.value - penalty), 0.0)
    return Optimum(
        theta, here.value, here.residual, open_ / (abs(here.value) or 1.0), objective.n_calls,
        here.residual <= max(tol, _CONVERGED),
    )  # fmt: skip


def _pair(point: _Point) -> tuple[float, Array]:
    return point.value, point.gradient


def _steps(
    metric: Array, objective: _Objective, here: _Point, tol: float, limit: int
) -> _Point:
    """Steps −H⁻¹G for as long as each of them lowers the gradient enough."""
    from scipy.linalg import cho_solve

    for _ in range(limit):
        if here.residual <= tol:
            break
        there = objective(here.z - cho_solve((metric, True), here.gradient))
        if not there.residual <= _ENOUGH * here.residual:
            break
        here = there
    return here

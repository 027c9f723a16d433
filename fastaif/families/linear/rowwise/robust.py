"""Robust fits of linear predictors whose rows have attack sets of their own.

The objective is softened, minimised by Newton's method, and hardened step by step. At every point
the mixture of attacks that the softened objective stands for proves how far the robust objective is
above its minimum: the least loss under that mixture is a natural fit to twice as many rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....data.blas import single_threaded_blas
from ....solvers.cholesky import factorize, minimum_norm_solve
from ....solvers.newton import Local
from ...adversary import Optimum
from ...finite_sum.natural_fit import natural_fit
from ..problem import LinearProblem
from .ends import worst_moves
from .soft_objective import SoftObjective, attacked_rows

Array = NDArray[Any]

_FIRST, _SHRINK, _LAST = 1e-2, 0.2, 1e-13  # of the objective, and of the gain
_PROVING = 1e-8  # of the objective: from there on gaps are looked at
_ENOUGH, _PROVEN = 1e-10, 1e-9  # gaps that end a fit, and that count as converged, at any tolerance
_NOTHING = 1e-8  # of the objective at θ̂: one as small is met, for all that digits tell
_KINKS = "its kinks let Newton's method get no further, and the gap is what is proven"
_STEPS, _HALVINGS = 30, 30  # of Newton's method at one width
_BALANCED = 1e-9  # a relative gradient that leaves the bound its digits
_ROUNDING = 1e-14  # of the objective
_CLOSE = 0.01  # of μ: what a Newton step may still gain
_LIMIT = 500
_SOME = 256  # rows


def solve_rowwise(
    problem: LinearProblem, start: Array, eps: float, tol: float, max_iter: int | None
) -> Optimum:
    """The robust optimum, with a proven gap.

    Raises
    ------
    ValueError
        The set has no softened gain.
    """
    if not problem.ball.has_soft:
        raise ValueError(
            f"robust fits with {problem.ball} are not known: use 1 <= p <= 2 or p=np.inf, "
            "or describe the attack by p, feature_scale and attackable alone"
        )
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        return _Descent(problem, eps, max(tol, _ENOUGH), max_iter or _LIMIT).run(start)


class _Descent:
    """The passes of one fit.

    Parameters
    ----------
    problem : LinearProblem
    eps, tol : float
    limit : int
        Of passes.
    """

    def __init__(self, problem: LinearProblem, eps: float, tol: float, limit: int) -> None:
        self.problem, self.eps, self.tol, self.limit = problem, eps, tol, limit
        self.n_passes = 0

    def run(self, theta: Array) -> Optimum:
        """Hardened until the gap is proven to be small enough."""
        value = self._objective(theta)
        best = Optimum(theta, value, np.inf, np.inf, 0, False)
        reach = self._reach(theta)
        share, bound, least = _FIRST, -np.inf, _NOTHING * abs(value)
        while share > _LAST and self.n_passes < self.limit:
            soft = SoftObjective(
                self.problem, self.eps, share * max(abs(value), least), share * (reach or 1.0)
            )
            proving = share <= _PROVING
            theta, local = self._newton(soft, theta, _BALANCED if proving else np.inf)
            if proving:
                value = self._objective(theta)
                bound = max(bound, self._bound(soft, theta))
                if value <= best.objective:
                    best = best._replace(
                        theta=theta, objective=value,
                        residual=float(np.linalg.norm(local.gradient)) / (local.yardstick or 1.0),
                    )  # fmt: skip
                gap = max(best.objective - bound, 0.0) / (max(abs(best.objective), least) or 1.0)
                best = best._replace(gap=gap)
                if gap <= self.tol:
                    break
            share *= _SHRINK
        done = best.gap <= max(self.tol, _PROVEN)
        return best._replace(n_iter=self.n_passes, converged=done, why="" if done else _KINKS)

    def _reach(self, theta: Array) -> float:
        """How far a unit attack moves some prediction at most."""
        beta, source = theta[: self.problem.model.n_features], self.problem.source
        rows = source.inputs(0, min(source.n_rows, _SOME)).astype(np.float64, copy=False)
        both = [
            self.problem.ball.directions(np.tile(b, (len(rows), 1)), rows) for b in (beta, -beta)
        ]
        return max(float(gains.max()) for _, gains, _ in both)

    def _objective(self, theta: Array) -> float:
        """E max ℓ + α‖β‖²."""
        problem = self.problem
        f, moves = worst_moves(problem, theta, self.eps)
        self.n_passes += 1
        worst = problem.model.loss.value(f + moves, problem.source.targets())
        return problem.source.mean(worst) + float(problem.shrinkage(theta) @ theta)

    def _newton(self, soft: SoftObjective, theta: Array, balance: float) -> tuple[Array, Local]:
        """Newton's method at one width, until a step gains little and the gradient is balanced."""
        local = self._local(soft, theta)
        for _ in range(_STEPS):
            step = _solve(local.hessian, -local.gradient)
            fall = -float(step @ local.gradient)
            done = fall <= _CLOSE * soft.mu and local.residual <= balance
            if done or not fall > 0.0 or self.n_passes >= self.limit:
                break
            found = self._along(soft, theta, local, step, fall)
            if found is None:
                break
            theta, local = found
        return theta, local

    def _along(
        self, soft: SoftObjective, theta: Array, local: Local, step: Array, fall: float
    ) -> tuple[Array, Local] | None:
        """The first of halved steps that lowers the objective or, where that is rounding, leaves a
        smaller gradient."""
        rounding, t = _ROUNDING * abs(local.value), 1.0
        for _ in range(_HALVINGS):
            there = self._local(soft, theta + t * step)
            lower = there.value <= local.value - 1e-4 * t * fall
            near = there.value <= local.value + rounding and there.residual < local.residual
            if lower or near:
                return theta + t * step, there
            t *= 0.5
        return None

    def _local(self, soft: SoftObjective, theta: Array) -> Local:
        self.n_passes += 1
        return soft(theta)

    def _bound(self, soft: SoftObjective, theta: Array) -> float:
        """The least objective under the mixture of attacks; −∞ where it is not found."""
        problem = self.problem
        rows = attacked_rows(problem.source, soft.mixture(theta))
        sweep = problem.model.sweep(rows, None, problem.executor)
        found = natural_fit(sweep, problem.alpha, theta, 30, problem.penalized)
        self.n_passes += 2 * found.n_iter
        if not found.converged:
            return -np.inf
        local = found.local
        left = (
            float(local.gradient @ _solve(local.hessian, local.gradient))
            if local.hessian.size
            else 0.0
        )
        return local.value - abs(left)  # twice what a Newton step would still gain


def _solve(hessian: Array, b: Array) -> Array:
    """H⁻¹b; of least norm where H is singular."""
    if not np.isfinite(hessian).all():
        return np.zeros(len(b))
    factor = factorize(hessian)
    if factor is not None:
        return factor.solve(b)
    scale = np.sqrt(np.maximum(hessian.diagonal(), 1e-300))
    return minimum_norm_solve(hessian / np.outer(scale, scale), b / scale) / scale

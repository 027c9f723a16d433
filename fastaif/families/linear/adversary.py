"""The adversaries of linear predictors: the inner maximum is closed, the outer problem convex."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Distribution, Optimum
from ..finite_sum.model import finite
from ..finite_sum.robust_by_ascent import solve_by_ascent
from ..path import Path, PathTangent
from ..solution import RobustSolution
from . import shared_attack, shared_robust
from .attack import closed_form, projected_ascent
from .interpolation import interpolation_radius
from .path.path import LinearPath, is_traceable, tangent_at
from .prediction_error import departure
from .problem import LinearProblem
from .robust import solve as own_budgets
from .robust.objective import RobustProblem
from .zero import zero_model

Array = NDArray[Any]

_NOTHING = 1e-100  # of ρ, in working coordinates, where columns are of size 1


@dataclass(frozen=True)
class LinearAdversary(Adversary[LinearProblem]):
    """Each sample has a budget of its own: the worst prediction is f ± ε s ‖Dβ‖_q."""

    supports_checkpoint: ClassVar[bool] = True
    start: Array | None = None  # of exact fits; None: θ̂

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is."""
        return True

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i: in closed form, or by projected gradient ascent where so set."""
        if settings is None:
            closed_form(self.problem, theta, eps, out)
        else:
            projected_ascent(self.problem, theta, eps, settings, out)

    def loss_of_rows(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ, without the penalty."""
        if settings is not None:
            return super().loss_of_rows(theta, eps, settings)
        kappa = eps * self.problem.radius * self._gain(theta)
        return finite(self.problem.sweep.run(theta, c.NEED_LOSS, kappa=kappa)).loss

    def radii_of_labels(self) -> Array:
        """y f / (s ‖Dβ‖_q), 0 where that is negative; inf where nothing moves f.

        f is measured from the boundary between the labels.
        """
        f = self.problem.sweep.predictions(self.problem.params) - self.problem.model.loss.boundary
        return self._radii(np.maximum(self.problem.source.targets() * f, 0.0))

    def radii_of_change(self, change: float) -> Array:
        """By how much f has to rise for that, or to fall where that is less; over s ‖Dβ‖_q."""
        loss = self.problem.model.loss
        return self._radii(loss.reach(self.problem.sweep.predictions(self.problem.params), change))

    def _radii(self, moves: Array) -> Array:
        speed = self.problem.radius * self.problem.gain
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return np.where(moves > 0.0, moves / speed, 0.0)

    def _gain(self, theta: Array) -> float:
        return self.problem.ball.gain(theta[: self.problem.model.n_features])

    def path(self, eps: float, tol: float, asked: Sequence[float] = ()) -> Path:
        """By the path's own derivatives, where H can be formed and rows are in this process."""
        problem, work = self.problem, self.problem.coordinates
        norm = problem.ball.dual_norm(None if work is None else work.units)
        norm.spending(eps * problem.radius)  # refuses what overflows, as fits at single radii do
        if not is_traceable(problem):
            return super().path(eps, tol, asked)
        problem = problem.with_hessian()
        if not problem.is_regular:  # nothing leads on from θ̂; robust fits need no such H
            return super().path(eps, tol, asked)
        return LinearPath(problem, eps, tol, asked, lambda e: self.robust_fit(e, tol))

    def tangent_at(self, eps: float) -> PathTangent:
        """The robust path about an ε > 0: solved from θ̂, and its derivative."""
        if not is_traceable(self.problem):
            return super().tangent_at(eps)
        return tangent_at(self.problem.with_hessian(), eps)

    def starting_at(self, theta: Array) -> Self:
        """The same adversary, whose exact fits start at θ."""
        return dataclasses.replace(self, start=theta)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The closed inner maximum and a convex outer problem, or ascent inside."""
        problem = self.problem
        if settings is None:
            if problem.is_iterative:
                problem = problem.with_hessian()
            start = problem.params if self.start is None else self.start
            return _solve(problem, start, eps, tol, max_iter).at(eps, exact=True)
        problem = problem.with_hessian()

        def attack(theta: Array, out: Array) -> None:
            projected_ascent(problem, theta, eps, settings, out)

        return solve_by_ascent(problem, attack, max_iter).at(eps, exact=False)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        problem, loss = self.problem, self.problem.model.loss
        f, step, y = problem.moves(theta - problem.params)
        budget = eps * problem.radius
        kappa, after = budget * problem.gain, budget * self._gain(theta)
        side, new_side = loss.worse_end(f, y, kappa), loss.worse_end(f + step, y, after)
        with np.errstate(over="ignore", invalid="ignore"):  # ∞ where the loss at θ̂ overflows
            change = loss.change(f + side * kappa, step + new_side * after - side * kappa, y)
        return -problem.source.mean(change) - problem.penalty_change(theta)

    def zero_radius(self) -> float:
        """The ε from which the robust optimum has no attackable coefficient left."""
        if not self.problem.ball.has_dual_norm:
            return super().zero_radius()
        return zero_model(self.problem).radius

    def interpolation_radius(self) -> float:
        """The ε up to which the robust optimum fits every target exactly."""
        problem = self.problem
        if not problem.ball.has_dual_norm or not problem.model.loss.is_symmetric:
            return super().interpolation_radius()
        return interpolation_radius(problem)

    def prediction_error(self, step: Array, eps: float) -> float | None:
        """A Newton step from θ̂ + Δ, relative to Δ; None where H is not factored."""
        return departure(self.problem, step, eps)


def _solve(
    problem: LinearProblem, start: Array, eps: float, tol: float, max_iter: int | None
) -> Optimum:
    work, penalized = problem.coordinates, problem.penalized
    if work is not None:
        penalized = work.penalized(penalized)
    gain = problem.ball.dual_norm(None if work is None else work.units)
    norm, rho = gain.spending(eps * problem.radius)
    if rho < _NOTHING:
        return _natural(problem, max_iter)
    inner = RobustProblem(
        problem.working_sweep(), problem.alpha, penalized, *norm, rho,
        1000 if max_iter is None else max_iter,
        natural=problem.local if work is None and start is problem.params else None,
        l1=problem.l1_inside(work),
    )  # fmt: skip
    with single_threaded_blas():
        found = own_budgets.solve(inner, problem.enter(start), tol)
    theta = found.theta if work is None else work.leave(found.theta)
    return Optimum(
        theta, found.objective, found.residual, found.gap, found.n_passes, found.converged,
        found.why,
    )  # fmt: skip


def _natural(problem: LinearProblem, max_iter: int | None) -> Optimum:
    """What an attack leaves that moves no digit of θ, and whose products with others underflow."""
    found = problem.fit_result(max_iter=100 if max_iter is None else max_iter)
    local = found.local
    return Optimum(found.x, local.value, local.residual, 0.0, found.n_iter, found.converged)


@dataclass(frozen=True)
class SharedLinearAdversary(Adversary[LinearProblem]):
    """All samples share a budget: the attack chooses how far each prediction moves."""

    supports_checkpoint: ClassVar[bool] = True

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known in closed form."""
        return shared_robust.is_exact(self.problem)

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i, whatever the settings."""
        shared_attack.attack_shared(self.problem, theta, eps, out)

    def distribution(self, theta: Array, eps: float) -> Distribution:
        """Each sample where it goes at the price of the budget, in two parts where that jumps."""
        return shared_attack.distribution(self.problem, theta, eps)

    def loss(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E ℓ under the worst attack, whatever the settings, however the rows are read."""
        return shared_attack.shared_loss(self.problem, theta, eps)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """By the dual of the attack, or by ascent where so set."""
        problem, ascent = self.problem.with_hessian(), settings is not None
        found = shared_robust.solve(problem, eps, tol, max_iter, ascent)
        return found.at(eps, exact=not ascent)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        won = shared_robust.gain(self.problem, theta, eps)
        return won - self.problem.penalty_change(theta)

    def prediction_error(self, step: Array, eps: float) -> float | None:
        """A Newton step from θ̂ + Δ, relative to Δ; None where H is not factored."""
        return departure(self.problem, step, eps)

"""Robust fits of models with several predictions: gradients at the worst attacks (Danskin).

Solvers see Z = QᵀΘ, Q the model's frame, in working coordinates where the columns' scales or their
distance from zero ask for such: gradients of unlike columns would hide each other. With attacks
held fixed the objective is a natural one, convex in θ, and its gradient is that of the robust
objective. Steps −H⁻¹G, H that of the natural objective, converge fast where ε is small; elsewhere a
quasi-Newton method takes over.

Where attacks tie at the optimum (p = 1 and ∞) no gradient is zero there. A bundle then holds
objectives of several attacks, each with the curvature at the best point: the minimum of the largest
of these is where to look next, and their best mixture has, at the optimum, no gradient.

At a θ where the gradient is zero the attacks found say that no θ does better: the natural objective
on the rows that they attack is least there. What is left open is how much worse an attack there
could be than was found, which the certificate bounds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...passes.vector import VectorSums
from ...solvers.bundle import Cut, best_mixture
from ...solvers.danskin import CONVERGED, decrement, descend
from ...solvers.limits import cholesky_fits
from ...threat.ascent_settings import PgdSettings
from ...utils.caching import cached_property
from ..adversary import Optimum
from ..finite_sum.robust_by_ascent import slightly_more
from ..problem import too_many_parameters
from .attacked import Attack
from .layout import enter, leave
from .problem import VectorProblem

Array = NDArray[Any]

NEED = c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK
_ROUNDING = 1e-11  # of R: what a bundle may leave where a mixture has no gradient
_BUNDLES, _CUTS, _LARGEST_BUNDLE = 8, 60, 1000  # of them, points in one, and its parameters
_BRIEF = 30  # points in one that is to tell how far above the minimum descent has ended
# Of many parameters descent between kinks of ascents ends where it is slow: where so many
# evaluations gain less than such a share of what attacks leave open.
_FEW, _LOOK, _WORTH = 100, 20, 1e-3
_SHORT_STEPS = (
    "attacks tie at so many places that steps are short, and the last of them have lowered the "
    "objective by less than a thousandth of what the gap leaves open, which is mostly how much "
    "worse an attack could be than ascent finds; a smaller eps or p=2 leaves less open"
)
TIGHT = PgdSettings(n_steps=500, n_restarts=2)  # from the sample, and those of the family


@dataclass(frozen=True)
class _Point:
    """An objective and its gradient at z, and what its attacks are.

    Attributes
    ----------
    x : array (Jc,)
        Z, row by row, in working coordinates.
    value : float
    gradient : array (Jc,)
    yardstick : float
        E ‖a‖ ‖(u, 1)‖, which gradients are large or small against.
    attack : Attack
        On the rows that it is the natural objective of; of R the worst at z.
    """

    x: Array
    value: float
    gradient: Array
    yardstick: float
    attack: Attack

    @property
    def residual(self) -> float:
        return float(np.linalg.norm(self.gradient)) / (self.yardstick or 1.0)


@dataclass
class RobustObjective:
    """The robust objective over Z about θ̂; counts its evaluations.

    Attributes
    ----------
    problem : VectorProblem
    eps : float
    settings : PgdSettings or None
        None: attacks are exact.
    """

    problem: VectorProblem
    eps: float
    settings: PgdSettings | None
    n_calls: int = 0

    def theta(self, z: Array) -> Array:
        """θ at z: the part that the frame leaves out stays as it is, but for a penalty."""
        model, Q, work = self.problem.model, self.problem.model.frame, self.problem.coordinates
        still = model.still(model.matrix)
        if self.problem.alpha > 0.0:
            still[:, : model.n_features] = 0.0
        Z = z.reshape(Q.shape[1], -1)
        return model.layout.vector(still + Q @ (Z if work is None else leave(work, Z)))

    def z(self, theta: Array) -> Array:
        """The z of θ."""
        model, work = self.problem.model, self.problem.coordinates
        Z = model.frame.T @ model.layout.matrix(theta)
        return np.asarray(Z if work is None else enter(work, Z)).ravel()

    def leave(self, step: Array) -> Array:
        """A step in z as one in θ."""
        model, work = self.problem.model, self.problem.coordinates
        Z = step.reshape(model.frame.shape[1], -1)
        return model.layout.vector(model.frame @ (Z if work is None else leave(work, Z)))

    def leave_gradient(self, gradient: Array) -> Array:
        """The gradient in θ of what has this one in z."""
        return np.asarray(self._entering.T @ gradient)

    def leave_form(self, form: Array) -> Array:
        """A form over z, without penalty, as one over θ; with the penalty."""
        found = self._entering.T @ form @ self._entering
        penalty = 2.0 * self.problem.shrinkage(np.ones(len(found)))
        return np.asarray(found + np.diag(penalty))

    @cached_property
    def _entering(self) -> Array:
        """From θ to z, (Jc, d)."""
        model, work = self.problem.model, self.problem.coordinates
        layout, Q = model.layout, model.frame
        matrices = (layout.matrix(e) for e in np.eye(len(self.problem.params)))
        cells = (Q.T @ matrix for matrix in matrices)
        return np.stack(
            [(Z if work is None else enter(work, Z)).ravel() for Z in cells], axis=1
        )

    def __call__(self, z: Array) -> _Point:
        return self.of(self.worst(self.theta(z)), z)

    def worst(self, theta: Array) -> Attack:
        """The worst attacks known at θ."""
        return Attack(self.problem, self.problem.search, theta, self.eps, self.settings)

    @property
    def may_end_early(self) -> bool:
        """Whether attacks that are not known exactly tie at corners."""
        return self.settings is not None and self.problem.ball.own.is_box

    def of(self, attack: Attack, z: Array) -> _Point:
        """The objective of attacked rows that stay as they are, at z."""
        problem, theta = self.problem, self.theta(z)
        self.n_calls += 1
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self._sums(attack, theta)
            shrunk = problem.shrinkage(theta)
            gradient = sums.gradient + self._penalty_gradient(shrunk)
            value = sums.loss + float(shrunk @ theta)
        inner = (problem.model.frame.T @ gradient).ravel()
        level = value if np.isfinite(value) else np.inf
        return _Point(z, level, inner, sums.yardstick, attack)

    def _penalty_gradient(self, shrunk: Array) -> Array:
        """2αPθ over Θ, given αPθ."""
        matrix, work = self.problem.model.layout.matrix(2.0 * shrunk), self.problem.coordinates
        return matrix if work is None else np.stack([work.gradient(row) for row in matrix])

    def curvature(self, point: _Point) -> Array:
        """The Hessian over Z where the attacks of a point stay as they are."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self._sums(point.attack, self.theta(point.x), c.NEED_HESSIAN)
        problem = self.problem
        return problem.spread(problem.with_working_penalty(problem.form(sums)))

    def unknown(self, point: _Point) -> float:
        """How much worse than found attacks at a point may be."""
        problem, theta = self.problem, self.theta(point.x)
        found = point.value - float(theta @ problem.shrinkage(theta))
        return max(problem.certificate(theta, self.eps) - found, 0.0)

    def _sums(self, attack: Attack, theta: Array, need: int = NEED) -> VectorSums:
        """From the file where they are on it, which takes no attack."""
        problem = self.problem

        def make() -> VectorSums:
            sweep = problem.model.sweep(attack.source, None, problem.executor)
            matrix, work = problem.model.layout.matrix(theta), problem.coordinates
            if work is not None:
                sweep = dataclasses.replace(sweep, basis=work.basis(sweep.basis))
                matrix = enter(work, matrix)
            return sweep.run_here(matrix, need, exponent=0.0)

        found = problem.executor.kept(
            problem.source, lambda: ("attacked", problem.model.kind, need, theta, *attack.key), make
        )
        return cast(VectorSums, found)


def solve(
    objective: RobustObjective, start: Array, tol: float, max_iter: int | None
) -> Optimum:
    """The robust optimum, from θ = `start`."""
    problem = objective.problem
    _refuse_size(problem)
    metric = slightly_more(problem.spread(problem.working_hessian))
    limit = 1000 if max_iter is None else max_iter
    here = objective(objective.z(start))
    patience = _Patience(objective) if _has_many_kinks(objective, len(metric)) else None
    brief = 0 if patience is None else min(_BRIEF, limit // 4)
    here = descend(objective, here, metric, tol, limit - brief, patience)
    end = _End(here, decrement(metric, here), here.residual)
    if patience is not None and patience.is_spent:
        if len(metric) <= _LARGEST_BUNDLE:  # one subgradient alone says little of the minimum
            end = _bundled(objective, end, tol, brief)
        found = _optimum(problem, objective, end, tol)
        return found if found.converged else found._replace(why=_SHORT_STEPS)
    if end.residual > max(tol, CONVERGED) and len(metric) <= _LARGEST_BUNDLE:
        end = _from_kink(objective, end, tol, limit)
    return _optimum(problem, objective, end, tol)


def _has_many_kinks(objective: RobustObjective, size: int) -> bool:
    """Whether attacks that are not known exactly tie at more places than a bundle resolves."""
    return objective.may_end_early and size > _FEW


@dataclass
class _Patience:
    """Whether descent between kinks has become slow beside what attacks leave unknown anyway.

    Attributes
    ----------
    objective : RobustObjective
    before : float
        The least value when it was last looked at.
    is_spent : bool
    """

    objective: RobustObjective
    before: float = np.inf
    is_spent: bool = False
    _calls: int = 0

    def __call__(self, best: _Point) -> bool:
        """Whether to end at the best point so far."""
        self._calls += 1
        if self._calls % _LOOK == 0:
            gained, self.before = self.before - best.value, best.value
            self.is_spent = gained < _WORTH * self.objective.unknown(best)
        return self.is_spent


def _refuse_size(problem: VectorProblem) -> None:
    """Refuse what leaves no room for a matrix of all of Z."""
    if not cholesky_fits(problem.model.frame.shape[1] * problem.sweep.n_entries):
        raise too_many_parameters(len(problem.params))


class _End(NamedTuple):
    """The best point, how far above its minimum R may be there, and the least subgradient known."""

    point: _Point
    above: float
    residual: float


def _from_kink(objective: RobustObjective, end: _End, tol: float, limit: int) -> _End:
    """Bundles, each with the curvature where the one before has ended, while that helps."""
    for _ in range(_BUNDLES):
        before = end.point.value
        end = _bundled(objective, end, tol, min(_CUTS, limit - objective.n_calls))
        if before - end.point.value <= _ROUNDING * abs(before):
            break
    return end


def _bundled(objective: RobustObjective, end: _End, tol: float, most: int) -> _End:
    """Where a bundle of attacks leads from a kink, in coordinates in which the curvature is one.

    The objectives of attacks that matter are taken anew at the best point whenever all seems done:
    from where they were met their slopes there are known to first order alone.
    """
    metric = slightly_more(objective.curvature(end.point))
    points, shares, fresh = [end.point], np.ones(1), True
    for _ in range(most):
        cuts = [_cut(metric, point, end.point) for point in points]
        mixture = best_mixture(cuts, shares)
        kept = mixture.shares > 0.0
        points = [point for point, keeps in zip(points, kept, strict=True) if keeps]
        shares, best = mixture.shares[kept], end.point
        left = metric @ (metric.T @ best.x - mixture.theta)
        above = max(best.value - mixture.bound, 0.0)
        end = _End(best, above, float(np.linalg.norm(left)) / (best.yardstick or 1.0))
        if above <= max(tol, _ROUNDING) * abs(best.value):
            if fresh:
                break
            points, fresh = [objective.of(point.attack, best.x) for point in points], True
            continue
        there = objective(np.linalg.solve(metric.T, mixture.theta))
        points, shares, fresh = [*points, there], np.append(shares, 0.0), False
        if there.value < best.value:
            end = end._replace(point=there)
    return end


def _cut(metric: Array, point: _Point, best: _Point) -> Cut:
    """The objective of a point's attacks to second order, its curvature that of the metric.

    At the best point it is no higher than R is there, as no objective of attacks can be.
    """
    u, slope = metric.T @ point.x, np.linalg.solve(metric, point.gradient)
    level = point.value - float(slope @ u) + 0.5 * float(u @ u)
    cut = Cut(0.5 * np.eye(len(u)), 0.5 * (u - slope), level)
    excess = cut.value(metric.T @ best.x) - best.value
    return dataclasses.replace(cut, c=cut.c - excess) if excess > 0.0 else cut


def _optimum(problem: VectorProblem, objective: RobustObjective, end: _End, tol: float) -> Optimum:
    """How well the last point is known: what is above the minimum, and what attacks may miss."""
    here, open_ = end.point, end.above
    theta, size = objective.theta(here.x), abs(here.value) or 1.0
    met = end.residual <= max(tol, CONVERGED) or open_ <= max(tol, _ROUNDING) * size
    if objective.settings is not None:
        open_ += objective.unknown(here)
    return Optimum(theta, here.value, end.residual, open_ / size, objective.n_calls, met)

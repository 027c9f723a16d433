"""The robust objective of basis models and its optimum.

    R(θ) = E max(ℓ(f⁺), ℓ(f⁻)) + α ‖θ_pen‖²,   f± the extremes of f over a sample's ball

R is convex: f is linear in θ, so f⁺ is convex and f⁻ concave. By Danskin's theorem its
gradient is that of the loss at the extremes, held fixed. The Gauss-Newton matrix at the
extremes leaves out how they move with θ; a quasi-Newton memory learns that part.

That is quick and accurate where R is smooth: at small ε. At larger ones the optimum is at a
kink. With exact extremes `quadratic_robust` then takes over. Without, |c| with
c = (ℓ(f⁺) − ℓ(f⁻))/2 is smoothed to √(c² + μ²), which leaves the extremes' own kinks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...solvers.monitored_newton import steadily
from ...solvers.newton import NewtonResult
from ..adversary import Optimum
from .extremes import Extremes
from .path_following import Follower, constant_model
from .problem import BasisProblem
from .robust_objective import OutOfPassesError, RobustObjective

Array = NDArray[Any]

_WIDTHS = 0.3 * 0.1 ** np.arange(9)  # μ, in units of the mean |c| at the start
_LOOSE = 1e-4  # the tolerance at all but the last of them
_ASCENT_PASSES = 250  # with ascent inside, after the smooth part: more have brought nothing
_PROVEN = 1e-9  # the gap within which an optimum counts as found


def solve(
    problem: BasisProblem, eps: float, exact: bool, tol: float, max_iter: int | None
) -> Optimum:
    """argmin R, from θ̂: R itself first, and smoothed where kinks stop that.

    Notes
    -----
    At a kink the residual is that of the gradient against the mixed strategy of the adversary
    that proves the gap, an approximate subgradient; with ascent inside, of the smoothed gradient.
    With exact extremes the gap there is proven for all θ that differ from this one by up to ten
    times its size; beyond that, by convexity, the bound grows no faster than the distance.
    Elsewhere it is an estimate. Converged is what has the residual within the tolerance, or
    (exact extremes) the gap within it or 1e-9.
    """
    work = problem.coordinates
    basis, penalized = problem.basis, problem.penalized
    if work is not None:
        basis, penalized = work.basis(basis), work.penalized(penalized)
    objective = RobustObjective(problem, basis, penalized, eps * problem.radius, exact)
    start, floor = problem.enter(problem.params), _floor(problem)
    limit = 1000 if max_iter is None else max_iter
    # Where attacks are strong the first steps may be as long as numbers go.
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        plain = steadily(objective, start, tol, limit, floor)
        if plain.converged or plain.local.value < floor or objective.n_passes >= limit:
            found = _finish(objective, plain, plain.converged, 0.0)
        elif exact:
            found = _follow(objective, start, tol, limit)
        else:
            found = _solve_smoothed(objective, plain, tol, limit)
    if found.objective < floor:  # all of it is above the infimum
        found = found._replace(gap=1.0, converged=False)
    return found if work is None else found._replace(theta=work.leave(found.theta))


def _floor(problem: BasisProblem) -> float:
    """R below this is on its way to an infimum of 0 at infinity: separable classes, say."""
    y, w = problem.source.targets(), problem.source.weights()
    turns = problem.model.loss.zero_slope_prediction(y[w > 0] if w.size else y)
    return 1e-13 if bool(np.isnan(turns).all()) else -np.inf


def _follow(objective: RobustObjective, start: Array, tol: float, limit: int) -> Optimum:
    """Along the path of smoothed optima: it ends with a proven gap, or where R is smooth."""

    def value(theta: Array) -> float:
        objective(theta)
        return objective.hard

    follower = Follower(
        objective.problem, objective.basis, objective.penalized, objective.radius, value,
        limit - objective.n_passes,
    )  # fmt: skip
    found = follower.run(start, tol)
    residual = min(found.residual, objective(found.theta).residual)
    converged = residual <= tol or found.gap <= max(tol, _PROVEN)
    passes = objective.n_passes + follower.n_passes
    return Optimum(
        found.theta, found.objective, residual, found.gap, passes, bool(converged)
    )


def _solve_smoothed(
    objective: RobustObjective, plain: NewtonResult, tol: float, limit: int
) -> Optimum:
    """Ever narrower smoothing of where both ends are equally bad; the lowest R is kept.

    Other kinks remain. Two widths in a row that bring nothing end it.
    """
    objective(plain.x)
    scale, start, stalled = objective.spread, plain.x, 0
    best = _finish(objective, plain, False, 0.0)
    granted = min(limit, objective.n_passes + _ASCENT_PASSES)
    for step, width in enumerate(_WIDTHS * scale):
        objective.width = float(width)
        last = step == len(_WIDTHS) - 1
        try:
            objective.granted = granted
            found = steadily(objective, start, tol if last else _LOOSE, limit)
        except OutOfPassesError:
            break
        finally:
            objective.granted = None
        start = found.x
        met = found.converged or found.local.residual <= 1e-8
        here = _finish(objective, found, met and last, float(width))
        gain = best.objective - here.objective
        stalled = 0 if met or gain > 1e-6 * abs(best.objective) else stalled + 1
        if gain >= 0.0 or here.converged:
            best = here
        if stalled == 2:
            break
    return _or_constant(objective, best)


def _or_constant(objective: RobustObjective, best: Optimum) -> Optimum:
    """The model without coefficients where R is no larger there."""
    theta = constant_model(objective.problem, best.theta.size)
    objective(theta)
    if objective.hard > best.objective:
        return best
    return best._replace(theta=theta, objective=objective.hard)


def _finish(
    objective: RobustObjective, found: NewtonResult, converged: bool, width: float
) -> Optimum:
    local = objective(found.x)
    factor_step = np.linalg.lstsq(local.hessian, local.gradient, rcond=None)[0]
    above = local.value - objective.hard  # of the smoothed objective over R
    gap = max(width - above, 0.0) + 0.5 * abs(float(local.gradient @ factor_step))
    size = abs(objective.hard) or 1.0
    return Optimum(
        found.x, objective.hard, local.residual, gap / size, objective.n_passes, converged
    )


def robust_gain(problem: BasisProblem, theta: Array, eps: float, exact: bool) -> float:
    """R(θ̂) − R(θ) without the penalty: a mean of per-sample changes."""
    d, loss, source = problem.model.n_coefs, problem.model.loss, problem.source
    radius = eps * problem.radius
    before = Extremes(problem.basis, problem.beta, problem.ball, radius, exact)
    after = Extremes(problem.basis, theta[:d], problem.ball, radius, exact)
    f, step, y = problem.moves(theta - problem.params)
    change = np.empty(source.n_rows)

    def worst(extremes: Extremes, U: Array, base: Array, y: Array) -> Array:
        up, down = extremes.end(U, 1.0).change, extremes.end(U, -1.0).change
        return np.where(loss.change(base + down, up - down, y) >= 0.0, up, down)

    def block(start: int, stop: int) -> None:
        U = problem.basis.inner(source.inputs(start, stop))
        here, moved, target = f[start:stop], step[start:stop], y[start:stop]
        old = worst(before, U, here, target)
        new = worst(after, U, here + moved, target)
        change[start:stop] = loss.change(here + old, moved + new - old, target)

    problem.executor.map_rows(source, problem.in_blocks(block))
    return -source.mean(change)


def adversarial_mean(
    problem: BasisProblem, theta: Array, eps: float, exact: bool
) -> float:
    """E max ℓ over the balls at θ, without the penalty."""
    objective = RobustObjective(
        problem, problem.basis, np.zeros(theta.size), eps * problem.radius, exact
    )
    objective(theta)
    return objective.hard

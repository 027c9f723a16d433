"""Exact robust optima of linear-predictor models, for every p and convex loss.

The objective J (`robust_problem`) is convex, with kinks. Three stages, each taken only
when the one before did not reach the tolerance:

1. Newton from θ̂ with the ends as they are: enough while no sample has flipped;
2. is Dβ = 0 optimal? Its subgradient condition is checked exactly;
3. |c| and the norm are smoothed, the width falls, and after each fall an active-set
   method (`active_set`) tries to finish on the kinks that the smoothed solution shows.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ....norms import dual_direction, lp_norm
from ....passes.sums import InfluenceSums
from ....solvers.cholesky import factorize
from ....solvers.newton import Local, minimize
from .active_set import polish
from .objective import Hint, PassLimit, Point, RobustProblem, assemble

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")
KINKS_SHOW = 2e-3  # at smaller widths it pays to look for them


@dataclass(frozen=True)
class RobustOptimum:
    """The best point found."""

    theta: Array
    objective: float
    residual: float
    gap: float
    n_passes: int
    converged: bool


def silent(search: Callable[P, T]) -> Callable[P, T]:
    """A trial step may overflow the loss; the values then say so and it is not taken."""

    @functools.wraps(search)
    def quietly(*arguments: P.args, **named: P.kwargs) -> T:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return search(*arguments, **named)

    return quietly


@silent
def solve(problem: RobustProblem, theta: Array, tol: float = 1e-12) -> RobustOptimum:
    """Minimise J from θ̂.

    Parameters
    ----------
    problem : RobustProblem
    theta : array (d,)
        The natural optimum, or any start.
    tol : float
        Bound on the least subgradient's norm relative to ``E |ψ_f| ‖(v, 1)‖``.
    """
    with contextlib.suppress(PassLimit):
        polish(problem, theta, None, tol, 12)
        stage = None if problem.solved(tol) else approach(problem, theta, tol)
        if stage is not None:
            narrow(problem, stage, tol)
    return report(problem, theta, tol)


@silent
def report(problem: RobustProblem, theta: Array, tol: float) -> RobustOptimum:
    """The best point that a search has left in `problem`, or where none met the tolerance
    the lowest."""
    n_passes, problem.limit = problem.n_passes, problem.n_passes + 10
    best = problem.best if problem.solved(tol) else _lowest(problem, theta)
    assert best is not None
    return RobustOptimum(
        best.theta, problem.objective(best.theta), best.residual, _gap(best), n_passes,
        problem.solved(tol),
    )  # fmt: skip


@dataclass
class Stage:
    """Where the path of smoothed problems has got to.

    Attributes
    ----------
    x : array (d,)
        The last minimiser, or the start.
    zero : array (d,)
        The best point with Dβ = 0.
    slope : float
        The loss's: with ρ the unit of the width of |c|.
    width : float
        That of the norm, for the next problem.
    """

    x: Array
    zero: Array
    slope: float
    width: float


def approach(problem: RobustProblem, theta: Array, tol: float) -> Stage | None:
    """Stage 2, and where stage 3 is to start; None where there is nothing left to do."""
    zero = _at_zero(problem, theta, tol)
    problem.offer(zero)
    if problem.solved(tol):
        return None
    better = problem.objective(theta) <= problem.objective(zero.theta)
    problem.size = size = problem.norm(theta)
    # A natural fit that interpolates has no slope left: without predictors there is some.
    slope = max(problem.sums(point, 0.0).gain for point in (theta, zero.theta))
    if not (size > 0.0 and slope > 0.0):
        return None
    # So narrow that smoothing the norm moves κ by little on the scale of the loss's curvature.
    spread = problem.rho * np.count_nonzero(problem.weights) ** (1.0 / problem.q)
    curved = problem.sweep.loss.name in ("logistic", "poisson")
    width = min(0.1 * size, 0.5 / spread) if curved else 0.1 * size
    return Stage(theta if better else zero.theta, zero.theta, slope, width)


def _lowest(problem: RobustProblem, theta: Array) -> Point:
    """Where no point met the tolerance: the lowest seen, with one of its subgradients."""
    candidates = [theta, problem.smooth_optimum]
    if problem.best is not None:
        candidates.append(problem.best.theta)
    points = [_with_subgradient(problem, x) for x in candidates if x is not None]
    lowest = min(points, key=lambda point: point.local.value)
    best, rounding = problem.best, 1e-10 * abs(lowest.local.value)
    # Of points that are as low, the one of smallest subgradient.
    as_low = best is not None and points[-1].local.value <= lowest.local.value + rounding
    return best if best is not None and as_low else lowest


def _with_subgradient(problem: RobustProblem, x: Array) -> Point:
    sums = problem.sums(x, problem.rho * problem.norm(x))
    k = np.zeros(x.size)
    k[: problem.m] = problem.weights * dual_direction(problem.weights * x[: problem.m], problem.p)
    local = assemble(problem, x, sums, problem.rho * k, np.zeros((x.size, x.size)))
    return Point(x, local, local.gradient, local.residual, sums.gain)


def _gap(point: Point) -> float:
    """Half the squared Newton decrement over the objective: the gap to second order."""
    factor = factorize(point.local.hessian)
    if factor is None or point.local.value == 0.0:
        return float("nan")
    decrement = float(point.gradient @ factor.solve(point.gradient))
    return 0.5 * decrement / abs(point.local.value)


def _at_zero(problem: RobustProblem, theta: Array, tol: float) -> Point:
    """The best θ with Dβ = 0, and the least subgradient of J there.

    On Dβ = 0 the objective is the natural one. A subgradient of J adds ρ E|ℓ'| D z with
    ‖z‖_p ≤ 1: the gradient g of the attackable coefficients is cancelled where
    ‖D⁻¹ g‖_p ≤ ρ E|ℓ'|, and else all but the part outside that ball remains.
    """
    attacked = np.zeros(theta.size, dtype=bool)
    attacked[: problem.m] = problem.weights > 0
    kept = np.flatnonzero(~attacked)

    def embed(part: Array) -> Array:
        full = np.zeros(theta.size)
        full[kept] = part
        return full

    def full_local(point: Array) -> tuple[Local, InfluenceSums]:
        sums = problem.sums(point, 0.0)
        nothing = np.zeros(theta.size)
        return assemble(problem, point, sums, nothing, np.zeros((theta.size,) * 2)), sums

    def evaluate(part: Array) -> Local:
        local, _ = full_local(embed(part))
        block = local.hessian[np.ix_(kept, kept)]
        return Local(local.value, local.gradient[kept], block, local.yardstick)

    start = np.zeros(kept.size)
    if kept.size:
        start = minimize(evaluate, _zero_start(problem, theta, kept), tol=tol).x
    point = embed(start)
    local, sums = full_local(point)
    left = local.gradient.copy()
    scale = problem.weights[problem.weights > 0]
    inner = left[attacked] / scale
    budget = problem.rho * sums.gain
    size = float(lp_norm(inner, problem.p))
    left[attacked] *= 0.0 if size <= budget else 1.0 - budget / size
    residual = float(np.linalg.norm(left)) / (local.yardstick or 1.0)
    return Point(point, local, left, residual, sums.gain)


def _zero_start(problem: RobustProblem, theta: Array, kept: Array) -> Array:
    """Zero, but for an intercept that fits the mean target."""
    start = np.zeros(theta.size)
    if theta.size > problem.m:
        source = problem.sweep.source
        start[-1] = problem.sweep.loss.null_prediction(source.mean(source.targets()))
    return start[kept]


def descend(problem: RobustProblem, stage: Stage, tol: float) -> Hint:
    """The smoothed problem of the stage's width, which then falls; its widths are returned.

    They are relative to the norm at θ̂ and to the slope of the loss.
    """
    width, smoothing = stage.width, problem.rho * stage.width * stage.slope

    def evaluate(point: Array) -> Local:
        return problem.smoothed(point, width, smoothing)

    first = problem.smooth_optimum is None
    if first and evaluate(stage.zero).value < evaluate(stage.x).value:
        stage.x = stage.zero
    relative = width / problem.size
    stage.x = minimize(evaluate, stage.x, tol=max(1e-2 * relative, tol), max_iter=40).x
    problem.smooth_optimum = stage.x
    stage.width *= 0.1
    # Kinks whose multiplier is near its bound lie many widths away: the narrower the widths,
    # the more of them can be told from samples that are merely close.
    return Hint(width, smoothing, min(max(10.0, 1e-3 / relative), 1000.0))


def narrow(problem: RobustProblem, stage: Stage, tol: float) -> None:
    """Smoothed problems of falling width, each followed by a try on its kinks."""
    while stage.width > 1e-14 * problem.size:
        hint = descend(problem, stage, tol)
        if hint.width <= KINKS_SHOW * problem.size:
            polish(problem, stage.x, hint, tol, 12)
            if problem.solved(tol):
                return

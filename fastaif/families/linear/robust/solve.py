"""Exact robust optima of linear-predictor models, for every p and convex loss.

The objective J (`objective`) is convex, with kinks. Each stage is taken only where the one before
did not do:

1. is Dβ = 0 optimal? Its subgradient condition is checked exactly;
2. Newton from θ̂ with the ends as they are: enough while few samples have flipped;
3. an interior-point method (`interior_point`), to which kinks are nothing special. It ends where
   its dual point proves the gap asked for (`certificate`); where that is not enough, an active-set
   method (`active_set`) finishes on the kinks that the multipliers tell.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from ....norms import dual_direction, lp_norm
from ....solvers import l1_newton
from ....solvers.newton import Local, minimize
from .active_set import ENOUGH, polish
from .certificate import duality_gap, leftover
from .columns import gather, pulling, restricted, spread
from .design import Design, blocks
from .dual_points import DualPoint
from .far_rows import ends
from .interior_point import InteriorPoint
from .norm_kinks import norm_piece
from .objective import PassLimit, Point, RobustProblem
from .rotation import Rotation, rotates
from .screening import screened
from .squares import SquaresSearch, suits
from .systems import MANY, is_wide

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")
PROVABLE = 1e-9  # gaps down to here are proven for less than what a polish costs
_KINKS_SHOW = 1e-5  # at smaller gaps multipliers may tell which kinks are met
_KINKS_PLAIN = 1e-8  # nor is it worth it while steps are on the near rows alone
_SHRINKS = 1e-2  # of the gap, until kinks are looked for again
_SPARSE, _ROUNDS = 1e-3, 20  # the gap at which columns are chosen, and how often
_LEAST_PROVEN = 1e-11  # where kinks cannot be told apart, a gap as small as this will do
_MANY_EXACT = 2500  # columns, up to which an l1 penalty's zeros are worth a matrix of them
_LEAST = 1e-14  # a gap that rounding does not let shrink
_SETTLED, _FALLS = 1e-12, 0.3  # residuals: one that still falls by this much is worth a step
_MET = 1e-13  # of predictions and targets: they differ by rounding
_ROUNDING = "rounding of these data allows no more; the gap says how far the objective may be off"


@dataclass(frozen=True)
class RobustOptimum:
    """The best point found."""

    theta: Array
    objective: float
    residual: float
    gap: float
    n_passes: int
    converged: bool
    why: str = ""  # not


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
        Bound on the least subgradient's norm relative to ``E |ψ_f| ‖(v, 1)‖``; from
        `PROVABLE` on, a relative duality gap within it is as good.
    """
    design = problem.design
    if is_wide(design) and rotates(problem):
        rotation = Rotation(problem, design)
        found = solve(rotation.inner, rotation.enter(theta), tol)
        problem.n_passes, problem.best = rotation.inner.n_passes, None
        return dataclasses.replace(found, theta=rotation.leave(found.theta))
    return _Search(problem, design, theta, tol).run()


class _Search:
    """The stages, and the lowest point and the best proof so far."""

    def __init__(self, problem: RobustProblem, design: Design, theta: Array, tol: float) -> None:
        self._problem, self._design, self._tol = problem, design, tol
        self._start, self._wide = theta, _stays_wide(problem, design)
        self._lowest, self._value = theta, np.inf
        self._last: DualPoint | None = None
        self._bound = -np.inf
        self._why, self._ended = "", False
        self._point: InteriorPoint | None = None

    def run(self) -> RobustOptimum:
        problem = self._problem
        try:
            search = self._search_on_squares()
            quick = self._quickly(search, wary=True) if search is not None else None
            if quick is not None:
                return quick
            near = self._start if self._wide else self._near()
            if self._solved():
                return self._report()
            zero = zero_point(problem, self._design, self._tol)
            if zero.slope == 0.0:  # nothing is lower: neither the loss, nor what an attack adds
                n_passes, value = problem.n_passes, zero.local.value
                return RobustOptimum(zero.theta, value, 0.0, 0.0, n_passes, True)
            problem.offer(zero)
            if search is not None and not (self._solved() or search.is_done):
                quick = self._quickly(search)
                if quick is not None:
                    return quick
            loosely = problem.folds and self._tol >= PROVABLE
            if not (self._solved() or self._wide or loosely):
                polish(problem, near, None, self._tol, 8, patience=1)
            if not self._solved():
                self._follow(zero.theta)
        except PassLimit:
            self._why = (
                f"max_iter={problem.limit} passes over the rows did not do: allow more, or ask for "
                "less (tol)"
            )
        return self._report()

    def _search_on_squares(self) -> SquaresSearch | None:
        """The way of its own that there may be to few digits."""
        problem = self._problem
        if self._tol < PROVABLE or self._wide or not suits(problem):
            return None
        return SquaresSearch(problem, self._design, self._start)

    def _quickly(self, search: SquaresSearch, wary: bool = False) -> RobustOptimum | None:
        if search.proves(self._tol, wary):
            return RobustOptimum(
                search.theta, search.value, search.residual(), search.gap / search.value,
                self._problem.n_passes, True,
            )  # fmt: skip
        self._start = search.theta
        return None

    def _near(self) -> Array:
        """What is known to be near the minimum, which may do; else the start."""
        near = self._problem.approached(self._start)
        if near is None:
            return self._start
        point = _with_least_subgradient(self._problem, self._design, near)
        if point.residual <= ENOUGH * self._tol:
            self._problem.offer(point)
        return near

    def _solved(self) -> bool:
        """Whether some point met the tolerance; a loose one bounds the gap as well."""
        best, tol = self._problem.best, self._tol
        if best is None or not self._problem.solved(tol):
            return False
        return tol < PROVABLE or self._gap_at(best, best.local.value) <= tol

    def _value_at(self, f: Array, theta: Array) -> float:
        problem, design = self._problem, self._design
        kappa = problem.rho * problem.norm(theta)
        worst = problem.worst(f, design.targets, kappa, design.weights)
        value = worst + problem.penalty(theta)
        return value if np.isfinite(value) else np.inf

    def _first(self, zero: Array) -> InteriorPoint:
        problem, design = self._problem, self._design
        if problem.folds and not self._wide:
            found = screened(problem, design, *self._between(zero))
            return InteriorPoint(
                problem, design, found.theta, found.near, width=found.width, far=found.far,
                f=found.f,
            )  # fmt: skip
        start, f = self._between(zero)
        everyone = np.arange(design.weights.size if self._wide or problem.has_kinks else 0)
        return InteriorPoint(problem, design, start, everyone, self._wide, f=f)

    def _follow(self, zero: Array) -> None:
        """The central path, until a proof or a polish ends it."""
        self._point = point = self._first(zero)
        # Residuals are in other units than gaps, and quadratic convergence costs little.
        aim, kept = (self._tol if self._tol < PROVABLE else 1e-3 * self._tol), np.inf
        folds = self._problem.folds and not self._wide
        shows, sparse, short, before = _KINKS_PLAIN if folds else _KINKS_SHOW, _SPARSE, 0, None
        steps, residual = 0, np.inf  # some steps take no pass
        while short < 3:
            if point.gap <= kept:
                self._keep(point)
                kept = 0.1 * point.gap
            if self._escapes(point) or self._proven(point) or self._solved():
                return
            if self._sparse and point.gap <= sparse:
                sparse = _SHRINKS * point.gap
                if self._on_columns(point):
                    return
            due = point.residual <= 1e3 * shows or point.residual > residual
            if not self._wide and point.gap <= shows and due:
                kinks = point.kinks()
                if point.gap <= _SHRINKS * shows or (before is not None and kinks.same(before)):
                    polish(self._problem, point.theta, kinks, aim, 12, patience=2)
                    shows = _SHRINKS * point.gap
                    close = point.gap <= self._problem.least_gap
                    if close and not (self._solved() or point.sort()):
                        shows = 0.0
                    before = None
                    continue
                before = kinks
            settled = point.residual <= _SETTLED or point.residual > _FALLS * residual
            if shows < _LEAST and settled and not point.sort():
                self._take_proof(point)
                return
            residual = point.residual
            steps += 1
            if steps > self._problem.limit:
                raise PassLimit
            length = point.advance(min(_floor(self._tol), 0.1 * self._problem.least_gap))
            short = short + 1 if length < 1e-3 else 0
        self._stuck(point, aim)

    def _stuck(self, point: InteriorPoint, aim: float) -> None:
        """Where no step leads on: the kinks that show by now may do."""
        if not self._wide:
            polish(self._problem, self._lowest, point.kinks(), aim, 12, patience=2)

    @property
    def _sparse(self) -> bool:
        """Whether nearly all coefficients are zero at the optimum."""
        return self._wide and self._problem.q == 1.0 and self._problem.alpha == 0.0

    def _on_columns(self, point: InteriorPoint) -> bool:
        """Finish on the columns that seem to matter, and those that turn out to."""
        problem, design = self._problem, self._design
        n = design.weights.size
        chosen = np.sort(np.argsort(point.nearness())[: int(1.2 * n)])
        for _ in range(_ROUNDS):
            part = restricted(problem, design, chosen)
            found = solve(part, gather(problem, chosen, point.theta))  # exactly: it is small
            problem.n_passes = part.n_passes
            theta = spread(problem, chosen, found.theta)
            if part.best is None or part.best.rows is None or not found.converged:
                return False
            rows = part.best.rows.at(part.design.predict(part.best.theta))
            pulled = design.pull(rows.along_f[:, None])[:, 0]
            pulled = problem.least(pulled + 2.0 * problem.alpha * problem.penalized * theta, theta)
            more = pulling(problem, pulled, problem.rho * rows.along_kappa, chosen)
            used = np.flatnonzero(theta[: problem.m])
            if not more.size:
                problem.offer(dataclasses.replace(part.best, theta=theta, residual=found.residual))
                return True
            chosen = np.union1d(used, more[: max(int(1.4 * n) - used.size, 1)])
        return False

    def _between(self, zero: Array) -> tuple[Array, Array]:
        """The best point between zero and θ̂: convex along the line, and no row is needed."""
        from scipy.optimize import minimize_scalar

        ends = (self._design.predict(zero), self._design.predict(self._start))

        def value(t: float) -> float:
            there = zero + t * (self._start - zero)
            kappa = self._problem.rho * self._problem.norm(there)
            found = self._problem.worst_between(ends, t, kappa) + self._problem.penalty(there)
            return found if np.isfinite(found) else np.inf

        found = minimize_scalar(
            value, bounds=(1e-3, 1.0), method="bounded", options={"xatol": 1e-2}
        )
        t = found.x
        return zero + t * (self._start - zero), ends[0] + t * (ends[1] - ends[0])

    def _keep(self, point: InteriorPoint) -> None:
        value = self._value_at(point.f, point.theta)
        if value <= self._value:
            self._lowest, self._value = point.theta, value
            self._last = point.multipliers().light()

    def _escapes(self, point: InteriorPoint) -> bool:
        """Whether J falls for ever along the ray through this point."""
        problem, y = self._problem, self._design.targets
        if problem.is_penalized or not problem.sweep.loss.is_monotone:
            return False
        kappa = problem.rho * problem.norm(point.theta)
        if float(np.min(y * point.f - kappa * problem.furthest)) <= 0.0:
            return False
        self._why = (
            "the classes stay separable under this attack, so that there is no minimum without a "
            "penalty (alpha > 0): larger parameters always fit better"
        )
        return True

    def _proven(self, point: InteriorPoint) -> bool:
        """Whether the gap at this iterate is as small as asked for."""
        tol = max(self._tol, _LEAST_PROVEN) if self._wide else self._tol
        if (tol < PROVABLE and not self._wide) or max(point.gap, point.residual) > tol:
            return False
        value, rows = self._value_at(point.f, point.theta), point.multipliers()
        gap = duality_gap(self._problem, self._design, point.theta, rows, point.f)
        if gap > tol * abs(value):
            point.sort()
            return False
        self._lowest, self._value, self._last = point.theta, value, rows.light()
        self._bound = value - gap
        return True

    def _take_proof(self, point: InteriorPoint) -> None:
        """Keep what the multipliers at this iterate prove, and the iterate if it is the lowest."""
        value, rows = self._value_at(point.f, point.theta), point.multipliers()
        gap = duality_gap(self._problem, self._design, point.theta, rows, point.f)
        if value - gap < self._bound:
            return
        self._bound, self._last, self._ended = value - gap, rows.light(), True
        if value <= self._value + _LEAST * abs(value):
            self._lowest, self._value = point.theta, value

    def _report(self) -> RobustOptimum:
        """The best point, and the least gap that is known of it."""
        problem = self._problem
        if self._point is not None and self._bound == -np.inf:
            self._keep(self._point)
        n_passes, problem.limit = problem.n_passes, problem.n_passes + 10
        best = problem.best
        if best is not None and self._solved():
            f = self._design.predict(best.theta)
            value = self._value_at(f, best.theta)
            gap = self._gap_at(best, value, f)
            return RobustOptimum(best.theta, value, best.residual, gap, n_passes, True)
        lowest = _with_subgradient(problem, self._design, self._lowest)
        if self._last is not None:
            lowest = dataclasses.replace(lowest, rows=self._last)
        if self._last is not None and self._ended:
            rows = self._last.at(self._design.predict(self._lowest))
            left = leftover(problem, self._design, self._lowest, rows)
            lowest = dataclasses.replace(lowest, residual=min(lowest.residual, left))
        # Of points that rounding cannot tell apart the one on its kinks is the better.
        above = 0.0 if best is None else best.local.value - lowest.local.value
        tie = _LEAST * abs(lowest.local.value)
        if best is None or above > tie or (above >= -tie and lowest.residual < best.residual):
            best = lowest
        gap = self._gap_at(best, best.local.value)
        # A lower bound of the minimum is one whatever the point it was proven at.
        value = best.local.value
        gap = min(gap, max(value - self._bound, 0.0) / (abs(value) or 1.0))
        done = gap <= max(self._tol, _LEAST_PROVEN)
        why = "" if done else self._why or _ROUNDING
        return RobustOptimum(best.theta, best.local.value, best.residual, gap, n_passes, done, why)

    def _gap_at(self, point: Point, value: float, f: Array | None = None) -> float:
        """The gap that the multipliers of a point prove, where predictions are f."""
        if point.rows is None:
            return np.inf
        f = self._design.predict(point.theta) if f is None else f
        gap = duality_gap(self._problem, self._design, point.theta, point.rows.at(f), f)
        return gap / (abs(value) or 1.0)


def _stays_wide(problem: RobustProblem, design: Design) -> bool:
    if problem.stays_dense:
        return False
    sparse = problem.q == 1.0 and problem.alpha == 0.0
    # Only a matrix of the columns leads to a polish, and so to zeros that are exact.
    many = MANY if problem.l1 is None else _MANY_EXACT
    return is_wide(design) and (sparse or design.n_columns > many)


def _floor(tol: float) -> float:
    """The gap that is aimed at in the end."""
    return 0.01 * tol if tol >= PROVABLE else 1e-13


def _with_subgradient(problem: RobustProblem, design: Design, x: Array) -> Point:
    """A point with one of its subgradients, from products with the rows alone."""
    y, w, norm = design.targets, design.weights, problem.norm(x)
    f, kappa = design.predict(x), problem.rho * norm
    rows = problem.dual_point(f, y, w, kappa, ends(problem, design, f, kappa))
    g = rows.along_f
    gradient = design.pull(g[:, None])[:, 0] + 2.0 * problem.alpha * problem.penalized * x
    steep = dual_direction(problem.weights * x[: problem.m], problem.p)
    gradient[: problem.m] += problem.rho * rows.along_kappa * problem.weights * steep
    gradient = problem.least(gradient, x)
    value = problem.worst(f, y, kappa, w) + problem.penalty(x)
    local = Local(value, gradient, np.empty((0, 0)), design.yardstick(g))
    return Point(x, local, gradient, local.residual, rows.along_kappa, rows.light())


def _with_least_subgradient(problem: RobustProblem, design: Design, x: Array) -> Point:
    """A point with J's least subgradient there, of a problem whose rows have no kinks."""
    y, w, norm = design.targets, design.weights, norm_piece(problem, x, None)
    f, kappa = design.predict(x), problem.rho * norm.value(x)
    rows = problem.dual_point(f, y, w, kappa, np.sign(f - y))
    g, weight = rows.along_f, problem.rho * rows.along_kappa
    gradient = design.pull(g[:, None])[:, 0] + 2.0 * problem.alpha * problem.penalized * x
    gradient += weight * norm.derivatives(x)[0]
    value = problem.worst(f, y, kappa, w) + problem.penalty(x)
    local = Local(value, gradient, np.empty((0, 0)), design.yardstick(g))
    left, inside = norm.reduce_gradient(x, gradient, weight)
    residual = float(np.linalg.norm(left)) / (local.yardstick or 1.0) if inside else np.inf
    return Point(x, local, left, residual, rows.along_kappa, rows.light())


def zero_point(problem: RobustProblem, design: Design, tol: float) -> Point:
    """The best θ with Dβ = 0, and the least subgradient of J there.

    On Dβ = 0 the objective is the natural one. A subgradient of J adds ρ E|ℓ'| D z with
    ‖z‖_p ≤ 1: the gradient g of the attackable coefficients is cancelled where
    ‖D⁻¹ g‖_p ≤ ρ E|ℓ'|, and else all but the part outside that ball remains. Where every target
    is met but for rounding, ℓ' is taken for zero.
    """
    loss, y, w = problem.sweep.loss, design.targets, design.weights
    theta = _without_attacked(problem, design, tol)
    f = design.predict(theta)
    slope = loss.slope(f, y)
    pushed = w * slope
    left = design.pull(pushed[:, None])[:, 0]
    left = problem.least(left + 2.0 * problem.alpha * problem.penalized * theta, theta)
    value = float(w @ loss.value(f, y)) + problem.penalty(theta)
    if np.all(np.abs(slope) <= _MET * loss.curvature(f, y) * (np.abs(f) + loss.target_reach(y))):
        nothing = np.zeros(theta.size)
        return Point(theta, Local(value, nothing, np.empty((0, 0)), 0.0), nothing, 0.0, 0.0, None)
    gain, rows = problem.at_zero(f, slope)
    attacked = np.append(problem.weights > 0, np.zeros(theta.size - problem.m, dtype=bool))
    inner = left[attacked] / problem.weights[attacked[: problem.m]]
    size, budget = float(lp_norm(inner, problem.p)), problem.rho * gain
    local = Local(value, left.copy(), np.empty((0, 0)), design.yardstick(pushed))
    left[attacked] *= 0.0 if size <= budget else 1.0 - budget / size
    residual = float(np.linalg.norm(left)) / (local.yardstick or 1.0)
    return Point(theta, local, left, residual, gain, rows.light())


def _without_attacked(problem: RobustProblem, design: Design, tol: float) -> Array:
    """The natural optimum of the coefficients that nobody attacks; the others are zero."""
    d = design.n_columns
    kept = np.flatnonzero(np.append(problem.weights <= 0, np.ones(d - problem.m, dtype=bool)))
    theta = np.zeros(d)
    if not kept.size:
        return theta
    loss, y, w = problem.sweep.loss, design.targets, design.weights
    if d > problem.m:
        theta[-1] = loss.null_prediction(float(w @ y))
    columns = design.columns(kept)
    push = problem.alpha * problem.penalized[kept]

    def evaluate(part: Array) -> Local:
        value, yardstick = float(push @ part**2), 0.0
        gradient, hessian = 2.0 * push * part, 2.0 * np.diag(push)
        for rows in blocks(y.size):
            f, Z = columns[rows] @ part, columns[rows]
            slope, bend = w[rows] * loss.slope(f, y[rows]), w[rows] * loss.curvature(f, y[rows])
            value += float(w[rows] @ loss.value(f, y[rows]))
            gradient += Z.T @ slope
            hessian += Z.T @ (bend[:, None] * Z)
            yardstick += float(np.abs(slope) @ np.linalg.norm(Z, axis=1))
        return Local(value if np.isfinite(value) else np.inf, gradient, hessian, yardstick)

    if problem.l1 is None:
        theta[kept] = minimize(evaluate, theta[kept], tol=tol).x
    else:
        theta[kept] = l1_newton.minimize(evaluate, theta[kept], problem.l1[kept], tol=tol).x
    return theta

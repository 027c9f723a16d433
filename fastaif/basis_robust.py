"""The robust objective of basis models and its optimum.

    R(θ) = E max(ℓ(f⁺), ℓ(f⁻)) + α ‖θ_pen‖²,   f± the extremes of f over a sample's ball

R is convex: f is linear in θ, so f⁺ is convex and f⁻ concave. By Danskin's theorem its
gradient is that of the loss at the extremes, held fixed. The Gauss-Newton matrix at the
extremes leaves out how they move with θ; a quasi-Newton memory learns that part.

R has kinks where both ends of a sample are equally bad. |c| with c = (ℓ(f⁺) − ℓ(f⁻))/2 is
then smoothed to √(c² + μ²), which is above it by at most μ: with exact extremes that bounds
how far the objective found is above the minimum.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import streaming
from .basis_problem import BasisProblem
from .expansion import Expansion
from .extremes import Extremes
from .objectives import add_penalty
from .solvers.newton import Local, NewtonResult, minimize
from .solvers.secants import Secants

Array = NDArray[Any]

_WIDTHS = 0.3 * 0.1 ** np.arange(9)  # μ, in units of the mean |c| at the start
_LOOSE = 1e-4  # the tolerance at all but the last of them


@dataclass(frozen=True)
class BasisOptimum:
    """Where the outer iteration stopped.

    Attributes
    ----------
    theta : array (d,)
    objective : float
        R(θ).
    residual : float
        The norm of the gradient (where R is smoothed: of the smoothed gradient) relative
        to ``E |ℓ'| ‖(v, 1)‖``.
    gap : float
        A bound (exact extremes; else an estimate) of R(θ) − min R, relative to R(θ).
    n_iter : int
    converged : bool
    """

    theta: Array
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool


class _Part(NamedTuple):
    """Sums over a block, of w(·): ψ, the hard maximum, |c|, gradient, yardstick, Hessian."""

    scalars: Array
    gradient: Array
    hessian: Array


def _merge(a: _Part, b: _Part) -> _Part:
    for mine, theirs in zip(a, b, strict=True):
        mine += theirs
    return a


@dataclass
class RobustObjective:
    """R as the solver sees it; `width` μ is 0 for R itself.

    Attributes
    ----------
    problem : BasisProblem
    basis : Expansion
        v, in the solver's working coordinates.
    penalized : array (d,)
    radius : float
        ρ = ε s.
    exact : bool
        Whether the extremes are.
    """

    problem: BasisProblem
    basis: Expansion
    penalized: Array
    radius: float
    exact: bool
    width: float = 0.0
    hard: float = 0.0
    spread: float = 0.0
    n_passes: int = 0

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Gauss-Newton Hessian and yardstick at θ."""
        self.n_passes += 1
        problem = self.problem
        d = problem.model.n_coefs
        extremes = Extremes(self.basis, theta[:d], problem.ball, self.radius, self.exact)
        intercept = float(theta[d:].sum())
        source = problem.source
        size = max(64, (1 << 17) // d)

        def work(start: int, stop: int) -> _Part:
            total = _Part(np.zeros(5), np.zeros(theta.size), np.zeros((theta.size, theta.size)))
            for k in range(start, stop, size):
                rows = slice(k, min(k + size, stop))
                _merge(total, self._block(extremes, intercept, rows.start, rows.stop))
            return total

        threads = streaming.resolve_threads(problem.n_threads, 4 * source.n_rows * d)
        with np.errstate(over="ignore", invalid="ignore"):
            total = streaming.reduce_chunks(source.chunks(columns=d), work, _merge, threads)
        weight, value, hard, spread, yardstick = total.scalars
        penalty = problem.alpha * float(self.penalized @ theta**2)
        self.hard, self.spread = hard / weight + penalty, spread / weight
        local = Local(
            value / weight, total.gradient / weight, total.hessian / weight, yardstick / weight
        )
        return add_penalty(local, theta, problem.alpha, self.penalized)

    def _block(self, extremes: Extremes, intercept: float, start: int, stop: int) -> _Part:
        source, loss = self.problem.source, self.problem.model.loss
        y, w = source.targets(start, stop), source.weights(start, stop)
        w = w if w.size else np.ones(stop - start)
        U = self.basis.inner(source.inputs(start, stop))
        f = self.basis.features_at(U) @ extremes.beta + intercept
        up, down = extremes.end(U, 1.0), extremes.end(U, -1.0)
        high, low = f + up.change, f + down.change
        gap = 0.5 * loss.change(low, up.change - down.change, y)
        worse = np.where(gap >= 0.0, 1.0, -1.0)
        hard = loss.value(np.where(worse > 0, high, low), y)
        if self.width == 0.0:
            t = np.where(worse[:, None] > 0, up.t, down.t)
            g = np.where(worse > 0, high, low)
            Z = self._design(extremes.moved(U, t))
            rows = [(Z, w * loss.slope(g, y), w * loss.curvature(g, y))]
            value = hard
        else:
            root = np.hypot(gap, self.width)
            share = gap / root
            value = hard - np.abs(gap) + root
            Z, Y = (self._design(extremes.moved(U, end.t)) for end in (up, down))
            first, second = loss.slope(high, y), loss.slope(low, y)
            above, below = 0.5 * w * (1.0 + share), 0.5 * w * (1.0 - share)
            turn = 0.5 * (first[:, None] * Z - second[:, None] * Y)
            bend = w * (self.width / root) ** 2 / root
            rows = [
                (Z, above * first, above * loss.curvature(high, y)),
                (Y, below * second, below * loss.curvature(low, y)),
                (turn, np.zeros(len(y)), bend),
            ]
        return _add_rows(rows, w, value, hard, gap)

    def _design(self, U: Array) -> Array:
        V = self.basis.features_at(U)
        if not self.problem.model.fit_intercept:
            return V
        return np.hstack([V, np.ones((len(V), 1))])


def _add_rows(
    rows: list[tuple[Array, Array, Array]], w: Array, value: Array, hard: Array, gap: Array
) -> _Part:
    """Σ a z and Σ b z zᵀ over groups of rows (z, a, b), with the scalar sums."""
    kept = w > 0
    d = rows[0][0].shape[1]
    gradient, hessian, yardstick = np.zeros(d), np.zeros((d, d)), 0.0
    for Z, a, b in rows:
        Z, a, b = Z[kept], a[kept], b[kept]
        gradient += a @ Z
        yardstick += float(np.abs(a) @ np.linalg.norm(Z, axis=1))
        scaled = np.sqrt(b)[:, None] * Z
        hessian += scaled.T @ scaled
    w = w[kept]
    scalars = np.array(
        [w.sum(), w @ value[kept], w @ hard[kept], w @ np.abs(gap[kept]), yardstick]
    )
    return _Part(scalars, gradient, hessian)


def solve(
    problem: BasisProblem, eps: float, exact: bool, tol: float, max_iter: int | None
) -> BasisOptimum:
    """argmin R, from θ̂: R itself first, and smoothed where kinks stop that."""
    work = problem.coordinates
    basis, penalized = problem.basis, problem.penalized
    if work is not None:
        basis, penalized = work.basis(basis), work.penalized(penalized)
    objective = RobustObjective(problem, basis, penalized, eps * problem.radius, exact)
    start = problem.enter(problem.params)
    limit = 1000 if max_iter is None else max_iter
    with streaming.single_threaded_blas():
        plain = minimize(
            objective, start, tol=tol, max_iter=min(limit, 40), memory=Secants()
        )
        if plain.converged or objective.n_passes >= limit:
            found = _finish(objective, plain, plain.converged, 0.0)
        else:
            found = _solve_smoothed(objective, plain, tol, limit)
    return found if work is None else dataclasses.replace(found, theta=work.leave(found.theta))


def _solve_smoothed(
    objective: RobustObjective, plain: NewtonResult, tol: float, limit: int
) -> BasisOptimum:
    """Ever narrower smoothing of the kinks; the last θ that lowers R is kept."""
    objective(plain.x)
    scale, start = objective.spread, plain.x
    best = _finish(objective, plain, False, 0.0)
    for step, width in enumerate(_WIDTHS * scale):
        objective.width = float(width)
        last = step == len(_WIDTHS) - 1
        found = minimize(
            objective, start, tol=tol if last else _LOOSE, max_iter=min(60, limit),
            memory=Secants(),
        )
        start = found.x
        met = found.converged or found.local.residual <= 1e-8
        here = _finish(objective, found, met and last, float(width))
        if here.objective <= best.objective or last:
            best = here
        if objective.n_passes >= limit:
            break
    return best


def _finish(
    objective: RobustObjective, found: NewtonResult, converged: bool, width: float
) -> BasisOptimum:
    local = objective(found.x)
    factor_step = np.linalg.lstsq(local.hessian, local.gradient, rcond=None)[0]
    above = local.value - objective.hard  # of the smoothed objective over R
    gap = max(width - above, 0.0) + 0.5 * abs(float(local.gradient @ factor_step))
    size = abs(objective.hard) or 1.0
    return BasisOptimum(
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

    streaming.map_rows(source, problem.in_blocks(block), problem.n_threads)
    return -source.mean(change)


def adversarial_mean(problem: BasisProblem, eps: float, exact: bool) -> float:
    """E max ℓ over the balls at θ̂, without the penalty."""
    objective = RobustObjective(
        problem, problem.basis, np.zeros(problem.params.size), eps * problem.radius, exact
    )
    objective(problem.params)
    return objective.hard

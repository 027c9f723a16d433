"""Robust optima of linear predictors under attacks whose budget all samples share."""

from __future__ import annotations

import numpy as np

from ...data.blas import single_threaded_blas
from ...solvers.lbfgs import minimize_adversarial
from ...threat.attack_set import DualNorm
from ..adversary import Optimum
from .problem import LinearProblem
from .robust import solve as own_budgets
from .robust.met_targets import solve_order_2
from .robust.objective import RobustProblem
from .robust.order_2 import RootProblem
from .robust.order_u import SharedProblem
from .shared_attack import Array, attacked_slopes, moves_of, shared_loss

_ROUNDING, _PROVEN = 1e-12, 1e-11  # of the objective
_JUMPS = (
    "the best attack moves some sample far or near, as good either way, and of such attacks a "
    "mixture is worse than each: the gap says how far the objective may be above its least"
)
_SMALL_GAP = 1e-9  # of an optimum that counts as converged though a stricter search did not end


def is_exact(problem: LinearProblem) -> bool:
    """Whether the inner maximum is known in closed form."""
    order = problem.sharing.order
    return order == 1.0 or (order == 2.0 and problem.model.loss.is_quadratic)


def solve(
    problem: LinearProblem, eps: float, tol: float, max_iter: int | None, ascent: bool = False
) -> Optimum:
    """The robust optimum; `ascent` takes attacks by ascent inside and descent outside."""
    with single_threaded_blas():
        if ascent:
            return _by_ascent(problem, eps, max_iter, problem.params)
        is_root = problem.sharing.order == 2.0 and problem.model.loss.is_quadratic
        found = (_by_root if is_root else _by_price)(problem, eps, tol, max_iter)
        if found.converged or not _may_meet_targets(problem):
            return found
        return _or_interpolation(problem, eps, tol, max_iter, found)


def _may_meet_targets(problem: LinearProblem) -> bool:
    few = problem.n_rows <= len(problem.params) and not problem.is_penalized
    return few and problem.model.loss.is_of_residuals


def _or_interpolation(
    problem: LinearProblem, eps: float, tol: float, max_iter: int | None, found: Optimum
) -> Optimum:
    """That, or the optimum of own budgets if it is as good, as where it meets every target.

    All moves alike are an attack within the budget that samples share: the objective of own budgets
    is nowhere above the other's.
    """
    penalized, norm, rho = _working(problem, eps)
    inner = RobustProblem(
        problem.working_sweep(), problem.alpha, penalized, *norm, rho,
        1000 if max_iter is None else max_iter,
    )  # fmt: skip
    own = own_budgets.solve(inner, problem.enter(problem.params), tol)
    theta, steps = _leave(problem, own.theta), found.n_iter + own.n_passes
    value, residual = shared_loss(problem, theta, eps), own.residual
    bounds = [one.objective - one.gap * abs(one.objective) for one in (own, found)]
    if not value <= found.objective * (1.0 + _ROUNDING):
        theta, value, residual = found.theta, found.objective, found.residual
    gap = max(value - max(bounds), 0.0) / (abs(value) or 1.0)
    done = gap <= max(tol, _SMALL_GAP)
    return Optimum(theta, value, residual, gap, steps, done, "" if done else found.why)


def _working(problem: LinearProblem, eps: float) -> tuple[Array, DualNorm, float]:
    """The diagonal of the penalty, the attack's gain and ρ, in working coordinates."""
    work, penalized = problem.coordinates, problem.penalized
    if work is not None:
        penalized = work.penalized(penalized)
    gain = problem.ball.dual_norm(None if work is None else work.units)
    return penalized, *gain.spending(eps * problem.radius)


def _leave(problem: LinearProblem, theta: Array) -> Array:
    work = problem.coordinates
    return theta if work is None else work.leave(theta)


def _by_root(
    problem: LinearProblem, eps: float, tol: float, max_iter: int | None
) -> Optimum:
    penalized, norm, rho = _working(problem, eps)
    inner = RootProblem(
        problem.working_sweep(), problem.alpha, penalized, *norm, rho,
        1000 if max_iter is None else max_iter, l1=problem.l1_inside(problem.coordinates),
    )  # fmt: skip
    found = solve_order_2(inner, problem.enter(problem.params), tol)
    theta = _leave(problem, found.theta)
    return Optimum(
        theta, found.objective, found.residual, found.gap, found.n_passes, found.converged,
        found.why,
    )  # fmt: skip


def _by_price(
    problem: LinearProblem, eps: float, tol: float, max_iter: int | None
) -> Optimum:
    penalized, norm, rho = _working(problem, eps)
    inner = SharedProblem(
        problem.working_sweep(), problem.alpha, penalized, *norm, rho,
        1000 if max_iter is None else max_iter, order=problem.sharing.order,
    )  # fmt: skip
    found = own_budgets.solve(inner, problem.enter(problem.params), tol)
    theta = _leave(problem, found.theta)
    value = bound = found.objective
    size = abs(bound) or 1.0
    if problem.ball.gain(theta[: problem.model.n_features]) > 0.0:  # else no attack moves anything
        value = shared_loss(problem, theta, eps) + float(problem.shrinkage(theta) @ theta)
    jumps = value < bound - _ROUNDING * size
    least = bound - (inner.gap_of_whole_rows(found.theta) if jumps else found.gap * size)
    if jumps:  # no attack at all is one of whole samples too
        least = max(least, _natural(problem))
    gap = max(value - least, 0.0) / (abs(value) or 1.0)
    done = gap <= max(tol, _PROVEN if found.converged else _SMALL_GAP)
    why = "" if done else found.why or _JUMPS
    optimum = Optimum(theta, value, found.residual, gap, found.n_passes, done, why)
    return _descended(problem, eps, optimum, least, max_iter) if jumps and not done else optimum


def _descended(
    problem: LinearProblem, eps: float, optimum: Optimum, least: float, max_iter: int | None
) -> Optimum:
    """From a mixture's optimum on to that of the worst whole-sample attack, where that is smooth.

    It is a maximum of convex functions of θ: what is stationary away from its kinks is its least
    value, which the mixture's bound does not know.
    """
    other = _by_ascent(problem, eps, max_iter, start=optimum.theta)
    if not other.objective <= optimum.objective:
        return optimum
    steps = optimum.n_iter + other.n_iter
    if other.converged:
        return other._replace(n_iter=steps)
    gap = max(other.objective - least, 0.0) / (abs(other.objective) or 1.0)
    return other._replace(gap=gap, n_iter=steps, why=optimum.why)


def _natural(problem: LinearProblem) -> float:
    """E ℓ + α‖β‖² at θ̂."""
    theta = problem.params
    return problem.mean_loss(theta) + float(problem.shrinkage(theta) @ theta)


def _by_ascent(
    problem: LinearProblem, eps: float, max_iter: int | None, start: Array
) -> Optimum:
    """Danskin's theorem: the gradient at the worst κ_i, in proportion to κ = ε s ‖Dβ‖_q."""
    loss, source, omega = problem.model.loss, problem.source, problem.shares
    y, m, work = source.targets(), problem.model.n_features, problem.coordinates
    basis = problem.working_sweep().basis
    V = basis.transform(np.asarray(source.inputs(0, source.n_rows), dtype=float))
    yardstick = 1.0

    def evaluate(inner: Array) -> tuple[float, Array]:
        nonlocal yardstick
        theta = _leave(problem, inner)
        there, slopes, push = attacked_slopes(problem, theta, eps)
        shrunk = problem.shrinkage(theta)
        gradient = 2.0 * shrunk
        gradient[:m] += push
        gradient = gradient if work is None else work.gradient(gradient)
        gradient[:m] += V.T @ slopes
        gradient[m:] += slopes.sum()
        yardstick = float(np.abs(slopes) @ np.sqrt(1.0 + np.einsum("ij,ij->i", V, V)))
        with np.errstate(over="ignore"):
            value = float(omega @ loss.value(there, y)) + float(shrunk @ theta)
        return value, gradient

    H = problem.working_hessian()  # a little more than H, so that a singular one scales as well
    metric = np.linalg.cholesky(H + 1e-8 * np.diag(np.diagonal(H) + np.trace(H) / len(H)))
    found = minimize_adversarial(evaluate, problem.enter(start), metric, max_iter)
    decrement = np.linalg.solve(metric, found.gradient)
    gap = 0.5 * float(decrement @ decrement) / (abs(found.objective) or 1.0)
    # At a kink descent ends as well, wherever on it that is: then nothing is known.
    return Optimum(
        _leave(problem, found.theta), found.objective,
        float(np.linalg.norm(found.gradient)) / (yardstick or 1.0), gap, found.n_iter,
        found.converged and gap <= _SMALL_GAP,
    )  # fmt: skip


def gain(problem: LinearProblem, theta: Array, eps: float) -> float:
    """How much lower the loss under attack is at θ than at θ̂, without penalty.

    As the mean of per-sample changes, each from its own worst end to its own.
    """
    loss, y = problem.model.loss, problem.source.targets()
    f, before, side = moves_of(problem, problem.params, eps)
    there, after, new_side = moves_of(problem, theta, eps)
    with np.errstate(over="ignore", invalid="ignore"):
        change = loss.change(f + side * before, there - f + new_side * after - side * before, y)
    return -float(problem.shares @ change)

"""The robust optimum of a problem, and what it gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..data.parallel import single_threaded_blas
from ..passes.sums import InfluenceSums
from ..solvers.lbfgs import minimize_adversarial
from ..threat.ascent_settings import PgdSettings
from .autodiff import robust as autodiff_robust
from .autodiff.problem import AutodiffProblem
from .basis import robust
from .basis.attack import attack_by_ascent
from .basis.extremes import is_exact
from .basis.problem import BasisProblem
from .finite_sum.problem import SumProblem
from .kernel import attack
from .kernel import robust as gram_robust
from .kernel.problem import GramProblem
from .linear import shared_robust
from .linear.attack import projected_ascent
from .linear.problem import LinearProblem
from .linear.robust import screening
from .linear.robust.objective import RobustProblem
from .linear.shared_attack import refuse_shared
from .network import robust as network_robust
from .network.problem import NetworkProblem
from .problem import InfluenceProblem

Array = NDArray[Any]
_Optimum = (
    robust.BasisOptimum | gram_robust.GramOptimum | network_robust.NetworkOptimum
    | shared_robust.SharedOptimum | autodiff_robust.Found
)  # fmt: skip


@dataclass(frozen=True)
class RobustSolution:
    """A robust optimum θ_ε and how well it is known."""

    theta: Array
    eps: float
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool
    method: str = "exact"


def has_exact_attacks(problem: InfluenceProblem) -> bool:
    """Whether the inner maximum is known exactly."""
    if isinstance(problem, GramProblem | AutodiffProblem | NetworkProblem):
        return False
    if problem.sharing.is_shared:
        return isinstance(problem, LinearProblem) and shared_robust.is_exact(problem)
    return isinstance(problem, LinearProblem) or is_exact(problem.model.basis, problem.ball)


def refuse_unknown_maximum(problem: InfluenceProblem, method: str) -> None:
    """method="exact" is for linear predictors, and for the quadratic basis with p = 2."""
    if method == "exact" and not has_exact_attacks(problem):
        if problem.sharing.is_shared:
            raise ValueError(
                f"method='exact' at order={problem.sharing.order:g} is not known for a "
                f"{problem.model.kind} model (only at order 1, and for the squared error at order "
                "2); use 'pgd'"
            )
        raise ValueError(
            f"method='exact' at {problem.ball} is not known for a {problem.model.kind} "
            "model (only for linear ones, and for the quadratic basis at p=2); use 'pgd'"
        )


def solve_robust(
    problem: InfluenceProblem, eps: float, tol: float = 1e-12, max_iter: int | None = None
) -> RobustSolution:
    """The robust optimum at ε, with the inner maximum exact wherever it is known."""
    if eps == 0.0:
        return _natural(problem, max_iter)
    refuse_shared(problem)
    problem = problem.with_hessian()
    if isinstance(problem, LinearProblem):
        if problem.sharing.is_shared:
            return _solve_shared(problem, eps, tol, max_iter)
        return _solve_linear(problem, eps, tol, max_iter)
    if isinstance(problem, GramProblem):
        return _solve_gram(problem, eps, tol, max_iter)
    if isinstance(problem, AutodiffProblem):
        return _solution(autodiff_robust.solve(problem, eps, tol, max_iter), eps)
    if isinstance(problem, NetworkProblem):
        return _solution(network_robust.solve(problem, eps, tol, max_iter), eps)
    exact = has_exact_attacks(problem)
    return _solution(robust.solve(_basis(problem), eps, exact, tol, max_iter), eps, exact)


def _solve_shared(
    problem: LinearProblem, eps: float, tol: float, max_iter: int | None, ascent: bool = False
) -> RobustSolution:
    """Samples share the attack's budget."""
    found = shared_robust.solve(problem, eps, tol, max_iter, ascent)
    exact = shared_robust.is_exact(problem) and not ascent
    return _solution(found, eps, exact)


def _solve_gram(
    problem: GramProblem, eps: float, tol: float, max_iter: int | None
) -> RobustSolution:
    """All inputs attacked at once where the centres move; each by itself where they do not."""
    if not problem.model.moving:
        return solve_robust(by_rows(problem), eps, tol, max_iter)
    return _solution(gram_robust.solve(problem, eps, tol, max_iter), eps)


def _solution(found: _Optimum, eps: float, exact: bool = False) -> RobustSolution:
    """What a solver found, with the ε it was for and how the inner maximum was known."""
    return RobustSolution(
        found.theta, eps, found.objective, found.residual, found.gap, found.n_iter,
        found.converged, "exact" if exact else "pgd",
    )  # fmt: skip


def by_rows(problem: GramProblem) -> BasisProblem:
    """Fixed centres: a model on a basis, whose samples are attacked one by one."""
    ball = problem.ball.with_radius(problem.radius)
    return BasisProblem(
        problem.model.at_fixed_centers(), problem.source, ball, problem.damping, problem.executor,
        sharing=problem.sharing,
    )  # fmt: skip


def _basis(problem: InfluenceProblem) -> BasisProblem:
    assert isinstance(problem, BasisProblem)
    return problem


def _solve_linear(
    problem: LinearProblem, eps: float, tol: float, max_iter: int | None
) -> RobustSolution:
    """The closed inner maximum, a convex outer problem."""
    work, penalized = problem.coordinates, problem.penalized
    if work is not None:
        penalized = work.penalized(penalized)
    norm = problem.ball.dual_norm(None if work is None else work.units)
    inner = RobustProblem(
        problem.working_sweep(), problem.alpha, penalized, *norm, eps * problem.radius,
        1000 if max_iter is None else max_iter,
    )  # fmt: skip
    with single_threaded_blas():
        found = screening.solve(inner, problem.enter(problem.params), tol)
    theta = found.theta if work is None else work.leave(found.theta)
    return RobustSolution(
        theta, eps, found.objective, found.residual, found.gap, found.n_passes,
        found.converged,
    )  # fmt: skip


def _natural(problem: InfluenceProblem, max_iter: int | None) -> RobustSolution:
    """At ε = 0 the robust optimum is the natural one."""
    found = problem.fit_result(max_iter=100 if max_iter is None else max_iter)
    local = found.local
    return RobustSolution(
        found.x, 0.0, local.value, local.residual, 0.0, found.n_iter, found.converged
    )


def robust_gain(problem: InfluenceProblem, solution: RobustSolution) -> float:
    """How much lower the adversarial objective is at θ_ε than at θ̂.

    Summed as per-sample changes of the loss from the worst end at θ̂ to the worst end at
    θ_ε: at small ε the difference of the two objectives would keep few digits.
    """
    shrunk = problem.penalty_change(solution.theta)
    if isinstance(problem, LinearProblem):
        if problem.sharing.is_shared:
            return shared_robust.gain(problem, solution.theta, solution.eps) - shrunk
        return _linear_gain(problem, solution) - shrunk
    if isinstance(problem, GramProblem):
        if not problem.model.moving:
            return robust_gain(by_rows(problem), solution)
        return attack.gain(problem, solution.theta, solution.eps * problem.radius)
    if isinstance(problem, AutodiffProblem):
        return autodiff_robust.robust_gain(problem, solution.theta, solution.eps) - shrunk
    if isinstance(problem, NetworkProblem):
        return network_robust.gain(problem, solution.theta, solution.eps) - shrunk
    exact = has_exact_attacks(problem)
    return robust.robust_gain(_basis(problem), solution.theta, solution.eps, exact) - shrunk


def _linear_gain(problem: LinearProblem, solution: RobustSolution) -> float:
    loss = problem.model.loss
    f, step, y = problem.moves(solution.theta - problem.params)
    budget, m = solution.eps * problem.radius, problem.model.n_features
    kappa = budget * problem.gain
    after = budget * problem.ball.gain(solution.theta[:m])
    side, new_side = loss.worse_end(f, y, kappa), loss.worse_end(f + step, y, after)
    with np.errstate(over="ignore", invalid="ignore"):  # ∞ where the loss at θ̂ overflows
        change = loss.change(f + side * kappa, step + new_side * after - side * kappa, y)
    return -problem.source.mean(change)


def solve_by_pgd(
    problem: InfluenceProblem, eps: float, settings: PgdSettings, max_iter: int | None = None
) -> RobustSolution:
    """The robust optimum by projected gradient ascent and Danskin's theorem."""
    problem = problem.with_hessian()
    if isinstance(problem, LinearProblem) and problem.sharing.is_shared:
        return _solve_shared(problem, eps, 1e-12, max_iter, ascent=True)
    refuse_shared(problem)
    if isinstance(problem, GramProblem):
        if problem.model.moving:
            return _solve_gram(problem, eps, 1e-12, max_iter)
        return solve_by_pgd(by_rows(problem), eps, settings, max_iter)
    if isinstance(problem, AutodiffProblem):
        return _solution(autodiff_robust.solve(problem, eps, 1e-12, max_iter, settings), eps)
    if isinstance(problem, NetworkProblem):
        return solve_robust(problem, eps, 1e-12, max_iter)
    adversarial = np.empty((problem.source.n_rows, problem.source.n_columns))

    def sums(theta: Array) -> InfluenceSums:
        if isinstance(problem, LinearProblem):
            projected_ascent(problem, theta, eps, settings, adversarial)
        else:
            attack_by_ascent(_basis(problem), theta, eps, settings, adversarial)
        attacked = problem.source._replace(x=adversarial)
        assert isinstance(problem, SumProblem)
        return problem.model.sweep(attacked, None, problem.executor).run(
            theta, c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK
        )

    def evaluate(theta: Array) -> tuple[float, Array]:
        with np.errstate(over="ignore", invalid="ignore"):
            total = sums(theta)
        shrunk = problem.shrinkage(theta)
        return total.loss + float(shrunk @ theta), total.gradient + 2.0 * shrunk

    H = np.asarray(problem.hessian)  # a little more than H, so that a singular one scales as well
    metric = np.linalg.cholesky(H + 1e-8 * np.diag(np.diagonal(H) + np.trace(H) / len(H)))
    found = minimize_adversarial(evaluate, problem.params, metric, max_iter)
    yardstick = sums(found.theta).yardstick or 1.0
    decrement = np.linalg.solve(metric, found.gradient)
    return RobustSolution(
        found.theta, eps, found.objective, float(np.linalg.norm(found.gradient)) / yardstick,
        0.5 * float(decrement @ decrement) / (abs(found.objective) or 1.0), found.n_iter,
        found.converged, "pgd",
    )  # fmt: skip

"""Robust optima as users see them, beside what an influence predicts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..families.problem import InfluenceProblem
from ..families.registry import adversary_of
from ..families.solution import RobustSolution
from ..plotting import results as pictures
from ..reports import text
from ..utils.arrays import ReadOnlyArrays
from ..utils.warnings import SolverWarning, warn

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class RobustFit(ReadOnlyArrays):
    """A robust optimum: ``argmin E max ℓ(f(x + δ), y) + α ‖β‖²`` at one ε.

    Attributes
    ----------
    estimator
        A fitted copy of the estimator, with the robust parameters.
    params : array (d,)
        θ_ε: coefficients, then the intercept.
    eps : float
    radius : float
        s: the attack's budget is ε s.
    objective : float
        Adversarial loss plus penalty at θ_ε.
    residual : float
        The least subgradient's norm relative to ``E |ℓ'| ‖(v, 1)‖``; 0 at the optimum. Of
        basis models at a kink: an approximate subgradient's.
    gap : float
        How far the objective is above its minimum, relative to it. Of linear predictors a bound,
        proven by a point of the dual problem; so for quadratic models with p = 2 at a kink. Else
        half the squared Newton decrement, an estimate (inf: the Hessian is not positive definite),
        or at a kink what a bundle of attacks leaves; of models of several classes, and attacks by
        ascent, also what worse attacks could still do: at most
        log Σ_j exp(z_j − z_y + εs‖c∘(w_j − w_y)‖_q) less what was found.
    n_iter : int
        Passes over the data that computed derivatives.
    converged : bool
        Whether the residual met the tolerance (of linear predictors with a tolerance of 1e-9 or
        more: the gap did; for quadratic models with p = 2, or the gap is proven to be below 1e-9;
        where rounding does not let kinks be told apart, below 1e-11); for "pgd", whether no
        further descent was found (at a kink the residual of its gradient does not tend to 0).
    method : str
        "exact" or "pgd".
    natural_params : array (d,)
        θ̂, the parameters of the estimator that was given.
    names : tuple of str
        A name for each entry of θ.
    """

    estimator: Any
    params: Array
    eps: float
    radius: float
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool
    method: str
    natural_params: Array = field(repr=False)
    names: tuple[str, ...] = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row per parameter: natural, robust, change.

        θ̂, θ_ε and θ_ε − θ̂, by name.
        """
        return text.robust_frame(self)

    def summary(self) -> str:
        """A text report: the fit, and the parameters that it moved most, at most ten of them."""
        return text.robust_summary(self)

    def _repr_html_(self) -> str:
        """The summary and the parameters' table, for notebooks."""
        return text.notebook(self.summary(), self.to_frame())

    def __str__(self) -> str:
        """The fit in three lines."""
        state = "converged" if self.converged else "not converged"
        return "\n".join(
            [
                f"Robust fit ({self.method}, {state} in {self.n_iter} iterations)",
                f"eps = {self.eps:g}, budget eps * s = {self.eps * self.radius:.6g}",
                f"objective {self.objective:.8g}, relative residual {self.residual:.1e}, "
                f"gap {self.gap:.1e}",
            ]
        )


@dataclass(frozen=True, eq=False)
class Verification(ReadOnlyArrays):
    """The tangent of the robust path, θ̂ + εI, beside the robust optimum at ε.

    `InfluenceResult.sensitivity` predicts more than the tangent does, by default: compare it with
    `RobustPath.cost`, which has no penalty in it.

    Costs and gains are changes of the training objective, penalty included: the cost is
    what the clean objective loses when θ_ε replaces θ̂, the gain is what the adversarial
    objective wins. To second order in ε both are ``½ ε² IᵀHI`` (with α = 0 they are
    changes of the clean and the adversarial loss).

    Attributes
    ----------
    eps : float
    params_error : float
        ‖θ̂ + εI − θ_ε‖ / ‖θ_ε − θ̂‖.
    predicted_cost, exact_cost : float
        ½ ε² IᵀHI (eq. 4 of the objective), and what is found.
    predicted_gain, exact_gain : float
        The same of the adversarial objective.
    method : str
        How the robust optimum was found.
    robust : RobustFit
    """

    eps: float
    params_error: float
    predicted_cost: float
    exact_cost: float
    predicted_gain: float
    exact_gain: float
    method: str
    robust: RobustFit

    def plot(self, ax: Any = None) -> Any:
        """Draw the predicted cost and gain beside the exact ones; returns the matplotlib axes."""
        return pictures.plot_verification(self, ax)

    def __str__(self) -> str:
        """A small table: predicted beside exact, or beside what was found."""
        converged = self.robust.converged
        found = "exact" if converged and self.method == "exact" else "found"
        short = "" if converged else ", not reached"
        return "\n".join(
            [
                f"Influence against the {self.method} robust optimum at eps = {self.eps:g}{short}",
                f"{'':>24}{'tangent':>16}{found:>16}",
                f"{'cost':>24}{self.predicted_cost:>16.6g}{self.exact_cost:>16.6g}",
                f"{'gain':>24}{self.predicted_gain:>16.6g}{self.exact_gain:>16.6g}",
                f"{'relative error of θ_ε − θ̂':>24}{self.params_error:>14.3g}",
                "tangent: θ̂ + εI, and eq. 4 (sensitivity(eps) mostly comes closer);",
                "of the objective, penalty included (sensitivity(eps): of the loss alone)",
            ]
        )


def verify_influence(
    problem: InfluenceProblem, influence: Array, radii: Sequence[float]
) -> list[Verification]:
    """Solve the robust problem at each ε exactly and compare."""
    with problem.executor.watching("robust fit"):
        solutions = adversary_of(problem).robust_fits(radii)
    return [_beside(problem, influence, solution) for solution in solutions]


def _beside(
    problem: InfluenceProblem, influence: Array, solution: RobustSolution
) -> Verification:
    warn_if_unsolved(solution)
    eps = solution.eps
    moved = solution.theta - problem.params
    cost = problem.loss_change(solution.theta) + problem.penalty_change(solution.theta)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        step = eps * influence
        _, curvature = problem.along(influence)
        curvature += 2.0 * float(influence @ problem.shrinkage(influence))
        predicted = 0.5 * float(np.float64(eps) ** 2 * curvature)
        error = np.linalg.norm(step - moved) / np.linalg.norm(moved)
    return Verification(
        eps=eps,
        params_error=float(error),
        predicted_cost=predicted,
        exact_cost=cost,
        predicted_gain=predicted,
        exact_gain=adversary_of(problem).gain(solution.theta, eps),
        method=solution.method,
        robust=make_robust_fit(problem, solution),
    )


def warn_if_unsolved(solution: RobustSolution) -> None:
    """Say that, and at what residual, a robust fit stopped early."""
    if solution.converged:
        return
    why = solution.why or (
        "attacks by gradient ascent leave kinks that are not resolved"
        if solution.method == "pgd"
        else "it may have no minimum without a penalty (alpha > 0)"
    )
    warn(
        f"the robust fit at eps={solution.eps:g} stopped after {solution.n_iter} iterations at a "
        f"relative residual of {solution.residual:.1e} and a relative gap of {solution.gap:.1e}: "
        f"the objective is the lowest found; {why}",
        SolverWarning,
    )


def make_robust_fit(problem: InfluenceProblem, solution: RobustSolution) -> RobustFit:
    """The public form of a solver's answer."""
    return RobustFit(
        estimator=problem.model.rebuild(solution.theta),
        params=solution.theta,
        eps=solution.eps,
        radius=problem.radius,
        objective=solution.objective,
        residual=solution.residual,
        gap=solution.gap,
        n_iter=solution.n_iter,
        converged=solution.converged,
        method=solution.method,
        natural_params=problem.params,
        names=problem.names,
    )

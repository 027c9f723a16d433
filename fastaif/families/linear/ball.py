"""The Wasserstein ball of order 1 around the data: samples may be split.

For a loss that is Lipschitz in f the worst distribution within εs is as bad as

    E ℓ + εs Lip ‖Dβ‖_q

which it only tends to: ever smaller parts of the weight moved ever further. (`formula="exact"` of
order 1 moves whole samples.) With Φ = s Lip ∇‖Dβ‖_q the influence is −H⁻¹Φ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...data.rows import RowSource
from ...threat.ascent_settings import PgdSettings
from ...threat.attack_set import AttackSet
from .. import kinks as path_kinks
from ..adversary import Adversary, Optimum
from ..finite_sum.problem import chosen_solver
from ..problem import Counts
from ..solution import RobustSolution
from .adversary import SharedLinearAdversary
from .model import LinearModel
from .problem import LinearProblem
from .robust import solve as own_budgets
from .robust.lipschitz import LipschitzProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class BallProblem(LinearProblem):
    """The influence problem of the ball: all that the attack sees of a sample is Lip."""

    @property
    def shared_slope(self) -> float:
        """Lip, in place of E t|ℓ'|."""
        return self.model.loss.lipschitz

    @property
    def shared_direction(self) -> Array:
        """Nothing: Lip is the same at every θ."""
        return np.zeros(len(self.params))

    @property
    def counts(self) -> Counts:
        """Coefficients at a kink of the dual norm; no sample is steeper than others."""
        found = self.one_sided
        return Counts(0, 0, pinned_coefficients=0 if found is None else found.n_coefs)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = s Lip (D φ(Dβ), 0); parts of the weight with budgets of their own add up to it."""
        if weights is None:
            return super().mixed()
        w = self._base_weights()
        return self.mixed() * (float(w @ weights) / float(w.sum()))

    def per_sample(self) -> Array:
        """ζ_i, the same for all samples: the attack's slope is no sample's own."""
        return np.tile(self.influence(), (self.source.n_rows, 1))

    def _overtaking(self, f: Array, speed: Array, y: Array) -> path_kinks.Event:
        return path_kinks.Event(np.inf, "none is foreseen")


@dataclass(frozen=True)
class BallAdversary(Adversary[LinearProblem]):
    """Its worst distribution is a limit: a value, and robust fits, but no attacked inputs."""

    @property
    def has_exact(self) -> bool:
        """Whether the worst loss is known exactly: it is."""
        return True

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Refused: nothing attains the worst loss.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(
            "the worst distribution of formula='ball' is a limit, of parts of a sample's weight "
            "moved ever further: no inputs attain it; use formula='exact'"
        )

    def loss(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E ℓ + εs Lip ‖Dβ‖_q, without the penalty, however rows are read."""
        return self.problem.mean_loss(theta) + self._rise(theta, eps)

    def _rise(self, theta: Array, eps: float) -> float:
        problem = self.problem
        gain = problem.ball.gain(theta[: problem.model.n_features])
        return eps * problem.radius * problem.model.loss.lipschitz * gain

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The convex problem with the norm in it; there is nothing to ascend on."""
        problem = self.problem.with_hessian()
        work, penalized = problem.coordinates, problem.penalized
        if work is not None:
            penalized = work.penalized(penalized)
        gain = problem.ball.dual_norm(None if work is None else work.units)
        norm, rho = gain.spending(eps * problem.radius)
        inner = LipschitzProblem(
            problem.working_sweep(), problem.alpha, penalized, *norm, rho,
            1000 if max_iter is None else max_iter,
        )  # fmt: skip
        with single_threaded_blas():
            found = own_budgets.solve(inner, problem.enter(problem.params), tol)
        theta = found.theta if work is None else work.leave(found.theta)
        return Optimum(
            theta, found.objective, found.residual, found.gap, found.n_passes, found.converged,
            found.why,
        ).at(eps, exact=True)  # fmt: skip

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        problem = self.problem
        rise = self._rise(theta, eps) - self._rise(problem.params, eps)
        return -(problem.loss_change(theta) + rise) - problem.penalty_change(theta)


def shared_adversary(problem: LinearProblem) -> Adversary[LinearProblem]:
    """The adversary of a budget that samples share, which may split them or not."""
    if problem.sharing.splits_samples:
        return BallAdversary(problem)
    return SharedLinearAdversary(problem)


def ball_problem(
    model: LinearModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> BallProblem:  # fmt: skip
    """The problem; refused where the worst loss is infinite, or its norm not known.

    Raises
    ------
    ValueError
    """
    if not np.isfinite(model.loss.lipschitz):
        raise ValueError(
            "formula='ball' needs a loss whose slope has one bound for every target, which "
            f"{model.loss.name} has not: use a logistic or Huber loss, or formula='exact'"
        )
    if not ball.has_dual_norm:
        raise ValueError(
            "formula='ball' is for attacks by p, feature_scale and attackable: use "
            "formula='exact' with others"
        )
    return BallProblem(model, source, ball, solver=chosen_solver(model, solver), **common)

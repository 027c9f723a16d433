"""The adversary of basis models, whose worst inputs are at the extremes of f over a ball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Ground, Place
from ..finite_sum.robust_by_ascent import solve_by_ascent
from ..solution import RobustSolution
from . import robust
from .attack import attack_by_ascent, attack_exactly
from .extremes import Extremes, is_exact
from .problem import BasisProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class BasisAdversary(Adversary[BasisProblem]):
    """Exact for the quadratic basis and p = 2; by gradient ascent elsewhere."""

    @property
    def has_exact(self) -> bool:
        """Whether the extremes are known exactly."""
        return is_exact(self.problem.basis, self.problem.ball)

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i: at the extremes, or by projected gradient ascent where so set."""
        if settings is None:
            attack_exactly(self.problem, theta, eps, out)
        else:
            attack_by_ascent(self.problem, theta, eps, settings, out)

    def loss_of_rows(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ, without the penalty."""
        if settings is not None:
            return super().loss_of_rows(theta, eps, settings)
        return robust.adversarial_mean(self.problem, theta, eps, self.has_exact)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """A convex outer problem, with the best extremes that are known, or ascent, inside."""
        problem = self.problem.with_hessian()
        if settings is None:
            found = robust.solve(problem, eps, self.has_exact, tol, max_iter)
            return found.at(eps, self.has_exact)

        def attack(theta: Array, out: Array) -> None:
            attack_by_ascent(problem, theta, eps, settings, out)

        return solve_by_ascent(problem, attack, max_iter).at(eps, exact=False)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        won = robust.robust_gain(self.problem, theta, eps, self.has_exact)
        return won - self.problem.penalty_change(theta)

    def ground(self, theta: Array, eps: float) -> Ground:
        """The mean loss over attacks on all samples at once."""
        problem, d = self.problem, self.problem.model.n_coefs
        loss, y, beta = problem.model.loss, problem.source.targets(), theta[:d]
        omega, own = problem.shares, problem.ball.own
        extremes = Extremes(problem.basis, beta, problem.ball, eps * problem.radius, False)
        X = np.array(problem.source.inputs(0, problem.source.n_rows), dtype=np.float64)
        U, f = problem.basis.inner(X), problem.sweep.predictions(theta)
        base, slopes = problem.basis.features_at(U) @ beta, extremes.slopes(U)

        def at(t: Array) -> Place:
            change, moved = extremes.changes(U, base, t, slopes)
            there = f + change
            with np.errstate(over="ignore"):
                value = float(omega @ loss.value(there, y))
            return Place(value, loss.slope(there, y)[:, None] * moved)

        def attacked(t: Array) -> Array:
            out = X.copy()
            own.move(out, t)
            return out

        return Ground(at, (len(y), own.n_free), omega, attacked)

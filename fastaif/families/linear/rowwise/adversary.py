"""The adversary of linear predictors for any attack set, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....threat.ascent_settings import PgdSettings
from ....threat.least_sizes import least_sizes
from ...adversary import Adversary
from ...path import Path, PathTangent
from ...solution import RobustSolution
from ..adversary import LinearAdversary
from .ends import attacked_gradient, worst_moves, write_worst
from .robust import solve_rowwise

Array = NDArray[Any]

_COST = 8  # passes over the rows that a radius is worth


@dataclass(frozen=True)
class RowwiseAdversary(LinearAdversary):
    """The worst prediction of row i is f_i + κ⁺_i or f_i − κ⁻_i: exactly, at any size."""

    supports_checkpoint: ClassVar[bool] = False

    def attack(self, theta: Array, eps: float, settings: PgdSettings | None, out: Array) -> None:
        """Write x_i + δ_i with the loss at its maximum."""
        self._refuse_ascent(settings)
        problem = self.problem

        def work(start: int, stop: int) -> None:
            write_worst(problem, theta, eps, start, stop, out[start:stop])

        problem.executor.map_rows(problem.source, work)

    def loss(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ, without the penalty, however the rows are read."""
        self._refuse_ascent(settings)
        f, moves = worst_moves(self.problem, theta, eps)
        with np.errstate(over="ignore"):
            return self.problem.source.mean(
                self.problem.model.loss.value(f + moves, self.problem.source.targets())
            )

    def _refuse_ascent(self, settings: PgdSettings | None) -> None:
        if settings is not None:
            raise ValueError(
                f"method='pgd' with {self._attacks} is not known for a {self.problem.model.kind} "
                "model, whose worst inputs have a closed form: use method='exact'"
            )

    @property
    def _attacks(self) -> str:
        budgets = " and budgets" if self.problem.source.budget is not None else ""
        return f"{self.problem.ball}{budgets}"

    # --- what predictions withstand ---------------------------------------------------------

    def radii_of_labels(self) -> Array:
        """The least ε that moves f to the boundary, 0 where it is beyond; inf where none does."""
        problem = self.problem
        f = problem.sweep.predictions(problem.params) - problem.model.loss.boundary
        y = problem.source.targets()
        return self._least(np.maximum(y * f, 0.0), -y)

    def radii_of_change(self, change: float) -> Array:
        """Refused: which way is shorter depends on the row.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(
            f"robustness_radius with change and {self._attacks} is not known: describe the attack "
            "by p, feature_scale and attackable alone"
        )

    def _least(self, moves: Array, sides: Array) -> Array:
        """The least ε at which attacks move predictions by so much (n,), to given sides."""
        problem, source = self.problem, self.problem.source
        beta = problem.params[: problem.model.n_features]
        out = np.empty(source.n_rows)

        def work(start: int, stop: int) -> None:
            rows = source.inputs(start, stop).astype(np.float64, copy=False)
            unit, t = problem.radius, source.budgets(start, stop)
            gradients = sides[start:stop, None] * beta
            found = least_sizes(problem.ball, gradients, rows, moves[start:stop])
            with np.errstate(divide="ignore", invalid="ignore"):
                out[start:stop] = np.where(found > 0.0, found / (unit * t), 0.0)

        problem.executor.map_rows(source, work, cost=_COST)
        return out

    # --- training against them --------------------------------------------------------------

    def path(self, eps: float, tol: float, asked: Sequence[float] = ()) -> Path:
        """Fits one after the other."""
        return Adversary.path(self, eps, tol, asked)

    def tangent_at(self, eps: float) -> PathTangent:
        """Refused."""
        return Adversary.tangent_at(self, eps)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The convex objective, softened and hardened again."""
        self._refuse_ascent(settings)
        problem = self.problem.with_hessian()
        start = problem.params if self.start is None else self.start
        return solve_rowwise(problem, start, eps, tol, max_iter).at(eps, exact=True)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        problem = self.problem
        f, before = worst_moves(problem, problem.params, eps)
        _, after = worst_moves(problem, theta, eps)
        _, step, y = problem.moves(theta - problem.params)
        with np.errstate(over="ignore", invalid="ignore"):
            change = problem.model.loss.change(f + before, step + after - before, y)
        return -problem.source.mean(change) - problem.penalty_change(theta)

    def zero_radius(self) -> float:
        """Refused."""
        return Adversary.zero_radius(self)

    def interpolation_radius(self) -> float:
        """Refused."""
        return Adversary.interpolation_radius(self)

    def prediction_error(self, step: Array, eps: float) -> float | None:
        """A Newton step from θ̂ + Δ, relative to Δ; None where H is not factored."""
        problem = self.problem
        if problem.is_iterative:
            return None
        theta = problem.params + step
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = float(step @ problem.hess_vec(step))
            if not predicted > 0.0:
                return None
            gradient = attacked_gradient(problem, theta, eps) + 2.0 * problem.shrinkage(theta)
            if not np.isfinite(gradient).all():
                return np.inf
            square = float(gradient @ problem.solve(gradient))
            return float(np.sqrt(max(square, 0.0) / predicted))


def linear_adversary(problem: Any) -> LinearAdversary:
    """By the one norm of all rows, where there is one; else row by row."""
    return RowwiseAdversary(problem) if problem.is_restricted else LinearAdversary(problem)

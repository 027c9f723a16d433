"""Robust fits of models with several predictions within attack sets of any kind.

Attacks ascend, and stay as they are in the gradients (Danskin); the rest is as in `robust`. What
attacks may have missed is bounded by what each direction of outputs can gain alone, which the sets
know exactly.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...data.rows import RowSource
from ...threat.ascent_settings import PgdSettings
from ...utils.caching import cached_property
from ..autodiff.attack import attack_by_steps
from ..layered.attack import LayeredAttacker
from ..objective import number
from ..set_ascent import SetAscent
from ..solution import RobustSolution
from . import robust
from .attacked import Attack
from .restricted import RestrictedVector

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class SetAttack(Attack):
    """The worst attacks within sets of samples at a θ, by ascent."""

    problem: RestrictedVector
    settings: PgdSettings

    @cached_property
    def inputs(self) -> Array:
        """The attacked inputs, (n, m)."""
        out = np.empty((self.problem.n_rows, self.problem.model.n_features))
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            attack_by_steps(
                self.problem, self.theta, self.eps, self.settings, out, LayeredAttacker
            )
        return out

    @cached_property
    def z(self) -> Array:
        """Predictions there, (n, K)."""
        model = self.problem.model
        return model.sweep(self.source, None, self.problem.executor).predictions(self._matrix)

    @property
    def source(self) -> RowSource:
        """The rows under it."""
        return self.problem.source._replace(x=self.inputs)


@dataclass
class SetObjective(robust.RobustObjective):
    """The robust objective within sets of samples."""

    problem: RestrictedVector
    settings: PgdSettings

    def worst(self, theta: Array) -> Attack:
        """The worst attacks that ascent finds."""
        return SetAttack(self.problem, self.problem.search, theta, self.eps, self.settings)

    @property
    def may_end_early(self) -> bool:
        """Bounds have corners whatever the norm."""
        return True


@dataclass(frozen=True)
class SetVectorAdversary(SetAscent):
    """Attacks by ascent in sets of samples; θ ↦ E max ℓ is convex.

    Attributes
    ----------
    start : array (d,) or None
        Where fits start; None: at θ̂.
    """

    problem: RestrictedVector
    start: Array | None = None

    training: ClassVar[PgdSettings] = robust.TIGHT

    def starting_at(self, theta: Array) -> Self:
        """The same adversary, whose fits start at θ."""
        return dataclasses.replace(self, start=theta)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The robust optimum, as far as attacks are the worst."""
        start = self.problem.params if self.start is None else self.start
        objective = SetObjective(self.problem, eps, settings or self.training)
        with single_threaded_blas():
            found = robust.solve(objective, start, tol, max_iter)
        return found.at(eps, exact=False)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        problem = self.problem
        before, after = (
            SetAttack(problem, problem.search, at, eps, self.training).z
            for at in (problem.params, theta)
        )
        change = problem.model.loss.change(before, after - before, problem.source.targets())
        return -number(problem.source.mean(change)) - problem.penalty_change(theta)

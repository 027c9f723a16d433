"""The adversary of models with several predictions: attacks at extreme points, convex fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Ground, Place
from ..objective import number
from ..path import Path, PathTangent, WarmPath
from ..solution import RobustSolution
from . import robust, tangent
from .attacked import Attack
from .problem import VectorProblem

Array = NDArray[Any]


class _VectorPath(WarmPath):
    """Fits one after the other, whose derivatives are known."""

    def slopes(self, eps: Sequence[float]) -> Array:
        """The influence at ε = 0, and beyond that each on its manifold."""
        found = {e: self._adversary.starting_at(self.solve([e])[0].theta) for e in eps if e > 0.0}
        tangents = {e: adversary.tangent_at(e).slope for e, adversary in found.items()}
        if 0.0 in eps:
            (tangents[0.0],) = super().slopes([0.0])
        return np.stack([tangents[e] for e in eps])


@dataclass(frozen=True)
class VectorAdversary(Adversary[VectorProblem]):
    """Each sample is attacked by itself; θ ↦ E max ℓ is convex.

    Attributes
    ----------
    start : array (d,) or None
        Where fits start; None: at θ̂.
    """

    start: Array | None = None

    training: ClassVar[PgdSettings] = robust.TIGHT
    supports_checkpoint: ClassVar[bool] = True

    @property
    def has_exact(self) -> bool:
        """Where the extreme points at which the maximum may be are few, or closed."""
        problem = self.problem
        return problem.search.is_exact(problem.ball, problem.model.n_outputs)

    def _settings(self, settings: PgdSettings | None) -> PgdSettings | None:
        return settings or (None if self.has_exact else self.training)

    def attack(self, theta: Array, eps: float, settings: PgdSettings | None, out: Array) -> None:
        """Write x_i + δ_i, the best vertex or where ascent ends."""
        out[...] = self._worst(theta, eps, self._settings(settings)).inputs

    def _worst(self, theta: Array, eps: float, settings: PgdSettings | None) -> Attack:
        return Attack(self.problem, self.problem.search, theta, eps, settings)

    def loss_of_rows(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ, without the penalty."""
        problem = self.problem
        z = self._worst(theta, eps, self._settings(settings)).z
        losses = problem.model.loss.value(z, problem.source.targets())
        return number(problem.source.mean(losses))

    def starting_at(self, theta: Array) -> Self:
        """The same adversary, whose fits start at θ."""
        return dataclasses.replace(self, start=theta)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The robust optimum, as far as attacks are the worst."""
        inner = self._settings(settings)
        start = self.problem.params if self.start is None else self.start
        with single_threaded_blas():
            objective = robust.RobustObjective(self.problem, eps, inner)
            found = robust.solve(objective, start, tol, max_iter)
        return found.at(eps, exact=inner is None)

    def tangent_at(self, eps: float) -> PathTangent:
        """The robust path about an ε > 0: solved from θ̂, and its derivative."""
        if self.problem.executor.is_remote(self.problem.source):
            return super().tangent_at(eps)
        start = self.problem.params if self.start is None else self.start
        return tangent.tangent_at(self.problem, start, eps, self._settings(None))

    def path(self, eps: float, tol: float, asked: Sequence[float] = ()) -> Path:
        """Fits one after the other, and derivatives at each."""
        return _VectorPath(self, tol)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        problem, settings = self.problem, self._settings(None)
        before = self._worst(problem.params, eps, settings).z
        after = self._worst(theta, eps, settings).z
        change = problem.model.loss.change(before, after - before, problem.source.targets())
        return -number(problem.source.mean(change)) - problem.penalty_change(theta)

    def ground(self, theta: Array, eps: float) -> Ground:
        """The mean loss over attacks on all samples at once."""
        problem, own, loss = self.problem, self.problem.ball.own, self.problem.model.loss
        layout, y, omega = problem.model.layout, problem.source.targets(), problem.shares
        matrix = layout.matrix(theta)
        slopes, z = own.slopes(matrix[:, : layout.n_features]), problem.sweep.predictions(matrix)
        X = np.array(problem.source.x, dtype=np.float64)

        def attacked(t: Array) -> Array:
            out = X.copy()
            own.move(out, t)
            return out

        def at(t: Array) -> Place:
            terms = loss.terms(z + t @ slopes.T, y)
            return Place(float(omega @ terms.losses), terms.residuals @ slopes)

        return Ground(at, (len(X), own.n_free), omega, attacked)

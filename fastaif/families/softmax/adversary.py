"""The adversary of softmax models: extreme points of the ball inside, a convex problem outside."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Ground, Place
from ..objective import number
from ..solution import RobustSolution
from . import attack, robust
from .problem import SoftmaxProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class SoftmaxAdversary(Adversary[SoftmaxProblem]):
    """Each sample is attacked by itself; θ ↦ E max ℓ is convex.

    Attributes
    ----------
    start : array (d,) or None
        Where fits start; None: at θ̂.
    """

    start: Array | None = None

    training: ClassVar[PgdSettings] = robust.TIGHT

    @property
    def has_exact(self) -> bool:
        """For p = 1, one attackable feature, or two classes."""
        return attack.is_exact(self.problem)

    def _settings(self, settings: PgdSettings | None) -> PgdSettings | None:
        return settings or (None if self.has_exact else self.training)

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i, the best vertex or where ascent ends."""
        out[...] = attack.worst(self.problem, theta, eps, self._settings(settings)).X

    def loss_of_rows(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ, without the penalty."""
        problem = self.problem
        z = attack.worst(problem, theta, eps, self._settings(settings)).z
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
            found = robust.solve(self.problem, start, eps, tol, max_iter, inner)
        return found.at(eps, exact=inner is None)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        problem, settings = self.problem, self._settings(None)
        before = attack.worst(problem, problem.params, eps, settings).z
        after = attack.worst(problem, theta, eps, settings).z
        change = problem.model.loss.change(before, after - before, problem.source.targets())
        return -number(problem.source.mean(change)) - problem.penalty_change(theta)

    def ground(self, theta: Array, eps: float) -> Ground:
        """The mean loss over attacks on all samples at once."""
        problem, own, loss = self.problem, self.problem.ball.own, self.problem.model.loss
        layout, y, omega = problem.model.layout, problem.source.targets(), problem.shares
        matrix = layout.matrix(theta)
        slopes, z = own.slopes(matrix[:, : layout.n_features]), problem.sweep.logits(matrix)
        X = np.array(problem.source.x, dtype=np.float64)

        def attacked(t: Array) -> Array:
            out = X.copy()
            own.move(out, t)
            return out

        def at(t: Array) -> Place:
            terms = loss.terms(z + t @ slopes.T, y)
            return Place(float(omega @ terms.losses), terms.residuals @ slopes)

        return Ground(at, (len(X), own.n_free), omega, attacked)

    def radii_of_labels(self) -> Array:
        """min_j (z_y − z_j)/(s ‖c∘(w_y − w_j)‖_q), 0 where a class is ahead; inf where none moves.

        Exact: each logit's lead over another is linear in x.
        """
        problem, own = self.problem, self.problem.ball.own
        layout, matrix = problem.model.layout, problem.model.matrix
        slopes = own.slopes(matrix[:, : layout.n_features])
        speeds = problem.radius * own.gains(slopes[:, None, :] - slopes[None, :, :])
        rows, y = np.arange(problem.n_rows), problem.source.targets().astype(int)
        z = problem.sweep.logits(matrix)
        leads = np.maximum(z[rows, y][:, None] - z, 0.0)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            radii = np.where(leads > 0.0, leads / speeds[y], 0.0)
        radii[rows, y] = np.inf
        return np.asarray(radii.min(axis=1))

"""The adversary of networks: gradient ascent inside, descent from θ̂ outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Ground, Place
from ..objective import number
from ..solution import RobustSolution
from . import robust
from .attack import ascend
from .problem import NetworkProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class NetworkAdversary(Adversary[NetworkProblem]):
    """Attacks by ascent from the samples and their antipodes; robust fits are local optima."""

    is_convex: ClassVar[bool] = False
    training: ClassVar[PgdSettings] = robust.TIGHT

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is not."""
        return False

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i, where ascent ends."""
        out[...] = ascend(self.problem, theta, eps, settings or self.training).X

    def loss_of_rows(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ, without the penalty."""
        problem = self.problem
        f = ascend(problem, theta, eps, settings or self.training).f
        return number(problem.source.mean(problem.model.loss.value(f, problem.source.targets())))

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """A local minimum, by descent from θ̂."""
        found = robust.solve(self.problem, eps, tol, max_iter, settings or self.training)
        return found.at(eps, exact=False)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        return robust.gain(self.problem, theta, eps) - self.problem.penalty_change(theta)

    def ground(self, theta: Array, eps: float) -> Ground:
        """The mean loss over attacks on all samples at once."""
        problem, own = self.problem, self.problem.ball.own
        loss, y, still = problem.model.loss, problem.source.targets(), np.zeros(len(theta))
        X, omega = np.array(problem.source.x, dtype=np.float64), problem.shares

        def attacked(t: Array) -> Array:
            out = X.copy()
            own.move(out, t)
            return out

        def at(t: Array) -> Place:
            moved = problem.source._replace(x=attacked(t))
            sweep = problem.model.sweep(moved, None, problem.executor)
            f, (slopes, _) = sweep.predictions(theta), sweep.input_slopes(theta, still, 0, len(y))
            with np.errstate(over="ignore"):
                value = float(omega @ loss.value(f, y))
            return Place(value, loss.slope(f, y)[:, None] * own.slopes(slopes))

        return Ground(at, (len(X), own.n_free), omega, attacked)

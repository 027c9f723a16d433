"""The adversaries of kernel regressions: moving centres are attacked at all inputs at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...kernels.pairs import Gram, make_gram
from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Ground, Place
from ..basis.adversary import BasisAdversary
from ..solution import RobustSolution
from . import robust
from .attack import attack_together, gain, gradient_at, loss_together, objective
from .problem import FixedCentersProblem, MovingCentersProblem, by_rows, free_center

Array = NDArray[Any]


@dataclass(frozen=True)
class MovingCentersAdversary(Adversary[MovingCentersProblem]):
    """Ascent on the whole objective, penalty included where that moves with the inputs."""

    is_convex: ClassVar[bool] = False
    training: ClassVar[PgdSettings] = robust.USUAL

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is not."""
        return False

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write X + δ, the best of ascents."""
        attack_together(self.problem, theta, eps, settings or self.training, out)

    def loss(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E (f − y)² under such an attack, without the penalty."""
        return loss_together(self.problem, theta, eps, settings or self.training)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """A convex outer problem, of the pieces that attacks make of it where it has kinks."""
        found = robust.solve(self.problem, eps, tol, max_iter, settings or self.training)
        return found.at(eps, exact=False)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        return gain(self.problem, theta, eps * self.problem.radius)

    def ground(self, theta: Array, eps: float) -> Ground:
        """The objective over attacks on all inputs, centres as well.

        Raises
        ------
        ValueError
            A centre has no weight.
        """
        problem, own = self.problem, self.problem.ball.own
        if not np.all(problem.weights > 0):
            raise free_center()

        def gram_at(t: Array) -> Gram:
            U = np.array(problem.inputs)
            own.move_inner(U, t)
            return make_gram(problem.model.kernel.compiled(), U, True, problem.n_threads)

        def at(t: Array) -> Place:
            gram = gram_at(t)
            slopes = own.slopes(gradient_at(problem, gram, theta))
            return Place(objective(problem, gram, theta), slopes / problem.weights[:, None])

        def attacked(t: Array) -> Array:
            X = np.array(problem.source.x, dtype=np.float64)
            own.move(X, t)
            return X

        def loss(t: Array) -> float:
            return float(problem.weights @ (gram_at(t).K @ theta - problem.targets) ** 2)

        return Ground(at, (len(problem.inputs), own.n_free), problem.weights, attacked, loss)


def fixed_centers_adversary(problem: FixedCentersProblem) -> BasisAdversary:
    """That of the model on its basis, whose samples are attacked one by one."""
    return BasisAdversary(by_rows(problem))

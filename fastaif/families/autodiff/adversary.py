"""The adversary of differentiable models: gradient steps inside, Newton's outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...threat.ascent_settings import PgdSettings
from ..adversary import Adversary, Ground, Place
from ..solution import RobustSolution
from . import robust
from .attack import Attacker, attack_by_steps
from .problem import AutodiffProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class AutodiffAdversary(Adversary[AutodiffProblem]):
    """Each sample is attacked by itself; robust fits are local optima near θ̂."""

    is_convex: ClassVar[bool] = False
    attacker: ClassVar[type[Attacker]] = Attacker  # what looks for attacks
    usual: ClassVar[PgdSettings] = robust.USUAL

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is not."""
        return False

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i, where steps towards ε s φ_c(∇_x ℓ_i) end."""
        attack_by_steps(self.problem, theta, eps, settings or self.usual, out, self.attacker)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """A robust optimum near θ̂."""
        problem = self.problem.with_hessian()
        inner = settings or self.usual
        found = robust.solve(problem, eps, tol, max_iter, inner, self.attacker)
        return found.at(eps, exact=self.has_exact)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        won = robust.robust_gain(self.problem, theta, eps, self.attacker)
        return won - self.problem.penalty_change(theta)

    def ground(self, theta: Array, eps: float) -> Ground:
        """The mean loss over attacks on all samples at once."""
        problem, own = self.problem, self.problem.ball.own
        X = np.array(problem.source.x, dtype=np.float64)
        shape = len(X), own.n_free

        def at(t: Array) -> Place:
            value, slopes = 0.0, np.empty(shape)
            for batch in problem.batches(every=True):
                moved = np.array(batch.X)
                own.move(moved, t[batch.rows])
                data = theta, moved, batch.y
                losses = problem.derivatives("losses", *data)
                value += float(batch.shares @ losses)
                slopes[batch.rows] = own.slopes(problem.derivatives("input_gradients", *data))
            return Place(value, slopes)

        def attacked(t: Array) -> Array:
            out = X.copy()
            own.move(out, t)
            return out

        return Ground(at, shape, problem.shares, attacked)

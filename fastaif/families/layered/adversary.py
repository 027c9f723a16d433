"""The adversary of networks of any depth: gradient steps inside, descent from θ̂ outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from ...threat.ascent_settings import PgdSettings
from ..autodiff.adversary import AutodiffAdversary
from ..objective import number
from ..solution import RobustSolution
from . import robust
from .attack import LayeredAttacker
from .problem import LayeredProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class LayeredAdversary(AutodiffAdversary):
    """Each sample is attacked by itself; robust fits are local optima near θ̂."""

    problem: LayeredProblem

    training: ClassVar[PgdSettings] = robust.TIGHT
    usual: ClassVar[PgdSettings] = robust.TIGHT
    attacker: ClassVar[type[LayeredAttacker]] = LayeredAttacker

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """A local minimum, by descent from θ̂."""
        problem = self.problem.with_hessian()
        found = robust.solve(problem, eps, tol, max_iter, settings or self.training)
        return found.at(eps, exact=False)

    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂."""
        won = robust.gain(self.problem, theta, eps)
        return number(won) - self.problem.penalty_change(theta)

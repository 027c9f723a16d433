"""The adversary of linear models whose loss has a scale: the worst end of each row is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..autodiff.adversary import AutodiffAdversary
from ..autodiff.attack import Attacker
from ..autodiff.rows import Batch
from .problem import ScaleProblem

Array = NDArray[Any]


@dataclass
class EndAttacker(Attacker):
    """δ = ε s sgn(r) φ(β): the loss grows with |r|, so that this is the maximum."""

    problem: ScaleProblem

    def _search_batch(self, theta: Array, batch: Batch) -> None:
        m = batch.X.shape[1]
        f = self.problem.derivatives.features(batch.X) @ theta[:-1]
        side = np.where(f < batch.y, -1.0, 1.0)
        steps, _, _ = self.problem.ball.directions(np.multiply.outer(side, theta[:m]), batch.X)
        self.delta[batch.rows] = self.radius * steps


@dataclass(frozen=True)
class ScaleAdversary(AutodiffAdversary):
    """Each sample is attacked by itself, at its worst end; θ ↦ E max ℓ is convex."""

    problem: ScaleProblem

    is_convex: ClassVar[bool] = True
    attacker: ClassVar[type[Attacker]] = EndAttacker

    @property
    def has_exact(self) -> bool:
        """True: predictions are linear."""
        return True

    def radii_of_change(self, change: float) -> Array:
        """change / (s ‖Dβ‖_q), of each sample (n,)."""
        problem = self.problem
        gain = problem.ball.gain(problem.params[: problem.model.n_features])
        with np.errstate(divide="ignore"):
            return np.full(problem.n_rows, change / (problem.radius * np.float64(gain)))

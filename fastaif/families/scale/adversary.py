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
        beta = np.broadcast_to(theta[: batch.X.shape[1]], batch.X.shape)
        f = self.problem.derivatives.features(batch.X) @ theta[:-1]
        sizes, ball = self.sizes[batch.rows], self.problem.ball
        up, down = (ball.furthest(side * beta, batch.X, sizes) for side in (1.0, -1.0))
        lower = 2.0 * (f - batch.y) + (up.gains - down.gains) < 0.0
        self.delta[batch.rows] = np.where(lower[:, None], down.moves, up.moves)


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
        if problem.is_restricted:
            raise ValueError(
                f"robustness_radius with change and {problem.ball} is not known: describe the "
                "attack by p, feature_scale and attackable alone"
            )
        gain = problem.ball.gain(problem.params[: problem.model.n_features])
        with np.errstate(divide="ignore"):
            return np.full(problem.n_rows, change / (problem.radius * np.float64(gain)))

"""What one pass over the rows tells of a linear predictor, and all that its problem starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...threat.attack_set import DualNorm
from ...utils.caching import cached_property
from ..finite_sum.problem import SumProblem
from ..finite_sum.working import WorkingCoordinates
from .model import LinearModel

Array = NDArray[Any]


@dataclass(frozen=True)
class LinearSums(SumProblem):
    """A SumProblem with v = (x − μ)/σ."""

    model: LinearModel

    @cached_property
    def gain(self) -> float:
        """‖D β‖_q, the dual norm of every sample's ∇_x f."""
        return self.ball.gain(self.beta)

    @property
    def norm_at_kinks(self) -> DualNorm:
        """‖D β‖_q of the coefficients that an attack may move off its kinks."""
        return self.ball.dual_norm()

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖∇_x ℓ‖_q."""
        return self.radius * self.gain * self.shared_slope

    @property
    def shared_slope(self) -> float:
        """E t|ℓ'|, t the shares of the budget."""
        sums = self.sums
        return self.sharing.value(sums.gain, sums)

    @property
    def shared_direction(self) -> Array:
        """E[t ℓ'' sgn(ℓ') (v, 1)], (d,)."""
        direction = self.sums.mixed_direction
        if not self.sharing.is_shared:
            return direction
        return self.sharing.scale(self.sums.power) * direction

    @property
    def row_weights(self) -> Array:
        """Sample weights (n,)."""
        return self._base_weights()

    def l1_inside(self, work: WorkingCoordinates | None) -> Array | None:
        """λ (d,) of an l1 penalty, in working coordinates; None: there is none."""
        return None

    def with_penalty(self, gradient: Array, theta: Array) -> Array:
        """A gradient of the loss at θ with the penalty's, or its least subgradient."""
        return np.asarray(gradient + 2.0 * self.shrinkage(theta))

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each sample in the attack's units, (n,)."""
        f, y = self.sweep.predictions(self.params), self.source.targets()
        return self.gain * np.abs(self.model.loss.slope(f, y))

"""Attack sets that share a ball's units: t = δ/c over the attackable features.

They differ from the ball in the norm of t, or in where in it a sample may go.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .attack_set import AttackSet
from .ball import Ball
from .softened import Soft

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class OnBall(AttackSet):
    """What is the ball's own in a set that is made of one.

    Parameters
    ----------
    ball : Ball
        c, σ, which features are attackable, and s.
    """

    ball: Ball

    @property
    def radius(self) -> float | None:  # type: ignore[override]
        """s where it is given."""
        return self.ball.radius

    @property
    def free(self) -> Array:
        """The attackable features, in order."""
        return self.ball.free

    @property
    def norm_shift(self) -> Array:
        """Where norms of inputs are measured from, (m,)."""
        return self.ball.norm_shift

    @property
    def raw_units(self) -> Array:
        """σ, (m,)."""
        return self.ball.raw_units

    @property
    def units(self) -> Array:
        """D, (m,)."""
        return self.ball.weights

    @property
    def longest(self) -> float:
        """The Euclidean length that no unit attack on u exceeds."""
        return self.ball.longest

    def with_radius(self, radius: float) -> Self:
        """The same set with s given."""
        return dataclasses.replace(self, ball=self.ball.with_radius(radius))

    def _enter(self, delta: Array) -> Array:
        """t (..., k) of moves δ (..., m) of raw inputs."""
        return np.asarray(delta[..., self.free] / self.ball.own.scale)

    def _slopes(self, gradients: Array) -> Array:
        """∇_t (..., k) of gradients ∇_u (..., m)."""
        return np.asarray(gradients[..., self.free] * self.ball.own.weights)

    def _inner(self, t: Array) -> Array:
        """Moves of the model's inputs (..., m) for t (..., k)."""
        out = np.zeros((*t.shape[:-1], self.ball.scale.size))
        out[..., self.free] = self.ball.own.weights * t
        return out

    def _raw(self, t: Array) -> Array:
        """Moves of raw inputs (..., m) for t (..., k)."""
        out = np.zeros((*t.shape[:-1], self.ball.scale.size))
        out[..., self.free] = self.ball.own.scale * t
        return out

    def _soft(self, found: Soft) -> Soft:
        """A softened gain in u, given that in t."""
        weights, m = self.ball.own.weights, self.ball.scale.size
        hessian = np.zeros((m, m))
        hessian[np.ix_(self.free, self.free)] = weights[:, None] * found.bend * weights
        return Soft(found.value, self._inner(found.attack), hessian)

    def _is_still(self, delta: Array) -> Array:
        """Whether nothing moves that cannot be attacked, (...)."""
        return ~np.any(np.where(self.ball.scale > 0, 0.0, delta), axis=-1)

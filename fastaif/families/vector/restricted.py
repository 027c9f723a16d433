"""Models with several predictions under attacks that are more than a ball.

Attacks ascend on the lead, which is convex in x, so that whole steps to where the slope gains most
never lower it. To first order they go along φ of Wᵀa in each row's own set:

    Φ = s E t [a (φ, 0)ᵀ + S W φ (u, 1)ᵀ].
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..._compute import types as c
from ..kinks import Kinks
from ..rowwise import FirstOrder, RowwiseProblem
from ..set_ascent import ClimbedProblem
from .model import VectorModel
from .problem import Array, VectorProblem

_ENTRIES = 1 << 20  # of gradients that are bounded together


@dataclass(frozen=True)
class RestrictedVector(ClimbedProblem, RowwiseProblem, VectorProblem):
    """A VectorProblem whose rows have sets of their own, or one that is no ball."""

    model: VectorModel

    @property
    def _needs(self) -> int:
        """NEED_* bits of the one pass, which knows no directions but a ball's."""
        return super()._needs & ~c.NEED_MIXED

    def first_sums(self, start: int, stop: int, share: Array) -> FirstOrder:
        """What attacks on a range of rows add up to, for w̄_i t_i (k,)."""
        at, m = self.rows(start, stop), self.model.n_features
        W, X = self.model.matrix[:, :m], self.source.inputs(start, stop)
        slopes = np.ascontiguousarray(at.residuals @ W)
        flat = ~slopes[:, self.ball.free].any(axis=1) & (share > 0.0)
        phi, gains, ties = self.ball.directions(slopes, X)
        moved = share[:, None] * at.terms.bend(phi @ W.T)
        mixed = moved.T @ at.inputs
        mixed[:, :m] += (share[:, None] * at.residuals).T @ phi
        room = self.least_room(start, stop, share, self.ball.room(phi, X))
        return FirstOrder(
            self.model.layout.vector(mixed), float(share @ gains),
            int(ties[(share > 0.0) & (gains > 0.0)].sum()), room, int(np.count_nonzero(flat)),
        )  # fmt: skip

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI directions of attack change, or a bound is met."""
        return super().kinks(influence).up_to(self.first_bound)

    def reaches(self, slopes: Array, start: int, stop: int, eps: float) -> Array:
        """How far attacks on a range of k rows take what has gradients (k, J, m) in u, (k, J)."""
        X = self.source.inputs(start, stop).astype(np.float64, copy=False)
        sizes = eps * self.radius * self.source.budgets(start, stop)
        columns = (np.ascontiguousarray(slopes[:, j]) for j in range(slopes.shape[1]))
        return np.stack([self.ball.furthest(s, X, sizes).gains for s in columns], axis=1)

    def certificate(self, theta: Array, eps: float) -> float:
        """A bound on E max ℓ at θ that no attack exceeds."""
        matrix, y = self.model.layout.matrix(theta), self.source.targets()
        z, bounds = self.sweep.predictions(matrix), np.empty(self.n_rows)
        W, size = matrix[:, : self.model.n_features], max(1, _ENTRIES // max(1, matrix.size))
        for start in range(0, self.n_rows, size):
            part = slice(start, min(start + size, self.n_rows))

            def reach(slopes: Array, part: slice = part) -> Array:
                return self.reaches(slopes, part.start, part.stop, eps)

            bounds[part] = self.worst_losses(W, z[part], y[part], reach)
        return self.source.mean(bounds)

    @abstractmethod
    def worst_losses(
        self, W: Array, z: Array, y: Array, reach: Callable[[Array], Array]
    ) -> Array:
        """Bounds (k,) of the losses under attack, given how far gradients (k, J, m) reach."""

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Leads (k,), and their gradients in u (k, m)."""
        matrix, m = self.model.layout.matrix(theta), self.model.n_features
        W = matrix[:, :m]
        z = self.model.basis.transform(X) @ W.T + matrix[:, m:].sum(axis=1)
        leads, pulls = self.model.loss.leads(z, y)
        return leads, pulls @ W

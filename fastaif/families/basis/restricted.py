"""Models on a basis under attacks that are more than a ball: their attacks, by ascent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.rows import RowSource
from ...threat.attack_set import AttackSet
from ..finite_sum.problem import chosen_solver
from ..set_ascent import ClimbedProblem
from .model import ExpansionModel
from .problem import Array, BasisProblem


@dataclass(frozen=True)
class RestrictedBasis(ClimbedProblem, BasisProblem):
    """A BasisProblem whose rows have sets of their own, or one that is no ball."""

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """ℓ, or −yf of a monotone one, (k,), and ± ∇_u f (k, m), the way that it grows."""
        d, loss, U = self.model.n_coefs, self.model.loss, self.basis.inner(X)
        f = self.basis.features_at(U) @ theta[:d] + theta[d:].sum()
        side = loss.worse_end(f, y, 0.0)
        heights = side * f if loss.is_monotone else loss.value(f, y)
        return np.asarray(heights), side[:, None] * self.basis.gradients_at(U, theta[:d])


def restricted_basis(
    model: ExpansionModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> RestrictedBasis:  # fmt: skip
    """The problem, of which the attacks are known."""
    return RestrictedBasis(model, source, ball, solver=chosen_solver(model, solver), **common)

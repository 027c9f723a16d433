"""What the attack on each single sample does to a kernel regression's influence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .first_order import pair_weights

if TYPE_CHECKING:
    from .problem import GramProblem

Array = NDArray[Any]


def per_sample(problem: GramProblem) -> Array:
    """ζ (n, n): row k is what the attack on x_k does to I, over the sample's weight.

    With D_k the row of D that belongs to x_k, its own derivative of K is e_k D_kᵀ + D_k e_kᵀ
    where the centres move, and e_k D_kᵀ where they do not.
    """
    gram, model, weights = problem.gram(derivatives=True), problem.model, problem.weights
    theta, f = problem.params, gram.K @ problem.params
    slope = problem.slope(f)
    gradient = gram.gradient(*pair_weights(theta, problem.pull(f), model.moving))
    budgets = problem.radius * problem.budgets
    D = gram.jacobian(budgets[:, None] * problem.ball.directions(gradient)[0])
    own = D @ theta
    if not model.moving:
        # Per unit of weight, so that samples of weight zero have a share as well.
        r = f - problem.targets
        if np.all(weights > 0):
            return _solve(problem, np.diag(own / weights), D.T * r)
        return _solve(problem, np.zeros(D.shape), gram.K * own + D.T * r)
    turned = D.T * theta
    turned[np.diag_indices(len(D))] += own
    if problem.is_rkhs:
        return _over(_solve(problem, turned, None), weights)
    pulled = D.T * slope
    pulled[np.diag_indices(len(D))] += D @ slope
    return _over(_solve(problem, turned, pulled), weights)


def _solve(problem: GramProblem, turned: Array, pulled: Array | None) -> Array:
    """Row k: −(KΩK + αP)⁻¹ (KΩ turned + pulled) for their columns k."""
    return problem.system.solve(-turned, None if pulled is None else -pulled).x.T


def _over(rows: Array, weights: Array) -> Array:
    """Rows over their weights; those of weight zero are zero (θ_k = 0 there)."""
    return np.divide(rows, weights[:, None], out=np.zeros(rows.shape), where=weights[:, None] > 0)

"""What the attack on each single sample does to a kernel regression's influence.

ζ (n, n): row k is what the attack on x_k does to I, over the sample's weight. With D_k the row of
D that belongs to x_k, its own derivative of K is e_k D_kᵀ + D_k e_kᵀ where the centres move, and
e_k D_kᵀ where they do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels.pairs import Gram
from .core import GramProblem
from .first_order import pair_weights

Array = NDArray[Any]


def moving(problem: GramProblem, pull: Array) -> Array:
    """ζ of centres that move; `pull` (n,) is what `pair_weights` makes ∇_{x_k} L of."""
    gram, weights, theta = problem.gram(derivatives=True), problem.weights, problem.params
    D = _steps(problem, gram, pair_weights(theta, pull, True))
    own, turned = D @ theta, D.T * theta
    turned[np.diag_indices(len(D))] += own
    if problem.is_rkhs:
        return _over(_solve(problem, turned, None), weights)
    slope = problem.slope(gram.K @ theta)
    pulled = D.T * slope
    pulled[np.diag_indices(len(D))] += D @ slope
    return _over(_solve(problem, turned, pulled), weights)


def fixed(problem: GramProblem) -> Array:
    """ζ of centres that stay; per unit of weight, so that samples of weight zero have a share."""
    gram, weights, theta = problem.gram(derivatives=True), problem.weights, problem.params
    r = gram.K @ theta - problem.targets
    D = _steps(problem, gram, pair_weights(theta, r, False))
    own = D @ theta
    if np.all(weights > 0):
        return _solve(problem, np.diag(own / weights), D.T * r)
    return _solve(problem, np.zeros(D.shape), gram.K * own + D.T * r)


def _steps(problem: GramProblem, gram: Gram, pairs: tuple[Array, Array]) -> Array:
    """D, for steps of the samples' budgets."""
    budgets = problem.radius * problem.budgets
    steps, _, _ = problem.ball.directions(gram.gradient(*pairs), problem.source.x)
    return gram.jacobian(budgets[:, None] * steps)


def _solve(problem: GramProblem, turned: Array, pulled: Array | None) -> Array:
    """Row k: −(KΩK + αP)⁻¹ (KΩ turned + pulled) for their columns k."""
    return problem.system.solve(-turned, None if pulled is None else -pulled).x.T


def _over(rows: Array, weights: Array) -> Array:
    """Rows over their weights; those of weight zero are zero (θ_k = 0 there)."""
    return np.divide(rows, weights[:, None], out=np.zeros(rows.shape), where=weights[:, None] > 0)

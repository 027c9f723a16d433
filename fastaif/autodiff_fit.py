"""Natural fits of differentiable models, from θ̂, by Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .solvers.cholesky import factorize
from .solvers.newton import Local, NewtonResult, minimize

if TYPE_CHECKING:
    from .autodiff_problem import AutodiffProblem

Array = NDArray[Any]

_LEAST = 1e-8  # of the largest eigenvalue


def fit_at(problem: AutodiffProblem, shares: Array, max_iter: int = 100) -> NewtonResult:
    """A stationary point near θ̂ of the objective with weights ω (n,), which sum to 1.

    Where H is not positive definite its eigenvalues are replaced by their absolute values,
    so that steps still lead down.
    """
    yardstick = _yardstick(problem, shares)

    def evaluate(theta: Array) -> Local:
        losses = problem.losses(theta)
        value = float(shares[shares > 0] @ losses[shares > 0])
        gradient = problem.sum_gradient(theta, shares=shares) + problem.penalty_gradient(theta)
        H = problem.sum_hessian(theta, shares=shares) + problem.penalty_hessian(theta)
        return Local(value + problem.penalty_change(theta), gradient, curved_up(H), yardstick)

    return minimize(evaluate, problem.params, max_iter=max_iter)


def _yardstick(problem: AutodiffProblem, shares: Array) -> float:
    """E‖∇ℓ_i(θ̂)‖: what gradients of the mean are small against."""
    total = 0.0
    for batch in problem.batches(shares=shares):
        rows = problem.derivatives("row_gradients", problem.params, batch.X, batch.y)
        total += float(batch.shares @ np.linalg.norm(rows, axis=1))
    return total


def curved_up(H: Array) -> Array:
    """H, or a positive definite matrix with the absolute values of its eigenvalues."""
    if not np.isfinite(H).all() or factorize(H) is not None:
        return H
    values, vectors = np.linalg.eigh(H)
    sizes = np.abs(values)
    sizes = np.maximum(sizes, _LEAST * sizes.max(initial=np.finfo(float).tiny))
    return np.asarray((vectors * sizes) @ vectors.T)

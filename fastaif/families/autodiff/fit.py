"""Natural fits of differentiable models, from θ̂, by Newton's method, with H or without."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...solvers.cg import conjugate_gradients
from ...solvers.cholesky import factorize
from ...solvers.limits import most_products
from ...solvers.newton import Local, NewtonResult, minimize
from .solving import AutodiffSolving

Array = NDArray[Any]

_LEAST = 1e-8  # of the largest eigenvalue
_ROW_DOUBLES = 1 << 24  # of per-sample gradients that are held at a time


def fit_at(problem: AutodiffSolving, shares: Array, max_iter: int = 100) -> NewtonResult:
    """A stationary point near θ̂ of the objective with weights ω (n,), which sum to 1.

    Where H is not positive definite its eigenvalues are replaced by their absolute values,
    or a multiple of the identity is added to it, so that steps still lead down.
    """
    yardstick = _yardstick(problem, shares)
    none = np.empty((0, 0))

    def evaluate(theta: Array) -> Local:
        losses = problem.losses(theta)
        value = float(shares[shares > 0] @ losses[shares > 0])
        gradient = problem.sum_gradient(theta, shares=shares) + problem.penalty_gradient(theta)
        value += problem.penalty_change(theta)
        if problem.is_iterative:
            return Local(value, gradient, none, yardstick)
        H = problem.sum_hessian(theta, shares=shares) + problem.penalty_hessian(theta)
        return Local(value, gradient, curved_up(H), yardstick)

    def solve(theta: Array, here: Local) -> tuple[Array, bool]:
        return _step_without_hessian(problem, shares, theta, here), False

    return minimize(
        evaluate, problem.params, max_iter=max_iter, solve=solve if problem.is_iterative else None
    )


def _step_without_hessian(
    problem: AutodiffSolving, shares: Array, theta: Array, here: Local
) -> Array:
    """(H + λ)⁻¹ g by conjugate gradients, λ = 0 unless they meet negative curvature."""

    def multiply(U: Array) -> Array:
        found = problem.sum_products(theta, U, shares=shares)
        return found + problem.penalty_products(theta, U) + shift * U

    shift, tol = 0.0, min(1e-2, max(here.residual, 1e-12))
    while True:
        found = conjugate_gradients(
            multiply, here.gradient[:, None], lambda R: R, tol=tol,
            max_iter=most_products(len(theta)),
        )  # fmt: skip
        if found.curvature is None:
            return found.x[:, 0]
        shift = max(4.0 * shift, -2.0 * found.curvature, _LEAST * found.steepest)


def _yardstick(problem: AutodiffSolving, shares: Array) -> float:
    """E‖∇ℓ_i(θ̂)‖: what gradients of the mean are small against."""
    total, count = 0.0, max(1, _ROW_DOUBLES // len(problem.params))
    for batch in problem.batches(shares=shares):
        for start in range(0, len(batch.rows), count):
            X, y, part = (a[start : start + count] for a in batch[1:])
            rows = problem.derivatives("row_gradients", problem.params, X, y)
            total += float(part @ np.linalg.norm(rows, axis=1))
    return total


def curved_up(H: Array) -> Array:
    """H, or a positive definite matrix with the absolute values of its eigenvalues."""
    if not np.isfinite(H).all() or factorize(H) is not None:
        return H
    values, vectors = np.linalg.eigh(H)
    sizes = np.abs(values)
    sizes = np.maximum(sizes, _LEAST * sizes.max(initial=np.finfo(float).tiny))
    return np.asarray((vectors * sizes) @ vectors.T)

"""Robust fits of order 1 whose optimum lies on kinks of the dual norm.

For p = ∞ coefficients then are zero, for p = 1 some |D_k β_k| tie at the largest, and for
any p all of Dβ may be zero. On the subspace of such a kink the norm is smooth, and
`vertices` finds the optimum there; a subgradient then tells whether it is the optimum at
all. Which kink it is shows in problems with a smoothed norm, of falling width.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ....norms import conjugate, lp_norm
from . import order_1
from .order_1 import VertexOptimum, VertexProblem

Array = NDArray[np.float64]

_FIRST, _LAST = 0.1, 1e-9  # widths, in units of the norm at the start
_REACH = 30.0  # how many widths away a kink may be


def solve(
    problem: VertexProblem, theta: Array, tol: float = 1e-12, max_iter: int | None = None
) -> VertexOptimum:
    """Minimise J from θ̂; kinks of the norm are looked for only where they matter."""
    found = [order_1.solve(problem, theta, tol, max_iter)]
    if not found[0].converged:
        found.append(_at_zero(problem, tol, max_iter))
    if not found[-1].converged:
        found.extend(_by_widths(problem, theta, tol, max_iter))
    best = found[-1] if found[-1].converged else min(found, key=lambda one: one.objective)
    return dataclasses.replace(best, n_iter=sum(one.n_iter for one in found))


def _by_widths(
    problem: VertexProblem, theta: Array, tol: float, max_iter: int | None
) -> list[VertexOptimum]:
    m = len(problem.weights)
    size = float(np.abs(problem.weights * theta[:m]).max()) or 1.0
    found, width = [], _FIRST * size
    while width > _LAST * size:
        smooth = dataclasses.replace(problem, width=width)
        theta = order_1.solve(smooth, theta, 1e-6, max_iter).theta
        space = _kink_space(problem, theta, _REACH * width)
        if space is not None and space.shape[1]:
            start = _project(space, theta)
            on = dataclasses.replace(problem, space=space)
            found.append(_judged(problem, order_1.solve(on, start, tol, max_iter), tol))
            if found[-1].converged:
                return found
        width *= 0.1
    # A subgradient at the last point says how far that is from an optimum.
    found.append(dataclasses.replace(order_1.solve(problem, theta, tol, 0), converged=False))
    return found


def _project(space: Array, theta: Array) -> Array:
    return np.asarray(space @ np.linalg.lstsq(space, theta, rcond=None)[0])


def _kink_space(problem: VertexProblem, theta: Array, reach: float) -> Array | None:
    """The subspace of the kink that θ is near, (d, k); None where the norm has none."""
    m, d = len(problem.weights), len(theta)
    u = problem.weights * theta[:m]
    free = problem.weights > 0
    full = np.eye(d)
    if problem.q == 1.0 or np.count_nonzero(free) == 1:
        zero = np.flatnonzero(free & (np.abs(u) <= reach))
        return np.delete(full, zero, axis=1)
    if np.isinf(problem.q):
        tied = np.flatnonzero(free & (np.abs(u) >= np.abs(u).max() - reach))
        along = np.zeros(d)
        along[tied] = np.sign(u[tied]) / problem.weights[tied]
        return np.column_stack([np.delete(full, tied, axis=1), along])
    return None


def _judged(problem: VertexProblem, found: VertexOptimum, tol: float) -> VertexOptimum:
    """The optimum on a subspace with the residual that it has outside of it."""
    gradient, slope = _mixture(problem, found)
    m, theta = len(problem.weights), found.theta
    u, free = problem.weights * theta[:m], problem.weights > 0
    left = gradient.copy()
    budget = problem.rho * slope * problem.weights
    if problem.q == 1.0 or np.count_nonzero(free) == 1:
        zero = free & (u == 0.0)
        # _mixture's subgradient of |β_k| at 0 is 0, of [−1, 1].
        left[:m][zero] = np.sign(left[:m][zero]) * np.maximum(
            np.abs(left[:m][zero]) - budget[zero], 0.0
        )
    elif np.any(u):
        tied = free & (np.abs(u) >= np.abs(u).max() * (1.0 - 1e-12))
        first = int(np.argmax(np.abs(u)))
        left[first] -= budget[first] * np.sign(u[first])
        # Shares μ ≥ 0 of the tied entries: what they cannot cancel is left.
        wanted = -left[:m][tied] * np.sign(u[tied])
        spent = np.maximum(wanted, 0.0)
        excess = abs(float(np.sum(spent / problem.weights[tied])) - problem.rho * slope)
        left[:m][tied] += np.sign(u[tied]) * spent
        left = np.append(left, excess)
    scale = _yardstick(problem, theta)
    residual = max(float(np.linalg.norm(left)) / scale, found.residual)
    return dataclasses.replace(found, residual=residual, converged=residual <= tol)


def _mixture(problem: VertexProblem, found: VertexOptimum) -> tuple[Array, float]:
    """The pieces' gradients (d,) in their shares, and dJ/dκ."""
    gradient = problem.natural(found.theta)[0]
    kappa = problem.norm(found.theta)[0]
    side, slope = problem.pieces(found.theta)[2], 0.0
    for j, share in found.shares.items():
        gradient = gradient + share * problem.added(found.theta, j, side[j])[0]
        there = problem.V[j] @ found.theta + side[j] * kappa / problem.omega[j]
        slope += share * side[j] * float(problem.loss.slope(there, problem.y[j]))
    return gradient, slope


def _yardstick(problem: VertexProblem, theta: Array) -> float:
    first = problem.loss.slope(problem.V @ theta, problem.y)
    return float(problem.omega @ (np.abs(first) * np.linalg.norm(problem.V, axis=1))) or 1.0


def _at_zero(problem: VertexProblem, tol: float, max_iter: int | None) -> VertexOptimum:
    """The best θ with Dβ = 0, where no sample gains, and whether it is the optimum.

    A subgradient adds ρ λᵀ|ℓ'| D z, ‖z‖_p ≤ 1, for shares λ of samples: the gradient g of
    the attackable coefficients is cancelled where ‖D⁻¹g‖_p ≤ ρ max |ℓ'|.
    """
    m, d = len(problem.weights), problem.V.shape[1]
    attacked = np.zeros(d, dtype=bool)
    attacked[:m] = problem.weights > 0
    start = np.zeros(d)
    if d > m:
        start[-1] = problem.loss.null_prediction(float(problem.omega @ problem.y))
    space = np.eye(d)[:, ~attacked]
    theta, converged = start, True
    if space.size:
        on = dataclasses.replace(problem, space=space)
        found = order_1.solve(on, start, tol, max_iter)
        theta, converged = found.theta, found.converged
    gradient = problem.natural(theta)[0]
    steepest = np.abs(problem.loss.slope(problem.V @ theta, problem.y))[problem.omega > 0].max()
    inner = gradient[attacked] / problem.weights[attacked[:m]]
    size, budget = float(lp_norm(inner, conjugate(problem.q))), problem.rho * float(steepest)
    left = 0.0 if size <= budget else (1.0 - budget / size) * float(np.linalg.norm(inner))
    outside = float(np.linalg.norm(gradient[~attacked]))
    residual = float(np.hypot(left, outside)) / _yardstick(problem, theta)
    met = converged and residual <= tol
    return VertexOptimum(theta, problem.value(theta), residual, np.inf if not met else residual, 0,
                         met, {})  # fmt: skip

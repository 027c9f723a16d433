"""Robust fits under attacks that may spend everything on one sample (order 1).

    J(θ) = max_j J_j(θ),   J_j = E ℓ(f) + α‖β‖² + ω_j [ℓ(f_j ± κ/ω_j) − ℓ(f_j)],  κ = ρ‖Dβ‖_q

Each J_j is convex: the term of sample j in E ℓ cancels. A step minimises the maximum of
their quadratic models, for the samples that are worst here or were a step ago (`bundle`);
where the norm is smooth that is Newton's method, kinks between samples included. For kinks
of the norm see `vertex_kinks`, which solves the problem on subspaces where it is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....losses import Loss
from ....norms import smooth_norm
from ....solvers.bundle import Cut, best_mixture

Array = NDArray[Any]

_FEWEST = 16  # pieces in a step
_MAX_STEPS = 200
_ROUNDING = 1e-13  # of the objective


@dataclass(frozen=True)
class VertexProblem:
    """The data: rows V (n, d) with the intercept's ones, targets, weights ω that sum to 1.

    The norm may be smoothed to a `width`, and θ kept to the columns of `space` (d, k).
    """

    V: Array
    y: Array
    omega: Array
    loss: Loss
    alpha: float
    penalized: Array
    weights: Array  # D (m,)
    q: float
    rho: float
    width: float = 0.0
    space: Array | None = None

    def within(self, vector: Array) -> Array:
        """A gradient in the coordinates of the subspace."""
        return vector if self.space is None else np.asarray(self.space.T @ vector)

    def bend_within(self, matrix: Array) -> Array:
        """A Hessian in the coordinates of the subspace."""
        return matrix if self.space is None else np.asarray(self.space.T @ matrix @ self.space)

    def step(self, move: Array) -> Array:
        """A step of θ from one in the subspace."""
        return move if self.space is None else np.asarray(self.space @ move)

    def norm(self, theta: Array) -> tuple[float, Array, Array]:
        """κ, its gradient (d,) and Hessian (d, d)."""
        d, m = len(theta), len(self.weights)
        value, z, bend = _norm(self.weights * theta[:m], self.q, self.width)
        gradient, hessian = np.zeros(d), np.zeros((d, d))
        gradient[:m] = self.rho * self.weights * z
        hessian[:m, :m] = self.rho * self.weights[:, None] * bend * self.weights
        return self.rho * value, gradient, hessian

    def pieces(self, theta: Array) -> tuple[float, Array, Array]:
        """E ℓ + α‖β‖², what each sample's attack adds to it (n,), and the ends ±1 (n,)."""
        f = self.V @ theta
        kappa = self.norm(theta)[0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            far = np.where(self.omega > 0.0, kappa / self.omega, 0.0)
            up, down = self.loss.change(f, far, self.y), self.loss.change(f, -far, self.y)
            natural = float(self.omega @ self.loss.value(f, self.y))
        natural += self.alpha * float(self.penalized @ theta**2)
        return natural, self.omega * np.maximum(up, down), np.where(up >= down, 1.0, -1.0)

    def value(self, theta: Array) -> float:
        """J(θ)."""
        natural, added, _ = self.pieces(theta)
        return natural + float(added.max())

    def natural(self, theta: Array) -> tuple[Array, Array]:
        """Gradient (d,) and Hessian (d, d) of E ℓ + α‖β‖²."""
        f = self.V @ theta
        first, second = self.loss.slope(f, self.y), self.loss.curvature(f, self.y)
        gradient = self.V.T @ (self.omega * first) + 2.0 * self.alpha * self.penalized * theta
        hessian = self.V.T @ ((self.omega * second)[:, None] * self.V)
        hessian[np.diag_indices_from(hessian)] += 2.0 * self.alpha * self.penalized
        return gradient, hessian

    def added(self, theta: Array, j: int, side: float) -> tuple[Array, Array]:
        """Gradient and Hessian of ω_j [ℓ(f_j ± κ/ω_j) − ℓ(f_j)]."""
        kappa, slope, bend = self.norm(theta)
        v, y, omega = self.V[j], self.y[j], self.omega[j]
        f = v @ theta
        there = f + side * kappa / omega
        first, second = self.loss.slope(there, y), self.loss.curvature(there, y)
        moved = v + side / omega * slope
        gradient = omega * (first * moved - self.loss.slope(f, y) * v)
        hessian = omega * (
            second * np.outer(moved, moved) - self.loss.curvature(f, y) * np.outer(v, v)
        )
        return gradient, hessian + side * first * bend


@dataclass(frozen=True)
class VertexOptimum:
    """Where the steps stopped; the residual is the least subgradient's relative norm."""

    theta: Array
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool
    shares: dict[int, float]


def _norm(u: Array, q: float, width: float) -> tuple[float, Array, Array]:
    """A norm with a subgradient and a Hessian: at ties that of the first largest entry."""
    if width > 0.0 or (np.isfinite(q) and np.any(u)):
        return smooth_norm(u, q, width)
    z, place = np.zeros(u.shape), int(np.argmax(np.abs(u)))
    z[place] = np.sign(u[place])
    return float(np.abs(u[place])), z, np.zeros((u.size, u.size))


def solve(
    problem: VertexProblem, theta: Array, tol: float = 1e-12, max_iter: int | None = None
) -> VertexOptimum:
    """Minimise J from θ̂."""
    value = problem.value(theta)
    best: VertexOptimum | None = None
    shares: dict[int, float] = {}
    limit = _MAX_STEPS if max_iter is None else max_iter
    for step in range(limit + 1):
        shares, target, bound, residual = _model_minimum(problem, theta, shares)
        gap = max(value - bound, 0.0) / (abs(value) or 1.0)
        if best is not None and gap <= _ROUNDING and residual >= best.residual:
            break
        met = bool(residual <= tol)
        best = VertexOptimum(theta, value, residual, gap, step, met, shares)
        if residual == 0.0 or step == limit:
            break
        moved = _halve(problem, theta, target, value, value - bound)
        if moved is None and gap <= _ROUNDING:  # values no longer tell: the gradient decides
            moved = target, problem.value(target)
        if moved is None:
            break
        theta, value = moved
    assert best is not None
    return best


def _model_minimum(
    problem: VertexProblem, theta: Array, shares: dict[int, float]
) -> tuple[dict[int, float], Array, float, float]:
    """The minimum of the maximum of the pieces' quadratic models about θ.

    Returns the shares of the pieces in it, where it is, its value, and the relative norm of
    the pieces' gradients mixed in these shares.
    """
    natural, added, side = problem.pieces(theta)
    gradient, hessian = problem.natural(theta)
    gradient, hessian = problem.within(gradient), problem.bend_within(hessian)
    counted = np.where(problem.omega > 0.0, added, -1.0)  # what has no weight takes no part
    count = min(int(np.count_nonzero(problem.omega)), max(_FEWEST, theta.size + 2))
    worst = np.argpartition(-counted, count - 1)[:count]
    places = sorted({int(j) for j in worst} | set(shares))
    slopes, cuts = [], []
    for j in places:
        own, bend = problem.added(theta, j, side[j])
        slopes.append(gradient + problem.within(own))
        half = 0.5 * (hessian + problem.bend_within(bend))  # about θ: L_j(θ + Δ) = ΔᵀAΔ − 2bᵀΔ + c
        cuts.append(Cut(half, -0.5 * slopes[-1], float(added[j])))
    start = np.array([shares.get(j, 0.0) for j in places])
    if not start.any():
        start[int(np.argmax([added[j] for j in places]))] = 1.0
    found = best_mixture(cuts, start)
    kept = {j: float(share) for j, share in zip(places, found.shares, strict=True) if share > 0}
    mixed = found.shares @ np.array(slopes)
    # Pieces below the maximum are no part of its subdifferential.
    below = float(found.shares @ (added.max() - added[places]))
    first = problem.loss.slope(problem.V @ theta, problem.y)
    yardstick = float(problem.omega @ (np.abs(first) * np.linalg.norm(problem.V, axis=1))) or 1.0
    scale = abs(natural + float(added.max())) or 1.0
    residual = max(float(np.linalg.norm(mixed)) / yardstick, below / scale)
    return kept, theta + problem.step(found.theta), natural + found.bound, residual


def _halve(
    problem: VertexProblem, theta: Array, target: Array, value: float, predicted: float
) -> tuple[Array, float] | None:
    """The first point on the way to the model's minimum with enough descent, or None."""
    size = 1.0
    for _ in range(40):
        trial = theta + size * (target - theta)
        there = problem.value(trial)
        if np.isfinite(there) and there <= value - 1e-4 * size * predicted and there < value:
            return trial, there
        size *= 0.5
    return None

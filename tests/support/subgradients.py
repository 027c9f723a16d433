"""The least subgradient of the robust objective, by least squares with bounded multipliers.

J(theta) = E max(l(f + k), l(f - k)) + alpha ||beta||^2, k = rho ||D beta||_q. Its
subdifferential is the set of g(lambda, z): lambda_i in [-1, 1] mixes the ends of a sample at
which both are as bad, z is a subgradient of the norm. This finds the smallest of them.
"""

from __future__ import annotations

import numpy as np
from oracles import linear as twin
from oracles import losses, norms
from scipy.optimize import lsq_linear

from support.makers import LOSS

KINK = 1e-9  # relative size below which a gap, a coefficient or a difference counts as zero


def norm_subgradients(u, p):
    """One subgradient z of ||u||_q, and directions with bounds that span the others."""
    size = np.abs(u).max()
    if size == 0.0:
        return None
    if np.isinf(p):
        zero = np.abs(u) <= KINK * size
        return np.where(zero, 0.0, np.sign(u)), np.eye(u.size)[:, zero], -1.0, 1.0
    if p == 1:
        tied = np.flatnonzero(np.abs(u) >= size * (1 - KINK))
        corners = np.eye(u.size)[:, tied] * np.sign(u[tied])
        return corners[:, 0], corners[:, 1:] - corners[:, :1], 0.0, 1.0
    return norms.dual_direction(u, p), np.zeros((u.size, 0)), 0.0, 1.0


def least_subgradient(kind, data, theta, p, rho, alpha, D, delta):
    """Its norm, relative to the mean norm of the samples' gradients (all D > 0, intercept)."""
    X, y, w = data
    keep = w > 0
    X, y, w = X[keep], y[keep], w[keep] / w.sum()
    Z, u = twin.design(X, True), D * theta[:-1]
    f, kappa = Z @ theta, rho * norms.norm(u, norms.dual_order(p))
    penalty = 2.0 * alpha * np.append(theta[:-1], 0.0)
    if not theta[:-1].any():
        return subgradient_at_zero(kind, Z, y, w, f, penalty, p, rho, D, delta)
    z, norm_directions, low, high = norm_subgradients(u, p)
    (plus, slope_plus), (minus, slope_minus) = (
        losses.loss(LOSS[kind], f + k, y, delta)[:2] for k in (kappa, -kappa)
    )
    gap, size = plus - minus, np.abs(plus) + np.abs(minus) + kappa * np.abs(slope_plus)
    at_kink = np.abs(gap) <= KINK * np.minimum(size, 1.0) + 1e-13 * size
    side = np.where(at_kink, 0.0, np.sign(gap))
    up, down = 0.5 * (1 + side), 0.5 * (1 - side)

    def gradient(up, down, z):
        """The gradient with these shares of the ends: df/dtheta = (v, 1), dk/dtheta = rho D z."""
        along_f = up * slope_plus + down * slope_minus
        along_k = up * slope_plus - down * slope_minus
        bend = np.append(D * z, 0.0)
        return Z.T @ (w * along_f) + rho * (w @ along_k) * bend

    base = gradient(up, down, z) + penalty
    columns, lower, upper = [], [], []
    for i in np.flatnonzero(at_kink):
        half = 0.5 * np.eye(len(y))[i]
        columns.append(gradient(half, -half, z))
        lower.append(-1.0)
        upper.append(1.0)
    weight = rho * (w @ (up * slope_plus - down * slope_minus))
    for direction in norm_directions.T:
        columns.append(weight * np.append(D * direction, 0.0))
        lower.append(low)
        upper.append(high)
    lengths = np.linalg.norm(Z, axis=1)
    yardstick = w @ (np.maximum(np.abs(slope_plus), np.abs(slope_minus)) * lengths)
    return smallest(base, columns, lower, upper) / yardstick


def smallest(base, columns, lower, upper):
    if not columns:
        return np.linalg.norm(base)
    A = np.column_stack(columns)
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1.0
    found = lsq_linear(
        A / scale, -base, (np.array(lower) * scale, np.array(upper) * scale), tol=1e-15,
        method="bvls",
    )  # fmt: skip
    return np.linalg.norm(base + (A / scale) @ found.x)


def subgradient_at_zero(kind, Z, y, w, f, penalty, p, rho, D, delta):
    """Where beta = 0 the norm's subgradients are the whole unit p-ball."""
    slope = losses.loss(LOSS[kind], f, y, delta)[1]
    gradient = Z.T @ (w * slope) + penalty
    inner = gradient[:-1] / D
    excess = max(0.0, norms.norm(inner, p) - rho * (w @ np.abs(slope)))
    yardstick = w @ (np.abs(slope) * np.linalg.norm(Z, axis=1))
    return np.hypot(excess, gradient[-1]) / yardstick

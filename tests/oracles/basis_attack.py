"""Inner maxima and robust optima of basis models, each by a method of its own.

For a quadratic f and p = 2 the maximum over a ball is global: it is found through its dual, a
minimisation over one multiplier that knows no hard case. For every basis and p, at eps so small
that no gradient turns much within its ball, the maximiser is the fixed point of
x = x_i + eps s phi(grad_x l(x)).
"""

from __future__ import annotations

import numpy as np

from .basis import influence, input_gradients, penalty_of, rows
from .linear import attack_scale, normalised_weights
from .losses import loss as pointwise_loss
from .norms import scaled_direction


def largest_quadratic(G, A, radius):
    """max of <g, u> + u'Au over ||u||_2 <= radius, for each row g of G.

    By strong duality the minimum over t >= max(0, a_max) of t radius^2 + sum h_k^2 / (4 (t - a_k)),
    a the eigenvalues of A and h the coordinates of g; 0 / 0 = 0. The derivative rises with t.
    """
    a, axes = np.linalg.eigh(A)
    h2 = (np.atleast_2d(G) @ axes) ** 2
    lowest = max(0.0, a[-1])
    gap = lowest - a  # exactly zero for a positive top eigenvalue

    def parts(t, power):
        denominator = 4.0 * (t[:, None] + gap) ** power
        return np.divide(h2, denominator, out=np.zeros_like(h2), where=h2 > 0).sum(axis=1)

    high = np.sqrt(h2.sum(axis=1)) / (2.0 * radius)  # here the derivative is not negative
    low = high * 1e-18
    high = np.where(high > 0, high, 1.0)
    for _ in range(64):  # halves the logarithm of 1e18
        middle = np.sqrt(low * high)
        falling = parts(middle, 2) > radius**2
        low, high = np.where(falling, middle, low), np.where(falling, high, middle)
    return np.minimum((lowest + high) * radius**2 + parts(high, 1), _at_the_end(h2, gap, lowest,
                                                                              radius))  # fmt: skip


def _at_the_end(h2, gap, lowest, radius):
    """The dual at t = max(0, a_max): infinite where a coordinate of zero gap has a gradient."""
    with np.errstate(divide="ignore"):
        rest = np.divide(h2, 4.0 * gap, out=np.zeros_like(h2), where=h2 > 0)
    return lowest * radius**2 + rest.sum(axis=1)


def extremes(basis, X, theta, reach, c, fit_intercept=True):
    """The largest and the least f over ||d / c||_2 <= reach around each row, f quadratic."""
    coef = theta[:-1] if fit_intercept else theta
    f = rows(basis, X, fit_intercept) @ theta
    G = c * input_gradients(basis, X, coef)
    A = 0.5 * np.outer(c, c) * basis.input_hessian(coef, X.shape[1])
    return f + largest_quadratic(G, A, reach), f - largest_quadratic(-G, -A, reach)


def adversarial_losses(
    basis, X, y, theta, eps, *, loss, fit_intercept=True, delta=1.0, **attack
):  # fmt: skip
    """Each sample's worst loss, f quadratic and p = 2: a convex loss is largest at an extreme."""
    X = np.asarray(X, dtype=np.float64)
    c, s = attack_scale(X, p=2.0, **attack)
    if eps == 0.0:
        return pointwise_loss(loss, rows(basis, X, fit_intercept) @ theta, y, delta)[0]
    ends = extremes(basis, X, theta, eps * s, c, fit_intercept)
    return np.maximum(*(pointwise_loss(loss, f, y, delta)[0] for f in ends))


def robust_objective(
    basis, X, y, theta, eps, *, alpha=0.0, fit_intercept=True, sample_weight=None, **options
):  # fmt: skip
    """E_n[worst loss] + alpha ||theta_pen||^2, f quadratic and p = 2."""
    worst = adversarial_losses(
        basis, X, y, theta, eps, fit_intercept=fit_intercept, sample_weight=sample_weight,
        **options,
    )  # fmt: skip
    pen = penalty_of(basis, len(theta), fit_intercept)
    return float(normalised_weights(len(worst), sample_weight) @ worst + alpha * pen @ theta**2)


def worst_points(basis, X, y, theta, reach, c, *, loss, p, fit_intercept=True, delta=1.0):
    """The maximisers over small balls, by iterating x = x_i + reach phi(grad_x l(x))."""
    coef = theta[:-1] if fit_intercept else theta
    points = X
    for _ in range(100):
        f = rows(basis, points, fit_intercept) @ theta
        l1 = pointwise_loss(loss, f, y, delta)[1]
        G = l1[:, None] * input_gradients(basis, points, coef)
        moved = X + reach * scaled_direction(G, p, c)
        if np.max(np.abs(moved - points)) <= 1e-16:
            break
        points = moved
    return points


def robust_fit(
    basis, X, y, theta, eps, *, loss, alpha=0.0, fit_intercept=True, p=2.0, sample_weight=None,
    delta=1.0, **attack,
):  # fmt: skip
    """theta_eps for small eps: steps with the natural Hessian, the gradient by Danskin's theorem.

    Every step leaves an error of order eps times the last one.
    """
    known = {"loss": loss, "fit_intercept": fit_intercept, "delta": delta}
    X = np.asarray(X, dtype=np.float64)
    w, pen = normalised_weights(len(X), sample_weight), penalty_of(basis, len(theta), fit_intercept)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **attack)
    H = influence(
        basis, X, y, theta, alpha=alpha, p=p, sample_weight=sample_weight, **known, **attack
    )["hessian"]
    found = np.array(theta)
    for _ in range(30):
        points = worst_points(basis, X, y, found, eps * s, c, p=p, **known)
        Z = rows(basis, points, fit_intercept)
        gradient = Z.T @ (w * pointwise_loss(loss, Z @ found, y, delta)[1])
        step = np.linalg.solve(H, gradient + 2.0 * alpha * pen * found)
        found = found - step
        if np.max(np.abs(step)) <= 1e-16:
            break
    return found

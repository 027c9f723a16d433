"""Attacks within bounds, budgets, metrics and groups, for one linear predictor: plain NumPy.

The most that δ gains along β is found by bisection on the multiplier of ‖δ/c‖_p ≤ size.
"""

import numpy as np
from scipy.optimize import minimize

LOSSES = {
    "squared_error": (lambda f, y: (f - y) ** 2, lambda f, y: 2 * (f - y)),
    "logistic": (
        lambda f, y: np.logaddexp(0.0, -y * f), lambda f, y: -y / (1.0 + np.exp(y * f))
    ),
    "poisson": (lambda f, y: np.exp(f) - y * f, lambda f, y: np.exp(f) - y),
    "huber": (
        lambda f, y: np.sqrt(1.0 + (f - y) ** 2) - 1.0,
        lambda f, y: (f - y) / np.sqrt(1.0 + (f - y) ** 2),
    ),
}  # fmt: skip


def boxed(beta, x, size, p, low, high):
    """The best δ (m,) with ‖δ‖_p ≤ size and low ≤ x + δ ≤ high."""
    room = np.where(beta > 0, high - x, x - low)
    b, sign = np.abs(beta), np.sign(beta)
    if np.isinf(p):
        return sign * np.minimum(room, size)
    if p == 1:
        out = np.zeros(b.size)
        for k in np.argsort(-b, kind="stable"):
            out[k] = min(room[k], size - out.sum()) if b[k] > 0 else 0.0
        return sign * np.maximum(out, 0.0)

    shape, power = b ** (1 / (p - 1)), size**p

    def step(level):
        return np.minimum(level * shape, room)

    def fits(level):
        return (step(level) ** p).sum() <= power

    low_level, high_level = 0.0, 1e-6
    while fits(high_level) and high_level < 1e12:
        high_level *= 2
    while low_level < (middle := 0.5 * (low_level + high_level)) < high_level:
        if fits(middle):
            low_level = middle
        else:
            high_level = middle
    return sign * step(low_level)


def grouped(beta, size, p, groups):
    """The best δ (m,) with ‖(‖δ_G‖₂)_G‖_p ≤ size."""
    lengths = np.array([np.linalg.norm(beta[part]) for part in groups])
    shares = boxed(lengths, np.zeros(lengths.size), size, p, -np.inf, np.inf)
    out = np.zeros(beta.size)
    for part, length, share in zip(groups, lengths, shares, strict=True):
        if length > 0:
            out[part] = share * beta[part] / length
    return out


def in_metric(beta, size, sigma):
    """The best δ (m,) with δᵀΣ⁻¹δ ≤ size²."""
    return size * sigma @ beta / np.sqrt(beta @ sigma @ beta)


def best(beta, x, size, p, *, low=-np.inf, high=np.inf, metric=None, groups=None):
    """The best δ of whichever set."""
    if size == 0 or not beta.any():
        return np.zeros(beta.size)
    if metric is not None:
        return in_metric(beta, size, metric)
    if groups is not None:
        return grouped(beta, size, p, groups)
    return boxed(beta, x, size, p, low, high)


def attacked(theta, X, y, sizes, loss, p, **attack):
    """The worst rows (n, m)."""
    value, _ = LOSSES[loss]
    out = np.empty(X.shape)
    for i, x in enumerate(X):
        ends = [x + best(side * theta[:-1], x, sizes[i], p, **attack) for side in (1.0, -1.0)]
        worst = [value(end @ theta[:-1] + theta[-1], y[i]) for end in ends]
        out[i] = ends[int(worst[1] > worst[0])]
    return out


def objective(theta, X, y, w, sizes, loss, alpha, p, **attack):
    """Value and gradient of the robust objective."""
    value, slope = LOSSES[loss]
    rows = attacked(theta, X, y, sizes, loss, p, **attack)
    f, share = rows @ theta[:-1] + theta[-1], w / w.sum()
    pull = share * slope(f, y)
    gradient = np.append(pull @ rows + 2 * alpha * theta[:-1], pull.sum())
    return share @ value(f, y) + alpha * theta[:-1] @ theta[:-1], gradient


def robust(start, *arguments, **attack):
    """A robust optimum near the start, where the objective is smooth there."""
    theta = np.array(start)
    for _ in range(2):
        theta = minimize(
            lambda theta: objective(theta, *arguments, **attack), theta, method="BFGS", jac=True,
            options={"gtol": 1e-13, "maxiter": 500},
        ).x  # fmt: skip
    return theta

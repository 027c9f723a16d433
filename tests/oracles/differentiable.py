"""A network with one hidden layer of tanh, written out in NumPy, and its influence.

f = w2 . tanh(W1 x + b1) + b2 with the squared error (f - y)^2; theta is W1 by rows, b1, w2, b2.
The Hessian comes from central differences of the gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .norms import Array, dual_order, norm, scaled_direction


class Parts(NamedTuple):
    """W1 (h, m), b1 (h,), w2 (h,), b2 of theta."""

    W1: Array
    b1: Array
    w2: Array
    b2: float


def split(theta: Array, m: int) -> Parts:
    h = (theta.size - 1) // (m + 2)
    W1, b1, w2, b2 = np.split(theta, [h * m, h * m + h, h * m + 2 * h])
    return Parts(W1.reshape(h, m), b1, w2, float(b2[0]))


def predictions(theta: Array, X: Array) -> Array:
    W1, b1, w2, b2 = split(theta, X.shape[1])
    return np.tanh(X @ W1.T + b1) @ w2 + b2


def gradients(theta: Array, X: Array) -> Array:
    """grad_theta f for each row, (n, d)."""
    W1, b1, w2, _ = split(theta, X.shape[1])
    t = np.tanh(X @ W1.T + b1)
    back = w2 * (1.0 - t**2)
    first = (back[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    return np.hstack([first, back, t, np.ones((len(X), 1))])


def slopes(theta: Array, X: Array) -> Array:
    """grad_x f for each row, (n, m)."""
    W1, b1, w2, _ = split(theta, X.shape[1])
    return (w2 * (1.0 - np.tanh(X @ W1.T + b1) ** 2)) @ W1


def turned(theta: Array, X: Array, phi: Array) -> Array:
    """grad_theta <grad_x f, phi> for each row, (n, d), phi held fixed."""
    W1, b1, w2, _ = split(theta, X.shape[1])
    t = np.tanh(X @ W1.T + b1)
    first, second = 1.0 - t**2, -2.0 * t * (1.0 - t**2)
    c = phi @ W1.T
    bent = w2 * second * c
    W = bent[:, :, None] * X[:, None, :] + (w2 * first)[:, :, None] * phi[:, None, :]
    return np.hstack([W.reshape(len(X), -1), bent, first * c, np.zeros((len(X), 1))])


def gradient(theta: Array, X: Array, y: Array, w: Array, alpha: float) -> Array:
    """grad L with L = E (f - y)^2 + alpha ||theta||^2."""
    r = predictions(theta, X) - y
    return 2.0 * (w * r) @ gradients(theta, X) / w.sum() + 2.0 * alpha * theta


def hessian(theta: Array, X: Array, y: Array, w: Array, alpha: float) -> Array:
    """The gradient's central differences, extrapolated once."""

    def differences(step: float) -> Array:
        rows = [
            gradient(theta + step * e, X, y, w, alpha) - gradient(theta - step * e, X, y, w, alpha)
            for e in np.eye(theta.size)
        ]
        return np.array(rows) / (2.0 * step)

    H = (4.0 * differences(5e-4) - differences(1e-3)) / 3.0
    return 0.5 * (H + H.T)


def fit(theta: Array, X: Array, y: Array, w: Array, alpha: float) -> Array:
    """A stationary point close to theta: Newton's method, damped while H is indefinite."""
    for _ in range(200):
        H = hessian(theta, X, y, w, alpha)
        least = np.linalg.eigvalsh(H)[0]
        shift = max(0.0, 1e-3 - least)
        step = np.linalg.solve(
            H + shift * np.eye(theta.size), gradient(theta, X, y, w, alpha)
        )
        step *= min(1.0, 0.5 / np.linalg.norm(step))
        theta = theta - step
        if np.linalg.norm(step) < 1e-13 * np.linalg.norm(theta):
            break
    return theta


class Influence(NamedTuple):
    """Phi, H, s, E||c . grad_x l||_q, and the attack directions (n, m)."""

    mixed: Array
    hessian: Array
    radius: float
    slope: float
    directions: Array


def influence(
    theta: Array, X: Array, y: Array, w: Array, alpha: float, p: float, c: Array
) -> Influence:
    """The parts of Theorem 4.1, with s = E||x/c||_p over the attackable features."""
    free = c > 0
    s = np.average(norm(X[:, free] / c[free], p), weights=w)
    r = predictions(theta, X) - y
    g = 2.0 * r[:, None] * slopes(theta, X)
    phi = scaled_direction(g, p, c)
    rows = 2.0 * np.einsum("ij,ij->i", slopes(theta, X), phi)[:, None] * gradients(theta, X)
    rows += 2.0 * r[:, None] * turned(theta, X, phi)
    return Influence(
        s * np.average(rows, axis=0, weights=w), hessian(theta, X, y, w, alpha), s,
        float(np.average(norm(c * g, dual_order(p)), weights=w)), phi,
    )  # fmt: skip

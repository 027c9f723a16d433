"""Adversarial influence of networks f = w2 . act(W1^T u + b1) + b2, u = (x - shift) / scale.

theta is W1 by rows of (m, h), b1, w2, b2; W1 and w2 are penalised. Sample by sample, with every
matrix written out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf, expit

from .linear import Vector, attack_scale, normalised_weights, shift_and_scale
from .losses import loss as pointwise_loss
from .norms import Array, dual_order, norm, scaled_direction
from .order import shares as budgets_of


def activation(name: str, z: Array) -> tuple[Array, Array, Array]:
    """The activation and its first two derivatives."""
    if name == "tanh":
        return np.tanh(z), np.cosh(z) ** -2.0, -2.0 * np.sinh(z) * np.cosh(z) ** -3.0
    if name == "softplus":
        return np.logaddexp(0.0, z), expit(z), expit(z) * expit(-z)
    cdf = 0.5 * (1.0 + erf(z / np.sqrt(2.0)))
    pdf = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return z * cdf, cdf + z * pdf, 2.0 * pdf - z**2 * pdf


def unpack(theta: npt.ArrayLike, m: int) -> tuple[Array, Array, Array, float]:
    """W1 (m, h), b1, w2 and b2."""
    theta = np.asarray(theta, dtype=np.float64)
    h = (theta.size - 1) // (m + 2)
    return theta[: m * h].reshape(m, h), theta[m * h : m * h + h], theta[m * h + h : -1], theta[-1]


def penalised(m: int, h: int) -> Array:
    """One for W1 and w2."""
    return np.concatenate([np.ones(m * h), np.zeros(h), np.ones(h), [0.0]])


def prediction(theta: Array, u: Array, name: str) -> dict[str, Any]:
    """f at one u, its gradients in theta and u, its Hessian in theta, and d(grad_u f)/d theta."""
    m = u.size
    W1, b1, w2, b2 = unpack(theta, m)
    h = b1.size
    a, a1, a2 = activation(name, u @ W1 + b1)
    d = theta.size
    hessian, cross = np.zeros((d, d)), np.zeros((m, d))
    for i in range(h):
        own = np.array([j * h + i for j in range(m)] + [m * h + i])
        along = np.append(u, 1.0)
        hessian[np.ix_(own, own)] = w2[i] * a2[i] * np.outer(along, along)
        hessian[own, m * h + h + i] = hessian[m * h + h + i, own] = a1[i] * along
        for k in range(m):  # df/du_k = sum_i w2_i a1_i W1_ki
            cross[k, own] += w2[i] * a2[i] * W1[k, i] * along
            cross[k, k * h + i] += w2[i] * a1[i]
            cross[k, m * h + h + i] += a1[i] * W1[k, i]
    gradient = np.concatenate([np.outer(u, w2 * a1).ravel(), w2 * a1, a, [1.0]])
    return {
        "f": float(w2 @ a + b2), "gradient": gradient, "hessian": hessian, "cross": cross,
        "inputs": W1 @ (w2 * a1),
    }  # fmt: skip


def everything(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    name: str,
    loss: str,
    alpha: float = 0.0,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    order: float = np.inf,
    formula: str = "exact",
    **attack: Any,
) -> dict[str, Any]:
    """Objective, gradient, both Hessians, Phi, its shares by sample, and the value derivative."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    n, m = X.shape
    w = normalised_weights(n, sample_weight)
    mu, sigma = shift_and_scale(m, shift, scale)
    c, s = attack_scale(
        X, p=p, sample_weight=sample_weight, shift=shift, scale=scale, **attack
    )
    d = theta.size
    h = (d - 1) // (m + 2)
    pen = penalised(m, h)
    value, gradient = alpha * float(pen @ theta**2), 2.0 * alpha * pen * theta
    gauss_newton, exact = 2.0 * alpha * np.diag(pen), 2.0 * alpha * np.diag(pen)
    shares, gains = np.zeros((n, d)), np.zeros(n)
    for i in range(n):
        at = prediction(theta, (X[i] - mu) / sigma, name)
        v, l1, l2 = (float(t) for t in pointwise_loss(loss, np.array(at["f"]), y[i], 1.0))
        inputs = at["inputs"] / sigma
        phi = scaled_direction(l1 * inputs, p, c)
        value += w[i] * v
        gradient = gradient + w[i] * l1 * at["gradient"]
        outer = w[i] * l2 * np.outer(at["gradient"], at["gradient"])
        gauss_newton = gauss_newton + outer
        exact = exact + outer + w[i] * l1 * at["hessian"]
        shares[i] = s * (l2 * (inputs @ phi) * at["gradient"] + l1 * (phi / sigma) @ at["cross"])
        gains[i] = norm(c * l1 * inputs, dual_order(p))
    t = budgets_of(gains, w, order, formula)
    shares, slope_of_value = t[:, None] * shares, s * float(w @ (t * gains))
    return {
        "value": value, "gradient": gradient, "hessian": exact, "gauss_newton": gauss_newton,
        "shares": shares, "mixed": w @ shares, "value_derivative": slope_of_value, "radius": s,
        "budgets": t,
    }  # fmt: skip

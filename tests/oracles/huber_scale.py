"""Huber's regression with its scale, θ = (β, b, σ): everything by complex steps and differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .layers import rows_by_complex_steps, slope
from .linear import Vector, attack_scale, normalised_weights, shift_and_scale
from .norms import Array, scaled_direction


def losses(theta: Array, U: Array, y: Array, delta: float, intercept: bool) -> Array:
    """σ + r²/σ within δσ, else σ + 2δ|r| − δ²σ."""
    m, sigma = U.shape[1], theta[-1]
    r = U @ theta[:m] + (theta[m] if intercept else 0.0) - y
    size = np.where(r.real < 0, -r, r)
    inside = size.real < delta * np.real(sigma)
    return sigma + np.where(inside, r * r / sigma, 2.0 * delta * size - delta**2 * sigma)


def everything(
    X: npt.ArrayLike, y: npt.ArrayLike, theta: npt.ArrayLike, *, delta: float, alpha: float,
    p: float, intercept: bool = True, sample_weight: Vector = None, shift: Vector = None,
    scale: Vector = None, **attack: Any,
) -> dict[str, Any]:  # fmt: skip
    """Gradient, Hessian, Phi and its shares, and the influence."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    n, m = X.shape
    w = normalised_weights(n, sample_weight)
    mu, sd = shift_and_scale(m, shift, scale)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, shift=shift, scale=scale, **attack)
    penalty = np.zeros(theta.size)
    penalty[:m] = 2.0 * alpha

    def rows(t: Array, inputs: Array) -> Array:
        return rows_by_complex_steps(
            lambda v: losses(v, (inputs - mu) / sd, y, delta, intercept), t
        )

    r = (X - mu) / sd @ theta[:m] + (theta[m] if intercept else 0.0) - y
    phi = np.array([scaled_direction(np.sign(e) * theta[:m] / sd, p, c) for e in r])
    shares = s * slope(lambda h: rows(theta, X + h * phi), 1e-6)
    H = np.array([
        slope(lambda h, e=e: w @ rows(theta + h * e, X), 1e-6) for e in np.eye(theta.size)
    ])  # fmt: skip
    H = 0.5 * (H + H.T) + np.diag(penalty)
    mixed = w @ shares
    return {
        "gradient": w @ rows(theta, X) + penalty * theta, "hessian": H, "mixed": mixed,
        "shares": shares, "radius": s, "influence": -np.linalg.solve(H, mixed),
    }  # fmt: skip

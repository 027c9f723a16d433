"""Adversarial influence of linear models of several outputs, z = W v + b and ||z - y||^2.

Gradients alone are written down; their derivatives are those of a complex step, as in `softmax`.
theta = (W by rows, b).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .linear import Vector, attack_scale, design, normalised_weights, shift_and_scale
from .norms import Array, dual_order, norm, scaled_direction
from .softmax import along_axes, logits, penalised, shares, split


def residuals(V: Array, Y: Array, theta: Any, fit_intercept: bool) -> Any:
    """z - y (n, t); theta may be complex."""
    return logits(V, theta, Y.shape[1], fit_intercept) - Y


def losses(V: Array, Y: Array, theta: Any, fit_intercept: bool = True) -> Any:
    """||z - y||^2 (n,)."""
    return np.sum(residuals(V, Y, theta, fit_intercept) ** 2, axis=1)


def gradient_rows(V: Array, Y: Array, theta: Any, fit_intercept: bool) -> Any:
    """The gradient of every loss in theta, (n, d)."""
    a = 2.0 * residuals(V, Y, theta, fit_intercept)
    in_w = (a[:, :, None] * V[:, None, :]).reshape(len(V), -1)
    return np.hstack([in_w, a]) if fit_intercept else in_w


def input_gradients(V: Array, Y: Array, theta: Any, fit_intercept: bool, sigma: Array) -> Any:
    """The gradient of every loss in raw inputs, (n, m)."""
    W, _ = split(theta, Y.shape[1], fit_intercept)
    return 2.0 * residuals(V, Y, theta, fit_intercept) @ W / sigma


def influence(
    X: npt.ArrayLike,
    Y: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    p: float = 2.0,
    order: float = np.inf,
    formula: str = "exact",
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    **attack: Any,
) -> dict[str, Any]:
    """I, and what it is made of."""
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    (n, m), t = X.shape, Y.shape[1]
    w = normalised_weights(n, sample_weight)
    _, sigma = shift_and_scale(m, shift, scale)
    units = {"shift": shift, "scale": scale}
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **units, **attack)
    V = design(X, False, shift, scale)
    slopes = input_gradients(V, Y, theta, fit_intercept, sigma)
    phi = scaled_direction(slopes, p, c)
    gains = norm(c * slopes, dual_order(p))
    budgets = shares(gains, w, order, formula)
    rows = along_axes(
        lambda at: np.sum(input_gradients(V, Y, at, fit_intercept, sigma) * phi, axis=1), theta
    )
    rows = s * budgets[:, None] * rows
    hessian_eval = along_axes(lambda at: w @ gradient_rows(V, Y, at, fit_intercept), theta)
    hessian = hessian_eval + 2.0 * alpha * np.diag(penalised(m, t, fit_intercept))
    mixed = w @ rows
    return {
        "influence": -np.linalg.solve(hessian, mixed),
        "mixed": mixed,
        "hessian": hessian,
        "hessian_eval": hessian_eval,
        "gradient_eval": w @ gradient_rows(V, Y, theta, fit_intercept),
        "radius": s,
        "value_derivative": float(s * np.sum(w * budgets * gains)),
        "per_sample": -np.linalg.solve(hessian, rows.T).T,
    }


def natural_fit(
    X: npt.ArrayLike, Y: npt.ArrayLike, *, alpha: float = 0.0, sample_weight: Vector = None
) -> Array:
    """The minimiser with an intercept, by least squares on centred, stacked rows."""
    X, Y = np.asarray(X, dtype=np.float64), np.asarray(Y, dtype=np.float64)
    w = normalised_weights(len(X), sample_weight)
    x0, y0 = w @ X, w @ Y
    root, m = np.sqrt(w)[:, None], X.shape[1]
    V = np.vstack([root * (X - x0), np.sqrt(alpha) * np.eye(m)])
    W = np.linalg.lstsq(V, np.vstack([root * (Y - y0), np.zeros((m, Y.shape[1]))]), rcond=None)[0]
    return np.append(W.T.ravel(), y0 - x0 @ W)

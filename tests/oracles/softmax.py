"""Adversarial influence of softmax models z = W v + b, by differentiation in the complex plane.

Formulas of first derivatives alone are written down: what an influence needs of second ones are
their derivatives by a complex step, Im g(theta + ih) / h, which loses no digits. Parameters are
theta = (W by rows, b); attacks and weights are as in `linear`. H is singular along what changes
nothing, and the influence is the solution without a part there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .linear import Vector, attack_scale, design, normalised_weights, shift_and_scale
from .norms import Array, dual_order, norm, scaled_direction

STEP = 1e-30


def split(theta: npt.ArrayLike, n_classes: int, fit_intercept: bool) -> tuple[Any, Any]:
    """W (K, m) and b (K,), zeros without an intercept."""
    theta = np.asarray(theta)
    tail = n_classes if fit_intercept else 0
    W = theta[: theta.size - tail].reshape(n_classes, -1)
    return W, theta[theta.size - tail :] if tail else np.zeros(n_classes)


def logits(V: Array, theta: npt.ArrayLike, n_classes: int, fit_intercept: bool) -> Any:
    """z (n, K)."""
    W, b = split(theta, n_classes, fit_intercept)
    return V @ W.T + b


def losses(z: Any, labels: Array) -> Any:
    """-log pi_y (n,); z may be complex."""
    rows = np.arange(len(z))
    t = z - z[rows, labels][:, None]
    top = t.real.max(axis=1)
    return top + np.log(np.sum(np.exp(t - top[:, None]), axis=1))


def residuals(z: Any, labels: Array) -> Any:
    """pi - e_y (n, K)."""
    e = np.exp(z - z.real.max(axis=1)[:, None])
    a = e / e.sum(axis=1)[:, None]
    a[np.arange(len(z)), labels] -= 1.0
    return a


def gradient_rows(V: Array, labels: Array, theta: Any, n_classes: int, fit_intercept: bool) -> Any:
    """The gradient of every loss in theta, (n, d)."""
    a = residuals(logits(V, theta, n_classes, fit_intercept), labels)
    in_w = (a[:, :, None] * V[:, None, :]).reshape(len(V), -1)
    return np.hstack([in_w, a]) if fit_intercept else in_w


def input_gradients(
    V: Array, labels: Array, theta: Any, n_classes: int, fit_intercept: bool, sigma: Array
) -> Any:
    """The gradient of every loss in raw inputs, (n, m)."""
    W, _ = split(theta, n_classes, fit_intercept)
    return residuals(logits(V, theta, n_classes, fit_intercept), labels) @ W / sigma


def along_axes(function: Any, theta: Array) -> Array:
    """The derivative of a real array along each axis of theta, which comes last."""
    parts = []
    for k in range(theta.size):
        moved = theta.astype(complex)
        moved[k] += 1j * STEP
        parts.append(np.imag(function(moved)) / STEP)
    return np.stack(parts, axis=-1)


def penalised(m: int, n_classes: int, fit_intercept: bool) -> Array:
    """One for the entries of W, zero for those of b."""
    return np.append(np.ones(n_classes * m), np.zeros(n_classes if fit_intercept else 0))


def shares(gains: Array, w: Array, order: float, formula: str = "exact") -> Array:
    """t (n,): each sample's share of a budget of that order."""
    if np.isinf(order):
        return np.ones(len(gains))
    counted = np.where(w > 0, gains, 0.0)
    if order == 1.0 or formula == "paper":
        J = np.argmax(counted)
        return np.where(np.arange(len(w)) == J, w[J] ** (-1.0 / order), 0.0)
    v = order / (order - 1.0)
    return counted ** (v - 1.0) / np.sum(w * counted**v) ** (1.0 / order)


def influence(
    X: npt.ArrayLike,
    labels: npt.ArrayLike,
    theta: npt.ArrayLike,
    n_classes: int,
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
    """I, and what it is made of; labels are places 0 .. K - 1."""
    X, labels = np.asarray(X, dtype=np.float64), np.asarray(labels, dtype=int)
    theta = np.asarray(theta, dtype=np.float64)
    n, m = X.shape
    w = normalised_weights(n, sample_weight)
    _, sigma = shift_and_scale(m, shift, scale)
    units = {"shift": shift, "scale": scale}
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **units, **attack)
    V = design(X, False, shift, scale)
    kind = n_classes, fit_intercept
    slopes = input_gradients(V, labels, theta, *kind, sigma)
    phi = scaled_direction(slopes, p, c)
    gains = norm(c * slopes, dual_order(p))
    t = shares(gains, w, order, formula)
    rows = along_axes(
        lambda at: np.sum(input_gradients(V, labels, at, *kind, sigma) * phi, axis=1), theta
    )
    rows = s * t[:, None] * rows
    hessian_eval = along_axes(lambda at: w @ gradient_rows(V, labels, at, *kind), theta)
    hessian = hessian_eval + 2.0 * alpha * np.diag(penalised(m, *kind))
    inverse = np.linalg.pinv(hessian, rcond=1e-11, hermitian=True)
    mixed = w @ rows
    return {
        "influence": -inverse @ mixed,
        "mixed": mixed,
        "hessian": hessian,
        "hessian_eval": hessian_eval,
        "gradient_eval": w @ gradient_rows(V, labels, theta, *kind),
        "radius": s,
        "value_derivative": float(s * np.sum(w * t * gains)),
        "per_sample": -rows @ inverse,
    }


def natural_fit(
    X: npt.ArrayLike,
    labels: npt.ArrayLike,
    n_classes: int,
    *,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
) -> Array:
    """The minimiser without a part that changes nothing, by Newton steps halved as needed."""
    X, labels = np.asarray(X, dtype=np.float64), np.asarray(labels, dtype=int)
    w = normalised_weights(len(X), sample_weight)
    V = design(X, False, shift, scale)
    kind = n_classes, fit_intercept
    pen = penalised(X.shape[1], *kind)
    theta = np.zeros(pen.size)

    def objective(at: Array) -> float:
        return float(w @ losses(logits(V, at, *kind), labels) + alpha * pen @ at**2)

    for _ in range(100):
        g = w @ gradient_rows(V, labels, theta, *kind) + 2.0 * alpha * pen * theta
        H = along_axes(lambda at: w @ gradient_rows(V, labels, at, *kind), theta)
        step = np.linalg.pinv(H + 2.0 * alpha * np.diag(pen), rcond=1e-11, hermitian=True) @ g
        now = objective(theta)
        while not objective(theta - step) <= now + 1e-13 * (1.0 + abs(now)):
            step = step / 2.0
        theta = theta - step
        if np.max(np.abs(step)) <= 1e-15 * np.max(np.abs(theta)):
            break
    return theta

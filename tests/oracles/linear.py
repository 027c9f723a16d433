"""Adversarial influence of linear predictors f = <beta, v> + b, v = (x - shift) / scale.

Parameters are theta = (beta, b), with b present if and only if there is an intercept. The
objective is E_n[l(f, y)] + alpha ||beta||_2^2, E_n the weighted mean; an attack moves x_i by d_i,
||d_i / c||_p <= eps s, where c = 0 marks the features that cannot be attacked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .losses import loss as pointwise_loss
from .norms import Array, dual_order, norm, scaled_direction

Vector = npt.ArrayLike | None


def normalised_weights(n: int, sample_weight: Vector = None) -> Array:
    """Weights that sum to one."""
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return w / np.sum(w)


def shift_and_scale(m: int, shift: Vector = None, scale: Vector = None) -> tuple[Array, Array]:
    """The mean and standard deviation of the scaler, 0 and 1 where there is none."""
    mu = np.zeros(m) if shift is None else np.asarray(shift, dtype=np.float64)
    sigma = np.ones(m) if scale is None else np.asarray(scale, dtype=np.float64)
    return mu, sigma


def design(
    X: npt.ArrayLike, fit_intercept: bool, shift: Vector = None, scale: Vector = None
) -> Array:
    """The gradient of f in theta, row by row: (v_i, 1), or v_i without an intercept."""
    X = np.asarray(X, dtype=np.float64)
    mu, sigma = shift_and_scale(X.shape[1], shift, scale)
    V = (X - mu) / sigma
    return np.column_stack([V, np.ones(len(V))]) if fit_intercept else V


def penalised(d: int, fit_intercept: bool) -> Array:
    """One for the entries of theta that are penalised, zero for the intercept."""
    pen = np.ones(d)
    if fit_intercept:
        pen[-1] = 0.0
    return pen


def attack_scale(
    X: npt.ArrayLike,
    *,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    feature_scale: Vector = None,
    attackable: Vector = None,
    attack_space: str = "scaled",
    radius: str | float = "mean_norm",
) -> tuple[Array, float]:
    """The feature scale c in units of the raw x, and the scale s of the radius.

    attack_space "scaled": c = scale * feature_scale, s = E_n ||(x - shift) / c||_p;
    "raw": c = feature_scale, s = E_n ||x / c||_p; both over the attackable features alone.
    """
    X = np.asarray(X, dtype=np.float64)
    m = X.shape[1]
    mu, sigma = shift_and_scale(m, shift, scale)
    c = np.ones(m) if feature_scale is None else np.array(feature_scale, dtype=np.float64)
    if attackable is not None:
        c = np.where(np.asarray(attackable, dtype=bool), c, 0.0)
    if attack_space == "scaled":
        c, X = sigma * c, X - mu
    if radius != "mean_norm":
        return c, float(radius)
    w = normalised_weights(len(X), sample_weight)
    used = c > 0
    return c, float(np.sum(w * norm(X[:, used] / c[used], p)))


def influence(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    loss: str,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    feature_scale: Vector = None,
    attackable: Vector = None,
    attack_space: str = "scaled",
    radius: str | float = "mean_norm",
    delta: float = 1.0,
) -> dict[str, Any]:
    """d theta_eps / d eps at 0+: minus the inverse Hessian times the mixed derivative Phi.

    Phi = s E_n[grad_theta <grad_x l_i, phi_i>], phi_i = phi(grad_x l_i) held fixed. As
    grad_x l_i = l' beta / scale, phi_i = sgn(l') phi(beta / scale), and the bracket is
    l'' sgn(l') ||c beta / scale||_q (v, 1) + |l'| (phi(beta / scale) / scale, 0).
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    n, m = X.shape
    w = normalised_weights(n, sample_weight)
    _, sigma = shift_and_scale(m, shift, scale)
    c, s = attack_scale(
        X,
        p=p,
        sample_weight=sample_weight,
        shift=shift,
        scale=scale,
        feature_scale=feature_scale,
        attackable=attackable,
        attack_space=attack_space,
        radius=radius,
    )
    Z = design(X, fit_intercept, shift, scale)
    _, l1, l2 = pointwise_loss(loss, Z @ theta, y, delta)

    slope = theta[:m] / sigma  # the gradient of f in the raw x
    slope_norm = float(norm(c * slope, dual_order(p)))
    # The gradient in theta of <grad_x f, phi>, phi fixed: no intercept in it.
    direction = np.zeros(Z.shape[1])
    direction[:m] = scaled_direction(slope, p, c) / sigma

    mixed_rows = s * (
        (l2 * np.sign(l1))[:, None] * slope_norm * Z + np.abs(l1)[:, None] * direction
    )
    mixed = np.sum(w[:, None] * mixed_rows, axis=0)
    hessian_eval = (Z * (w * l2)[:, None]).T @ Z
    hessian = hessian_eval + 2.0 * alpha * np.diag(penalised(Z.shape[1], fit_intercept))
    return {
        "influence": -np.linalg.solve(hessian, mixed),
        "mixed": mixed,
        "hessian": hessian,
        "radius": s,
        "value_derivative": float(s * np.sum(w * np.abs(l1)) * slope_norm),
        "per_sample": -np.linalg.solve(hessian, mixed_rows.T).T,
        "hessian_eval": hessian_eval,
        "gradient_eval": Z.T @ (w * l1),
    }


def natural_objective(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    loss: str,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    delta: float = 1.0,
) -> float:
    """E_n[l(f, y)] + alpha ||beta||_2^2."""
    theta = np.asarray(theta, dtype=np.float64)
    Z = design(X, fit_intercept, shift, scale)
    value, _, _ = pointwise_loss(loss, Z @ theta, y, delta)
    pen = penalised(len(theta), fit_intercept)
    w = normalised_weights(len(Z), sample_weight)
    return float(np.sum(w * value) + alpha * np.sum(pen * theta**2))


def natural_fit(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    loss: str,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    delta: float = 1.0,
    max_iter: int = 200,
) -> Array:
    """The minimiser of the natural objective, by Newton steps halved until they do not ascend.

    Steps go on until they are lost in rounding. A singular Hessian gives the step of least norm.
    Data without a finite optimum (separable classes and alpha = 0) run to max_iter.
    """
    Z = design(X, fit_intercept, shift, scale)
    w = normalised_weights(len(Z), sample_weight)
    pen = penalised(Z.shape[1], fit_intercept)

    def objective(theta: Array) -> float:
        with np.errstate(over="ignore"):  # a long step may overflow exp: it is then halved
            value, _, _ = pointwise_loss(loss, Z @ theta, y, delta)
            return float(np.sum(w * value) + alpha * np.sum(pen * theta**2))

    theta = np.zeros(Z.shape[1])
    for _ in range(max_iter):
        _, l1, l2 = pointwise_loss(loss, Z @ theta, y, delta)
        gradient = Z.T @ (w * l1) + 2.0 * alpha * pen * theta
        # H = A'A: the singular values of A show a zero of H that those of H itself would blur.
        A = np.vstack([np.sqrt(w * l2)[:, None] * Z, np.sqrt(2.0 * alpha) * np.diag(pen)])
        _, size, axes = np.linalg.svd(A, full_matrices=False)
        keep = size > len(A) * np.finfo(float).eps * size[0]
        step = axes[keep].T @ ((axes[keep] @ gradient) / size[keep] ** 2)
        now = objective(theta)
        # Near the optimum the objective is flat to rounding: allow for that much ascent.
        while not objective(theta - step) <= now + 1e-13 * (1.0 + abs(now)):
            step = step / 2.0
        theta = theta - step
        if np.max(np.abs(step)) <= 1e-16 * np.max(np.abs(theta), initial=1e-300):
            break
    return theta


def adversarial_losses(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    eps: float,
    *,
    loss: str,
    fit_intercept: bool = True,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    feature_scale: Vector = None,
    attackable: Vector = None,
    attack_space: str = "scaled",
    radius: str | float = "mean_norm",
    delta: float = 1.0,
) -> Array:
    """Each sample's worst loss over its ball: max(l(f + k), l(f - k)).

    The attack moves f by up to k = eps s ||c beta / scale||_q either way, and a loss that is convex
    in f is largest at an end.
    """
    X, theta = np.asarray(X, dtype=np.float64), np.asarray(theta, dtype=np.float64)
    m = X.shape[1]
    _, sigma = shift_and_scale(m, shift, scale)
    c, s = attack_scale(
        X,
        p=p,
        sample_weight=sample_weight,
        shift=shift,
        scale=scale,
        feature_scale=feature_scale,
        attackable=attackable,
        attack_space=attack_space,
        radius=radius,
    )
    k = eps * s * norm(c * theta[:m] / sigma, dual_order(p))
    f = design(X, fit_intercept, shift, scale) @ theta
    upper, _, _ = pointwise_loss(loss, f + k, y, delta)
    lower, _, _ = pointwise_loss(loss, f - k, y, delta)
    return np.maximum(upper, lower)


def robust_objective(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    eps: float,
    *,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    sample_weight: Vector = None,
    **attack: Any,
) -> float:
    """E_n[worst loss] + alpha ||beta||_2^2; the other keywords are adversarial_losses'."""
    theta = np.asarray(theta, dtype=np.float64)
    worst = adversarial_losses(
        X, y, theta, eps, fit_intercept=fit_intercept, sample_weight=sample_weight, **attack
    )
    pen = penalised(len(theta), fit_intercept)
    w = normalised_weights(len(worst), sample_weight)
    return float(np.sum(w * worst) + alpha * np.sum(pen * theta**2))


def sensitivity(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    influence: npt.ArrayLike,
    eps: float,
    *,
    loss: str,
    expansion: str = "quadratic",
    fit_intercept: bool = True,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    delta: float = 1.0,
) -> float:
    """Predicted rise of the natural loss on the data (X, y), neither penalty nor damping in it.

    "quadratic": eps^2 / 2 I'HI, H the Hessian of this data's mean loss at theta. "taylor": that
    plus eps <g, I>, g its gradient, which is zero only where theta minimises this very loss.
    """
    Z = design(X, fit_intercept, shift, scale)
    w = normalised_weights(len(Z), sample_weight)
    _, l1, l2 = pointwise_loss(loss, Z @ np.asarray(theta, dtype=np.float64), y, delta)
    df = Z @ np.asarray(influence, dtype=np.float64)  # df_i / d eps
    quadratic = 0.5 * eps**2 * float(np.sum(w * l2 * df**2))
    if expansion == "quadratic":
        return quadratic
    return quadratic + eps * float(np.sum(w * l1 * df))


def validity_radius(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    influence: npt.ArrayLike,
    *,
    loss: str,
    fit_intercept: bool = True,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    feature_scale: Vector = None,
    attackable: Vector = None,
    attack_space: str = "scaled",
) -> tuple[float, str | None]:
    """The least eps > 0 on the line theta + eps I at which the robust path has a kink, and why.

    "residual": the l' of a sample of positive weight changes sign; "sign" (p = inf, or a single
    attackable feature, where all p are alike): an attackable coefficient does; "argmax" (p = 1):
    another entry of |c beta / scale| overtakes the largest. (inf, None) if nothing ever happens.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    influence = np.asarray(influence, dtype=np.float64)
    m = X.shape[1]
    _, sigma = shift_and_scale(m, shift, scale)
    c, _ = attack_scale(
        X,
        shift=shift,
        scale=scale,
        feature_scale=feature_scale,
        attackable=attackable,
        attack_space=attack_space,
        radius=1.0,
    )
    used = c > 0
    g = (c * theta[:m] / sigma)[used]
    h = (c * influence[:m] / sigma)[used]  # dg / d eps
    candidates = {
        "residual": residual_crossing(
            X, y, theta, influence, loss, sample_weight, fit_intercept, shift, scale
        )
    }
    if np.isinf(p) or len(g) == 1:
        candidates["sign"] = least_positive(-g, h)
    elif p == 1:
        j = int(np.argmax(np.abs(g)))
        gk, hk = np.delete(g, j), np.delete(h, j)
        # |g_k + eps h_k| = |g_j + eps h_j| when the two are equal or opposite.
        candidates["argmax"] = min(
            least_positive(g[j] - gk, hk - h[j]), least_positive(-g[j] - gk, hk + h[j])
        )
    reason = min(candidates, key=lambda name: candidates[name])
    value = candidates[reason]
    return (value, reason) if np.isfinite(value) else (np.inf, None)


def residual_crossing(
    X: Array,
    y: Array,
    theta: Array,
    influence: Array,
    loss: str,
    sample_weight: Vector,
    fit_intercept: bool,
    shift: Vector,
    scale: Vector,
) -> float:
    """The least eps > 0 at which the l' of a sample of positive weight changes sign.

    l' is zero at f = y for losses of f - y, at f = log y for Poisson (nowhere if y = 0), and never
    for logistic.
    """
    if loss == "logistic":
        return np.inf
    keep = normalised_weights(len(y), sample_weight) > 0
    if loss == "poisson":
        keep = keep & (y > 0)
    Z, target = design(X, fit_intercept, shift, scale)[keep], y[keep]
    if loss == "poisson":
        target = np.log(target)
    return least_positive(target - Z @ theta, Z @ influence)


def least_positive(top: Array, bottom: Array) -> float:
    """The least positive top / bottom; infinity if there is none."""
    ratio = np.divide(top, bottom, out=np.full_like(top, np.inf), where=bottom != 0)
    return float(np.min(ratio, initial=np.inf, where=ratio > 0))

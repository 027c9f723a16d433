"""Adversarial influence of basis models f = <theta, v(x)> + b, straight from Theorem 4.1.

Parameters are theta = (coefficients, b), with b present if and only if there is an intercept.
A basis has `features(x)`, shape (..., d), and `jacobian(x)` = dv/dx, shape (..., d, m); both
take complex x as well, for derivatives by the complex step. An attack moves x_i by d_i,
||d_i / c||_p <= eps s, where c = 0 marks the features that cannot be attacked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .linear import attack_scale, normalised_weights
from .losses import loss as pointwise_loss
from .norms import dual_order, norm, scaled_direction


class Quadratic:
    """v = (x_1, .., x_m, then x_j x_k for j <= k, by rows of the upper triangle)."""

    def features(self, x):
        m = x.shape[-1]
        squares = [x[..., j] * x[..., k] for j in range(m) for k in range(j, m)]
        return np.stack([x[..., j] for j in range(m)] + squares, axis=-1)

    def jacobian(self, x):
        m = x.shape[-1]
        J = np.zeros((*x.shape[:-1], m + m * (m + 1) // 2, m), dtype=x.dtype)
        row = m
        for j in range(m):
            J[..., j, j] = 1.0
            for k in range(j, m):
                J[..., row, j] += x[..., k]  # d(x_j x_k): x_k dx_j + x_j dx_k, 2 x_j dx_j if k = j
                J[..., row, k] += x[..., j]
                row += 1
        return J

    def input_hessian(self, coef, m):
        """The second derivatives of f in x, twice the matrix of its quadratic form."""
        H = np.zeros((m, m))
        row = m
        for j in range(m):
            for k in range(j, m):
                H[j, k] += coef[row]
                H[k, j] += coef[row]
                row += 1
        return H

    def penalised(self, d):
        """Only the coefficients of x_j x_k: d = m + m (m + 1) / 2."""
        m = round((np.sqrt(9.0 + 8.0 * d) - 3.0) / 2.0)
        return (np.arange(d) >= m).astype(float)


class Powers:
    """v = (x, x^2, .., x^degree): a block of m features for each power."""

    def __init__(self, degree):
        self.degree = degree

    def features(self, x):
        return np.concatenate([x**k for k in range(1, self.degree + 1)], axis=-1)

    def jacobian(self, x):
        m = x.shape[-1]
        J = np.zeros((*x.shape[:-1], self.degree * m, m), dtype=x.dtype)
        for k in range(1, self.degree + 1):
            for j in range(m):
                J[..., (k - 1) * m + j, j] = k * x[..., j] ** (k - 1)
        return J

    def input_hessian(self, coef, m):
        """The second derivatives of f in x, where they do not depend on x."""
        if self.degree > 2:
            return None
        return np.diag(2.0 * coef[m:]) if self.degree == 2 else np.zeros((m, m))

    def penalised(self, d):
        return np.ones(d)


class Fourier:
    """v_h = sqrt(2 / D) cos(<omega_h, x> + phase_h)."""

    def __init__(self, frequencies, phases):
        self.frequencies, self.phases = np.asarray(frequencies), np.asarray(phases)
        self.height = np.sqrt(2.0 / len(self.phases))

    def features(self, x):
        angle = np.einsum("hk,...k->...h", self.frequencies, x) + self.phases
        return self.height * np.cos(angle)

    def jacobian(self, x):
        angle = np.einsum("hk,...k->...h", self.frequencies, x) + self.phases
        return -self.height * np.sin(angle)[..., None] * self.frequencies

    def penalised(self, d):
        return np.ones(d)


class Between:
    """A basis between two scalers that are held fixed: (v((x - shift) / scale) - mean) / sd.

    As in a pipeline's last step, all its coefficients are penalised.
    """

    def __init__(self, inner, shift=0.0, scale=1.0, mean=0.0, sd=1.0):
        self.inner, self.shift, self.scale = inner, shift, scale
        self.mean, self.sd = mean, sd

    def features(self, x):
        return (self.inner.features((x - self.shift) / self.scale) - self.mean) / self.sd

    def jacobian(self, x):
        sd = np.reshape(self.sd, (-1, 1))
        return self.inner.jacobian((x - self.shift) / self.scale) / sd / self.scale

    def input_hessian(self, coef, m):
        scale = np.broadcast_to(self.scale, m)
        return self.inner.input_hessian(coef / self.sd, m) / np.outer(scale, scale)

    def penalised(self, d):
        return np.ones(d)


def rows(basis, X, fit_intercept):
    """The gradient of f in theta, row by row: (v_i, 1), or v_i without an intercept."""
    V = basis.features(np.asarray(X, dtype=np.float64))
    return np.column_stack([V, np.ones(len(V))]) if fit_intercept else V


def penalty_of(basis, d, fit_intercept):
    """One for the entries of theta that are penalised; never the intercept."""
    if fit_intercept:
        return np.append(basis.penalised(d - 1), 0.0)
    return basis.penalised(d)


def input_gradients(basis, X, coef):
    """The gradients of f in x, shape (n, m)."""
    return np.einsum("idk,d->ik", basis.jacobian(np.asarray(X, dtype=np.float64)), coef)


def natural_fit(
    basis, X, y, *, loss, alpha=0.0, fit_intercept=True, sample_weight=None, delta=1.0
):  # fmt: skip
    """The minimiser of E_n[l] + alpha ||theta_pen||^2, by Newton steps halved while they ascend."""
    Z = rows(basis, X, fit_intercept)
    w, pen = normalised_weights(len(Z), sample_weight), penalty_of(basis, Z.shape[1], fit_intercept)

    def objective(theta):
        with np.errstate(over="ignore"):  # a long step may overflow exp: it is then halved
            return w @ pointwise_loss(loss, Z @ theta, y, delta)[0] + alpha * pen @ theta**2

    theta = np.zeros(Z.shape[1])
    for _ in range(100):
        _, l1, l2 = pointwise_loss(loss, Z @ theta, y, delta)
        gradient = Z.T @ (w * l1) + 2.0 * alpha * pen * theta
        hessian = (Z.T * (w * l2)) @ Z + 2.0 * alpha * np.diag(pen)
        step, now = np.linalg.solve(hessian, gradient), objective(theta)
        while not objective(theta - step) <= now + 1e-13 * (1.0 + abs(now)):
            step = step / 2.0
        theta = theta - step
        if np.max(np.abs(step)) <= 1e-15 * np.max(np.abs(theta)):
            break
    return theta


def influence(
    basis,
    X,
    y,
    theta,
    *,
    loss,
    alpha=0.0,
    fit_intercept=True,
    p=2.0,
    sample_weight=None,
    delta=1.0,
    damping=0.0,
    **attack,
) -> dict[str, Any]:
    """d theta_eps / d eps at 0+, a sample at a time; `attack` are the keywords of attack_scale.

    With g = grad_x l = l' J'theta and phi = phi(g) held fixed, the gradient in theta of
    <grad_x l, phi> is l'' <J'theta, phi> (v, 1) + l' (J phi, 0).
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    w = normalised_weights(len(X), sample_weight)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **attack)
    d, q = len(theta), dual_order(p)
    k = d - 1 if fit_intercept else d
    mixed_rows, slopes = np.zeros((len(X), d)), np.zeros(len(X))
    hessian_eval, gradient_eval = np.zeros((d, d)), np.zeros(d)
    zero_gradients = 0
    for i, x in enumerate(X):
        z = rows(basis, x[None], fit_intercept)[0]
        J = basis.jacobian(x)
        _, l1, l2 = (float(part) for part in pointwise_loss(loss, z @ theta, y[i], delta))
        slope = J.T @ theta[:k]
        phi = scaled_direction(l1 * slope, p, c)
        mixed_rows[i] = s * l2 * (slope @ phi) * z
        mixed_rows[i, :k] += s * l1 * (J @ phi)
        slopes[i] = norm(c * l1 * slope, q)
        hessian_eval += w[i] * l2 * np.outer(z, z)
        gradient_eval += w[i] * l1 * z
        zero_gradients += not np.any(c * l1 * slope)
    mixed = w @ mixed_rows
    hessian = hessian_eval + 2.0 * alpha * np.diag(penalty_of(basis, d, fit_intercept))
    damped = hessian + damping * np.eye(d)
    return {
        "influence": -np.linalg.solve(damped, mixed),
        "mixed": mixed,
        "hessian": hessian,
        "radius": s,
        "value_derivative": float(s * (w @ slopes)),
        "per_sample": -np.linalg.solve(damped, mixed_rows.T).T,
        "hessian_eval": hessian_eval,
        "gradient_eval": gradient_eval,
        "zero_gradients": zero_gradients,
    }


def sensitivity(
    basis,
    X,
    y,
    theta,
    influence,
    eps,
    *,
    loss,
    expansion="quadratic",
    fit_intercept=True,
    sample_weight=None,
    delta=1.0,
):
    """eps^2 / 2 I'HI, H the Hessian of this data's mean loss; "taylor": plus eps <g, I>."""
    Z = rows(basis, X, fit_intercept)
    w = normalised_weights(len(Z), sample_weight)
    _, l1, l2 = pointwise_loss(loss, Z @ theta, y, delta)
    df = Z @ influence
    quadratic = 0.5 * eps**2 * float(w @ (l2 * df**2))
    return quadratic if expansion == "quadratic" else quadratic + eps * float(w @ (l1 * df))

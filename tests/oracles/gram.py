"""Kernel regression f(x) = sum_j theta_j K(x, z_j) and its adversarial influence, dense.

The objective is E_n (K theta - y)^2 plus alpha ||theta||^2 ("l2") or alpha theta' K_zz theta
("rkhs"), E_n the weighted mean. Without `centers` the centres z are the inputs themselves, and
move with them: an attack on x_k moves row and column k of K, and the adversary maximises the
whole objective. With `centers` given, only rows move, each sample's by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .linear import attack_scale, least_positive, normalised_weights
from .norms import dual_order, norm, scaled_direction


@dataclass(frozen=True)
class Regression:
    """The objective as a function of theta and of where the inputs are."""

    kernel: Any
    y: Any
    alpha: float
    penalty: str = "l2"
    centers: Any = None
    sample_weight: Any = None

    @property
    def moving(self):
        return self.centers is None

    @property
    def w(self):
        return normalised_weights(len(self.y), self.sample_weight)

    def design(self, X):
        """K (n, d)."""
        return self.kernel.values(X, X if self.moving else self.centers)

    def penalty_matrix(self, X):
        """P (d, d), the penalty being alpha theta' P theta."""
        Z = X if self.moving else self.centers
        return np.eye(len(Z)) if self.penalty == "l2" else self.kernel.values(Z, Z)

    def residuals(self, theta, X):
        return self.design(X) @ theta - self.y

    def objective(self, theta, X):
        data = self.w @ self.residuals(theta, X) ** 2
        return float(data + self.alpha * theta @ self.penalty_matrix(X) @ theta)

    def fit(self, X):
        """The minimiser, by the equation that squares no condition number where there is one."""
        K, w = self.design(X), self.w
        if self.moving and self.penalty == "rkhs":
            return np.linalg.solve(w[:, None] * K + self.alpha * np.eye(len(K)), w * self.y)
        P = self.penalty_matrix(X)
        root = np.eye(len(P)) if self.penalty == "l2" else np.linalg.cholesky(P).T
        A = np.concatenate([np.sqrt(w)[:, None] * K, np.sqrt(self.alpha) * root])
        b = np.concatenate([np.sqrt(w) * self.y, np.zeros(len(P))])
        return np.linalg.lstsq(A, b, rcond=None)[0]

    def input_gradients(self, theta, X):
        """Moving: the gradient of the objective in each x_k, (n, m), at any theta.

        d objective = sum_ij W_ij dK_ij with W = 2 (w r) theta', plus alpha theta theta' for rkhs,
        and x_k moves K_kj and K_jk alike. Fixed: that of the sample's own loss, not weighted.
        """
        r = self.residuals(theta, X)
        if not self.moving:
            return 2.0 * r[:, None] * self.slopes(theta, X)
        W = 2.0 * np.outer(self.w * r, theta)
        if self.penalty == "rkhs":
            W = W + self.alpha * np.outer(theta, theta)
        return np.einsum("kj,kjm->km", W + W.T, self.kernel.gradients(X, X))

    def slopes(self, theta, X):
        """The gradient of f in x at each x_i, (n, m)."""
        Z = X if self.moving else self.centers
        return np.einsum("j,ijm->im", theta, self.kernel.gradients(X, Z))

    def stationary_gradients(self, theta, X):
        """As `input_gradients`, by the formulas that hold at the optimum alone."""
        if self.moving and self.penalty == "rkhs":  # there w r = -alpha theta
            return -2.0 * self.alpha * theta[:, None] * self.slopes(theta, X)
        return self.input_gradients(theta, X)

    def directions(self, theta, X, p=2.0, **attack):
        """s phi_k (n, m): where the attack moves each input, per unit of eps."""
        c, s = attack_scale(X, p=p, sample_weight=self.sample_weight, **attack)
        return s * scaled_direction(self.stationary_gradients(theta, X), p, c)

    def gram_moves(self, B, X):
        """D_ij = <grad_1 K(x_i, z_j), B_i>, (n, d)."""
        Z = X if self.moving else self.centers
        return np.einsum("ijm,im->ij", self.kernel.gradients(X, Z), B)

    def hessian(self, X):
        K = self.design(X)
        return 2.0 * ((K.T * self.w) @ K + self.alpha * self.penalty_matrix(X))

    def influence(self, theta, X, B):
        """d theta / d eps of the refitted optimum where the inputs move by eps B."""
        K, w, D = self.design(X), self.w, self.gram_moves(B, X)
        if not self.moving:
            return -np.linalg.solve(self.hessian(X), self.mixed(theta, X, B))
        dK = D + D.T
        if self.penalty == "rkhs":
            return -np.linalg.solve(w[:, None] * K + self.alpha * np.eye(len(K)), w * (dK @ theta))
        u, v = dK @ theta, dK @ (w * self.residuals(theta, X))
        return -np.linalg.solve((K * w) @ K + self.alpha * np.eye(len(K)), K @ (w * u) + v)

    def mixed(self, theta, X, B):
        """The derivative of grad_theta of the objective where the inputs move by eps B."""
        K, w, D = self.design(X), self.w, self.gram_moves(B, X)
        wr = w * self.residuals(theta, X)
        if not self.moving:
            return 2.0 * (K.T @ (w * (D @ theta)) + D.T @ wr)
        dK = D + D.T
        if self.penalty == "rkhs":  # the rest, dK (w r + alpha theta), is zero
            return 2.0 * K @ (w * (dK @ theta))
        return 2.0 * (K @ (w * (dK @ theta)) + dK @ wr)


def influence(model, X, theta, *, p=2.0, **attack) -> dict[str, Any]:
    """d theta_eps / d eps at 0+, and its parts; `attack` are the keywords of attack_scale.

    A sample's share is the influence of its attack alone over its normalised weight, so that the
    weighted mean is the whole.
    """
    X = np.asarray(X, dtype=np.float64)
    c, s = attack_scale(X, p=p, sample_weight=model.sample_weight, **attack)
    B, w = model.directions(theta, X, p, **attack), model.w
    lengths = norm(c * model.stationary_gradients(theta, X), dual_order(p))
    return {
        "influence": model.influence(theta, X, B),
        "mixed": model.mixed(theta, X, B),
        "hessian": model.hessian(X),
        "radius": s,
        "value_derivative": float(s * (lengths.sum() if model.moving else w @ lengths)),
        "per_sample": shares(model, theta, X, B),
        "directions": B,
    }


def shares(model, theta, X, B):
    """The influence of each sample's attack alone, over its weight: (n, d), or None.

    A sample of weight zero has the share that its loss has in E_n where the centres are fixed. A
    moving one has none for rkhs, where theta_k = 0 and no gradient is left; for l2 it is attacked
    as a centre, which no weighted mean can hold: None.
    """
    w = model.w
    if model.moving and model.penalty == "l2" and np.any(w == 0.0):
        return None
    out = np.zeros((len(X), len(theta)))
    if not model.moving:
        r, D, K = model.residuals(theta, X), model.gram_moves(B, X), model.design(X)
        mixed = 2.0 * (K * (D @ theta)[:, None] + D * r[:, None])
        return -np.linalg.solve(model.hessian(X), mixed.T).T
    for k in np.flatnonzero(w > 0):
        alone = np.zeros_like(B)
        alone[k] = B[k]
        out[k] = model.influence(theta, X, alone) / w[k]
    return out


def damped_influence(model, X, theta, damping, *, p=2.0, **attack):
    """(H + damping I)^-1 in place of H^-1."""
    B = model.directions(theta, X, p, **attack)
    H = model.hessian(X) + damping * np.eye(len(theta))
    return -np.linalg.solve(H, model.mixed(theta, X, B))


def sensitivity(
    model, Z, X, y, theta, influence, eps, *, expansion="quadratic", sample_weight=None
):  # fmt: skip
    """eps^2 / 2 I'HI, H the Hessian of this data's mean loss; "taylor": plus eps <g, I>.

    Predictions are those of the clean centres Z: the parameters alone are the robust fit's.
    """
    K, w = model.kernel.values(X, Z), normalised_weights(len(X), sample_weight)
    df = K @ influence
    quadratic = eps**2 * float(w @ df**2)
    if expansion == "quadratic":
        return quadratic
    return quadratic + 2.0 * eps * float(w @ ((K @ theta - y) * df))


def exact_sensitivity(model, Z, X, y, theta, robust, *, sample_weight=None):
    """The change of the clean loss, sample by sample: (f_eps - f) (f_eps + f - 2 y)."""
    K, w = model.kernel.values(X, Z), normalised_weights(len(X), sample_weight)
    return float(w @ ((K @ (robust - theta)) * (K @ (robust + theta) - 2.0 * y)))


def worst_inputs(model, theta, X, reach, p, c):
    """The joint maximiser over small balls: the fixed point of x = x_k + reach phi(gradient)."""
    points = X
    for _ in range(100):
        moved = X + reach * scaled_direction(model.input_gradients(theta, points), p, c)
        if np.max(np.abs(moved - points)) <= 1e-16:
            break
        points = moved
    return points


def robust_fit(model, theta, X, eps, *, p=2.0, **attack):
    """theta_eps, the worst inputs, and whether they were found: small eps only.

    Worst inputs and exact refits in turn: by Danskin's theorem their fixed point is stationary,
    and where eps is small each turn leaves an error of order eps.
    """
    c, s = attack_scale(X, p=p, sample_weight=model.sample_weight, **attack)
    found, points, converged = np.array(theta), X, False
    for _ in range(60):
        points = worst_inputs(model, found, X, eps * s, p, c)
        new = model.fit(points)
        step, found = np.max(np.abs(new - found)), new
        if converged := step <= 1e-13 * np.max(np.abs(found)):
            break
    return found, points, bool(converged)


def loss_slope_change(model, theta, influence, X):
    """The least eps > 0 along theta + eps I at which some attack turns round, by 1.5 (a).

    Fixed centres: a residual changes sign; moving ones: never for l2, a theta_k for rkhs.
    """
    if not model.moving:
        keep = model.w > 0
        K = model.design(X)[keep]
        return least_positive(-(K @ theta - model.y[keep]), K @ influence)
    return least_positive(-theta, influence) if model.penalty == "rkhs" else np.inf


def exact_rbf_influence(X, y, gamma, alpha, penalty, digits=60):
    """theta and its influence for moving centres, RBF and p = 2 in long arithmetic (mpmath)."""
    import mpmath as mp

    with mp.workdps(digits):
        long = np.vectorize(mp.mpf, otypes=[object])
        X, y, n = long(X), long(y), len(X)
        apart = X[:, None, :] - X[None, :, :]
        K = np.vectorize(mp.exp, otypes=[object])(-mp.mpf(gamma) * np.sum(apart**2, axis=-1))
        c, one = n * mp.mpf(alpha), np.eye(n)
        A = K @ K + c * one if penalty == "l2" else K + c * one

        def solved(b):
            return np.array(list(mp.lu_solve(mp.matrix(A.tolist()), mp.matrix(b.tolist()))))

        theta = solved(K @ y if penalty == "l2" else y)
        r = K @ theta - y
        W = np.outer(r, theta) + np.outer(theta, r) if penalty == "l2" else -np.outer(theta, theta)
        slopes = (-2 * mp.mpf(gamma) * K)[:, :, None] * apart
        G = np.sum(W[:, :, None] * slopes, axis=1)
        root = np.vectorize(mp.sqrt, otypes=[object])
        s = np.sum(root(np.sum(X**2, axis=1))) / n
        B = s * G / root(np.sum(G**2, axis=1))[:, None]
        D = np.sum(slopes * B[:, None, :], axis=-1)
        u, v = (D + D.T) @ theta, (D + D.T) @ r
        influence = -solved(K @ u + v if penalty == "l2" else u)
        return theta.astype(float), influence.astype(float)

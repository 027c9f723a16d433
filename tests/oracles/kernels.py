"""Kernels over all pairs, with the full array of their gradients, from the plainest formulas.

Each has `values(X, Z)`, shape (n, k), and `gradients(X, Z)`, shape (n, k, m): the gradient of
K(x_i, z_j) in x_i. On the diagonal, x_i = z_j, that is half the gradient of x -> K(x, x).
"""

from __future__ import annotations

import numpy as np


def differences(X, Z):
    """x_i - z_j, shape (n, k, m)."""
    return X[:, None, :] - Z[None, :, :]


def distances(X, Z):
    """||x_i - z_j||_2, shape (n, k)."""
    return np.sqrt(np.sum(differences(X, Z) ** 2, axis=-1))


class RBF:
    """exp(-gamma ||x - z||^2)."""

    def __init__(self, gamma):
        self.gamma = gamma

    def values(self, X, Z):
        return np.exp(-self.gamma * np.sum(differences(X, Z) ** 2, axis=-1))

    def gradients(self, X, Z):
        return -2.0 * self.gamma * self.values(X, Z)[..., None] * differences(X, Z)


class Matern:
    """nu = 3/2: (1 + u) exp(-u), u = sqrt(3) gamma ||x - z||; nu = 5/2: (1 + u + u^2 / 3) exp(-u),
    u = sqrt(5) gamma ||x - z||.

    With du/dx = (2 nu) gamma^2 (x - z) / u the gradients are -3 gamma^2 exp(-u) (x - z) and
    -(5 / 3) gamma^2 (1 + u) exp(-u) (x - z): smooth at x = z.
    """

    def __init__(self, nu, gamma):
        assert nu in (1.5, 2.5)
        self.nu, self.gamma = nu, gamma

    def _u(self, X, Z):
        return np.sqrt(2.0 * self.nu) * self.gamma * distances(X, Z)

    def values(self, X, Z):
        u = self._u(X, Z)
        polynomial = 1.0 + u if self.nu == 1.5 else 1.0 + u + u**2 / 3.0
        return polynomial * np.exp(-u)

    def gradients(self, X, Z):
        u = self._u(X, Z)
        slope = 3.0 if self.nu == 1.5 else 5.0 / 3.0 * (1.0 + u)
        return -(self.gamma**2 * slope * np.exp(-u))[..., None] * differences(X, Z)


class Polynomial:
    """(gamma <x, z> + coef0)^degree."""

    def __init__(self, degree, gamma=1.0, coef0=0.0):
        self.degree, self.gamma, self.coef0 = degree, gamma, coef0

    def _base(self, X, Z):
        return self.gamma * np.einsum("ik,jk->ij", X, Z) + self.coef0

    def values(self, X, Z):
        return self._base(X, Z) ** self.degree

    def gradients(self, X, Z):
        slope = self.degree * self._base(X, Z) ** (self.degree - 1)
        return self.gamma * slope[..., None] * Z[None, :, :]


class Linear:
    """<x, z>."""

    def values(self, X, Z):
        return np.einsum("ik,jk->ij", X, Z)

    def gradients(self, X, Z):
        return np.broadcast_to(Z[None, :, :], (len(X), *Z.shape)).copy()


class NTK:
    """The neural tangent kernel of a ReLU network with `depth` hidden layers.

    K = ||x|| ||z|| k(theta), theta the angle between x and z. With kappa0(rho) = 1 - acos(rho) / pi
    and kappa1(rho) = (rho (pi - acos rho) + sqrt(1 - rho^2)) / pi: rho_0 = tau_0 = cos theta,
    rho_h = kappa1(rho_(h-1)), tau_h = tau_(h-1) kappa0(rho_(h-1)) + rho_h, and k is half of
    tau kappa0(rho) at h = depth - 1, plus half of kappa1(rho) if the output layer is trained.
    The gradient is ||z|| (k xhat - k' t), t the unit tangent at xhat towards zhat, and t = 0 where
    x and z are parallel or antiparallel. Not accurate in the last digits near those.
    """

    def __init__(self, depth=1, output_layer=False):
        self.depth, self.output_layer = depth, output_layer

    def values(self, X, Z):
        sizes = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Z, axis=1))
        return sizes * self._of_angle(_angles(X, Z)[0])[0]

    def gradients(self, X, Z):
        angle, tangent = _angles(X, Z)
        k, slope = self._of_angle(angle)
        towards = k[..., None] * _units(X)[:, None, :] - slope[..., None] * tangent
        return np.linalg.norm(Z, axis=1)[None, :, None] * towards

    def _of_angle(self, angle):
        """k and its derivative in the angle; that is zero where there is no tangent."""
        rho = tau = np.cos(angle)
        drho = dtau = -np.sin(angle)
        kappa0, dkappa0 = 1.0 - angle / np.pi, np.full_like(angle, -1.0 / np.pi)
        root = np.sin(angle)
        for _ in range(self.depth - 1):
            rho, drho = rho * kappa0 + root / np.pi, kappa0 * drho
            dtau = dtau * kappa0 + tau * dkappa0 + drho
            tau = tau * kappa0 + rho
            rho = np.minimum(rho, 1.0)
            kappa0, root = 1.0 - np.arccos(rho) / np.pi, np.sqrt(1.0 - rho**2)
            dkappa0 = np.divide(drho, np.pi * root, out=np.zeros_like(root), where=root > 0)
        k, slope = 0.5 * tau * kappa0, 0.5 * (dtau * kappa0 + tau * dkappa0)
        if self.output_layer:
            k, slope = k + 0.5 * (rho * kappa0 + root / np.pi), slope + 0.5 * kappa0 * drho
        return k, np.where((angle > 0) & (angle < np.pi), slope, 0.0)


def _units(X):
    return X / np.linalg.norm(X, axis=1)[:, None]


def _angles(X, Z):
    """The angle of each pair, (n, k), and the unit tangent at xhat towards zhat, (n, k, m)."""
    x, z = _units(X)[:, None, :], _units(Z)[None, :, :]
    angle = 2.0 * np.arctan2(np.linalg.norm(x - z, axis=-1), np.linalg.norm(x + z, axis=-1))
    along = np.einsum("ijk,ijk->ij", np.broadcast_to(x, (*angle.shape, x.shape[-1])), z - x)
    tangent = (z - x) - along[..., None] * x
    length = np.linalg.norm(tangent, axis=-1)
    moves = (angle > 0) & (angle < np.pi) & (length > 0)
    tangent = tangent / np.where(moves, length, 1.0)[..., None]
    return angle, np.where(moves[..., None], tangent, 0.0)

"""Least squares and its influence for many small problems, as a loop over NumPy calls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def influence(X: Array, y: Array) -> tuple[Array, float]:
    """I at p = 2 and S/ε² of one problem."""
    n = len(X)
    mean = X.mean(axis=0)
    Z = X - mean
    H = Z.T @ Z / n
    beta = np.linalg.solve(H, Z.T @ y / n)
    residual = y - y.mean() - Z @ beta
    radius = np.sqrt(np.einsum("ij,ij->i", X, X)).mean()
    gain = np.linalg.norm(beta)
    signs = -np.sign(residual)
    slope = 2.0 * np.abs(residual).mean()
    phi = radius * (gain * 2.0 * (signs @ Z) / n + slope * beta / gain)
    step = -np.linalg.solve(2.0 * H, phi)
    intercept = -radius * gain * signs.mean()
    coefficient = step @ H @ step + intercept**2
    return np.append(step, intercept - mean @ step), float(coefficient)


def influences(X: Array, y: Array) -> tuple[Array, Array]:
    """Of each problem X[b], y[b]."""
    found = [influence(X[b], y[b]) for b in range(len(X))]
    return np.array([part[0] for part in found]), np.array([part[1] for part in found])

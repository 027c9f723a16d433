"""Robust optima with an l1 term in the penalty, on a face where everything is smooth.

    R(θ) = E l(f + side κ, y) + α‖β‖² + λ‖β‖₁,  κ = ρ‖β‖_q

Given which end each row is attacked at, and the signs of β (0: a zero), a few Newton steps with
numerical second derivatives find the stationary point; what makes it the optimum is then checked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import root

from .linear import pointwise_loss

Array = npt.NDArray[np.float64]


def robust_optimum(
    X: Array, y: Array, start: Array, *, loss: str, alpha: float, l1: float, rho: float, p: float,
    signs: Array, weights: Array | None = None, delta: float = 1.0,
) -> Array:  # fmt: skip
    """θ (m + 1,), its intercept last; AssertionError where it is not on the face of `signs`."""
    n, m = X.shape
    w = np.ones(n) if weights is None else weights
    w, Z = w / w.sum(), np.column_stack([X, np.ones(n)])
    side = np.sign(pointwise_loss(loss, Z @ start, y, delta)[1])
    kept = np.append(signs != 0, True)

    def slope_of_norm(beta: Array) -> tuple[float, Array]:
        size = np.abs(beta)
        if p == 1:
            top = int(np.argmax(size))
            return size[top], np.sign(beta) * (np.arange(m) == top)
        if np.isinf(p):
            return size.sum(), np.sign(beta)
        q = p / (p - 1.0)
        norm = np.sum(size**q) ** (1.0 / q)
        return norm, np.sign(beta) * (size / norm) ** (q - 1.0)

    def smooth(theta: Array) -> tuple[Array, float]:
        norm, turn = slope_of_norm(theta[:m])
        slope = pointwise_loss(loss, Z @ theta + side * rho * norm, y, delta)[1]
        along = float(w @ (side * slope))
        gradient = Z.T @ (w * slope)
        gradient[:m] += rho * along * turn + 2.0 * alpha * theta[:m]
        return gradient, along

    def lacks(part: Array) -> Array:
        theta = np.zeros(m + 1)
        theta[kept] = part
        gradient, _ = smooth(theta)
        gradient[:m] += l1 * signs
        return gradient[kept]

    found = root(lacks, start[kept], method="hybr", tol=1e-15)
    part = found.x
    for _ in range(3):  # to rounding
        part = part - np.linalg.solve(found_jacobian(lacks, part), lacks(part))
    theta = np.zeros(m + 1)
    theta[kept] = part
    gradient, along = smooth(theta)
    assert np.abs(gradient[kept][:-1] + l1 * signs[signs != 0]).max(initial=0.0) < 1e-12
    assert np.all(np.sign(theta[:m]) == signs)
    room = l1 + (rho * along if np.isinf(p) else 0.0)
    assert np.all(np.abs(gradient[:m][signs == 0]) <= room + 1e-13)
    ends = pointwise_loss(loss, Z @ theta + side * rho * slope_of_norm(theta[:m])[0], y, delta)[1]
    assert np.all(side * ends >= 0.0)
    return theta


def found_jacobian(function: object, x: Array) -> Array:
    """Central differences."""
    steps = 1e-6 * np.eye(x.size)
    return np.column_stack([(function(x + h) - function(x - h)) / 2e-6 for h in steps])

"""Bayesian bootstrap of the influence as an expert's loop over draws in NumPy, p = 2.

Linear regression has the loss ``mean((f - y)^2)`` and no penalty, logistic regression the loss
``mean(log(1 + exp(-y f)))`` plus ``alpha |beta|^2``, y = +-1; both have an intercept, the last
entry of every result. A draw multiplies the rows' weights, refits from the data's fit by Newton's
method, and computes the influence with its own weights and its own mean norm.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOLERANCE = 1e-12  # of a Newton step, relative to theta


def linear(X: Array, y: Array, weights: Iterable[Array]) -> Array:
    """Influences (draws, m + 1). One Gram matrix a draw: the Hessian does not depend on theta."""
    V, norms = _design(X), np.linalg.norm(X, axis=1)
    out = []
    for w in weights:
        share = w / w.sum()
        scaled = V * share[:, None]
        gram = scaled.T @ V
        at = np.linalg.solve(gram, y @ scaled)
        r = V @ at
        r -= y
        mixed = _mixed(at, np.sign(r) @ scaled, share @ np.abs(r))
        out.append(-(share @ norms) * np.linalg.solve(gram, mixed))
    return np.array(out)


def logistic(X: Array, y: Array, theta: Array, weights: Iterable[Array], alpha: float) -> Array:
    """Influences (draws, m + 1); Newton's method starts at theta, the fit to all rows."""
    V, norms = _design(X), np.linalg.norm(X, axis=1)
    penalty = 2.0 * alpha * np.append(np.ones(X.shape[1]), 0.0)
    out = []
    for w in weights:
        share, at = w / w.sum(), theta
        while True:
            miss = 1.0 / (1.0 + np.exp(y * (V @ at)))
            curvature = share * miss * (1.0 - miss)
            hessian = (V * curvature[:, None]).T @ V
            hessian[np.diag_indices_from(hessian)] += penalty
            slope = share * miss
            step = np.linalg.solve(hessian, penalty * at - (y * slope) @ V)
            if np.linalg.norm(step) <= TOLERANCE * np.linalg.norm(at):
                break
            at = at - step
        mixed = _mixed(at, -(y * curvature) @ V, slope.sum())
        out.append(-(share @ norms) * np.linalg.solve(hessian, mixed))
    return np.array(out)


def exponential(draws: int, n: int, seed: int) -> Iterable[Array]:
    """Weights of its own: their shares are Dirichlet(1, ..., 1)."""
    rng = np.random.default_rng(seed)
    return (rng.standard_exponential(n) for _ in range(draws))


def _design(X: Array) -> Array:
    return np.column_stack([X, np.ones(len(X))])


def _mixed(theta: Array, direction: Array, slope: float) -> Array:
    """Phi / s = |beta| E[l'' sgn(l') (x, 1)] + E|l'| (beta / |beta|, 0)."""
    gain = np.linalg.norm(theta[:-1])
    mixed = gain * direction
    mixed[:-1] += slope * theta[:-1] / gain
    return mixed

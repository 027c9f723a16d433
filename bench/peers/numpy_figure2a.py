"""Figure 2(a)'s repetitions in NumPy: naively, by an expert's loop, and all models at once.

Model m is least squares on ``x_1 .. x_m, x_1^2 .. x_m^2`` without an intercept; its sensitivity is
``Phi^T H^{-1} Phi / 2`` for the loss ``(f - y)^2``, l2, and the mean norm of all features as the
scale. Every function takes inputs X (M, n), one row a feature, and targets y (n,), and returns the
sensitivities of the M models.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Method = Callable[[Array, Array], Array]


def repetitions(
    method: Method, count: int, n: int, features: int, noise: float, seed: int
) -> Array:
    """Sensitivities (count, M) of samples drawn here, all effects being one."""
    rng = np.random.default_rng(seed)
    out = np.empty((count, features))
    for row in out:
        X = rng.uniform(-1.0, 1.0, (features, n))
        y = noise * rng.standard_normal(n)
        y += X.sum(axis=0)
        y += np.einsum("ij,ij->j", X, X)
        row[:] = method(X, y)
    return out


def naive(X: Array, y: Array) -> Array:
    """As one would write it first: a design matrix, a fit and a Hessian for each model."""
    s = np.linalg.norm(X, axis=0).mean()
    return np.array([_naive_model(X[:m].T, y, s) for m in range(1, len(X) + 1)])


def _naive_model(x: Array, y: Array, s: float) -> float:
    n, m = x.shape
    V = np.hstack((x, x**2))
    theta = np.linalg.lstsq(V, y, rcond=None)[0]
    r = V @ theta - y
    g = theta[:m] + 2.0 * theta[m:] * x
    norm = np.linalg.norm(g, axis=1)
    phi = g / norm[:, None]
    moved = np.hstack((phi, 2.0 * x * phi))
    mixed = s * 2.0 * ((np.sign(r) * norm) @ V + np.abs(r) @ moved) / n
    return float(0.5 * mixed @ np.linalg.solve(2.0 * V.T @ V / n, mixed))


def loop(X: Array, y: Array) -> Array:
    """One Gram matrix of the largest model; the smaller models' are parts of it."""
    features, n = X.shape
    V = np.concatenate((X, X * X))
    gram, moment = V @ V.T, V @ y
    s = np.sqrt(V[features:].sum(axis=0)).mean()
    out = np.empty(features)
    for m in range(1, features + 1):
        used = np.r_[:m, features : features + m]
        part = gram[np.ix_(used, used)]
        mixed = _mixed(V[:m], V[features : features + m], y, np.linalg.solve(part, moment[used]))
        out[m - 1] = s * s / n * (mixed @ np.linalg.solve(part, mixed))
    return out


def _mixed(x: Array, squares: Array, y: Array, theta: Array) -> Array:
    """Sum of sgn(r) |g| v + |r| J g / |g|, shape (2 m,); with w = |r| / |g| it is linear in v."""
    m = len(x)
    a, b = theta[:m], 2.0 * theta[m:]
    r = a @ x
    r += theta[m:] @ squares
    r -= y
    g = b[:, None] * x
    g += a[:, None]
    norm = np.sqrt(np.einsum("ij,ij->j", g, g))
    sides = np.stack((np.copysign(norm, r), np.abs(r) / norm))
    (push, wx), (push_squares, wxx) = sides @ x.T, sides @ squares.T
    return np.concatenate(
        (push + a * sides[1].sum() + b * wx, push_squares + 2.0 * (a * wx + b * wxx))
    )


def at_once(X: Array, y: Array) -> Array:
    """All models by four matrix products: |g|^2 is linear in v as well, for it is separable."""
    features, n = X.shape
    V = np.concatenate((X, X * X))
    gram, moment = V @ V.T, V @ y
    s = np.sqrt(V[features:].sum(axis=0)).mean()
    used = np.tile(np.tri(features), 2)  # a row a model
    grams = gram * used[:, :, None] * used[:, None, :]
    grams[:, np.arange(2 * features), np.arange(2 * features)] += 1.0 - used
    theta = np.linalg.solve(grams, (moment * used)[:, :, None])[:, :, 0]
    a, b = theta[:, :features], 2.0 * theta[:, features:]
    r = theta @ V
    r -= y
    norm = np.concatenate((2.0 * a * b, b * b), axis=1) @ V
    norm += (a * a).sum(axis=1)[:, None]
    np.sqrt(np.maximum(norm, 0.0, out=norm), out=norm)
    sides = np.concatenate((np.copysign(norm, r), np.abs(r) / norm))
    push, pull = np.split(sides @ V.T, 2)
    wx, wxx = np.hsplit(pull, 2)
    weight = sides[features:].sum(axis=1)[:, None]
    mixed = push + np.concatenate((a * weight + b * wx, 2.0 * (a * wx + b * wxx)), axis=1)
    mixed *= used
    solved = np.linalg.solve(grams, mixed[:, :, None])[:, :, 0]
    return s * s / n * np.einsum("ij,ij->i", mixed, solved)

"""Influence and fit of a quadratic regression as an expert would write them in NumPy.

The loss is ``mean((f - y)^2) + alpha sum(beta_jk^2)`` with ``f = sum_j beta_j x_j +
sum_{j <= k} beta_jk x_j x_k + b``, attacked in l2. Results are ordered like that: the
coefficients of x, those of the products by rows of the upper triangle, the intercept.

Features are stored one a row, so that each product of two columns is a contiguous sweep: filling
a row-major design matrix through ``np.triu_indices`` takes an order of magnitude longer.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCKS = (256, 512, 1024, 2048, 4096, 8192)
TRIAL_ROWS = 16_384


class Model(NamedTuple):
    """``f = linear x + x^T matrix x + b`` with a symmetric matrix."""

    linear: Array  # (m,)
    matrix: Array  # (m, m)
    b: float


class _Sums(NamedTuple):
    """Sums over samples; g is the gradient of f in x and r = f - y. Updated in place."""

    outer: Array  # (d, d): sum of v v^T
    pair: Array  # (2, d): sums of v and sgn(r) |g| v
    moves: Array  # (m, m): sum of |r| (g / |g|) x^T
    shift: Array  # (m,): sum of |r| g / |g|
    scalars: Array  # (2,): sums of |x| and sgn(r) |g|


def n_features(m: int) -> int:
    return m + m * (m + 1) // 2


def influence_whole(X: Array, y: Array, model: Model, alpha: float) -> Array:
    """Influence, shape (d + 1,), with the design matrix as one array."""
    return influence_blocked(X, y, model, alpha, block=len(X))


def influence_blocked(
    X: Array, y: Array, model: Model, alpha: float, block: int | None = None
) -> Array:
    """Influence, shape (d + 1,), by blocks of rows."""
    n, m = X.shape
    d = n_features(m)
    square = np.empty((d, d))
    sums = _Sums(np.zeros((d, d)), np.zeros((2, d)), np.zeros((m, m)), np.zeros(m), np.zeros(2))
    theta = _coefficients(model)
    for rows, V in _blocks(X, block):
        _add_block(sums, V, y[rows], model, theta)
        sums.outer[:] += np.matmul(V, V.T, out=square)  # NumPy sees A A^T and calls syrk
    return _solve(sums, n, alpha)


def fit_whole(X: Array, y: Array, alpha: float) -> Array:
    """The minimiser, shape (d + 1,), with the design matrix as one array."""
    return fit_blocked(X, y, alpha, block=len(X))


def fit_blocked(X: Array, y: Array, alpha: float, block: int | None = None) -> Array:
    """The minimiser, shape (d + 1,), from the normal equations."""
    n, m = X.shape
    d = n_features(m)
    outer, square, pair = np.zeros((d, d)), np.empty((d, d)), np.zeros((2, d))
    for rows, V in _blocks(X, block):
        pair += np.stack((np.ones(V.shape[1]), y[rows])) @ V.T
        outer += np.matmul(V, V.T, out=square)
    right = np.append(pair[1], y.sum()) / n
    return np.linalg.solve(_gram(outer, pair[0], n, m, alpha), right)


@functools.cache
def tuned_block(m: int) -> int:
    """The fastest of BLOCKS on this machine; as good as several runs of each can tell."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((TRIAL_ROWS, m)), rng.standard_normal(TRIAL_ROWS)
    model = Model(rng.standard_normal(m), np.eye(m), 0.0)
    best = dict.fromkeys(BLOCKS, np.inf)
    for _ in range(4):
        for block in BLOCKS:
            start = time.perf_counter()
            influence_blocked(X, y, model, 1.0, block)
            best[block] = min(best[block], time.perf_counter() - start)
    return min(best, key=best.__getitem__)


def _blocks(X: Array, block: int | None) -> Iterator[tuple[slice, Array]]:
    """Ranges of rows and their features (d, rows), always in the same memory."""
    n, m = X.shape
    block = min(n, block or tuned_block(m))
    space = np.empty((n_features(m), block))
    for start in range(0, n, block):
        x = X[start : start + block]
        V = space[:, : len(x)]
        V[:m] = x.T
        first = m
        for j in range(m):
            np.multiply(V[j], V[j:m], out=V[first : first + m - j])
            first += m - j
        yield slice(start, start + len(x)), V


def _add_block(sums: _Sums, V: Array, y: Array, model: Model, theta: Array) -> None:
    m = len(model.linear)
    x = V[:m]
    r = theta @ V
    r += model.b
    r -= y
    g = (2.0 * model.matrix) @ x
    g += model.linear[:, None]
    slope = np.sqrt(np.einsum("ij,ij->j", g, g))
    g *= np.abs(r) / slope
    np.copysign(slope, r, out=slope)
    sums.pair[:] += np.stack((np.ones(len(y)), slope)) @ V.T
    sums.moves[:] += g @ x.T
    sums.shift[:] += g.sum(axis=1)
    sums.scalars[:] += np.sqrt(np.einsum("ij,ij->j", x, x)).sum(), slope.sum()


def _coefficients(model: Model) -> Array:
    """Coefficients of the products: twice the matrix off its diagonal."""
    twice = 2.0 * model.matrix - np.diag(np.diag(model.matrix))
    return np.concatenate((model.linear, twice[np.triu_indices(len(twice))]))


def _gram(outer: Array, first: Array, n: int, m: int, alpha: float) -> Array:
    """Half the Hessian, (d + 1, d + 1): of features and a one, penalised on the products."""
    d = len(outer)
    gram = np.empty((d + 1, d + 1))
    np.divide(outer, n, out=gram[:d, :d])
    gram[d, :d] = gram[:d, d] = first / n
    gram[d, d] = 1.0
    gram[np.arange(m, d), np.arange(m, d)] += alpha
    return gram


def _solve(sums: _Sums, n: int, alpha: float) -> Array:
    """x_j x_k moves by x_j phi_k + x_k phi_j: hence moves + moves^T."""
    m = len(sums.shift)
    moves = (sums.moves + sums.moves.T)[np.triu_indices(m)]
    radius, slope = sums.scalars / n
    mixed = np.append(sums.pair[1] + np.concatenate((sums.shift, moves)), 0.0) / n
    mixed[-1] = slope
    return np.linalg.solve(_gram(sums.outer, sums.pair[0], n, m, alpha), -radius * mixed)

"""Influence of a softmax model as an expert would write it in NumPy.

The loss is ``mean(log sum_k exp(z_k) - z_y) + alpha sum(W^2)``, ``z = W x + b``, attacked in l2.
Results are W by rows, then b. With A_k the rows (x, 1) times pi_k, the Hessian's blocks off the
diagonal are -A_k^T A_j, all of them one product A^T A, for which NumPy calls syrk; and as shares
sum to 1 those on the diagonal are the sums of these beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

Array = NDArray[np.float64]

BLOCK = 2048  # by trial from 256 to 16,384, at 64 features and 10 classes


class _Sums(NamedTuple):
    """Sums over rows, added to in place."""

    pairs: Array  # (K c, K c), sum of A^T A
    mixed: Array  # (K, c)
    norms: Array  # (1,)


def influence_whole(X: Array, y: NDArray[np.int64], W: Array, b: Array, alpha: float) -> Array:
    """Influence, shape (K m + K,), with every step on the whole array."""
    return influence_blocked(X, y, W, b, alpha, len(X))


def influence_blocked(
    X: Array, y: NDArray[np.int64], W: Array, b: Array, alpha: float, block: int = BLOCK
) -> Array:
    """Influence by blocks of rows."""
    (n, m), K = X.shape, len(b)
    block, c = min(block, n), m + 1
    space, product = np.empty((block, K, c)), np.empty((K * c, K * c))
    sums = _Sums(np.zeros((K * c, K * c)), np.zeros((K, c)), np.zeros(1))
    for start in range(0, n, block):
        rows = slice(start, start + block)
        _add_block(sums, space, product, X[rows], y[rows], W, b)
    return _solve(sums, n, K, alpha)


def _add_block(
    sums: _Sums, space: Array, product: Array, x: Array, y: NDArray[np.int64], W: Array, b: Array
) -> None:
    rows, m = x.shape
    pi = x @ W.T
    pi += b
    pi -= pi.max(axis=1, keepdims=True)
    np.exp(pi, out=pi)
    pi /= pi.sum(axis=1, keepdims=True)
    scaled = space[:rows]
    np.multiply(pi[:, :, None], x[:, None, :], out=scaled[:, :, :m])
    scaled[:, :, m] = pi
    flat = scaled.reshape(rows, -1)
    sums.pairs[:] += np.matmul(flat.T, flat, out=product)
    a = pi.copy()
    a[np.arange(rows), y] -= 1.0
    phi = a @ W
    phi /= np.sqrt(np.vecdot(phi, phi))[:, None]
    moved = phi @ W.T
    moved -= np.vecdot(pi, moved)[:, None]
    moved *= pi
    sums.mixed[:, :m] += a.T @ phi + moved.T @ x
    sums.mixed[:, m] += moved.sum(axis=0)
    sums.norms[:] += np.sqrt(np.vecdot(x, x)).sum()


def _solve(sums: _Sums, n: int, K: int, alpha: float) -> Array:
    """On the classes' contrasts: what is the same for all of them has no gradient."""
    c = sums.mixed.shape[1]
    m = c - 1
    cells = (sums.pairs / -n).reshape(K, c, K, c)
    diagonal = cells.sum(axis=2)
    places = np.arange(K)
    cells[places, :, places, :] -= diagonal
    cells += np.eye(c)[None, :, None, :] / K
    H = cells.reshape(K * c, K * c)
    H[np.diag_indices(K * c)] += np.tile(np.append(np.full(m, 2.0 * alpha), 0.0), K)
    radius = sums.norms[0] / n
    found = solve(H, (-radius / n) * sums.mixed.ravel(), assume_a="pos", check_finite=False)
    found = found.reshape(K, c)
    return np.concatenate([found[:, :m].ravel(), found[:, m]])

"""Logistic influence as an expert would write it in NumPy: whole-array, and by blocks of rows.

The loss is ``mean(log(1 + exp(-y f))) + alpha ||beta||^2`` with ``f = X beta + b`` and y = +-1.
The influence is ``-H^{-1} Phi``, coefficients first, then the intercept. NumPy 2 is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# OpenBLAS multiplies matrices with m * m * rows below this on a kernel of its own, without packing.
SMALL_PRODUCT = 1_000_000


class _Workspace(NamedTuple):
    """Arrays that every block reuses: fresh ones would cost page faults."""

    scaled: Array  # (rows, m)
    pair: Array  # (2, rows)
    product: Array  # (m, m)


class _Sums(NamedTuple):
    """Sums over samples, with a = |l'|, w = l'' and y = -sgn l'; updated in place."""

    outer: Array  # (m, m): sum of w x x^T
    rows: Array  # (2, m): sums of w x and w y x
    scalars: Array  # (4,): sums of a, ||x||_p, w, w y


def influence_whole(
    X: Array, y: Array, beta: Array, b: float, alpha: float, p: float = 2.0
) -> Array:
    """Influence, shape (m + 1,), with every step on the whole array."""
    return influence_blocked(X, y, beta, b, alpha, p, block=len(X))


@np.errstate(over="ignore")  # exp(y f) may become infinite: a = 1 / (1 + inf) = 0 is right
def influence_blocked(
    X: Array,
    y: Array,
    beta: Array,
    b: float,
    alpha: float,
    p: float = 2.0,
    block: int | None = None,
) -> Array:
    """Influence, shape (m + 1,), by blocks of rows that stay in the cache between steps."""
    n, m = X.shape
    block = min(n, block or default_block(m))
    space = _Workspace(np.empty((block, m)), np.empty((2, block)), np.empty((m, m)))
    sums = _Sums(np.zeros((m, m)), np.zeros((2, m)), np.zeros(4))
    for start in range(0, n, block):
        _add_block(sums, space, X[start : start + block], y[start : start + block], beta, b, p)
    return _solve(sums, n, beta, alpha, p)


def default_block(m: int) -> int:
    """Rows of a block, by trial from 1,000 to 10,000 (see SMALL_PRODUCT for the narrow ones)."""
    if m > 32:
        return 4096
    return min(10_000, SMALL_PRODUCT // m**2) if m <= 16 else 10_000


def _add_block(
    sums: _Sums, space: _Workspace, x: Array, y: Array, beta: Array, b: float, p: float
) -> None:
    rows, m = x.shape
    scaled, pair = space.scaled[:rows], space.pair[:, :rows]
    a = x @ beta
    a += b
    a *= y
    np.exp(a, out=a)  # NumPy's exp is vectorised; scipy.special.expit takes three times as long
    a += 1.0
    np.divide(1.0, a, out=a)
    norms = _row_norms(x, p, scratch=scaled)
    sums.scalars[:2] += a.sum(), norms.sum()
    w = np.subtract(1.0, a)
    w *= a
    # scaled^T right = sum w x x^T. With root weights on both sides NumPy sees A^T A and calls
    # syrk, half of gemm's work; but for a small product gemm is the faster one.
    if small := m * m * rows <= SMALL_PRODUCT:
        pair[0], pair[1] = 1.0, y
    else:
        np.sqrt(w, out=w)
        pair[0] = w
        np.multiply(w, y, out=pair[1])
    np.multiply(x, w[:, None], out=scaled)
    sums.rows[:] += pair @ scaled
    sums.scalars[2:] += pair @ w
    np.matmul(scaled.T, x if small else scaled, out=space.product)
    sums.outer[:] += space.product


def _row_norms(x: Array, p: float, scratch: Array) -> Array:
    if p == 2.0:
        norms = np.vecdot(x, x)
        return np.sqrt(norms, out=norms)
    np.abs(x, out=scratch)
    if np.isinf(p):
        return scratch.max(axis=1)
    if p != 1.0:
        np.power(scratch, p, out=scratch)
    norms = scratch @ np.ones(x.shape[1])  # BLAS sums short rows faster than sum(axis=1)
    return norms if p == 1.0 else np.power(norms, 1.0 / p, out=norms)


def dual_direction(beta: Array, p: float) -> tuple[Array, float]:
    """``phi = argmax <beta, v>`` over ``||v||_p <= 1``, and ``||beta||_q``, 1/p + 1/q = 1."""
    size = np.abs(beta)
    if p == 1.0:
        phi = np.zeros_like(beta)
        phi[size.argmax()] = np.sign(beta[size.argmax()])
        return phi, float(size.max())
    q = 1.0 if np.isinf(p) else p / (p - 1.0)
    norm = float(np.linalg.norm(beta, ord=q))
    return np.sign(beta) * (size / norm) ** (q - 1.0), norm


def _solve(sums: _Sums, n: int, beta: Array, alpha: float, p: float) -> Array:
    m = len(beta)
    slope, radius, weight, signed_weight = sums.scalars / n
    (weighted, signed) = sums.rows / n
    hessian = np.empty((m + 1, m + 1))
    hessian[:m, :m] = sums.outer / n
    hessian[m, :m] = hessian[:m, m] = weighted
    hessian[m, m] = weight
    hessian[np.arange(m), np.arange(m)] += 2.0 * alpha
    phi, norm = dual_direction(beta, p)
    mixed = np.empty(m + 1)
    mixed[:m] = slope * phi - norm * signed
    mixed[m] = -norm * signed_weight
    return np.linalg.solve(hessian, -radius * mixed)

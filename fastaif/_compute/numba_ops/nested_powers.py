"""Sensitivities of nested least-squares models on many samples drawn on the spot.

One repetition draws one sample, x uniform on (−1, 1)^M and y = Σ_j (b_j x_j + c_j x_j²) + σ z,
and fits the models v = (x_1 … x_m, x_1² … x_m²) for every m ≤ M to it. The columns are kept
in the order x_1, x_1², x_2, x_2², …: then model m owns the first 2m of them, and the one
Gram matrix, its one Cholesky factor and the one forward solve serve all models (a leading
block of the factor is the factor of the leading block).

Inputs are stored by feature, and swept by tiles of rows that stay in the first-level cache,
so that the innermost loops run over contiguous rows.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import FAST, STRICT, operation
from .philox import fill_normal, philox

_INPUTS, _NOISE = 0x2A01, 0x2A02  # purposes of the random numbers
_LOW, _32, _11 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(11)
_TILE = 256


@operation(fastmath=STRICT)
def _fill_pair(repetition, place, key0, key1, first, second):
    """Two features of all rows: one loop over rows, which vectorises."""
    for i in range(first.size):
        a, b, c, d = philox(np.uint64(i), np.uint64(0), place, repetition, key0, key1)
        first[i] = _uniform(a, b)
        second[i] = _uniform(c, d)


@operation(fastmath=STRICT)
def draw_powers(seed, repetition, linear, square, noise, x, y):
    """Draw the sample of one repetition.

    Parameters
    ----------
    seed, repetition : int
    linear, square : array (M,)
        b and c.
    noise : float
        σ.
    x : array (M, n)
        Inputs, one row a feature; written.
    y : array (n,)
        Targets, written.
    """
    key0 = np.uint64(seed) & _LOW
    key1 = (np.uint64(seed) >> _32) ^ np.uint64(_INPUTS)
    features, z = x.shape[0], np.empty(1)
    spare = np.empty(y.size)
    for k in range(0, features, 2):
        second = x[k + 1] if k + 1 < features else spare
        _fill_pair(np.uint64(repetition), np.uint64(k), key0, key1, x[k], second)
    for i in range(y.size):
        fill_normal(seed, _NOISE, repetition, i, z)
        y[i] = noise * z[0]
    for j in range(features):
        for i in range(y.size):
            y[i] += (linear[j] + square[j] * x[j, i]) * x[j, i]


@operation(fastmath=STRICT, inline=True)
def _uniform(high, low):
    """53 random bits as a number inside (−1, 1)."""
    return (np.float64((high << _32 | low) >> _11) + 0.5) * 2.0**-52 - 1.0


@operation(fastmath=FAST)
def _dot(u, v):
    total = 0.0
    for i in range(u.size):
        total += u[i] * v[i]
    return total


@operation(fastmath=FAST)
def _mean_norm(x):
    """E_n‖x‖₂."""
    total = 0.0
    for i in range(x.shape[1]):
        squares = 0.0
        for j in range(x.shape[0]):
            squares += x[j, i] * x[j, i]
        total += math.sqrt(squares)
    return total / x.shape[1]


@operation(fastmath=FAST)
def _moments(x, y, gram, moment):
    """E_n[v vᵀ], lower triangle, and E_n[v y]."""
    n, d = y.size, moment.size
    v = np.empty((d, _TILE))
    gram[:], moment[:] = 0.0, 0.0
    for start in range(0, n, _TILE):
        width = min(_TILE, n - start)
        for j in range(x.shape[0]):
            for i in range(width):
                v[2 * j, i] = x[j, start + i]
                v[2 * j + 1, i] = x[j, start + i] * x[j, start + i]
        for k in range(d):
            moment[k] += _dot(v[k, :width], y[start : start + width]) / n
            for other in range(k + 1):
                gram[k, other] += _dot(v[k, :width], v[other, :width]) / n


@operation(fastmath=STRICT)
def _factorize(a):
    """The Cholesky factor of a positive definite matrix, over its lower triangle."""
    for k in range(a.shape[0]):
        for i in range(k, a.shape[0]):
            total = a[i, k]
            for j in range(k):
                total -= a[i, j] * a[k, j]
            a[i, k] = total / a[k, k] if i > k else math.sqrt(total)


@operation(fastmath=STRICT)
def _solve_lower(factor, b):
    """L⁻¹ b, in place, with the leading block of the factor."""
    for i in range(b.size):
        for j in range(i):
            b[i] -= factor[i, j] * b[j]
        b[i] /= factor[i, i]


@operation(fastmath=STRICT)
def _solve_upper(factor, b):
    """L⁻ᵀ b, in place, with the leading block of the factor."""
    for i in range(b.size - 1, -1, -1):
        for j in range(i + 1, b.size):
            b[i] -= factor[j, i] * b[j]
        b[i] /= factor[i, i]


@operation(fastmath=FAST)
def _add_mixed(x, y, theta, push, pull, mixed):
    """Add Σ_i (sgn(r_i) ‖∇f_i‖₂ v_i + |r_i| J_i ∇f_i / ‖∇f_i‖₂) over a tile of rows.

    `push` and `pull` are workspace: the factors of v_i and of J_i ∇f_i.
    """
    width = y.size
    push[:width], pull[:width] = 0.0, 0.0
    for j in range(theta.size // 2):
        b, c = theta[2 * j], theta[2 * j + 1]
        for i in range(width):
            slope = b + 2.0 * c * x[j, i]
            push[i] += (b + c * x[j, i]) * x[j, i]
            pull[i] += slope * slope
    for i in range(width):
        r, norm = push[i] - y[i], math.sqrt(pull[i])
        push[i] = norm if r > 0.0 else (-norm if r < 0.0 else 0.0)
        pull[i] = abs(r) / norm if norm > 0.0 else 0.0
    for j in range(theta.size // 2):
        b, c = theta[2 * j], theta[2 * j + 1]
        first, second = 0.0, 0.0
        for i in range(width):
            z = x[j, i]
            slope = pull[i] * (b + 2.0 * c * z)
            first += push[i] * z + slope
            second += (push[i] * z + 2.0 * slope) * z
        mixed[2 * j] += first
        mixed[2 * j + 1] += second


@operation(fastmath=STRICT)
def nested_powers(seed, first, n_samples, linear, square, noise, out):
    """S/ε² on the sample itself for a range of repetitions and every number of features.

    With the loss (f − y)², p = 2 and Φ = 2 s a, eq. 4 is ½ IᵀHI = s² aᵀ E_n[v vᵀ]⁻¹ a =
    s² ‖L⁻¹a‖². s is the mean norm of all M features, whatever the model uses of them.

    Parameters
    ----------
    seed, first, n_samples : int
        Row r of `out` is repetition first + r.
    linear, square : array (M,)
    noise : float
    out : array (k, M)
        Written.
    """
    features = linear.size
    x, y = np.empty((features, n_samples)), np.empty(n_samples)
    factor, reduced = np.empty((2 * features, 2 * features)), np.empty(2 * features)
    mixed, push, pull = np.empty(2 * features), np.empty(_TILE), np.empty(_TILE)
    for r in range(out.shape[0]):
        draw_powers(seed, first + r, linear, square, noise, x, y)
        scale = _mean_norm(x) / n_samples
        _moments(x, y, factor, reduced)
        _factorize(factor)
        _solve_lower(factor, reduced)
        for m in range(1, features + 1):
            theta, sums = reduced[: 2 * m].copy(), mixed[: 2 * m]
            _solve_upper(factor, theta)
            sums[:] = 0.0
            for start in range(0, n_samples, _TILE):
                stop = min(start + _TILE, n_samples)
                _add_mixed(x[:m, start:stop], y[start:stop], theta, push, pull, sums)
            _solve_lower(factor, sums)
            out[r, m - 1] = scale * scale * _dot(sums, sums)

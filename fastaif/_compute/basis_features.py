"""Features v(u) of the built-in bases, and both products with their Jacobians.

Everything works on a block of rows u (k, m), already scaled, and writes one output row
a row. With J = ∂v/∂u (d, m), `basis_gradients` is Jᵀβ = ∇_u f and `basis_moves` is JP, how v
moves along a direction P. Layouts of v:

- quadratic: u_1 … u_m, then u_j u_k for j ≤ k, by rows of the upper triangle;
- powers: the block u, then the block u², …;
- Fourier: √(2/d) cos(ω_h·u + b_h).

These know nothing of a scaling of v itself: its users apply it.
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import FAST, STRICT, operation
from ._types import POWERS, QUADRATIC


@operation(fastmath=FAST)
def _dot(a, b):
    total = 0.0
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return total


@operation(fastmath=FAST)
def _expand_quadratic(u, v):
    m = u.shape[1]
    for i in range(u.shape[0]):
        place = m
        for j in range(m):
            v[i, j] = u[i, j]
            c = u[i, j]
            for k in range(j, m):
                v[i, place + k - j] = c * u[i, k]
            place += m - j


@operation(fastmath=FAST)
def _expand_powers(u, degree, v):
    m = u.shape[1]
    for i in range(u.shape[0]):
        for k in range(m):
            v[i, k] = u[i, k]
        for r in range(1, degree):
            for k in range(m):
                v[i, r * m + k] = v[i, (r - 1) * m + k] * u[i, k]


@operation(fastmath=STRICT)
def _expand_fourier(u, frequencies, phases, v):
    d = phases.size
    height = math.sqrt(2.0 / d)
    for i in range(u.shape[0]):
        for h in range(d):
            v[i, h] = height * math.cos(_dot(frequencies[h], u[i]) + phases[h])


@operation(fastmath=STRICT)
def basis_features(u, basis, v):
    """Write v(u), shape (k, d)."""
    if basis.kind == QUADRATIC:
        _expand_quadratic(u, v)
    elif basis.kind == POWERS:
        _expand_powers(u, basis.degree, v)
    else:
        _expand_fourier(u, basis.frequencies, basis.phases, v)


@operation(fastmath=FAST)
def _quadratic_gradients(u, beta, g):
    """∇f = β₁ + Bu with B_jj = 2 β_jj and B_jk = β_jk."""
    m = u.shape[1]
    bend = np.empty((m, m))
    place = m
    for j in range(m):
        bend[j, j] = 2.0 * beta[place]
        for k in range(j + 1, m):
            bend[j, k] = bend[k, j] = beta[place + k - j]
        place += m - j
    for i in range(u.shape[0]):
        for j in range(m):
            g[i, j] = beta[j]
        for j in range(m):
            c = u[i, j]
            for k in range(m):
                g[i, k] += c * bend[j, k]


@operation(fastmath=FAST)
def _powers_gradients(u, degree, beta, g):
    """Horner's rule on Σ_r r β_r u^(r−1), a feature at a time."""
    m = u.shape[1]
    for i in range(u.shape[0]):
        for k in range(m):
            g[i, k] = degree * beta[(degree - 1) * m + k]
        for r in range(degree - 1, 0, -1):
            for k in range(m):
                g[i, k] = g[i, k] * u[i, k] + r * beta[(r - 1) * m + k]


@operation(fastmath=STRICT)
def _fourier_gradients(u, frequencies, phases, beta, g):
    d = phases.size
    height = math.sqrt(2.0 / d)
    for i in range(u.shape[0]):
        g[i] = 0.0
        for h in range(d):
            c = -height * beta[h] * math.sin(_dot(frequencies[h], u[i]) + phases[h])
            for k in range(u.shape[1]):
                g[i, k] += c * frequencies[h, k]


@operation(fastmath=STRICT)
def basis_gradients(u, basis, beta, g):
    """Write Jᵀβ = ∇_u (βᵀv), shape (k, m)."""
    if basis.kind == QUADRATIC:
        _quadratic_gradients(u, beta, g)
    elif basis.kind == POWERS:
        _powers_gradients(u, basis.degree, beta, g)
    else:
        _fourier_gradients(u, basis.frequencies, basis.phases, beta, g)


@operation(fastmath=FAST)
def _quadratic_moves(u, p, out):
    m = u.shape[1]
    for i in range(u.shape[0]):
        place = m
        for j in range(m):
            out[i, j] = p[i, j]
            a, b = u[i, j], p[i, j]
            for k in range(j, m):
                out[i, place + k - j] = a * p[i, k] + b * u[i, k]
            place += m - j


@operation(fastmath=FAST)
def _powers_moves(u, degree, p, out):
    m = u.shape[1]
    power = np.empty(m)
    for i in range(u.shape[0]):
        power[:] = 1.0
        for r in range(degree):
            for k in range(m):
                out[i, r * m + k] = (r + 1) * power[k] * p[i, k]
                power[k] *= u[i, k]


@operation(fastmath=STRICT)
def _fourier_moves(u, frequencies, phases, p, out):
    d = phases.size
    height = math.sqrt(2.0 / d)
    for i in range(u.shape[0]):
        for h in range(d):
            slope = -height * math.sin(_dot(frequencies[h], u[i]) + phases[h])
            out[i, h] = slope * _dot(frequencies[h], p[i])


@operation(fastmath=STRICT)
def basis_moves(u, basis, p, out):
    """Write JP, shape (k, d): the derivative of v(u) along each row of P (k, m)."""
    if basis.kind == QUADRATIC:
        _quadratic_moves(u, p, out)
    elif basis.kind == POWERS:
        _powers_moves(u, basis.degree, p, out)
    else:
        _fourier_moves(u, basis.frequencies, basis.phases, p, out)


@operation(fastmath=FAST)
def _add_quadratic_moves(u, p, weights, total):
    m = u.shape[1]
    for i in range(u.shape[0]):
        place = m
        for j in range(m):
            total[j] += weights[i] * p[i, j]
            a, b = weights[i] * u[i, j], weights[i] * p[i, j]
            for k in range(j, m):
                total[place + k - j] += a * p[i, k] + b * u[i, k]
            place += m - j


@operation(fastmath=STRICT)
def add_moves(u, basis, p, weights, total):
    """Add Σ weights_i (J_i p_i) to `total` (d,), without the moves where that is cheaper."""
    if basis.kind == QUADRATIC:
        _add_quadratic_moves(u, p, weights, total)
        return
    moves = np.empty((u.shape[0], total.size))
    basis_moves(u, basis, p, moves)
    for i in range(u.shape[0]):
        for k in range(total.size):
            total[k] += weights[i] * moves[i, k]

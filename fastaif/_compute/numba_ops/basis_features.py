"""Features v(u) of the built-in bases, and both products with their Jacobians.

Blocks are feature-major here: u is (m, k) and v is (d, k) for k rows of data, so that every
loop runs over rows, however few inputs there are. With J = ∂v/∂u (d, m) of a row,
`basis_gradients` is Jᵀβ = ∇_u f, and `basis_moves` is Jp, how v moves along p. Layouts of v:

- quadratic: u_1 … u_m, then u_j u_l for j ≤ l, by rows of the upper triangle;
- powers: the block u, then the block u², …;
- Fourier: √(2/d) cos(ω_h·u + b_h).

These know nothing of a scaling of v itself: its users apply it.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import POWERS, QUADRATIC
from .blas import write
from .jit import FAST, STRICT, operation


@operation(fastmath=FAST)
def _expand_quadratic(u, v):
    m, k = u.shape
    place = m
    for j in range(m):
        for i in range(k):
            v[j, i] = u[j, i]
        for other in range(j, m):
            for i in range(k):
                v[place, i] = u[j, i] * u[other, i]
            place += 1


@operation(fastmath=FAST)
def _expand_powers(u, degree, v):
    m, k = u.shape
    for j in range(m):
        for i in range(k):
            v[j, i] = u[j, i]
        for r in range(1, degree):
            for i in range(k):
                v[r * m + j, i] = v[(r - 1) * m + j, i] * u[j, i]


@operation(fastmath=STRICT)
def _angles(u, frequencies, phases):
    """ω_h·u + b_h, shape (d, k)."""
    z = np.dot(frequencies, u)
    for h in range(phases.size):
        for i in range(u.shape[1]):
            z[h, i] += phases[h]
    return z


@operation(fastmath=STRICT)
def basis_features(u, basis, v):
    """Write v(u), shape (d, k)."""
    if basis.kind == QUADRATIC:
        _expand_quadratic(u, v)
    elif basis.kind == POWERS:
        _expand_powers(u, basis.degree, v)
    else:
        height = math.sqrt(2.0 / v.shape[0])
        z = _angles(u, basis.frequencies, basis.phases)
        for h in range(v.shape[0]):
            for i in range(v.shape[1]):
                v[h, i] = height * math.cos(z[h, i])


@operation(fastmath=STRICT)
def _quadratic_gradients(u, beta, g):
    """∇f = β₁ + Bu with B_jj = 2 β_jj and B_jl = β_jl."""
    m = u.shape[0]
    bend = np.empty((m, m))
    place = m
    for j in range(m):
        bend[j, j] = 2.0 * beta[place]
        for other in range(j + 1, m):
            bend[j, other] = bend[other, j] = beta[place + other - j]
        place += m - j
    write(np.dot(bend, u), g)
    for j in range(m):
        for i in range(u.shape[1]):
            g[j, i] += beta[j]


@operation(fastmath=FAST)
def _powers_gradients(u, degree, beta, g):
    """Horner's rule on Σ_r r β_r u^(r−1), a feature at a time."""
    m, k = u.shape
    for j in range(m):
        for i in range(k):
            g[j, i] = degree * beta[(degree - 1) * m + j]
        for r in range(degree - 1, 0, -1):
            for i in range(k):
                g[j, i] = g[j, i] * u[j, i] + r * beta[(r - 1) * m + j]


@operation(fastmath=STRICT)
def _fourier_slopes(u, basis, scale):
    """−√(2/d) sin(ω_h·u + b_h) scale_h, shape (d, k)."""
    z = _angles(u, basis.frequencies, basis.phases)
    height = -math.sqrt(2.0 / z.shape[0])
    for h in range(z.shape[0]):
        for i in range(z.shape[1]):
            z[h, i] = height * scale[h] * math.sin(z[h, i])
    return z


@operation(fastmath=STRICT)
def basis_gradients(u, basis, beta, g):
    """Write Jᵀβ = ∇_u (βᵀv), shape (m, k)."""
    if basis.kind == QUADRATIC:
        _quadratic_gradients(u, beta, g)
    elif basis.kind == POWERS:
        _powers_gradients(u, basis.degree, beta, g)
    else:
        write(np.dot(basis.frequencies.T, _fourier_slopes(u, basis, beta)), g)


@operation(fastmath=FAST)
def _quadratic_moves(u, p, out):
    m, k = u.shape
    place = m
    for j in range(m):
        for i in range(k):
            out[j, i] = p[j, i]
        for other in range(j, m):
            for i in range(k):
                out[place, i] = u[j, i] * p[other, i] + p[j, i] * u[other, i]
            place += 1


@operation(fastmath=FAST)
def _powers_moves(u, degree, p, out):
    m, k = u.shape
    for j in range(m):
        for i in range(k):
            power = 1.0
            for r in range(degree):
                out[r * m + j, i] = (r + 1) * power * p[j, i]
                power *= u[j, i]


@operation(fastmath=STRICT)
def basis_moves(u, basis, p, out):
    """Write Jp, shape (d, k): the derivative of v(u) along the directions p (m, k)."""
    if basis.kind == QUADRATIC:
        _quadratic_moves(u, p, out)
    elif basis.kind == POWERS:
        _powers_moves(u, basis.degree, p, out)
    else:
        write(np.dot(basis.frequencies, p), out)
        out *= _fourier_slopes(u, basis, np.ones(out.shape[0]))


@operation(fastmath=STRICT)
def _add_quadratic_moves(u, p, weights, total):
    """Σ w (u_j p_l + p_j u_l) is M_jl + M_lj with M = Σ w u pᵀ."""
    m = u.shape[0]
    weighted = u * weights
    M = np.dot(weighted, p.T)
    total[:m] += np.dot(p, weights)
    place = m
    for j in range(m):
        for other in range(j, m):
            total[place] += M[j, other] + M[other, j]
            place += 1


@operation(fastmath=STRICT)
def add_moves(u, basis, p, weights, total):
    """Add Σ weights_i (J_i p_i) to `total` (d,), without the moves where that is cheaper."""
    if basis.kind == QUADRATIC:
        _add_quadratic_moves(u, p, weights, total)
        return
    moves = np.empty((total.size, u.shape[1]))
    basis_moves(u, basis, p, moves)
    total += np.dot(moves, weights)

"""Products of Σ c (v, 1)(v, 1)ᵀ with vectors, in one pass and without the matrix.

With curvatures c = w ℓ'' this is the Hessian of a model f = βᵀv(x) + b. A block of rows gives
T = c ∘ (V U + u_b) and then Vᵀ T while it is in the cache; several vectors share the block
and go through BLAS. For the quadratic basis not even the features of a block are formed:
⟨v, β⟩ = β₁ᵀu + uᵀBu, and Σ t v is made of Σ t u and Σ t u uᵀ.
"""

from __future__ import annotations

import numpy as np

from ..types import QUADRATIC
from .accumulate import dot_rows, load
from .basis_features import basis_features
from .basis_sums import load_columns, scale_features
from .blas import add_block_transposed, multiply_block
from .jit import FAST, STRICT, operation

_BLOCK_DOUBLES = 49152  # 384 KiB
_FEWEST_ROWS, _MOST_ROWS = 8, 1024


@operation(fastmath=FAST)
def _add_rows(v, t, out):
    for i in range(v.shape[0]):
        a = t[i]
        for k in range(v.shape[1]):
            out[k] += a * v[i, k]


@operation(fastmath=STRICT)
def _one_vector(v, c, u, f, out):
    """out += (V, 1)ᵀ (c ∘ (V, 1) u)."""
    m = v.shape[1]
    dot_rows(v, u[:m], u[m], f)
    total = 0.0
    for i in range(c.size):
        f[i] *= c[i]
        total += f[i]
    _add_rows(v, f, out[:m])
    out[m] += total


@operation(fastmath=STRICT)
def _several_vectors(v, c, U, T, out):
    m = v.shape[1]
    multiply_block(v, U, T)
    for i in range(c.size):
        for r in range(U.shape[1]):
            T[i, r] = c[i] * (T[i, r] + U[m, r])
            out[m, r] += T[i, r]
    add_block_transposed(v, T, out)


@operation(fastmath=STRICT)
def linear_products(x, c, shift, inverse_scale, U, out):
    """Add Σ c (v, 1)⟨(v, 1), U⟩ with v = (x − shift) inverse_scale to `out`.

    Parameters
    ----------
    x : array (n, m)
    c : array (n,)
    shift, inverse_scale : arrays (m,), or empty
    U, out : arrays (m + 1, k)
        C-contiguous; the last row belongs to the intercept.
    """
    n, m = x.shape
    count = U.shape[1]
    size = min(n, max(_FEWEST_ROWS, min(_MOST_ROWS, _BLOCK_DOUBLES // max(m, 1))))
    scratch, T, f = np.empty((size, m)), np.empty((size, count)), np.empty(size)
    one, first = U.reshape(U.size), out.reshape(out.size)
    for start in range(0, n, size):
        k = min(size, n - start)
        load(x, start, scratch[:k], shift, inverse_scale)
        if count == 1:
            _one_vector(scratch[:k], c[start : start + k], one, f[:k], first)
        else:
            _several_vectors(scratch[:k], c[start : start + k], U, T[:k], out)


@operation(fastmath=STRICT)
def _feature_products(x, c, basis, U, out):
    """`basis_products` with the features of a block."""
    n, m = x.shape
    d = U.shape[0] - 1
    scaled = basis.out_inverse_scale.size > 0
    size = min(n, max(16, min(_MOST_ROWS, _BLOCK_DOUBLES // max(d, 1))))
    for start in range(0, n, size):
        k = min(size, n - start)
        u, v = np.empty((m, k)), np.empty((d, k))
        load_columns(x, start, basis.shift, basis.inverse_scale, u)
        basis_features(u, basis, v)
        if scaled:
            scale_features(v, basis.out_shift, basis.out_inverse_scale)
        T = np.dot(U[:d].T, v)
        for r in range(T.shape[0]):
            for i in range(k):
                T[r, i] = c[start + i] * (T[r, i] + U[d, r])
                out[d, r] += T[r, i]
        products = np.dot(v, T.T)  # `blas.write` says why not out[:d] += products
        for h in range(d):
            for r in range(T.shape[0]):
                out[h, r] += products[h, r]


@operation(fastmath=STRICT)
def _bend(beta, m, B):
    """The symmetric B with uᵀBu = Σ β_jl u_j u_l over j ≤ l."""
    place = m
    for j in range(m):
        B[j, j] = beta[place]
        for other in range(j + 1, m):
            B[j, other] = B[other, j] = 0.5 * beta[place + other - j]
        place += m - j


@operation(fastmath=FAST)
def _quadratic_values(u, Bu, beta, f):
    for i in range(f.size):
        f[i] = 0.0
    for j in range(u.shape[0]):
        for i in range(f.size):
            f[i] += u[j, i] * (beta[j] + Bu[j, i])


@operation(fastmath=STRICT)
def _fold(first, second, basis, total, out):
    """Add Σ t (v, 1) to `out`, from Σ t u, Σ t u uᵀ and Σ t."""
    m = first.size
    scaled = basis.out_inverse_scale.size > 0
    place = m
    moments = np.empty(out.size - 1)
    moments[:m] = first
    for j in range(m):
        for other in range(j, m):
            moments[place] = second[j, other]
            place += 1
    for h in range(moments.size):
        if scaled:
            out[h] += basis.out_inverse_scale[h] * (moments[h] - basis.out_shift[h] * total)
        else:
            out[h] += moments[h]
    out[out.size - 1] += total


@operation(fastmath=STRICT)
def _quadratic_products(x, c, basis, U, out):
    """`basis_products` from moments of u."""
    n, m = x.shape
    d, count = U.shape[0] - 1, U.shape[1]
    scaled = basis.out_inverse_scale.size > 0
    betas, rest = np.empty((count, d)), np.empty(count)
    bends = np.empty((count, m, m))
    for r in range(count):
        betas[r] = U[:d, r]
        rest[r] = U[d, r]
        if scaled:
            betas[r] *= basis.out_inverse_scale
            rest[r] -= np.dot(betas[r], basis.out_shift)
        _bend(betas[r], m, bends[r])
    first, second, total = np.zeros((count, m)), np.zeros((count, m, m)), np.zeros(count)
    size = min(n, max(64, min(_MOST_ROWS, _BLOCK_DOUBLES // max(m, 1))))
    for start in range(0, n, size):
        k = min(size, n - start)
        u, f = np.empty((m, k)), np.empty(k)
        load_columns(x, start, basis.shift, basis.inverse_scale, u)
        for r in range(count):
            _quadratic_values(u, np.dot(bends[r], u), betas[r], f)
            for i in range(k):
                f[i] = c[start + i] * (f[i] + rest[r])
                total[r] += f[i]
            first[r] += np.dot(u, f)
            second[r] += np.dot(u * f, u.T)
    for r in range(count):
        _fold(first[r], second[r], basis, total[r], out[:, r])


@operation(fastmath=STRICT)
def basis_products(x, c, basis, U, out):
    """Add Σ c (v, 1)⟨(v, 1), U⟩ with the features v(x) of a built-in basis to `out`.

    Parameters
    ----------
    x : array (n, m)
    c : array (n,)
    basis : Basis
    U, out : arrays (d + 1, k)
        C-contiguous; the last row belongs to the intercept.
    """
    if basis.kind == QUADRATIC:
        _quadratic_products(x, c, basis, U, out)
    else:
        _feature_products(x, c, basis, U, out)

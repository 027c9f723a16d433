"""The one-pass sums of basis models f = βᵀv(x) + b: H, Φ, gradient, loss, s.

As in `linear_sums` rows go through predict, loss and accumulate, a block at a time; the
features v exist for one block only. Here ∇_x f differs from row to row, so that for
Theorem 4.1's Φ a block also gets its gradients Jᵀβ, their directions φ and dual norms g;
Σ w |ℓ'| Jφ needs no Jφ of its own for the quadratic basis.

Blocks are feature-major, (m, k) and (d, k): products of features, predictions and sums run
over rows. A block of features is larger than the second-level cache where d is in the
hundreds: what counts there is that BLAS adds many rows to each entry of H that it loads.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import (
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_MIXED,
    NEED_MOMENTS,
    NEED_NORM,
    NEED_YARDSTICK,
    S_MIXED,
    S_SLOPE,
    S_TIES,
    S_ZERO,
    V_F,
    V_FF,
    V_MIXED,
    Block,
    Directions,
)
from .accumulate import add_row_scalars
from .basis_features import add_moves, basis_features, basis_gradients
from .blas import add_gram_of_columns
from .jit import FAST, STRICT, operation
from .losses import slopes
from .pointwise import row_norm
from .row_geometry import attack_directions
from .shared_budgets import share_budgets

_BLOCK_DOUBLES = 49152  # 384 KiB
_FEWEST_ROWS, _MOST_ROWS = 256, 2048
_FEWEST_WITHOUT_HESSIAN = 32


@operation(fastmath=FAST)
def load_columns(x, start, shift, inverse_scale, u):
    """u[:, i] = (x[start + i] - shift) * inverse_scale, as float64."""
    for j in range(u.shape[0]):
        for i in range(u.shape[1]):
            u[j, i] = x[start + i, j]
        if shift.size > 0:
            for i in range(u.shape[1]):
                u[j, i] = (u[j, i] - shift[j]) * inverse_scale[j]


@operation(fastmath=FAST)
def scale_features(v, shift, inverse_scale):
    for h in range(v.shape[0]):
        for i in range(v.shape[1]):
            v[h, i] = (v[h, i] - shift[h]) * inverse_scale[h]


@operation(fastmath=FAST)
def _predict(v, beta, intercept, f):
    for i in range(f.size):
        f[i] = intercept
    for h in range(v.shape[0]):
        b = beta[h]
        for i in range(f.size):
            f[i] += b * v[h, i]


@operation(fastmath=FAST)
def _add_squares(v, squares):
    for i in range(squares.size):
        squares[i] = 0.0
    for h in range(v.shape[0]):
        for i in range(squares.size):
            squares[i] += v[h, i] * v[h, i]


@operation(fastmath=STRICT)
def _lengths(v, norms):
    """Euclidean norms of a block's columns, careful where squares would over- or underflow."""
    _add_squares(v, norms)
    for i in range(norms.size):
        if 1e-290 < norms[i] < 1e290:
            norms[i] = math.sqrt(norms[i])
        else:
            norms[i] = row_norm(v[:, i], 2.0)


@operation(fastmath=STRICT)
def norms_of_columns(x, start, u, norm_of, norms):
    """Norms of the scaled inputs u, or of the rows in other units."""
    own = norm_of.inverse_scale.size == 0
    if own and norm_of.p == 2.0:
        _lengths(u, norms)
        return
    buffer = np.empty(u.shape[0])
    for i in range(norms.size):
        for k in range(buffer.size):
            if own:
                buffer[k] = u[k, i]
            else:
                buffer[k] = (x[start + i, k] - norm_of.shift[k]) * norm_of.inverse_scale[k]
        norms[i] = row_norm(buffer, norm_of.p)


@operation(fastmath=FAST)
def _add_vectors(v, derivatives, gained, need, vectors):
    """Σ w ℓ' v, Σ w ℓ'' v and Σ w ℓ'' sgn(ℓ') g v; the block is scaled by √(w ℓ'')."""
    k = v.shape[1]
    roots = np.sqrt(derivatives[2])
    for h in range(v.shape[0]):
        first = second = mixed = 0.0
        for i in range(k):
            first += derivatives[0, i] * v[h, i]
            second += derivatives[2, i] * v[h, i]
        vectors[V_F, h] += first
        vectors[V_FF, h] += second
        if need & NEED_MIXED:
            for i in range(k):
                mixed += gained[i] * v[h, i]
            vectors[V_MIXED, h] += mixed
        if need & NEED_HESSIAN:
            for i in range(k):
                v[h, i] *= roots[i]


@operation(fastmath=STRICT)
def add_gains(directions, w, derivatives, shares, gained, scalars):
    """The scalar sums of gains; rows without a gradient are counted as unattacked."""
    for i in range(w.size):
        gain = directions.gains[i]
        gained[i] = derivatives[1, i] * gain
        if shares.size:
            gained[i] *= shares[i]
        scalars[S_SLOPE] += abs(derivatives[0, i]) * gain
        scalars[S_MIXED] += gained[i]
        if w[i] > 0.0:
            scalars[S_TIES] += directions.ties[i]
            if gain == 0.0 and derivatives[0, i] != 0.0:
                scalars[S_ZERO] += 1.0


@operation(fastmath=STRICT)
def block_sums(block, directions, y, w, inner, need, rates, sums):
    """Add the sums over one block of given features, which are used up.

    Parameters
    ----------
    block : Block
    directions : Directions
    y, w : array (k,)
        Targets and weights.
    inner : Inner
        With κ = 0.
    need : int
    rates : array (2, k)
        Written: w |ℓ'| times shares of the budget, the weights of Jφ, which the caller adds to
        V_MIXED; and w ℓ''.
    sums : Sums

    Returns
    -------
    float
        What shared budgets multiply the sums of earlier blocks by; else 1.
    """
    k, factor = y.size, 1.0
    derivatives, gained = np.empty((3, k)), np.empty(k if need & NEED_MIXED else 0)
    slopes(block.f, y, inner, 0, w, need, derivatives, sums.scalars)
    for i in range(k):
        rates[0, i] = abs(derivatives[0, i])
        rates[1, i] = derivatives[2, i]
    add_row_scalars(w, derivatives[0], block.norms, need, sums.scalars)
    if need & NEED_MIXED:
        shares = np.empty(k if inner.exponent > 0.0 else 0)
        if shares.size:
            factor = share_budgets(
                derivatives[0], directions.gains, w, inner.exponent, shares, sums
            )
            for i in range(k):
                rates[0, i] *= shares[i]
        add_gains(directions, w, derivatives, shares, gained, sums.scalars)
    if need & (NEED_GRADIENT | NEED_HESSIAN | NEED_MIXED):
        _add_vectors(block.v, derivatives, gained, need, sums.vectors)
    if need & NEED_HESSIAN:
        add_gram_of_columns(block.v, sums.hessian)
    return factor


@operation(fastmath=STRICT)
def _load_block(rows, start, basis, predictor, u, v, f):
    """The inputs u (m, k), features v (d, k) and predictions f (k,) of rows from `start` on."""
    load_columns(rows.x, start, basis.shift, basis.inverse_scale, u)
    basis_features(u, basis, v)
    if basis.out_inverse_scale.size > 0:
        scale_features(v, basis.out_shift, basis.out_inverse_scale)
    _predict(v, predictor.beta, predictor.intercept, f)


@operation(fastmath=STRICT)
def basis_sums(rows, basis, predictor, norm_of, attack, inner, need, sums):
    """Add the sums over a range of rows to `sums` (see `types.Sums`).

    Parameters
    ----------
    rows : Rows
    basis : Basis
    predictor : Predictor
        Its β (d,) and intercept; shift and scale are those of the basis.
    norm_of : NormOf
        Its empty arrays stand for the scaled inputs u.
    attack : Attack
        Read for NEED_MIXED.
    inner : Inner
        With κ = 0.
    need : int
        With NEED_MOMENTS w ℓ'' of each row is written where H would be.
    sums : Sums
    """
    n, m = rows.x.shape
    d = predictor.beta.size
    scaled = basis.out_inverse_scale.size > 0
    fewest = _FEWEST_ROWS if need & NEED_HESSIAN else _FEWEST_WITHOUT_HESSIAN
    size = min(n, max(fewest, min(_MOST_ROWS, _BLOCK_DOUBLES // max(d, 1))))
    few = size if need & NEED_MIXED else 0
    space_u, space_v = np.empty(m * size), np.empty(d * size)
    by_moments = need & NEED_MOMENTS
    if by_moments:
        need &= ~NEED_HESSIAN
    space_g, space_p = np.empty(m * few), np.empty(m * few)
    f, norms, ones, rates = np.empty(size), np.empty(size), np.ones(size), np.empty((2, size))
    gains, ties, moved = np.empty(few), np.empty(few), np.zeros(d)
    slope = predictor.beta * basis.out_inverse_scale if scaled else predictor.beta
    for start in range(0, n, size):
        k = min(size, n - start)
        kept = min(k, few)
        u, v = space_u[: m * k].reshape(m, k), space_v[: d * k].reshape(d, k)
        g, p = space_g[: m * kept].reshape(m, kept), space_p[: m * kept].reshape(m, kept)
        _load_block(rows, start, basis, predictor, u, v, f[:k])
        if need & NEED_YARDSTICK:
            _lengths(v, norms[:k])
        elif need & NEED_NORM:
            norms_of_columns(rows.x, start, u, norm_of, norms[:k])
        if need & NEED_MIXED:
            basis_gradients(u, basis, slope, g)
            attack_directions(g, attack, p, gains[:k], ties[:k])
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        block, directions = Block(v, f[:k], norms[:k]), Directions(gains[:kept], ties[:kept])
        y = rows.y[start : start + k]
        part = rates.ravel()[: 2 * k].reshape(2, k)
        factor = block_sums(block, directions, y, w, inner, need, part, sums)
        if need & NEED_MIXED:
            moved *= factor
            add_moves(u, basis, p, part[0], moved)
        if by_moments:
            sums.hessian[0, start : start + k] = part[1]
    for h in range(d):
        sums.vectors[V_MIXED, h] += moved[h] * basis.out_inverse_scale[h] if scaled else moved[h]

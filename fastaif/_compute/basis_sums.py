"""The one-pass sums of basis models f = βᵀv(x) + b: H, Φ, gradient, loss, s.

As in `linear_sums` rows go through predict, loss and accumulate, a block at a time; the
features v exist for one block only. Here ∇_x f differs from row to row, so that for
Theorem 4.1's Φ a block also gets its gradients Jᵀβ, their directions φ and dual norms g,
and Jφ.

The block of features is larger than the second-level cache where d is in the hundreds:
what counts there is that BLAS adds many rows to each entry of H that it loads.
"""

from __future__ import annotations

import numpy as np

from ._inline import row_norm
from ._jit import FAST, STRICT, operation
from ._types import (
    NEED_MIXED,
    NEED_NORM,
    NEED_YARDSTICK,
    S_MIXED,
    S_SLOPE,
    S_TIES,
    S_ZERO,
    V_MIXED,
    Block,
    Directions,
)
from .basis_features import add_moves, basis_features, basis_gradients
from .row_geometry import attack_directions
from .stages import accumulate, dot_rows, load, norms_of_rows, slopes

_BLOCK_DOUBLES = 49152  # 384 KiB
_FEWEST_ROWS = 256


@operation(fastmath=FAST)
def _scale_features(v, shift, inverse_scale):
    for i in range(v.shape[0]):
        for k in range(v.shape[1]):
            v[i, k] = (v[i, k] - shift[k]) * inverse_scale[k]


@operation(fastmath=FAST)
def _add_gained(v, gains, derivatives, mixed):
    """Σ w ℓ'' sgn(ℓ') g v."""
    for i in range(v.shape[0]):
        a = derivatives[1, i] * gains[i]
        for k in range(v.shape[1]):
            mixed[k] += a * v[i, k]


@operation(fastmath=STRICT)
def _add_mixed(v, directions, w, derivatives, sums):
    """Φ's sums but for those of Jφ; rows without a gradient are counted as unattacked."""
    gains = directions.gains
    for i in range(v.shape[0]):
        sums.scalars[S_SLOPE] += abs(derivatives[0, i]) * gains[i]
        sums.scalars[S_MIXED] += derivatives[1, i] * gains[i]
        if w[i] > 0.0:
            sums.scalars[S_TIES] += directions.ties[i]
            if gains[i] == 0.0 and derivatives[0, i] != 0.0:
                sums.scalars[S_ZERO] += 1.0
    _add_gained(v, gains, derivatives, sums.vectors[V_MIXED])


@operation(fastmath=STRICT)
def block_sums(block, directions, y, w, inner, need, slopes_out, sums):
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
    slopes_out : array (k,)
        w |ℓ'|, written: the weights of Jφ, which the caller adds to V_MIXED.
    sums : Sums
    """
    k = block.v.shape[0]
    derivatives = np.empty((3, k))
    slopes(block.f, y, inner, 0, w, need, derivatives, sums.scalars)
    for i in range(k):
        slopes_out[i] = abs(derivatives[0, i])
    if need & NEED_MIXED:
        _add_mixed(block.v, directions, w, derivatives, sums)
    accumulate(block.v, k, w, derivatives, block.norms, need, sums)


@operation(fastmath=STRICT)
def basis_sums(rows, basis, predictor, norm_of, attack, inner, need, sums):
    """Add the sums over a range of rows to `sums` (see `_types.Sums`).

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
    sums : Sums
    """
    n, m = rows.x.shape
    beta = predictor.beta
    d = beta.size
    scaled = basis.out_inverse_scale.size > 0
    size = min(n, max(_FEWEST_ROWS, min(1024, _BLOCK_DOUBLES // max(d, 1))))
    mixed = need & NEED_MIXED
    u, v = np.empty((size, m)), np.empty((size, d))
    f, norms, ones = np.empty(size), np.empty(size), np.ones(size)
    few = size if mixed else 0
    g, p = np.empty((few, m)), np.empty((few, m))
    gains, ties, buffer = np.empty(few), np.empty(few), np.empty(m)
    weights, moved = np.empty(size), np.zeros(d)
    slope = beta * basis.out_inverse_scale if scaled else beta
    for start in range(0, n, size):
        k = min(size, n - start)
        load(rows.x, start, u[:k], basis.shift, basis.inverse_scale)
        basis_features(u[:k], basis, v[:k])
        if scaled:
            _scale_features(v[:k], basis.out_shift, basis.out_inverse_scale)
        dot_rows(v[:k], beta, predictor.intercept, f[:k])
        if need & NEED_YARDSTICK:
            for i in range(k):
                norms[i] = row_norm(v[i], 2.0)
        elif need & NEED_NORM:
            norms_of_rows(rows.x, start, u[:k], norm_of, buffer, norms)
        if mixed:
            basis_gradients(u[:k], basis, slope, g[:k])
            attack_directions(g[:k], attack, p[:k], gains[:k], ties[:k])
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        block, directions = Block(v[:k], f[:k], norms[:k]), Directions(gains[:k], ties[:k])
        y = rows.y[start : start + k]
        block_sums(block, directions, y, w, inner, need, weights[:k], sums)
        if mixed:
            add_moves(u[:k], basis, p[:k], weights[:k], moved)
    for k in range(d):
        sums.vectors[V_MIXED, k] += moved[k] * basis.out_inverse_scale[k] if scaled else moved[k]

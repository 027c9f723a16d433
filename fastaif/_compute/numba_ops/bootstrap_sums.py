"""One-pass sums of a linear predictor for many draws of the Bayesian bootstrap at once.

Draw b gives row i the weight w_i g_bi, g_bi = −log u(seed, b, i). A block of rows is read
once and stays in the cache while all draws pass over it:

1. *predict*: the block becomes model inputs (v, 1), and one product gives every draw's
   predictions Θ (v, 1)ᵀ;
2. *loss*: per draw and row the weighted ℓ', ℓ'' sgn(ℓ') and ℓ'';
3. *accumulate*: products of these (draws, rows) matrices with the block give all gradients
   and mixed sums. A Hessian is linear in the weighted ℓ'' as well: its entries are sums of
   ℓ'' times products v_j v_k, so that one product with the block of these (rows, d(d+1)/2)
   gives the Hessians of all draws. With many columns they would not stay in the cache;
   then each draw scales the block and adds its Gram matrix.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import D_NORM, D_SLOPE, D_WEIGHT, D_YARDSTICK, NEED_HESSIAN
from .blas import add_gram, add_leading_product, product_of_rows
from .elementary import negative_log
from .jit import FAST, STRICT, operation
from .losses import slopes_of_draw
from .philox import BOOTSTRAP_WEIGHTS, fill_uniforms

BLOCK = 128
PRODUCTS_UP_TO = 40  # columns


@operation(fastmath=STRICT)
def write_exponentials(seed, draw, first_row, uniforms, out):
    """Standard exponential numbers for the rows from `first_row` on.

    `uniforms` has room for 6 more, so that it can begin and end at multiples of 4.
    """
    ahead = first_row % 4
    whole = (out.size + ahead + 3) // 4 * 4
    fill_uniforms(seed, BOOTSTRAP_WEIGHTS, draw, first_row - ahead, uniforms[:whole])
    for i in range(out.size):
        out[i] = negative_log(uniforms[i + ahead])


@operation(fastmath=STRICT)
def write_weights(seed, draw, first_row, weight, uniforms, out):
    """The same times the samples' weights, if there are any."""
    write_exponentials(seed, draw, first_row, uniforms, out)
    for i in range(weight.size):
        out[i] *= weight[i]


@operation(fastmath=STRICT)
def bootstrap_weights(seed, draw, first_row, out):
    """Write a draw's weights (k,) of the rows from `first_row` on: standard exponential."""
    write_exponentials(seed, draw, first_row, np.empty(out.size + 6), out)


@operation(fastmath=STRICT)
def load_rows(x, start, v, shift, inverse_scale):
    """v[i] = ((x[start + i] − shift) · inverse_scale, 1); without an intercept no 1."""
    m = x.shape[1]
    for i in range(v.shape[0]):
        for k in range(m):
            v[i, k] = (x[start + i, k] - shift[k]) * inverse_scale[k]
        if v.shape[1] > m:
            v[i, m] = 1.0


@operation(fastmath=FAST)
def lengths_of_rows(v, out):
    for i in range(v.shape[0]):
        total = 0.0
        for k in range(v.shape[1]):
            total += v[i, k] * v[i, k]
        out[i] = total
    for i in range(v.shape[0]):
        out[i] = math.sqrt(out[i])


@operation(fastmath=STRICT)
def _products(v, out):
    """All v_j v_k with k ≤ j, row by row of the lower triangle."""
    for i in range(v.shape[0]):
        place = 0
        for j in range(v.shape[1]):
            for k in range(j + 1):
                out[i, place + k] = v[i, j] * v[i, k]
            place += j + 1


@operation(fastmath=FAST)
def _add_scalars(w, d1, norms, lengths, out):
    weight = norm = slope = yardstick = 0.0
    for i in range(w.size):
        size = abs(d1[i])
        weight += w[i]
        norm += w[i] * norms[i]
        slope += size
        yardstick += size * lengths[i]
    out[D_WEIGHT] += weight
    out[D_NORM] += norm
    out[D_SLOPE] += slope
    out[D_YARDSTICK] += yardstick


@operation(fastmath=STRICT)
def add_scaled_gram(v, k, d2, scratch, hessian):
    for i in range(k):
        root = math.sqrt(d2[i])
        for j in range(v.shape[1]):
            scratch[i, j] = root * v[i, j]
    add_gram(scratch, k, hessian)


@operation(fastmath=STRICT)
def unpack(packed, hessian):
    """Add (k, d(d+1)/2) lower triangles to (k, d, d)."""
    for b in range(packed.shape[0]):
        place = 0
        for j in range(hessian.shape[1]):
            for k in range(j + 1):
                hessian[b, j, k] += packed[b, place + k]
            place += j + 1


@operation(fastmath=STRICT)
def _loss_stage(block, d1, d12, d2, inner, draws, sums):
    """Predictions in `d1` become the weighted derivatives of every draw.

    `block` holds the first row, targets, weights (or none), norms and lengths of the rows.
    """
    first, y, weight, norms, lengths = block
    k = y.size
    fresh, uniforms = np.empty(k), np.empty(k + 6)
    row = draws.first_row + first
    for b in range(draws.numbers.size):
        if draws.kept.size:
            w = draws.kept[draws.places[b], row : row + k]
        else:
            w = fresh
            write_weights(draws.seed, draws.numbers[b], row, weight, uniforms, w)
        slopes_of_draw(d1[b, :k], y, w, inner, d12[b], d2[b])
        _add_scalars(w, d1[b, :k], norms, lengths, sums.scalars[b])


@operation(fastmath=STRICT)
def bootstrap_sums(rows, norms, predictor, inner, draws, thetas, need, sums):
    """Add the sums of many draws over a range of rows to `sums` (see `types.DrawSums`).

    Parameters
    ----------
    rows : Rows
        C-contiguous inputs (k, m), float32 or float64; targets ±1 for the logistic loss.
    norms : array (k,)
        ‖x‖ in the attack's units.
    predictor : Predictor
        Its shift and scale.
    inner : Inner
        The loss (κ, smoothing and multiplier are not used).
    draws : Draws
    thetas : array (draws, d)
        Each draw's θ, with an intercept if d > m.
    need : int
        NEED_HESSIAN, or 0.
    sums : DrawSums
    """
    n = rows.x.shape[0]
    count, d = thetas.shape
    size = min(BLOCK, n)
    whole = (need & NEED_HESSIAN) != 0
    packed = np.zeros((count, d * (d + 1) // 2 if whole and d <= PRODUCTS_UP_TO else 0))
    pairs = np.empty((size, packed.shape[1]))
    v, scratch, lengths = np.empty((size, d)), np.empty((size, d)), np.empty(size)
    d1, d12, d2 = np.empty((count, size)), np.empty((count, size)), np.empty((count, size))
    for start in range(0, n, size):
        k = min(size, n - start)
        load_rows(rows.x, start, v[:k], predictor.shift, predictor.inverse_scale)
        lengths_of_rows(v[:k], lengths)
        product_of_rows(thetas, v, k, d1)
        weight = rows.weight[start : start + k] if rows.weight.size else rows.weight
        y, norm = rows.y[start : start + k], norms[start : start + k]
        _loss_stage((start, y, weight, norm, lengths), d1, d12, d2, inner, draws, sums)
        add_leading_product(d1, v, k, sums.gradient)
        add_leading_product(d12, v, k, sums.mixed)
        if packed.shape[1]:
            _products(v[:k], pairs)
            add_leading_product(d2, pairs, k, packed)
        elif whole:
            for b in range(count):
                add_scaled_gram(v, k, d2[b], scratch, sums.hessian[b])
    if packed.shape[1]:
        unpack(packed, sums.hessian)

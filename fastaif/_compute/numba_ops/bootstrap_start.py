"""Sums of many bootstrap draws at one θ for all: the first Newton step from θ̂.

There ℓ' and ℓ'' belong to the rows and not to the draws, so that every sum is linear in the
weights: one product of the (draws, rows) weights with a (rows, sums) block gives all of them.
"""

from __future__ import annotations

import numpy as np

from ..types import D_NORM, D_SLOPE, D_WEIGHT, D_YARDSTICK, N_DRAW_SCALARS
from .accumulate import dot_rows
from .blas import add_leading_product
from .bootstrap_sums import (
    BLOCK,
    PRODUCTS_UP_TO,
    add_scaled_gram,
    lengths_of_rows,
    load_rows,
    unpack,
    write_weights,
)
from .jit import STRICT, operation
from .point_losses import point_loss


@operation(fastmath=STRICT)
def _fill(v, pairs, f, y, norms, lengths, inner, terms, curvature):
    """Each row's terms: ℓ'' v_j v_k (where `pairs`), then ℓ' (v, 1), then those of the scalars."""
    d = v.shape[1]
    for i in range(y.size):
        _, first, second = point_loss(inner.loss, inner.delta, f[i], y[i])
        curvature[i] = second
        place = 0
        if pairs:
            for j in range(d):
                scaled = second * v[i, j]
                for k in range(j + 1):
                    terms[i, place + k] = scaled * v[i, k]
                place += j + 1
        for j in range(d):
            terms[i, place + j] = first * v[i, j]
        place += d
        terms[i, place + D_WEIGHT] = 1.0
        terms[i, place + D_NORM] = norms[i]
        terms[i, place + D_SLOPE] = abs(first)
        terms[i, place + D_YARDSTICK] = abs(first) * lengths[i]


@operation(fastmath=STRICT)
def _blank(weight, terms, curvature):
    """Rows of no weight count for nothing, even where their loss overflows."""
    for i in range(weight.size):
        if weight[i] == 0.0:
            terms[i] = 0.0
            curvature[i] = 0.0


@operation(fastmath=STRICT)
def _weigh(draws, first, weight, uniforms, out):
    """w_i g_bi for every draw and row of a block of k = uniforms.size − 6 rows."""
    k, row = uniforms.size - 6, draws.first_row + first
    for b in range(draws.numbers.size):
        write_weights(draws.seed, draws.numbers[b], row, weight, uniforms, out[b, :k])
        if draws.kept.size:
            kept = draws.kept[draws.places[b]]
            for i in range(k):
                kept[row + i] = out[b, i]


@operation(fastmath=STRICT)
def bootstrap_start(rows, norms, predictor, inner, draws, theta, sums):
    """Add the sums of many draws at one θ (d,) to `sums`; the mixed ones are left alone.

    The arguments are those of `bootstrap_sums`.
    """
    n, d = rows.x.shape[0], theta.size
    m, count, size = rows.x.shape[1], draws.numbers.size, min(BLOCK, n)
    pairs = d <= PRODUCTS_UP_TO
    place = d * (d + 1) // 2 if pairs else 0
    terms = np.empty((size, place + d + N_DRAW_SCALARS))
    totals = np.zeros((count, terms.shape[1]))
    w, scaled = np.empty((count, size)), np.empty(size)
    v, scratch = np.empty((size, d)), np.empty((size, d))
    f, lengths, curvature = np.empty(size), np.empty(size), np.empty(size)
    for start in range(0, n, size):
        k = min(size, n - start)
        y, norm = rows.y[start : start + k], norms[start : start + k]
        weight = rows.weight[start : start + k] if rows.weight.size else rows.weight
        load_rows(rows.x, start, v[:k], predictor.shift, predictor.inverse_scale)
        lengths_of_rows(v[:k], lengths)
        dot_rows(v[:k, :m], theta[:m], theta[m] if d > m else 0.0, f[:k])
        _fill(v[:k], pairs, f, y, norm, lengths, inner, terms, curvature)
        _blank(weight, terms, curvature)
        _weigh(draws, start, weight, np.empty(k + 6), w)
        add_leading_product(w, terms, k, totals)
        if not pairs:
            for b in range(count):
                for i in range(k):
                    scaled[i] = w[b, i] * curvature[i]
                add_scaled_gram(v, k, scaled, scratch, sums.hessian[b])
    if pairs:
        unpack(totals, sums.hessian)
    for b in range(count):
        for j in range(d):
            sums.gradient[b, j] += totals[b, place + j]
        for j in range(N_DRAW_SCALARS):
            sums.scalars[b, j] += totals[b, place + d + j]

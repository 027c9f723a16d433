"""Means and mean squares of a basis's features, for the scaling of columns before a fit."""

from __future__ import annotations

import numpy as np

from .basis_features import basis_features
from .basis_sums import load_columns, scale_features
from .jit import FAST, STRICT, operation

_BLOCK_DOUBLES = 32768


@operation(fastmath=FAST)
def _add_block(v, origin, w, totals):
    for h in range(v.shape[0]):
        total = square = largest = 0.0
        for i in range(v.shape[1]):
            u = v[h, i] - origin[h]
            total += w[i] * u
            square += w[i] * u * u
            largest = max(largest, abs(u))
        totals[0, h] += total
        totals[1, h] += square
        totals[2, h] = max(totals[2, h], largest)


@operation(fastmath=STRICT)
def basis_moments(rows, basis, origin, totals):
    """Add Σ w (v − origin) and Σ w (v − origin)² to the first rows of `totals` (3, d).

    Its third row keeps max |v − origin|.
    """
    n, m = rows.x.shape
    d = origin.size
    size = min(n, max(64, min(1024, _BLOCK_DOUBLES // max(d, 1))))
    space_u, space_v, ones = np.empty(m * size), np.empty(d * size), np.ones(size)
    for start in range(0, n, size):
        k = min(size, n - start)
        u, v = space_u[: m * k].reshape(m, k), space_v[: d * k].reshape(d, k)
        load_columns(rows.x, start, basis.shift, basis.inverse_scale, u)
        basis_features(u, basis, v)
        if basis.out_inverse_scale.size > 0:
            scale_features(v, basis.out_shift, basis.out_inverse_scale)
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        _add_block(v, origin, w, totals)

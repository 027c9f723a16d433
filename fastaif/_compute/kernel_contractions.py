"""Contractions with the derivatives of a kernel, a tile of pairs at a time.

The gradient of every kernel is ``∂₁K(x_i, z_j) = a_ij z_j + b_ij x_i``: a number a for
each pair, and a number b that is 0 (kernels of ⟨x, z⟩), −a (kernels of ‖x − z‖) or
``e_ij ‖z_j‖/‖x_i‖`` (the NTK). So sums over j of gradients are matrix products with the
rows of Z plus a multiple of x_i, and inner products with directions B_i are
``D_ij = a_ij ⟨z_j, B_i⟩ + b_ij ⟨x_i, B_i⟩``: BLAS makes the products, these operations what
comes before and after. Tiles (k, l) are C-ordered; loops run along their rows. `pair` is
(kind, slopes a, radial e, norms ‖x‖ (k,), norms ‖z‖ (l,)); e and the norms are empty where
the kind does not need them.
"""

from __future__ import annotations

from ._jit import FAST, STRICT, operation
from ._types import NTK, POLYNOMIAL


@operation(fastmath=FAST)
def weighted_slopes(pair, left, right, tile, own):
    """``tile = S ∘ a`` and ``own_i = Σ_j S_ij b_ij`` for S = left @ right.

    left (k, 2), right (2, l): then Σ_j S_ij ∂₁K(x_i, z_j) = (tile @ Z)_i + own_i x_i.
    """
    kind, slopes, radial, x_norms, z_norms = pair
    n_rows, n_columns = slopes.shape
    for i in range(n_rows):
        first, second = left[i, 0], left[i, 1]
        total = 0.0
        if kind == NTK:
            for j in range(n_columns):
                s = first * right[0, j] + second * right[1, j]
                tile[i, j] = s * slopes[i, j]
                total += s * radial[i, j] * z_norms[j]
            own[i] = total / x_norms[i]
        elif kind == POLYNOMIAL:
            for j in range(n_columns):
                s = first * right[0, j] + second * right[1, j]
                tile[i, j] = s * slopes[i, j]
            own[i] = 0.0
        else:
            for j in range(n_columns):
                s = first * right[0, j] + second * right[1, j]
                t = s * slopes[i, j]
                tile[i, j] = t
                total -= t
            own[i] = total


@operation(fastmath=FAST)
def directional_tile(pair, along, tile):
    """``tile``: ⟨z_j, B_i⟩ on entry, D_ij on exit; `along` (k,) holds ⟨x_i, B_i⟩."""
    kind, slopes, radial, x_norms, z_norms = pair
    n_rows, n_columns = slopes.shape
    for i in range(n_rows):
        here = along[i]
        if kind == NTK:
            here /= x_norms[i]
            for j in range(n_columns):
                tile[i, j] = slopes[i, j] * tile[i, j] + radial[i, j] * z_norms[j] * here
        else:
            if kind == POLYNOMIAL:
                here = 0.0
            for j in range(n_columns):
                tile[i, j] = slopes[i, j] * (tile[i, j] - here)


@operation(fastmath=FAST)
def directional_sums(tile, right, left, rows, columns):
    """``rows = D rightᵀ`` (k, 2), and ``columns += leftᵀ D`` (2, l), for a tile D."""
    n_rows, n_columns = tile.shape
    for i in range(n_rows):
        first, second = left[i, 0], left[i, 1]
        total, other = 0.0, 0.0
        for j in range(n_columns):
            d = tile[i, j]
            total += d * right[0, j]
            other += d * right[1, j]
            columns[0, j] += d * first
            columns[1, j] += d * second
        rows[i, 0] = total
        rows[i, 1] = other


_BLOCK = 32


@operation(fastmath=STRICT)
def scatter_symmetric(tile, start, out):
    """Write rows start … of a symmetric matrix, known up to the diagonal, and their mirror."""
    n_rows = tile.shape[0]
    stop = start + n_rows
    for top in range(start, stop, _BLOCK):
        bottom = min(top + _BLOCK, stop)
        for first in range(0, bottom, _BLOCK):
            for i in range(top, bottom):
                last = min(first + _BLOCK, i + 1)
                for j in range(first, last):
                    out[i, j] = tile[i - start, j]
            for j in range(first, min(first + _BLOCK, bottom)):
                for i in range(max(top, j), bottom):
                    out[j, i] = tile[i - start, j]

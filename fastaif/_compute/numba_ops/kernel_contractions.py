"""Contractions with the derivatives of a kernel, a tile of pairs at a time.

The gradient of every kernel is ``∂₁K(x_i, z_j) = a_ij z_j + b_ij x_i`` with a number a for
each pair, and b = 0 (kernels of ⟨x, z⟩), b = −a (kernels of ‖x − z‖) or, for the NTK,
whatever makes ``⟨∂₁K, x_i⟩ = K_ij``, because it is homogeneous in x. So besides a only K is
needed. Sums over j of gradients are matrix products with the rows of Z plus a multiple of
x_i; products with directions are ``D_ij = a_ij (t_ij − u_i) + h_i K_ij``, where t comes from
a matrix product too. BLAS makes these products, the operations here what comes before and
after. A loop that sums stores nothing: where it did, the compiler would sum in one order or
another, depending on where the arrays lie. Rows of K and a may be longer than a tile, which
begins in their column `first`; all arrays are C-ordered, and loops run along their rows.
"""

from __future__ import annotations

from .jit import FAST, STRICT, operation


@operation(fastmath=FAST)
def weighted_slopes(slopes, values, first, left, right, tile, sums):
    """``tile = S ∘ a`` for S = left @ right, and ``sums_i = (Σ_j S_ij a_ij, Σ_j S_ij K_ij)``.

    left (k, 2), right (2, l), tile (k, l), sums (k, 2); then Σ_j S_ij ∂₁K(x_i, z_j) is
    (tile @ Z)_i and a multiple of x_i.
    """
    n_rows, n_columns = tile.shape
    for i in range(n_rows):
        one, other = left[i, 0], left[i, 1]
        for j in range(n_columns):
            s = one * right[0, j] + other * right[1, j]
            tile[i, j] = s * slopes[i, first + j]
        of_slopes, of_values = 0.0, 0.0
        for j in range(n_columns):
            s = one * right[0, j] + other * right[1, j]
            of_slopes += tile[i, j]
            of_values += s * values[i, first + j]
        sums[i, 0] = of_slopes
        sums[i, 1] = of_values


@operation(fastmath=FAST)
def directional_tile(slopes, values, first, shifts, tile):
    """``tile``: t_ij on entry, D_ij on exit; shifts (k, 2) holds u and h."""
    n_rows, n_columns = tile.shape
    for i in range(n_rows):
        u, h = shifts[i, 0], shifts[i, 1]
        for j in range(n_columns):
            tile[i, j] = slopes[i, first + j] * (tile[i, j] - u) + h * values[i, first + j]


@operation(fastmath=FAST)
def directional_sums(tile, right, left, rows, columns):
    """``rows += D rightᵀ`` (k, 2), and ``columns += leftᵀ D`` (2, l), for a tile D."""
    n_rows, n_columns = tile.shape
    for i in range(n_rows):
        one, two = left[i, 0], left[i, 1]
        total, other = 0.0, 0.0
        for j in range(n_columns):
            total += tile[i, j] * right[0, j]
            other += tile[i, j] * right[1, j]
        for j in range(n_columns):
            columns[0, j] += tile[i, j] * one
            columns[1, j] += tile[i, j] * two
        rows[i, 0] += total
        rows[i, 1] += other


_BLOCK = 32


@operation(fastmath=STRICT)
def mirror(rows, start, out):
    """Rows start … of a symmetric matrix, known up to the diagonal, copied above it."""
    stop = start + rows.shape[0]
    for top in range(start, stop, _BLOCK):
        bottom = min(top + _BLOCK, stop)
        for first in range(0, bottom, _BLOCK):
            for j in range(first, min(first + _BLOCK, bottom)):
                for i in range(max(top, j + 1), bottom):
                    out[j, i] = rows[i - start, j]

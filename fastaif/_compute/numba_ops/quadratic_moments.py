"""The Hessian of quadratic models from fourth moments: each product of four inputs once.

With u₀ = 1 the features of a quadratic basis are the products u_i u_j, i ≤ j, and the entries
of E ℓ'' v vᵀ are the moments E ℓ'' u_p u_q u_r u_s, p ≤ q ≤ r ≤ s. Only C(m + 4, 4) of the
d²/2 differ, a third of them where m is large. For each group of GROUP values of r, a matrix
product of

- the weighted pairs (p, q) with q up to the group's end, ordered by q, a prefix of `left`, with
- the pairs (r, s), r in the group, ordered by r, which are rows of the features themselves

holds all that begin there, and few that another group has too. `moments` holds these products
one after the other, row-major; `places` says where each entry of H is found.
"""

from __future__ import annotations

import numpy as np

from ..types import MOMENT_GROUP as GROUP
from .basis_features import basis_features
from .basis_sums import load_columns
from .blas import add_product
from .jit import FAST, STRICT, operation

_BLOCK_DOUBLES, _FEWEST_ROWS = 49152, 256


@operation(fastmath=FAST)
def _weighted_pairs(u, weights, left):
    """w u_p u_q for p ≤ q, ordered by q; the first is w itself."""
    for i in range(weights.size):
        left[0, i] = weights[i]
    place = 1
    for q in range(u.shape[0]):
        first = place
        for i in range(weights.size):
            left[first, i] = weights[i] * u[q, i]
        place += 1
        for p in range(q + 1):
            for i in range(weights.size):
                left[place, i] = left[first, i] * u[p, i]
            place += 1


@operation(fastmath=STRICT)
def _add_block(u, right, weights, left, moments):
    """Add the moments of a block.

    Parameters
    ----------
    u : array (m, k)
        Scaled inputs, feature-major.
    right : array (1 + d, k)
        Ones, then the features.
    weights : array (k,)
        w ℓ'' of each row.
    left : array (1 + d, k)
        Scratch.
    moments : array (size,)
    """
    count = u.shape[0] + 1
    _weighted_pairs(u, weights, left)
    place = first = 0
    for start in range(0, count, GROUP):
        stop = min(start + GROUP, count)
        rows = stop * (stop + 1) // 2
        columns = 0
        for r in range(start, stop):
            columns += count - r
        out = moments[place : place + rows * columns].reshape(rows, columns)
        add_product(left[:rows], False, right[first : first + columns], True, 1.0, out)
        place += rows * columns
        first += columns


@operation(fastmath=STRICT)
def quadratic_moments(rows, basis, weights, moments):
    """Add the moments of a range of rows to `moments` (size,).

    Parameters
    ----------
    rows : Rows
        Of which x alone is read.
    basis : Basis
        Quadratic, its features not scaled.
    weights : array (n,)
        w ℓ'' of each row.
    moments : array (size,)
    """
    n, m = rows.x.shape
    d = m * (m + 3) // 2
    size = min(n, max(_FEWEST_ROWS, _BLOCK_DOUBLES // d))
    space_u, left = np.empty(m * size), np.empty((1 + d) * size)
    right = np.empty((1 + d) * size)
    for start in range(0, n, size):
        k = min(size, n - start)
        u = space_u[: m * k].reshape(m, k)
        v = right[: (1 + d) * k].reshape(1 + d, k)
        load_columns(rows.x, start, basis.shift, basis.inverse_scale, u)
        v[0] = 1.0  # with which all features are products of two inputs
        basis_features(u, basis, v[1:])
        pairs = left[: (1 + d) * k].reshape(1 + d, k)
        _add_block(u, v, weights[start : start + k], pairs, moments)

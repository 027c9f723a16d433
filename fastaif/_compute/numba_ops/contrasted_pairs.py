"""H of a softmax model over contrasts of its classes, of the matrices of its pairs.

S is Σ π_k π_j (e_k − e_j)(e_k − e_j)ᵀ over pairs, and so H a product with these by their contrasts:
with d_p (J,) what the pair's move is by contrasts, cell (a, b) of H is Σ_p d_pa d_pb P_p.
"""

from __future__ import annotations

import numpy as np

from .blas import add_product
from .jit import STRICT, operation


@operation(fastmath=STRICT)
def _squares(moves, share):
    """share d_pa d_pb for cells a ≥ b, (J (J + 1) / 2, count)."""
    count, J = moves.shape
    out = np.empty((J * (J + 1) // 2, count))
    place = 0
    for a in range(J):
        for b in range(a + 1):
            for p in range(count):
                out[place, p] = share * moves[p, a] * moves[p, b]
            place += 1
    return out


@operation(fastmath=STRICT)
def contrasted_pairs(pairs, moves, share, out):
    """H into `out`, times a share.

    Parameters
    ----------
    pairs : array (count, c, c)
        Of which the lower triangles are read.
    moves : array (count, J)
        Each pair's e_k − e_j by contrasts.
    share : float
    out : array (J c, J c)
    """
    (count, c, _), J = pairs.shape, moves.shape[1]
    squares = _squares(moves, share)
    cells = np.empty((len(squares), c * c))
    add_product(squares, False, pairs.reshape(count, c * c), False, 0.0, cells)
    place = 0
    for a in range(J):
        for b in range(a + 1):
            cell = cells[place].reshape(c, c)
            place += 1
            for i in range(c):
                for j in range(i):
                    cell[j, i] = cell[i, j]
            for i in range(c):
                for j in range(c):
                    out[a * c + i, b * c + j] = out[b * c + i, a * c + j] = cell[i, j]

"""The one-pass sums of linear-predictor models: H, Φ's parts, gradient, loss, s.

Rows go through three stages, a block at a time, so that the block stays in the
second-level cache:

1. *predict*: the block is written as float64 model inputs v (shift and scale
   applied) into a scratch block, with f = βᵀv + b and the row's ℓp norm;
2. *loss* (`losses`): per row, the derivatives of the inner maximum ψ(f, κ);
3. *accumulate* (`stages`): the block is scaled in place by √(w ψ_ff), the three vectors
   Σ w ψ_f v, Σ w ψ_fκ v, Σ w ψ_ff v are added on the way, and BLAS adds its Gram
   matrix to the lower triangle of H.

The intercept's row and column of H are the vector Σ w ψ_ff v and the scalar
Σ w ψ_ff: no column of ones is ever stored.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import EMPTY, NEED_NORM, NEED_YARDSTICK, S_MIXED
from .accumulate import accumulate, dot_rows, load, norms_of_rows
from .jit import FAST, STRICT, operation
from .losses import slopes
from .pointwise import row_norm
from .shared_budgets import share_budgets

_BLOCK_DOUBLES = 49152  # a block of 384 KiB: with BLAS's own panels it fits 1 MiB of L2


@operation(fastmath=FAST)
def _load_dot_square(x, start, v, beta, intercept, f, squares):
    """The common case in one sweep: v = x, f = βᵀv + b and ‖v‖₂²."""
    for i in range(v.shape[0]):
        total, square = 0.0, 0.0
        for k in range(v.shape[1]):
            u = np.float64(x[start + i, k])
            v[i, k] = u
            total += u * beta[k]
            square += u * u
        f[i] = total + intercept
        squares[i] = square


@operation(fastmath=FAST)
def _take_roots(squares):
    """√ in place; False where some square is too small or large (or no number) for that."""
    fine = True
    for i in range(squares.shape[0]):
        fine &= 1e-290 < squares[i] < 1e290
        squares[i] = math.sqrt(squares[i])
    return fine


@operation(fastmath=STRICT)
def _predict(x, start, v, predictor, norm_of, need, f, norms):
    """Stage 1."""
    wants_norm = need & (NEED_NORM | NEED_YARDSTICK)
    own = norm_of.inverse_scale.size == 0
    if predictor.shift.size == 0 and own and norm_of.p == 2.0:
        _load_dot_square(x, start, v, predictor.beta, predictor.intercept, f, norms)
        if not _take_roots(norms[: v.shape[0]]):
            for i in range(v.shape[0]):
                norms[i] = row_norm(v[i], 2.0)
        return
    load(x, start, v, predictor.shift, predictor.inverse_scale)
    dot_rows(v, predictor.beta, predictor.intercept, f)
    if wants_norm:
        norms_of_rows(x, start, v, norm_of, np.empty(v.shape[1]), norms)


@operation(fastmath=STRICT)
def _share(derivatives, w, exponent, sums):
    """Multiply a block's w ψ_fκ by shares of the budget, and add them up for the intercept."""
    shares = np.empty(w.size)
    share_budgets(derivatives[0], EMPTY, w, exponent, shares, sums)
    for i in range(w.size):
        derivatives[1, i] *= shares[i]
        sums.scalars[S_MIXED] += derivatives[1, i]


@operation(fastmath=STRICT)
def linear_sums(rows, predictor, norm_of, inner, need, sums):
    """Add the sums over a range of rows to `sums` (see `types.Sums`).

    Parameters
    ----------
    rows : Rows
        C-contiguous inputs (k, m), float32 or float64; targets ±1 for the logistic loss.
    predictor, norm_of, inner : Predictor, NormOf, Inner
    need : int
        NEED_* bits; counts and scalar sums of the loss derivatives are always added.
    sums : Sums
    """
    n, m = rows.x.shape
    size = max(64, min(1024, _BLOCK_DOUBLES // max(m, 1)))
    size = min(size, n)
    scratch = np.empty((size, m))
    f, norms, ones = np.empty(size), np.empty(size), np.ones(size)
    derivatives = np.empty((3, size))
    for start in range(0, n, size):
        k = min(size, n - start)
        _predict(rows.x, start, scratch[:k], predictor, norm_of, need, f[:k], norms[:k])
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        y = rows.y[start : start + k]
        slopes(f[:k], y, inner, start, w, need, derivatives, sums.scalars)
        if inner.exponent > 0.0:
            _share(derivatives[:, :k], w, inner.exponent, sums)
        accumulate(scratch, k, w, derivatives, norms, need, sums)

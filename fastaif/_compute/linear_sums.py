"""The one-pass sums of linear-predictor models: H, Φ's parts, gradient, loss, s.

Rows go through three stages, a block at a time, so that the block stays in the
second-level cache:

1. *predict*: the block is written as float64 model inputs v (shift and scale
   applied) into a scratch block, with f = βᵀv + b and the row's ℓp norm;
2. *loss* (`loss_stage`): per row, the derivatives of the inner maximum ψ(f, κ);
3. *accumulate*: the block is scaled in place by √(w ψ_ff), the three vectors
   Σ w ψ_f v, Σ w ψ_fκ v, Σ w ψ_ff v are added on the way, and BLAS adds its Gram
   matrix to the lower triangle of H.

The intercept's row and column of H are the vector Σ w ψ_ff v and the scalar
Σ w ψ_ff: no column of ones is ever stored.
"""

from __future__ import annotations

import math

import numpy as np

from ._blas import add_gram
from ._inline import row_norm
from ._jit import FAST, STRICT, operation
from ._types import (
    LOGISTIC,
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_LOSS,
    NEED_NORM,
    NEED_YARDSTICK,
    S_NORM,
    S_W2,
    S_WEIGHT,
    S_YARDSTICK,
    SQUARED_ERROR,
    V_F,
    V_FF,
    V_FK,
)  # fmt: skip
from .loss_stage import general_slopes, logistic_slopes, squared_slopes

_BLOCK_DOUBLES = 49152  # a block of 384 KiB: with BLAS's own panels it fits 1 MiB of L2


@operation(fastmath=FAST)
def _load(x, start, v, shift, inverse_scale):
    """v[i] = (x[start + i] - shift) * inverse_scale, as float64."""
    rows, m = v.shape
    if shift.size == 0:
        for i in range(rows):
            for k in range(m):
                v[i, k] = x[start + i, k]
    else:
        for i in range(rows):
            for k in range(m):
                v[i, k] = (x[start + i, k] - shift[k]) * inverse_scale[k]


@operation(fastmath=FAST)
def _dot_rows(v, beta, intercept, f):
    for i in range(v.shape[0]):
        total = 0.0
        for k in range(v.shape[1]):
            total += v[i, k] * beta[k]
        f[i] = total + intercept


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
def _norms(x, start, v, norm_of, buffer, norms):
    """Row norms of the predictor's inputs, or of rows in other units."""
    own = norm_of.inverse_scale.size == 0
    for i in range(v.shape[0]):
        if own:
            norms[i] = row_norm(v[i], norm_of.p)
        else:
            for k in range(v.shape[1]):
                buffer[k] = (x[start + i, k] - norm_of.shift[k]) * norm_of.inverse_scale[k]
            norms[i] = row_norm(buffer, norm_of.p)


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
    _load(x, start, v, predictor.shift, predictor.inverse_scale)
    _dot_rows(v, predictor.beta, predictor.intercept, f)
    if wants_norm:
        _norms(x, start, v, norm_of, np.empty(v.shape[1]), norms)


@operation(fastmath=FAST)
def _scale_and_add(v, derivatives, vectors):
    """Stage 3 before BLAS: the vector sums, and the block scaled by √(w ψ_ff)."""
    m = v.shape[1]
    first, mixed, second = vectors[V_F], vectors[V_FK], vectors[V_FF]
    for i in range(v.shape[0]):
        a, b, c = derivatives[0, i], derivatives[1, i], derivatives[2, i]
        root = math.sqrt(c)
        for k in range(m):
            u = v[i, k]
            first[k] += a * u
            mixed[k] += b * u
            second[k] += c * u
            v[i, k] = root * u


@operation(fastmath=FAST)
def _add_gradient(v, d1, vectors):
    first = vectors[V_F]
    for i in range(v.shape[0]):
        a = d1[i]
        for k in range(v.shape[1]):
            first[k] += a * v[i, k]


@operation(fastmath=FAST)
def _add_row_scalars(w, d1, norms, need, scalars):
    total = squares = norm = yardstick = 0.0
    for i in range(w.shape[0]):
        total += w[i]
        squares += w[i] * w[i]
    if need & NEED_NORM:
        for i in range(w.shape[0]):
            norm += w[i] * norms[i]
    if need & NEED_YARDSTICK:
        for i in range(w.shape[0]):
            yardstick += abs(d1[i]) * math.sqrt(1.0 + norms[i] * norms[i])
    scalars[S_WEIGHT] += total
    scalars[S_W2] += squares
    scalars[S_NORM] += norm
    scalars[S_YARDSTICK] += yardstick


@operation(fastmath=STRICT)
def linear_sums(rows, predictor, norm_of, inner, need, sums):
    """Add the sums over a range of rows to `sums` (see `_types.Sums`).

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
    hard = inner.multiplier.size == 0 and not (inner.smoothing > 0.0 and inner.kappa > 0.0)
    plain_logistic = inner.loss == LOGISTIC and hard and not need & NEED_LOSS
    plain_squared = inner.loss == SQUARED_ERROR and hard
    for start in range(0, n, size):
        k = min(size, n - start)
        v = scratch[:k]
        _predict(rows.x, start, v, predictor, norm_of, need, f[:k], norms[:k])
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        y = rows.y[start : start + k]
        if plain_logistic:
            logistic_slopes(f[:k], y, inner.kappa, w, derivatives, sums.scalars)
        elif plain_squared:
            squared_slopes(f[:k], y, inner.kappa, w, derivatives, sums.scalars)
        else:
            general_slopes(f[:k], y, inner, start, w, derivatives, sums.scalars)
        _add_row_scalars(w, derivatives[0], norms, need, sums.scalars)
        if need & NEED_HESSIAN:
            _scale_and_add(v, derivatives, sums.vectors)
            add_gram(scratch, k, sums.hessian)
        elif need & NEED_GRADIENT:
            _add_gradient(v, derivatives[0], sums.vectors)

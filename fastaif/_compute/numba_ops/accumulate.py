"""Stages of a pass that all models share: rows into a block, and a block into the sums."""

from __future__ import annotations

import math

from ..types import (
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_MIXED,
    NEED_NORM,
    NEED_YARDSTICK,
    S_NORM,
    S_W2,
    S_WEIGHT,
    S_YARDSTICK,
    V_F,
    V_FF,
    V_FK,
)  # fmt: skip
from .blas import add_gram
from .jit import FAST, STRICT, operation
from .pointwise import row_norm


@operation(fastmath=FAST)
def load(x, start, v, shift, inverse_scale):
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
def dot_rows(v, beta, intercept, f):
    for i in range(v.shape[0]):
        total = 0.0
        for k in range(v.shape[1]):
            total += v[i, k] * beta[k]
        f[i] = total + intercept


@operation(fastmath=STRICT)
def norms_of_rows(x, start, v, norm_of, buffer, norms):
    """Row norms of the predictor's inputs, or of rows in other units."""
    own = norm_of.inverse_scale.size == 0
    for i in range(v.shape[0]):
        if own:
            norms[i] = row_norm(v[i], norm_of.p)
        else:
            for k in range(v.shape[1]):
                buffer[k] = (x[start + i, k] - norm_of.shift[k]) * norm_of.inverse_scale[k]
            norms[i] = row_norm(buffer, norm_of.p)


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
def _add_gradient_and_mixed(v, derivatives, vectors):
    first, mixed = vectors[V_F], vectors[V_FK]
    for i in range(v.shape[0]):
        a, b = derivatives[0, i], derivatives[1, i]
        for k in range(v.shape[1]):
            first[k] += a * v[i, k]
            mixed[k] += b * v[i, k]


@operation(fastmath=FAST)
def add_row_scalars(w, d1, norms, need, scalars):
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
def accumulate(scratch, k, w, derivatives, norms, need, sums):
    """Add a block of k rows, after its loss stage; the block is used up."""
    add_row_scalars(w, derivatives[0], norms, need, sums.scalars)
    if need & NEED_HESSIAN:
        _scale_and_add(scratch[:k], derivatives, sums.vectors)
        add_gram(scratch, k, sums.hessian)
    elif need & NEED_MIXED:
        _add_gradient_and_mixed(scratch[:k], derivatives, sums.vectors)
    elif need & NEED_GRADIENT:
        _add_gradient(scratch[:k], derivatives[0], sums.vectors)

"""The one-pass sums of linear predictors on sparse rows.

As `linear_sums` where most inputs are zero: the work is that of the entries that are there, and
of their pairs in a row for the Hessian.
"""

from __future__ import annotations

import numpy as np

from ..types import (
    EMPTY,
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_MIXED,
    NEED_NORM,
    NEED_YARDSTICK,
    S_MIXED,
    V_F,
    V_FF,
    V_FK,
)
from .accumulate import add_row_scalars
from .jit import STRICT, operation
from .losses import slopes
from .pointwise import row_norm
from .shared_budgets import share_budgets

_STRIP = 256  # rows


@operation(fastmath=STRICT)
def _predict(x, first, predictor, p, measured, f, norms):
    for i in range(f.size):
        start, stop = x.starts[first + i], x.starts[first + i + 1]
        total = predictor.intercept
        for a in range(start, stop):
            total += predictor.beta[x.columns[a]] * x.values[a]
        f[i] = total
        norms[i] = row_norm(x.values[start:stop].astype(np.float64), p) if measured else 0.0


@operation(fastmath=STRICT)
def _accumulate(x, row, derivatives, i, need, sums):
    """One row into the vectors, and its pairs into the lower triangle of H."""
    d1, d12, d2 = derivatives[0, i], derivatives[1, i], derivatives[2, i]
    start, stop = x.starts[row], x.starts[row + 1]
    for a in range(start, stop):
        column, v = x.columns[a], np.float64(x.values[a])
        sums.vectors[V_F, column] += d1 * v
        sums.vectors[V_FK, column] += d12 * v
        sums.vectors[V_FF, column] += d2 * v
        if need & NEED_HESSIAN:
            for c in range(start, a + 1):  # columns ascend
                sums.hessian[column, x.columns[c]] += d2 * v * x.values[c]


@operation(fastmath=STRICT)
def sparse_sums(x, predictor, p, inner, need, sums):
    """Add the sums over sparse rows to `sums`.

    Parameters
    ----------
    x : SparseBlock
        Columns ascend in each row.
    predictor : Predictor
        Without shift and scale.
    p : float
        Of the rows' norms.
    inner : Inner
    need : int
    sums : Sums
    """
    n = x.y.size
    f, norms, ones = np.empty(_STRIP), np.empty(_STRIP), np.ones(_STRIP)
    derivatives = np.empty((3, _STRIP))
    measured = need & (NEED_NORM | NEED_YARDSTICK)
    for first in range(0, n, _STRIP):
        k = min(_STRIP, n - first)
        _predict(x, first, predictor, p, measured, f[:k], norms[:k])
        w = x.weight[first : first + k] if x.weight.size else ones[:k]
        slopes(f[:k], x.y[first : first + k], inner, first, w, need, derivatives, sums.scalars)
        if inner.exponent > 0.0:
            shares = np.empty(k)
            share_budgets(derivatives[0, :k], EMPTY, w, inner.exponent, shares, sums)
            for i in range(k):
                derivatives[1, i] *= shares[i]
                sums.scalars[S_MIXED] += derivatives[1, i]
        add_row_scalars(w, derivatives[0, :k], norms, need, sums.scalars)
        if need & (NEED_GRADIENT | NEED_HESSIAN | NEED_MIXED):
            for i in range(k):
                _accumulate(x, first + i, derivatives, i, need, sums)

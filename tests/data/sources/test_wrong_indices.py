"""Sparse matrices whose indices are not what SciPy's are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import fastaif as fa


def make(rng, format="csr"):
    X = sparse.random_array((40, 5), density=0.6, rng=rng, format="csr")
    return X.asformat(format), rng.normal(size=40), fa.LinearRegression(alpha=0.1)


def spoil(X, part, value, at=-1):
    """The same matrix where one number of its index is another."""
    getattr(X, part)[at] = value
    return X


@pytest.mark.parametrize(
    ("format", "part", "value"),
    [("csr", "indices", 5), ("csr", "indices", -1), ("csr", "indices", 1 << 30),
     ("csr", "indptr", 10_000), ("csc", "indices", 40), ("csc", "indices", -3),
     ("csc", "indptr", 10_000), ("coo", "col", 5), ("coo", "row", -1)],
)  # fmt: skip
def test_indices_beyond_the_shape(rng, format, part, value):
    X, y, model = make(rng)
    fitted = model.fit(X.toarray(), y)
    X = spoil(X.asformat(format, copy=True), part, value)
    with pytest.raises(ValueError, match="no valid sparse matrix"):
        fa.aif(fitted, X, y)


@pytest.mark.parametrize("start", [1, 20])
def test_row_starts_that_fall(rng, start):
    X, y, model = make(rng)
    fitted = model.fit(X.toarray(), y)
    X.indptr[start] = X.indptr[start + 3] + 1
    with pytest.raises(ValueError, match="no valid sparse matrix"):
        fa.aif(fitted, X, y)


def test_a_flag_that_is_out_of_date(rng):
    X, y, model = make(rng)
    fitted = model.fit(X.toarray(), y)
    right = fa.aif(fitted, X.toarray(), y).influence
    values, columns = X.data.copy(), X.indices.copy()
    for row in range(40):
        part = slice(X.indptr[row], X.indptr[row + 1])
        values[part], columns[part] = values[part][::-1].copy(), columns[part][::-1].copy()
    stale = sparse.csr_array((values, columns, X.indptr), shape=X.shape)
    stale.has_sorted_indices = stale.has_canonical_format = True
    np.testing.assert_allclose(fa.aif(fitted, stale, y).influence, right, rtol=1e-10)
    np.testing.assert_array_equal(stale.indices, columns)

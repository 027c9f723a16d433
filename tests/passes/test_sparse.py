"""Sums over sparse rows against those over the same rows as arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from support.operations import KINDS, assert_sums, empty_sums, make_rows, parameter_of

import fastaif as fa
from fastaif import _compute
from fastaif._compute import types as c
from fastaif.data.sources.sparse import SparseRows
from fastaif.passes import linear as _sums

NEEDS = {
    "gradient": c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK,
    "hessian": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM,
    "mixed": c.NEED_GRADIENT | c.NEED_MIXED | c.NEED_NORM,
}


def make(rng, loss, n, m, dtype=np.float64):
    rows = make_rows(rng, loss, n, m, n % 2 == 1, dtype)
    x = rows.x * (rng.random((n, m)) < 0.3)
    x[n // 2] = 0.0
    return rows._replace(x=x.astype(dtype))


@pytest.mark.parametrize("exponent", [0.0, 1.5, np.inf])
@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("loss", KINDS)
def test_as_dense(engine, rng, loss, need, exponent):
    for n, m, p in [(1, 1, 2.0), (77, 5, np.inf), (300, 13, 1.5), (801, 9, 1.0)]:
        rows = make(rng, loss, n, m, np.float32 if n == 77 else np.float64)
        predictor = c.Predictor(0.3 * rng.normal(size=m), 0.2, c.EMPTY, c.EMPTY)
        multiplier = rng.uniform(-1.0, 1.0, n) if n == 300 and exponent == 0.0 else c.EMPTY
        kappa = 0.3 if multiplier.size else 0.0
        inner = c.Inner(loss, parameter_of(loss), kappa, 0.0, multiplier, exponent)
        dense, sparse = empty_sums(NEEDS[need], n, m), empty_sums(NEEDS[need], n, m)
        _compute.get("linear_sums")(
            rows, predictor, c.NormOf(p, c.EMPTY, c.EMPTY), inner, NEEDS[need], dense
        )
        block = c.SparseBlock(*SparseRows(sp.csr_array(rows.x)).block(0, n), rows.y, rows.weight)
        _compute.get("sparse_sums")(block, predictor, p, inner, NEEDS[need], sparse)
        if need != "hessian":
            dense.vectors[c.V_FF] = sparse.vectors[c.V_FF] = 0.0  # not asked for
        if need == "gradient":
            dense.vectors[c.V_FK] = sparse.vectors[c.V_FK] = 0.0
        assert_sums(sparse, dense)


def test_matrices_in_any_order(rng):
    """Entries that do not ascend, or come twice, are put right in a copy."""
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.2)
    coo = sp.coo_matrix(X)
    twice = sp.csr_matrix(
        (np.r_[coo.data, coo.data], (np.r_[coo.row, coo.row], np.r_[coo.col, coo.col])), (40, 6)
    )
    messy = sp.csr_matrix((twice.data[::1], twice.indices, twice.indptr), (40, 6))
    messy.indices[:2], messy.data[:2] = messy.indices[:2][::-1], messy.data[:2][::-1]
    before = messy.copy()
    rows = SparseRows(messy)
    np.testing.assert_array_equal(rows[:], messy.toarray())
    np.testing.assert_array_equal(messy.indices, before.indices)


@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson", "huber"])
def test_models(engine, kind, monkeypatch):
    """Fits, influences and robust fits go through entries alone: rows are never made dense."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(4000, 30)) * (rng.random((4000, 30)) < 0.05)
    f = X @ rng.normal(size=30)
    model, y = {
        "linear": (fa.LinearRegression(), f + rng.normal(size=4000)),
        "logistic": (fa.LogisticRegression(), f + rng.logistic(size=4000) > 0.0),
        "poisson": (fa.PoissonRegression(), rng.poisson(np.exp(0.3 * f)).astype(float)),
        "huber": (fa.HuberRegression(), f + rng.standard_t(3, size=4000)),
    }[kind]
    theirs = model.fit(X, y)
    wanted = [fa.aif(theirs, X, y, order=order) for order in (np.inf, 2)]
    by_cg = fa.aif(theirs, X, y, solver="cg").influence
    loss = fa.adversarial_loss(theirs, X, y, 0.05)
    sparse = sp.csr_matrix(X)
    read = []
    dense = SparseRows.read
    monkeypatch.setattr(
        SparseRows, "read", lambda rows, i, j: read.append(j - i) or dense(rows, i, j)
    )
    mine = type(model)().fit(sparse, y)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=1e-9)
    for order, whole in zip((np.inf, 2), wanted, strict=True):
        found = fa.aif(theirs, sparse, y, order=order)
        np.testing.assert_allclose(found.influence, whole.influence, rtol=1e-11, atol=1e-12)
    assert fa.adversarial_loss(theirs, sparse, y, 0.05) == pytest.approx(loss, rel=1e-11)
    assert sum(read) <= 200 + 10 * 30  # a few rows, to look at
    found = fa.aif(theirs, sparse, y, solver="cg").influence
    np.testing.assert_allclose(found, by_cg, rtol=1e-8, atol=1e-9)


def test_dense_rows_in_a_sparse_matrix_are_summed_as_dense(rng, monkeypatch):
    X, y = rng.normal(size=(500, 4)), rng.normal(size=500)
    model = fa.LinearRegression().fit(X, y)
    monkeypatch.setitem(_compute.OPERATIONS, "sparse_sums", "nowhere")
    found = fa.aif(model, sp.csr_matrix(X), y)
    np.testing.assert_array_equal(found.influence, fa.aif(model, X, y).influence)
    assert _sums._SPARSE_PAIRS < _sums._SPARSE < 1.0

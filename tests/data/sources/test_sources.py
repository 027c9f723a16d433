"""Sparse matrices, Dask, parquet files and blocks against the same rows in an array."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from support.source_makers import FORMS, NAMES, Again, as_parquet, blocks_of, data, given

import fastaif as fa
from fastaif.data import rows as streaming
from fastaif.data.sources import opened

MODELS = {
    "linear": lambda: fa.LinearRegression(alpha=0.01),
    "logistic": lambda: fa.LogisticRegression(alpha=0.01),
    "quadratic": lambda: fa.QuadraticRegression(alpha=0.01),
    "network": lambda: fa.MLPRegression(hidden=2, alpha=0.1, random_state=0, max_iter=400),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks of several blocks each."""
    monkeypatch.setattr(streaming, "_CHUNK_ENTRIES", 1 << 12)


def close(mine, theirs, rtol=1e-11):
    size = np.abs(theirs).max()
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * size)


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", MODELS)
def test_fits_and_influences(kind, form, tmp_path):
    X, y, w = data("logistic" if kind == "logistic" else "squared_error")
    rows, target, weight = given(form, X, y, w, tmp_path)
    model, theirs = MODELS[kind](), MODELS[kind]()
    quietly(model.fit, rows, target, weight)
    quietly(theirs.fit, X, y, w)
    assert model.n_features_in_ == 4
    if form in ("pandas", "polars", "dask frame", "parquet", "folder"):
        assert list(model.feature_names_in_) == NAMES
    tolerance = 1e-7 if kind == "network" else 1e-11  # where L-BFGS stops, rounding decides
    inputs = X if form in ("blocks", "again") else rows
    close(model.predict(inputs), theirs.predict(X), tolerance)
    for order in (np.inf, 2, 1.5):
        options = {"p": 2 if order == 2 else np.inf, "order": order, "damping": "auto"}
        found = quietly(fa.aif, model, rows, target, sample_weight=weight, **options)
        again = quietly(fa.aif, model, X, y, sample_weight=w, **options)
        close(found.influence, again.influence)
        close(found.sensitivity(1e-4), again.sensitivity(1e-4))
        elsewhere = found.sensitivity(1e-4, *_unweighted(form, X, y, w))
        close(found.sensitivity(1e-4, rows, target), elsewhere)


def _unweighted(form, X, y, w):
    """Weights of evaluations are those of blocks, which come with them."""
    return ([(X, y, w)], None) if form in ("blocks", "again") else (X, y)


@pytest.mark.parametrize("form", ["csr", "dask", "parquet", "blocks", "again"])
def test_everything_else(form, tmp_path):
    X, y, w = data()
    rows, target, weight = given(form, X, y, w, tmp_path)
    model = fa.LinearRegression(alpha=0.01).fit(X, y, w)
    mine = fa.aif(model, rows, target, sample_weight=weight)
    theirs = fa.aif(model, X, y, sample_weight=w)
    close(mine.conf_int(n_draws=8, random_state=0), theirs.conf_int(n_draws=8, random_state=0))
    close(mine.per_sample(), theirs.per_sample())
    close(mine.validity_radius, theirs.validity_radius)
    close(mine.flip_fraction(0.1), theirs.flip_fraction(0.1))
    robust = fa.robust_fit(model, rows, target, 0.1, sample_weight=weight)
    close(robust.params, fa.robust_fit(model, X, y, 0.1, sample_weight=w).params, 1e-9)
    assert mine.verify(0.01).exact_cost == pytest.approx(theirs.verify(0.01).exact_cost, rel=1e-8)
    for options in ({}, {"order": 2}, {"method": "pgd"}):
        loss = fa.adversarial_loss(model, rows, target, 0.1, sample_weight=weight, **options)
        close(loss, fa.adversarial_loss(model, X, y, 0.1, sample_weight=w, **options))


@pytest.mark.parametrize("form", ["csr", "dask", "parquet", "blocks", "again"])
@pytest.mark.parametrize("solver", ["cg", pytest.param("lissa", marks=pytest.mark.long)])
def test_solvers_that_form_no_hessian(form, solver, tmp_path):
    X, y, w = data()
    rows, target, weight = given(form, X, y, w, tmp_path)
    model = fa.LinearRegression(alpha=0.01).fit(X, y, w)
    by, reference = (
        quietly(fa.aif, model, a, b, sample_weight=c, solver=solver, random_state=0)
        for a, b, c in ((rows, target, weight), (X, y, w))
    )
    # The estimate of lissa is right to 1e-4, and takes other coordinates for sparse rows.
    rough = solver == "lissa" and form == "csr"
    close(by.influence, reference.influence, 1e-4 if rough else 1e-8)


@pytest.mark.parametrize("kind", ["quadratic", "network"])
def test_losses_under_attack_a_block_at_a_time(kind):
    X, y, w = data()
    model = quietly(MODELS[kind]().fit, X, y, w)
    for p in (2, np.inf):
        mine = fa.adversarial_loss(model, sp.csr_matrix(X), y, 0.1, p=p, sample_weight=w)
        close(mine, fa.adversarial_loss(model, X, y, 0.1, p=p, sample_weight=w))


def test_single_precision_stays_single():
    X, y, _ = data()
    single = X.astype(np.float32)
    model = fa.LinearRegression().fit(single, y)
    theirs = fa.aif(model, single, y)
    forms = [sp.csr_matrix(single), [(single[:4000], y[:4000]), (single[4000:], y[4000:])]]
    for rows, target in zip(forms, (y, None), strict=True):
        source = opened(rows, target)
        assert source.X.dtype == np.float32
        close(fa.aif(model, rows, target).influence, theirs.influence)


def test_an_iterator_is_enough_for_an_influence():
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    for order in (np.inf, 2):
        whole = fa.aif(model, X, y, sample_weight=w, order=order)
        found = fa.aif(model, iter(blocks_of(X, y, w)), None, order=order)
        close(found.influence, whole.influence)
        close(found.sensitivity(0.01), whole.sensitivity(0.01))
    with pytest.raises(ValueError, match="per_sample needs the rows themselves"):
        found.per_sample()
    with pytest.raises(ValueError, match="refine=True takes more than the one pass"):
        fa.aif(model, iter(blocks_of(X, y, w)), None, refine=True)
    with pytest.raises(ValueError, match="X is an iterator, which can be gone through only once"):
        fa.LinearRegression().fit(iter(blocks_of(X, y, w)), None)
    with pytest.raises(ValueError, match="several passes"):
        fa.robust_fit(model, (block for block in blocks_of(X, y, w)), None, 0.1)


def test_empty_blocks_are_nothing():
    X, y, _ = data()
    model = fa.LinearRegression().fit(X, y)
    wanted = fa.aif(model, X, y).influence
    cuts = [(0, 0), (0, 4000), (7, 7), (4000, 6000), (0, 0)]
    blocks = [(X[i:j], y[i:j]) for i, j in cuts]
    close(fa.aif(model, blocks, None).influence, wanted)
    close(fa.aif(model, iter(blocks), None).influence, wanted)
    close(fa.LinearRegression().fit(blocks, None).coef_, model.coef_)
    with pytest.raises(ValueError, match="X is an iterator without rows"):
        fa.aif(model, iter(blocks[:1]), None)
    with pytest.raises(ValueError, match="X is empty"):
        fa.aif(model, blocks[:1], None)


def test_blocks_are_read_once_a_pass(monkeypatch):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    again = Again(blocks_of(X, y, w))
    rows = opened(again, None).X
    assert again.passes == 1
    for _ in range(2):
        for number in (0, 1, 1, 2, 3, 4):
            i, j = rows.edges[number : number + 2]
            np.testing.assert_array_equal(rows.read(i, j), X[i:j])
    assert again.passes == 3
    fa.aif(model, again, None, n_threads=2)
    assert again.passes <= 8  # the columns' scales, the influence, diagnostics


def test_rows_by_number():
    X, y, w = data()
    for rows in (sp.csr_array(X), blocks_of(X, y, w)):
        lazy = opened(rows, y if sp.issparse(rows) else None).X
        chosen = np.array([5999, 3, 700, 701, 3])
        np.testing.assert_array_equal(lazy[chosen], X[chosen])
        np.testing.assert_array_equal(lazy[w == 2], X[w == 2])
        np.testing.assert_array_equal(lazy[10:5000:7], X[10:5000:7])
        np.testing.assert_array_equal(lazy[-3:], X[-3:])
        assert lazy[5:5].shape == (0, 4)
        assert lazy[np.array([], dtype=int)].shape == (0, 4)


def test_missing_numbers_are_located(tmp_path):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    X[4321, 2] = np.nan
    forms = {
        "csr": (sp.csr_matrix(X), y),
        "blocks": (blocks_of(X, y, w), None),
        "parquet": (as_parquet(X, y, w, tmp_path), y),
    }
    for rows, target in forms.values():
        if isinstance(rows, list):
            with pytest.raises(ValueError, match=r"X contains NaN or infinity \(first at row 4321"):
                fa.LinearRegression().fit(rows, target)
        columns = {} if not hasattr(rows, "suffix") else {"sample_weight": "weight"}
        with pytest.raises(ValueError, match=r"X contains NaN|X has 5 features"):
            fa.aif(model, rows, target, **columns)


def test_columns_of_a_file(tmp_path):
    """The model's own are read, in its order; targets may be given apart."""
    X, y, w = data()
    path = as_parquet(X, y, w, tmp_path)
    frame = pd.DataFrame(X, columns=NAMES)[["x3", "x0"]]
    model = fa.LinearRegression().fit(frame, y)
    mine, theirs = fa.aif(model, path, "target"), fa.aif(model, frame, y)
    assert mine.names == theirs.names
    close(mine.influence, theirs.influence)
    close(fa.aif(model, path, y).influence, theirs.influence)


REFUSED = {
    "no file": ("nowhere.parquet", "y", FileNotFoundError, "there is no such file"),
    "another file": (__file__, "y", ValueError, "only parquet files are read"),
    "block of one": (Again([(np.eye(4),)]), None, TypeError, r"block 0 of X must be \(X, y\)"),
    "a width": (
        [(np.eye(4), np.ones(4)), (np.eye(3), np.ones(3))], None, ValueError,
        r"X of block 1 must be \(k, 4\), but has shape \(3, 3\)",
    ),
    "a length": ([(np.eye(4), np.ones(3))], None, ValueError, "y of block 0 has shape"),
    "some weights": (
        [(np.eye(4), np.ones(4), np.ones(4)), (np.eye(4), np.ones(4))], None, ValueError,
        "block 1 has no sample_weight",
    ),
    "no blocks": (Again([]), None, ValueError, "an iterable without blocks"),
    "text": (sp.csr_matrix(np.eye(4)) * 1j, np.ones(4), TypeError, "must hold real numbers"),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_refusals(row):
    rows, target, error, message = REFUSED[row]
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    with pytest.raises(error, match=message):
        fa.aif(model, rows, target)


def test_what_needs_an_array_says_so():
    X, y, _ = data(n=300)
    sparse = sp.csr_matrix(X)
    model = fa.LinearRegression().fit(X, y)
    with pytest.raises(TypeError, match="attack it block by block"):
        fa.attack(model, sparse, y, 0.1)
    kernel = fa.KernelRegression(alpha=0.1).fit(X, y)
    with pytest.raises(TypeError, match="needs all of its rows at once"):
        fa.aif(kernel, sparse, y)
    with pytest.raises(TypeError, match="moves all of its rows at once"):
        fa.adversarial_loss(quietly(MODELS["quadratic"]().fit, X, y), sparse, y, 0.1, order=2)


@pytest.mark.parametrize("n_centers", [None, 20])
def test_kernels_with_fixed_centres(n_centers):
    X, y, _ = data(n=300)
    kernel = fa.KernelRegression(
        kernel=fa.kernels.RBF(0.1), alpha=0.1, centers="fixed", n_centers=n_centers
    ).fit(X, y)  # fmt: skip
    mine, theirs = fa.aif(kernel, sp.csr_matrix(X), y), fa.aif(kernel, X, y)
    close(mine.influence, theirs.influence, 1e-9)


def test_unknown_columns_are_refused(tmp_path):
    X, y, w = data()
    path = as_parquet(X, y, w, tmp_path)
    model = fa.LinearRegression().fit(X, y, w)
    with pytest.raises(ValueError, match="y names a column 'price', but the file has x0, x1"):
        fa.aif(model, path, "price")


def test_accumulators_take_them(tmp_path):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    whole = fa.aif(model, X, y, sample_weight=w)
    for form in ("csr", "dask", "parquet", "blocks"):
        rows, target, weight = given(form, X, y, w, tmp_path)
        total = fa.InfluenceAccumulator(model).update(rows, target, weight)
        close(total.result().influence, whole.influence)


def _mixed(form, frame, y, folder):
    """Numbers and booleans, in forms of which none is an array of one type."""
    if form == "sparse blocks":
        rows = sp.csr_array(frame.to_numpy(dtype=float))
        return [(rows[i:j], y[i:j]) for i, j in ((0, 50), (50, 51), (51, 200))], None
    if form == "blocks of frames":
        return [(frame[i:j], y[i:j]) for i, j in ((0, 50), (50, 51), (51, 200))], None
    if form == "dask frame":
        dataframes = pytest.importorskip("dask.dataframe", reason="dask is not installed")
        return dataframes.from_pandas(frame, npartitions=3), y
    frame.assign(target=y).to_parquet(folder / "mixed.parquet", row_group_size=70)
    return str(folder / "mixed.parquet"), "target"


MIXED = ["sparse blocks", "blocks of frames", "dask frame", "parquet"]


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize("form", MIXED)
def test_columns_of_several_types(rng, form, nullable, tmp_path):
    columns = {"a": rng.normal(size=200), "k": rng.integers(0, 5, 200), "b": rng.random(200) < 0.5}
    frame = pd.DataFrame(columns)
    X = frame.to_numpy(dtype=float)
    y = X @ [1.0, 0.5, -2.0] + rng.normal(size=200)
    rows, target = _mixed(form, frame.convert_dtypes() if nullable else frame, y, tmp_path)
    model = fa.LinearRegression().fit(rows, target)
    close(fa.aif(model, rows, target).influence, fa.aif(model.fit(X, y), X, y).influence)


@pytest.mark.parametrize("form", MIXED[1:])
def test_columns_of_categories_are_refused_by_name(form, tmp_path):
    frame = pd.DataFrame({"a": np.arange(200.0), "s": ["x", "y"] * 100}).astype({"s": "category"})
    rows, target = _mixed(form, frame, np.arange(200.0), tmp_path)
    with pytest.raises(TypeError, match=r"X has a column 's' of type .*: encode it first"):
        fa.LinearRegression().fit(rows, target)

"""Rows in any layout and type give the same sums; inputs are never written to."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.layouts import backwards, big_endian, fortran, mapped, read_only, strided_columns
from support.makers import assert_close, estimator, make
from support.sums import ALL, as_float, assert_same_bits, sweep

import fastaif as fa
from fastaif.data import rows as streaming
from fastaif.data.rows import RowSource

THETA = np.linspace(0.3, -0.2, 6)


def strided_rows(X, folder):
    wide = np.repeat(X, 2, axis=0)
    return wide[::2]


def unaligned(X, folder):
    raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(X.dtype).reshape(X.shape)
    view[:] = X
    return view


LAYOUTS = [
    fortran, strided_rows, strided_columns, backwards, read_only, big_endian, unaligned, mapped,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_bits(layout, dtype, tmp_path):
    X, y, w = make("poisson", 1500, 5, weighted=True)
    X = X.astype(dtype)
    other = layout(X, tmp_path)
    np.testing.assert_array_equal(other, X)
    assert_same_bits(
        sweep("poisson", other, y, w).run(THETA, ALL), sweep("poisson", X, y, w).run(THETA, ALL)
    )


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool, np.float16, np.longdouble])
def test_other_numbers_are_read_as_double(dtype, rng):
    X = rng.integers(0, 2 if dtype is bool else 5, size=(300, 5)).astype(dtype)
    y = rng.integers(0, 4, size=300)
    assert_same_bits(
        sweep("poisson", X, y).run(THETA, ALL),
        sweep("poisson", X.astype(float), y.astype(float)).run(THETA, ALL),
    )


@pytest.mark.parametrize("layout", [fortran, strided_rows, read_only, mapped])
def test_results_do_not_depend_on_the_layout(kind, layout, tmp_path):
    X, y, w = make(kind, weighted=True)
    model = estimator(kind).fit(X, y, w)
    wanted = fa.aif(model, X, y, sample_weight=w)
    other = layout(X, tmp_path)
    found = fa.aif(estimator(kind).fit(other, y, w), other, y, sample_weight=w)
    np.testing.assert_array_equal(found.influence, wanted.influence)
    np.testing.assert_array_equal(found.per_sample(), wanted.per_sample())


def test_single_precision_data_give_the_result_of_the_same_data_in_double(kind):
    X, y, w = make(kind, weighted=True)
    X = X.astype(np.float32)
    results = []
    for data in (X, X.astype(np.float64)):
        model = estimator(kind).fit(data, y, w)
        results.append(fa.aif(model, data, y, sample_weight=w))
    single, double = results
    assert_close(single.params, double.params, 1e-12)
    assert_close(single.influence, double.influence, 1e-12)
    assert_close(single.per_sample(), double.per_sample(), 1e-12)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_keep_their_names(frame):
    X, y, _ = make("linear", m=3)
    columns = {name: X[:, k] for k, name in enumerate(["age", "bmi", "bp"])}
    data = frame(columns)
    model = estimator("linear").fit(X, y)
    result = fa.aif(model, data, y)
    assert result.names == ("age", "bmi", "bp", "intercept")
    np.testing.assert_array_equal(result.influence, fa.aif(model, X, y).influence)


@pytest.mark.parametrize("wrap", [pd.Series, pl.Series, list, lambda y: y[:, None]])
def test_targets_of_any_container(wrap):
    X, y, _ = make("linear")
    model = estimator("linear").fit(X, y)
    wanted = fa.aif(model, X, y).influence
    np.testing.assert_array_equal(fa.aif(model, X, wrap(y)).influence, wanted)


def test_inputs_are_never_modified(kind):
    X, y, w = make(kind, weighted=True)
    scale, mask = np.linspace(0.5, 2.0, 5), np.array([True, True, False, True, True])
    given = [X, y, w, scale, mask]
    before = [array.copy() for array in given]
    model = estimator(kind).fit(X, y, w)
    theta = model.coef_.copy()
    result = fa.aif(model, X, y, p=1.5, sample_weight=w, feature_scale=scale, attackable=mask)
    result.sensitivity([0.001, 0.002], X, y)
    result.per_sample()
    result.verify(0.01)
    assert result.validity_radius > 0
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
        assert array.flags.writeable
    np.testing.assert_array_equal(model.coef_, theta)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1023, 3), (300_000, 1), (5000, 300), (10**9, 2)])
def test_chunks_cover_every_row_once(n, m):
    X = np.broadcast_to(np.zeros(m), (n, m))  # no memory
    chunks = RowSource(X, np.broadcast_to(0.0, n), None, as_float).chunks()
    assert chunks[0][0] == 0
    assert chunks[-1][1] == n
    assert all(a[1] == b[0] for a, b in itertools.pairwise(chunks))
    assert all(start < stop for start, stop in chunks)
    assert len(chunks) <= streaming._MAX_CHUNKS


def test_work_that_is_heavy_for_its_rows_is_cut_in_two():
    """A matrix for each of 45 pairs of classes is work for two threads where one is not."""
    source = RowSource(np.broadcast_to(0.0, (1797, 64)), np.broadcast_to(0.0, 1797), None, as_float)
    assert len(source.chunks()) == 1
    assert source.chunks(squares=45) == [(0, 898), (898, 1797)]


@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
def costs(result, X, y):
    """On the rows of the fit, and on others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        own = result.sensitivity(0.01, expansion="quadratic")
        return own, result.sensitivity(0.01, X, y, expansion="taylor")


def test_means_over_pieces_of_the_rows(monkeypatch, rng):
    """Vectors of numbers exist for a piece of the rows; the result is that of the whole."""
    X, y = rng.normal(size=(1000, 3)), rng.normal(size=1000)
    w = rng.integers(0, 3, size=1000).astype(float)
    w[200:300] = 0.0
    model = fa.LinearRegression().fit(X, y, w)
    net = fa.MLPRegression(2, alpha=0.1, random_state=0, max_iter=300).fit(X, y, w)
    for fitted in (model, net):
        wanted = fa.aif(fitted, X, y, sample_weight=w, damping="auto")
        values = costs(wanted, X, y)
        monkeypatch.setattr(streaming, "_PIECE", 100)
        found = fa.aif(fitted, X, y, sample_weight=w, damping="auto")
        again = costs(found, X, y)
        monkeypatch.undo()
        np.testing.assert_allclose(again, values, rtol=1e-12)

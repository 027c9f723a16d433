"""What every source promises: the rows of its dense twin, in order, and no lie without a word."""

from __future__ import annotations

import pickle
import pkgutil
from importlib import import_module
from itertools import pairwise

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from support.source_makers import FORMS, as_parquet, blocks_of, data, given

import fastaif as fa
from fastaif.data import sources
from fastaif.data.sources import LazyRows, opened

for module in pkgutil.iter_modules(sources.__path__):
    import_module(f"{sources.__name__}.{module.name}")


def kinds(of=LazyRows):
    """Every class of lazy rows that data come in; what is made of these is not one of them."""
    found = {kind for each in of.__subclasses__() for kind in ({each} | kinds(each))}
    return {kind for kind in found if kind.__module__.startswith(sources.__name__)}


KINDS = {kind.__name__: kind for kind in sorted(kinds(), key=lambda kind: kind.__name__)}


@pytest.fixture(scope="module")
def twin():
    return data()


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def rows(form, twin, tmp_path):
    """The rows of a form, if it is read block by block."""
    found = opened(*given(form, *twin, tmp_path)).X
    if not isinstance(found, LazyRows):
        pytest.skip("this form is held as a whole")
    return found


def test_every_source_has_a_form(twin, tmp_path):
    """And a lie that it has to notice: a new source needs one of each in this file."""
    found = set()
    for number, form in enumerate(FORMS):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.add(type(opened(*given(form, *twin, folder)).X).__name__)
    assert KINDS.keys() <= found
    assert KINDS.keys() == LIES.keys()


def test_blocks_are_the_rows_in_order(rows, twin):
    X = twin[0]
    assert (rows.shape, rows.dtype, len(rows)) == (X.shape, X.dtype, len(X))
    edges = np.append(np.arange(0, len(X), 911), len(X)) if rows.edges is None else rows.edges
    assert (edges[0], edges[-1]) == (0, len(X))
    assert np.all(np.diff(edges) >= 0)
    for _ in range(2):
        parts = [rows.read(start, stop) for start, stop in pairwise(edges) if stop > start]
        np.testing.assert_array_equal(np.concatenate(parts), X)


def test_slices_and_selections_are_those_of_the_twin(rows, twin, rng):
    X = twin[0]
    chosen = [
        slice(690, 2510), slice(5999, 6000), slice(40, 40), slice(None, None, 97), slice(-5, None),
        rng.permutation(6000)[:50], np.array([3, 5999, 3]), rng.random(6000) < 0.01,
        np.zeros(6000, dtype=bool),
    ]  # fmt: skip
    for part in chosen:
        found = rows[part]
        assert found.dtype == X.dtype
        np.testing.assert_array_equal(found, X[part])


def test_nobody_gets_all_of_them_unawares(rows):
    with pytest.raises(TypeError, match="read block by block"):
        np.asarray(rows)


def test_a_copy_in_another_process_reads_the_same(rows, twin):
    copy = pickle.loads(pickle.dumps(rows))
    assert copy.shape == rows.shape
    np.testing.assert_array_equal(copy.read(690, 2510), twin[0][690:2510])


@pytest.mark.parametrize("weighted", [True, False])
def test_results_are_those_of_the_twin(form, twin, tmp_path, weighted):
    X, y, w = twin
    w = w if weighted else np.ones(len(y))
    model = fa.HuberRegression(delta=0.5, alpha=0.01).fit(X, y, w)
    there = given(form, X, y, w, tmp_path)
    wanted = fa.aif(model, X, y, p=3, sample_weight=w)
    found = fa.aif(model, there[0], there[1], p=3, sample_weight=there[2])
    for name in ("influence", "mixed", "hessian", "radius", "value_derivative"):
        mine, theirs = getattr(found, name), getattr(wanted, name)
        size = 1e-12 * np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=size)
    np.testing.assert_allclose(found.per_sample(), wanted.per_sample(), rtol=1e-10, atol=1e-12)


# --- lies -------------------------------------------------------------------------------------


class Reversed:
    """Blocks that come in another order from the second pass on."""

    def __init__(self, blocks):
        self.blocks, self.passes = blocks, 0

    def __iter__(self):
        self.passes += 1
        return iter(self.blocks[:: 1 if self.passes == 1 else -1])


def of_another_shape(block, block_info=None):
    """One chunk lacks a row."""
    return block[:-1] if block_info[0]["chunk-location"][0] == 2 else block


def lying_matrix(X, y, w, folder):
    matrix = sp.csr_matrix(X)
    matrix.indices[7] = X.shape[1]
    return opened(matrix, y).X


def lying_chunks(X, y, w, folder):
    rows = da.from_array(X, chunks=(1500, 4))
    return opened(rows.map_blocks(of_another_shape, dtype=float, meta=X[:0]), y).X


def lying_blocks(X, y, w, folder):
    return opened(Reversed(blocks_of(X, y, w)), None).X


def lying_file(X, y, w, folder):
    rows = opened(str(as_parquet(X, y, w, folder)), "target", "weight").X
    as_parquet(X[::-1], y, w, folder)
    return rows


LIES = {
    "SparseRows": lying_matrix, "DaskRows": lying_chunks, "BlockRows": lying_blocks,
    "ParquetRows": lying_file,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_lie_is_refused(kind, twin, tmp_path):
    """At the latest when the rows are read again."""
    with pytest.raises(ValueError, match=r"X|file"):
        LIES[kind](*twin, tmp_path).read(0, len(twin[0]))

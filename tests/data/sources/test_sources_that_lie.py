"""Sources that are not what they say, or not the same in every pass: refused, by name."""

from __future__ import annotations

import os
import threading
from itertools import pairwise

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from support.source_makers import CUTS, NAMES, Again, as_parquet, blocks_of, data

import fastaif as fa
from fastaif.data import rows as rows_module

pytestmark = pytest.mark.every  # each is a fault that somebody's source has had


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(rows_module, "_CHUNK_ENTRIES", 1 << 12)


@pytest.fixture(scope="module")
def case():
    X, y, w = data()
    return fa.HuberRegression(delta=0.5).fit(X, y, w), X, y, w


# --- Dask ---------------------------------------------------------------------------------

LIES = {
    "fewer rows": lambda b: b[:100], "more rows": lambda b: np.concatenate([b, b]),
    "more columns": lambda b: np.repeat(b, 500, axis=1), "a column": lambda b: b[:, :1],
    "no rows": lambda b: b[:0], "a row": lambda b: b[:1], "a vector": lambda b: b[:, 0],
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_chunks_of_another_shape(lie, case):
    model, X, y, w = case

    def spoil(block, block_info=None):
        return lie(block) if block_info[0]["chunk-location"][0] == 2 else block

    rows = da.from_array(X, chunks=(1500, 4)).map_blocks(spoil, dtype=float, meta=X[:0])
    for call in (
        lambda: fa.aif(model, rows, y, sample_weight=w),
        lambda: fa.LinearRegression().fit(rows, y),
        lambda: fa.robust_fit(model, rows, y, 0.1, sample_weight=w),
        lambda: model.predict(rows),
    ):
        with pytest.raises(ValueError, match=r"chunk 2 of X has shape .* declared"):
            call()


def test_chunks_declared_empty_that_have_rows(case):
    """No pass would come to them."""
    model, X, y, w = case
    rows = da.from_array(X, chunks=((1500, 0, len(X) - 1500), (4,)))
    honest = fa.aif(model, rows, y, sample_weight=w)
    np.testing.assert_allclose(
        honest.influence, fa.aif(model, X, y, sample_weight=w).influence, rtol=1e-12
    )

    def fill(block, block_info=None):
        return X[:7] if block_info[0]["chunk-location"][0] == 1 else block

    lying = rows.map_blocks(fill, dtype=float, meta=X[:0])
    for call in (
        lambda: fa.aif(model, lying, y, sample_weight=w),
        lambda: fa.LinearRegression().fit(lying, y),
        lambda: model.predict(lying),
    ):
        with pytest.raises(ValueError, match=r"chunk 1 of X has shape \(7, 4\), .* \(0, 4\)"):
            call()


def test_honest_chunks_of_any_sizes(case):
    model, X, y, w = case
    expected = fa.aif(model, X, y, sample_weight=w).influence
    for chunks in ((1, 2999, 3000), (6000,), (4000, 0, 2000)):
        found = fa.aif(model, da.from_array(X, chunks=(chunks, (4,))), y, sample_weight=w)
        np.testing.assert_allclose(found.influence, expected, rtol=1e-12)


# --- blocks -----------------------------------------------------------------------------


class Changing:
    """Blocks that are others from the second pass on."""

    def __init__(self, blocks, change):
        self.blocks, self.change, self.passes = blocks, change, 0

    def __iter__(self):
        self.passes += 1
        return iter(self.blocks if self.passes == 1 else self.change(list(self.blocks)))


class Numbered(list):
    """The same, read by number."""

    def __init__(self, blocks, change):
        super().__init__(blocks)
        self.later, self.reads = change(list(blocks)), 0

    def __iter__(self):
        return iter([list.__getitem__(self, k) for k in range(list.__len__(self))])

    def __getitem__(self, k):
        return self.later[k]

    def __len__(self):
        return len(self.later)


def with_part(number, place, change):
    def changed(blocks):
        block = list(blocks[number])
        block[place] = change(block[place])
        return [*blocks[:number], tuple(block), *blocks[number + 1 :]]

    return changed


CHANGES = {
    "another order": (lambda b: b[::-1], r"block \d of X is not the one .* rows"),
    "two swapped": (lambda b: [*b[:2], b[3], b[2], b[4]], r"block \d of X is not the one"),
    "rows in another order": (
        lambda b: [tuple(part[::-1] for part in block) for block in b], "other targets"),
    "other targets": (with_part(3, 1, lambda y: y + 1.0), "block 3 of X .* other targets"),
    "other weights": (with_part(3, 2, lambda w: w + 1.0), "block 3 of X .* other weights"),
    "other inputs": (with_part(3, 0, lambda X: X[::-1]), "block 3 of X .* other rows"),
    "no weights": (lambda b: [block[:2] for block in b], "block 0 of X .* no sample_weight"),
    "fewer columns": (with_part(2, 0, lambda X: X[:, :3]), "block 2 of X .* 4 columns"),
    "one column": (with_part(2, 0, lambda X: X[:, :1]), "block 2 of X .* 4 columns"),
    "one row": (with_part(2, 0, lambda X: X[:1]), r"block 2 of X .* 1 rows, but had 1799"),
    "a longer pass": (lambda b: [*b, b[0]], "more than 5 blocks, but had 5"),
    "a shorter pass": (lambda b: b[:-1], "has 4 blocks, but had 5"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [Changing, Numbered])
@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_blocks_that_change_between_passes(change, message, kind, case):
    model, X, y, w = case
    with pytest.raises(ValueError, match=message):
        fa.HuberRegression(delta=0.5).fit(kind(blocks_of(X, y, w), change), None)
    with pytest.raises(ValueError, match=message):
        fa.aif(model, kind(blocks_of(X, y, w), change), None)


def test_a_loader_that_shuffles(case):
    """The coefficients of shuffled blocks were wrong by an order, without a word."""
    _, X, y, _ = case
    rng, blocks = (
        np.random.default_rng(0),
        [(X[i : i + 60], y[i : i + 60]) for i in range(0, 6000, 60)],
    )

    class Shuffling:
        def __iter__(self):
            return iter([blocks[k] for k in rng.permutation(100)])

    with pytest.raises(ValueError, match="a loader that does not shuffle"):
        fa.HuberRegression().fit(Shuffling(), None)


def test_rows_computed_anew_may_differ_by_rounding(case):
    model, X, y, w = case
    expected = fa.aif(model, X, y, sample_weight=w).influence
    noisy = Changing(blocks_of(X, y, w), lambda b: [(X * (1.0 + 1e-12), y, w) for X, y, w in b])
    np.testing.assert_allclose(fa.aif(model, noisy, None).influence, expected, rtol=1e-9)


@pytest.mark.parametrize("later", [NAMES[::-1], ["x0", "x1", "x2", "x9"]])
@pytest.mark.parametrize("first", [True, False])
def test_frames_with_other_columns(later, first, case):
    model, X, y, _ = case
    frames = [
        (pd.DataFrame(X[i:j], columns=NAMES if i == 0 else later), y[i:j])
        for i, j in pairwise(CUTS)
    ]
    message = r"columns of block 1 of X are not those of the first: they (are in another|lack)"
    with pytest.raises(ValueError, match=message):
        fa.LinearRegression().fit(Again(frames) if first else frames, None)
    with pytest.raises(ValueError, match="columns of X are not those of the fit"):
        fa.aif(model, iter(frames), None)


# --- files ------------------------------------------------------------------------------


def rewriting(path, write, monkeypatch, after=1):
    """Write a file anew once a pass has been made."""
    from fastaif.passes.executor import Executor

    made, run = [0], Executor.run

    def counted(self, *args):
        found = run(self, *args)
        made[0] += 1
        if made[0] == after:
            write()
        return found

    monkeypatch.setattr(Executor, "run", counted)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_parquet_file_that_is_rewritten(same_size, case, tmp_path, monkeypatch):
    model, X, y, w = case
    path = as_parquet(X, y, w, tmp_path)
    other = X[::-1] if same_size else X[:3000]

    def write():
        as_parquet(other, y[: len(other)], w[: len(other)], tmp_path)

    rewriting(path, write, monkeypatch)
    with pytest.raises(ValueError, match=r"part0\.parquet was written to, or replaced"):
        fa.robust_fit(model, str(path), "target", 0.1, sample_weight="weight")


def test_a_parquet_file_that_is_gone(case, tmp_path, monkeypatch):
    model, X, y, w = case
    path = as_parquet(X, y, w, tmp_path)
    rewriting(path, path.unlink, monkeypatch)
    with pytest.raises(ValueError, match=r"part0\.parquet was written to, or replaced"):
        fa.robust_fit(model, str(path), "target", 0.1, sample_weight="weight")


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_a_memory_map_that_is_rewritten(name, case, tmp_path, monkeypatch):
    model, X, y, w = case
    arrays, path = {"X": X, "y": y, "sample_weight": w}, tmp_path / "rows.npy"
    np.save(path, arrays[name])
    os.utime(path, (1e9, 1e9))
    given = arrays | {name: np.load(path, mmap_mode="r")}
    expected = fa.robust_fit(model, X, y, 0.1, sample_weight=w).params
    found = fa.robust_fit(model, eps=0.1, **given).params
    np.testing.assert_array_equal(found, expected)

    def write():
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(8))

    rewriting(path, write, monkeypatch)
    with pytest.raises(ValueError, match=rf"{name} is a memory map of .*rows.npy, which was wri"):
        fa.robust_fit(model, eps=0.1, **given)


# --- who reads, and how often ----------------------------------------------------------


class Watched:
    """Small blocks, and who asked for them."""

    def __init__(self, X, y, size):
        self.X, self.y, self.size = X, y, size
        self.starts, self.made, self.threads = 0, 0, set()

    def __iter__(self):
        self.starts += 1
        for i in range(0, len(self.y), self.size):
            self.made += 1
            self.threads.add(threading.current_thread())
            yield self.X[i : i + self.size], self.y[i : i + self.size]


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_small_blocks_are_drawn_once_a_pass(n_threads, case, monkeypatch):
    monkeypatch.setattr("fastaif.data.parallel._SERIAL_ENTRIES", 0)
    _, X, y, _ = case
    X, y = np.tile(X, (8, 1)), np.tile(y, 8)
    model = fa.LinearRegression().fit(X, y)
    expected = fa.aif(model, X, y).influence
    blocks = Watched(X, y, 10)
    found = fa.aif(model, blocks, None, n_threads=n_threads).influence
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert blocks.starts <= 4
    assert blocks.made <= blocks.starts * len(y) // 10
    assert blocks.threads == {threading.current_thread()}


def test_the_same_bits_on_any_number_of_threads(case, monkeypatch):
    monkeypatch.setattr("fastaif.data.parallel._SERIAL_ENTRIES", 0)
    _, X, y, _ = case
    model = fa.QuadraticRegression().fit(X, y)
    results = [
        fa.aif(model, Watched(X, y, size=170), None, n_threads=n).per_sample() for n in (1, 2, 5)
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("lazy", [True, False])
def test_an_error_in_the_generator_comes_out(lazy, case):
    _, X, y, _ = case
    model = fa.LinearRegression().fit(X, y)

    class Failing:
        passes = 0

        def __iter__(self):
            self.passes += 1
            for number, i in enumerate(range(0, 6000, 1000)):
                if number == 4 and self.passes > 1:
                    raise OSError("the disk is gone")
                yield X[i : i + 1000], y[i : i + 1000]

    failing = Failing()
    if not lazy:
        failing.passes = 1
    with pytest.raises(OSError, match="the disk is gone"):
        fa.aif(model, failing if lazy else iter(failing), None)
    assert fa.aif(model, X, y).influence.shape == (5,)


def test_generators_run_in_the_callers_thread(case):
    _, X, y, _ = case
    model, blocks = fa.LinearRegression().fit(X, y), Watched(X, y, 500)
    once = fa.aif(model, iter(blocks), None).influence
    np.testing.assert_allclose(once, fa.aif(model, X, y).influence, rtol=1e-10)
    assert blocks.threads == {threading.current_thread()}


# --- what is asked of the wrong thing ---------------------------------------------------------


@pytest.mark.parametrize("make", [list, iter, Again])
def test_predictions_of_blocks(case, make):
    model, X, y, w = case
    for ask in (model.predict, lambda blocks: model.score(blocks, y)):
        with pytest.raises(TypeError, match="X is an iterable of blocks"):
            ask(make(blocks_of(X, y, w)))


def test_a_column_of_weights_that_nobody_names(case, tmp_path):
    """It is left out where the fit knows its columns, and else counted and named."""
    model, X, y, w = case
    path = as_parquet(X, y, w, tmp_path)
    for ask in (fa.adversarial_loss, fa.robust_fit):
        with pytest.raises(ValueError, match=r"X has 5 features, .* to 4: of the columns .*weight"):
            ask(model, path, "target", 0.1)
    with pytest.raises(ValueError, match=r"X has 5 features, .* to 4: of the columns .*weight"):
        fa.aif(model, path, "target")
    named = fa.HuberRegression(delta=0.5).fit(pd.DataFrame(X, columns=NAMES), y)
    expected = fa.adversarial_loss(named, pd.DataFrame(X, columns=NAMES), y, 0.1)
    assert fa.adversarial_loss(named, path, "target", 0.1) == pytest.approx(expected, rel=1e-12)
    found = fa.aif(named, path, "target").influence
    wanted = fa.aif(named, pd.DataFrame(X, columns=NAMES), y).influence
    np.testing.assert_allclose(found, wanted, rtol=1e-10)

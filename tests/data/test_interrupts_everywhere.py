"""Ctrl-C after each single call that the calling thread makes: nothing stays closed, nor behind.

Signals are looked at where a function begins and where a call returns. The profiler is told of
the same places, and raises at one after the other.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fastaif as fa
from fastaif.data import blas, parallel
from fastaif.data.parallel import for_each, for_each_in_order, map_chunks, overlapped, reduce_chunks
from fastaif.data.sources.blocks import BlockRows
from fastaif.passes.checkpoint import Checkpoint

OURS = str(Path(fa.__file__).parent)


class Profiler:
    """Counts the places where a signal could be looked at, and raises at one of them."""

    def __init__(self, at=None):
        self.at, self.count = at, 0

    def __call__(self, frame, event, argument):
        if event not in ("call", "c_return") or not frame.f_code.co_filename.startswith(OURS):
            return
        self.count += 1
        if self.count == self.at:
            sys.setprofile(None)
            raise KeyboardInterrupt


def run(call, at=None):
    """How many places there are; at one of them Ctrl-C is pressed."""
    profiler = Profiler(at)
    sys.setprofile(profiler)
    try:
        call()
    except KeyboardInterrupt:
        assert at is not None
    finally:
        sys.setprofile(None)
    return profiler.count


def everywhere(call, check, most=400):
    """Interrupt a call at each place, or at that many; it goes through afterwards."""
    call()
    count = run(call)
    places = np.unique(np.linspace(1, count, min(count, most)).astype(int))
    for at in places:
        run(call, at)
        check()
    assert len(places) > 5


def nothing_is_left():
    """No thread works on, none is told to stop, and BLAS has its threads once it is used again."""
    deadline = time.monotonic() + 5.0
    while parallel._running and time.monotonic() < deadline:
        time.sleep(1e-3)
    assert not parallel._running
    assert not getattr(parallel._asked, "drivers", ())
    with blas.single_threaded_blas():
        assert all(library.get() == 1 for library in blas._libraries)
    assert blas._before is None
    assert not blas._users
    done = []
    for_each(5, done.append, 2)
    assert sorted(done) == list(range(5))


def nothing(*_):
    pass


def take(items, work):
    overlapped(iter(items), work)


@pytest.mark.long
@pytest.mark.parametrize(
    "call",
    [
        lambda: for_each(6, nothing, 2),
        lambda: for_each_in_order(6, nothing, nothing, 3),
        lambda: map_chunks([(k, k + 1) for k in range(5)], nothing, 2, nothing),
        lambda: reduce_chunks([(k, k + 1) for k in range(5)], lambda a, b: a, max, 2),
        lambda: for_each(2, lambda _: for_each(3, nothing, 2), 2),
        lambda: take(range(4), nothing),
        lambda: take(range(2), lambda _: for_each(3, nothing, 2)),
    ],
    ids=["each", "in order", "chunks", "tree", "nested", "overlapped", "nested in overlapped"],
)
def test_drivers(call):
    everywhere(call, nothing_is_left)


@pytest.mark.parametrize("threads", [1, 3])
def test_blas(threads):
    with blas.single_threaded_blas():
        before = [library.get() for library in blas._libraries]
    try:
        for library in blas._libraries:
            library.set(threads)

        def use():
            with blas.single_threaded_blas(), blas.single_threaded_blas():
                pass

        def check():
            nothing_is_left()
            assert [library.get() for library in blas._libraries] == [threads] * len(before)

        everywhere(use, check)
    finally:
        for library, number in zip(blas._libraries, before, strict=True):
            library.set(number)


class Loader:
    """Blocks that are gone through again and again."""

    def __init__(self, blocks):
        self.blocks = blocks

    def __iter__(self):
        yield from self.blocks


@pytest.mark.long
def test_blocks():
    X = np.arange(60.0).reshape(30, 2)
    rows = BlockRows(Loader([(X[i : i + 6], X[i : i + 6, 0]) for i in range(0, 30, 6)]))

    def sweep():
        try:
            for start in range(0, 30, 5):
                rows.hold(start, start + 5)
                np.testing.assert_array_equal(rows.read(start, start + 5), X[start : start + 5])
                rows._release(start, start + 5)
        finally:
            rows.release_all()

    everywhere(sweep, sweep)


class Kept:
    """Rows of which a checkpoint sees the ends."""

    n_rows, n_columns, x, y, weight = 3, 2, np.ones((3, 2)), np.arange(3.0), None

    def inputs(self, start, stop):
        return self.x[start:stop]

    def targets(self):
        return self.y

    def weights(self):
        return np.empty(0)


# A file that was just opened is closed by the collector: it has no buffer that could be lost.
@pytest.mark.long
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*FileIO")
def test_checkpoints(tmp_path):
    path = tmp_path / "fit"
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = X[:, 0] + X[:, 1] ** 2
    model = fa.LinearRegression().fit(X, y)
    fit = partial(fa.robust_fit, model, X, y, 0.01, checkpoint=path)
    expected = fa.robust_fit(model, X, y, 0.01).params
    source = Kept()

    def open_and_close():
        kept = Checkpoint(path, source, "this")
        try:
            kept._write(b"k" * 32, b"some sums")
        except BaseException:
            kept.close()
            raise
        kept.remove()

    def goes_on():
        open_and_close()
        assert not list(tmp_path.iterdir())

    everywhere(open_and_close, goes_on)
    np.testing.assert_array_equal(fit().params, expected)
    everywhere(fit, lambda: np.testing.assert_array_equal(fit().params, expected), most=150)
    assert not list(tmp_path.iterdir())

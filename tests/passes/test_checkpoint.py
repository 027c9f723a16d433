"""Robust fits that are interrupted, and go on; bars that count passes."""

from __future__ import annotations

import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from support.source_makers import blocks_of, data

import fastaif as fa
from fastaif.passes.linear import Sweep
from fastaif.utils import progress


@pytest.fixture
def passes(monkeypatch):
    """How many passes over rows were made; a limit interrupts them."""

    class Counter:
        made, limit = 0, None

    made = Sweep.run_here

    def run(self, *args, **kwargs):
        Counter.made += 1
        if Counter.limit is not None and Counter.made > Counter.limit:
            raise KeyboardInterrupt
        return made(self, *args, **kwargs)

    monkeypatch.setattr(Sweep, "run_here", run)
    return Counter


def case(kind):
    X, y, w = data("logistic" if kind == "logistic" else "squared_error")
    models = {
        "linear": fa.LinearRegression(), "logistic": fa.LogisticRegression(),
        "huber": fa.HuberRegression(delta=0.3),
    }  # fmt: skip
    return models[kind].fit(X, y, w), X, y, w


@pytest.mark.parametrize("options", [{"eps": 0.1}, {"eps": 0.1, "p": np.inf}, {"eps": 0.02}])
@pytest.mark.parametrize("kind", ["linear", "logistic", "huber"])
def test_an_interrupted_fit_goes_on(kind, options, passes, tmp_path):
    model, X, y, w = case(kind)
    passes.made = 0
    whole = fa.robust_fit(model, X, y, sample_weight=w, **options)
    needed, path = passes.made, tmp_path / "fit.checkpoint"
    passes.made, passes.limit = 0, needed - 1
    blocks = blocks_of(X, y, w)
    with pytest.raises(KeyboardInterrupt):
        fa.robust_fit(model, blocks, None, checkpoint=path, **options)
    assert path.exists()
    with path.open("ab") as file:
        file.write(b"\x80\x05 a record that was being written")
    passes.made, passes.limit = 0, None
    again = fa.robust_fit(model, blocks, None, checkpoint=path, **options)
    assert not path.exists()
    assert passes.made <= 3
    np.testing.assert_allclose(again.params, whole.params, rtol=1e-9, atol=1e-12)
    assert again.converged == whole.converged


def test_another_fit_is_refused(passes, tmp_path):
    model, X, y, w = case("linear")
    path = tmp_path / "fit.checkpoint"
    passes.made, passes.limit = 0, 3
    with pytest.raises(KeyboardInterrupt):
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    passes.limit = None
    for X_other, y_other, eps in ((X, y, 0.2), (X, y + 1.0, 0.1), (1.5 * X, y, 0.1)):
        with pytest.raises(ValueError, match="is the checkpoint of another robust fit"):
            fa.robust_fit(model, X_other, y_other, eps, sample_weight=w, checkpoint=path)
    path.write_text("something else")
    with pytest.raises(ValueError, match="is no checkpoint of a robust fit"):
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    quadratic = fa.QuadraticRegression().fit(X, y)
    with pytest.raises(ValueError, match="checkpoint is for models with linear predictors"):
        fa.robust_fit(quadratic, X, y, 0.1, checkpoint=tmp_path / "other")


class Ran:
    """Something whose unpickling is seen."""

    marks: list[str] = []  # noqa: RUF012

    def __reduce__(self):
        return Ran.marks.append, ("ran",)


FOREIGN = {
    "a pickle": pickle.dumps(Ran()), "nothing": b"", "a text": b"my only copy",
    "half a first line": b"fastaif check", "an archive": b"PK\x03\x04" + bytes(60),
}  # fmt: skip


@pytest.mark.parametrize("contents", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused_untouched(contents, tmp_path):
    model, X, y, w = case("huber")
    path = tmp_path / "mine"
    path.write_bytes(contents)
    before = path.stat()
    with pytest.raises(ValueError, match="is no checkpoint of a robust fit"):
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    assert path.read_bytes() == contents
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert not Ran.marks
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_is_refused(tmp_path):
    model, X, y, w = case("huber")
    for path in (tmp_path, os.devnull):
        with pytest.raises(ValueError, match="is no regular file"):
            fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    assert not Path(os.devnull).is_file()
    assert Path(os.devnull).exists()
    with pytest.raises(FileNotFoundError):
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=tmp_path / "no" / "folder")


def test_a_file_that_took_its_place_stays(tmp_path, monkeypatch):
    model, X, y, w = case("huber")
    path, made = tmp_path / "fit.checkpoint", Sweep.run_here

    def run(self, *args, **kwargs):
        if path.exists():
            path.unlink()
            path.write_text("somebody else's")
        return made(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "run_here", run)
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    assert path.read_text() == "somebody else's"


@pytest.mark.parametrize("room", [0, 200, 5000])
def test_a_full_disk_ends_the_checkpointing_alone(room, tmp_path):
    resource = pytest.importorskip("resource")
    model, X, y, w = case("huber")
    whole = fa.robust_fit(model, X, y, 0.1, sample_weight=w)
    path, before = tmp_path / "fit.checkpoint", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.warns(fa.InfluenceWarning, match="cannot be written"):
            found = fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    np.testing.assert_array_equal(found.params, whole.params)
    assert not list(tmp_path.iterdir())


def test_every_torn_tail_is_dropped(passes, tmp_path):
    model, X, y, w = case("huber")
    whole = fa.robust_fit(model, X, y, 0.1, sample_weight=w)
    path = tmp_path / "fit.checkpoint"
    passes.made, passes.limit = 0, 6
    with pytest.raises(KeyboardInterrupt):
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    passes.limit, contents = None, path.read_bytes()
    for length in np.linspace(100, len(contents), 7, dtype=int):
        path.write_bytes(contents[:length] + bytes(3))
        again = fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
        np.testing.assert_array_equal(again.params, whole.params)
        assert not path.exists()
    spoilt = bytearray(contents)
    spoilt[len(contents) // 2] ^= 1
    path.write_bytes(bytes(spoilt))
    again = fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    np.testing.assert_array_equal(again.params, whole.params)


PATHS = [("linear", {}), ("linear", {"p": 1}), ("logistic", {}), ("huber", {"order": 2})]


@pytest.mark.parametrize(("kind", "options"), PATHS)
def test_an_interrupted_path_goes_on(kind, options, passes, tmp_path):
    """Killed after any pass, it comes to the same numbers, and what it kept is not made again."""
    model, X, y, w = case(kind)
    eps, path = [0.02, 0.05], tmp_path / "a path"
    passes.made = 0
    whole = fa.robust_path(model, X, y, eps, sample_weight=w, **options)
    needed = passes.made
    for limit in sorted({1, needed // 2, needed - 1}):
        passes.made, passes.limit = 0, limit
        with pytest.raises(KeyboardInterrupt):
            fa.robust_path(model, X, y, eps, sample_weight=w, checkpoint=path, **options)
        passes.made, passes.limit = 0, None
        again = fa.robust_path(model, X, y, eps, sample_weight=w, checkpoint=path, **options)
        np.testing.assert_array_equal(again.params, whole.params)
        assert passes.made <= needed - max(limit - 1, 0)
        assert not list(tmp_path.iterdir())


def test_another_path_is_refused(passes, tmp_path):
    model, X, y, w = case("linear")
    path = tmp_path / "a path"
    passes.made, passes.limit = 0, 1
    with pytest.raises(KeyboardInterrupt):
        fa.robust_path(model, X, y, [0.05], sample_weight=w, checkpoint=path)
    passes.limit, before = None, path.read_bytes()
    other = fa.LinearRegression(0.5).fit(X, y, w)
    for fitted, inputs, targets, eps, options in (
        (model, X, y, [0.06], {}), (model, X, y + 1.0, [0.05], {}), (model, X[::-1], y, [0.05], {}),
        (other, X, y, [0.05], {}), (model, X, y, [0.05], {"p": 1}),
        (model, X, y, [0.05], {"tol": 1e-6}),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="is the checkpoint of another robust fit"):
            fa.robust_path(
                fitted, inputs, targets, eps, sample_weight=w, checkpoint=path, **options
            )  # fmt: skip
        assert path.read_bytes() == before
    with pytest.raises(ValueError, match="is the checkpoint of another robust fit"):
        fa.robust_fit(model, X, y, 0.05, sample_weight=w, checkpoint=path)
    path.write_bytes(FOREIGN["a pickle"])
    with pytest.raises(ValueError, match="is no checkpoint"):
        fa.robust_path(model, X, y, [0.05], sample_weight=w, checkpoint=path)
    assert path.read_bytes() == FOREIGN["a pickle"]
    assert not Ran.marks


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bars_count_passes_on_terminals(monkeypatch):
    model, X, y, w = case("logistic")
    monkeypatch.setattr(progress, "_DELAY", 0.0)
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        fa.LogisticRegression().fit(X, y, w)
        fa.robust_fit(model, X, y, 0.1, sample_weight=w)
        fa.robust_path(model, X, y, [0.01, 0.1], sample_weight=w)
        fa.aif(model, X, y, sample_weight=w, solver="cg")
        shown = stream.getvalue()
        for name in ("fit", "robust fit", "robust path", "influence"):
            assert (f"{name}: " in shown and " passes" in shown) == stream.isatty()


def test_ctrl_c_before_the_clean_up_leaves_it_to_a_later_fit(tmp_path, monkeypatch):
    model, X, y, w = case("linear")
    path, unlink = tmp_path / "fit.checkpoint", os.unlink

    def interrupted(*_):
        monkeypatch.setattr(os, "unlink", unlink)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    assert list(tmp_path.iterdir())
    fa.robust_fit(model, X, y, 0.1, sample_weight=w, checkpoint=path)
    assert not list(tmp_path.iterdir())

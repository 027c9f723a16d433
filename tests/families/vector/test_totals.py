"""Models with several predictions from blocks of rows: what `aif` gives on all rows at once."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support import outputs_makers, softmax_makers
from support.makers import about, assert_close

import fastaif as fa

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
EDGES = [0, 1, 5, 40, 90]
FAMILIES = {"softmax": softmax_makers, "outputs": outputs_makers}


def given(family, scale=1.0, offset=0.0, alpha=0.02, **options):
    """A fitted model, and its rows."""
    X, y, w = FAMILIES[family].make(3, n=90)
    data = type(FAMILIES[family].make())(scale * X + offset, y, w)
    return FAMILIES[family].fitted(data, alpha, **options), data


def blocks(data, edges=EDGES):
    for start, stop in itertools.pairwise(edges):
        yield tuple(part[start:stop] for part in data)


def summed(model, data, **attack):
    total = fa.InfluenceAccumulator(model, **attack)
    for X, y, w in blocks(data):
        total.update(X, y, w)
    return total


def assert_same(found, wanted, tol=1e-13):
    for name in ("influence", "mixed", "hessian"):
        assert_close(getattr(found, name), getattr(wanted, name), tol)
    for name in ("radius", "value_derivative", "sensitivity_coefficient"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=tol)
    cost, params = {"expansion": "taylor"}, {"expansion": "linear"}
    assert found.sensitivity(0.02) == about(wanted.sensitivity(0.02, **cost), 1e-11)
    assert_close(found.predict_params(0.02), wanted.predict_params(0.02, **params), tol)


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_make_the_whole(family):
    model, data = given(family)
    for p in (1.0, 2.0, 3.0, np.inf):
        for order in (1.0, 1.5, 2.0, np.inf):
            attack = {"p": p, "order": order, "attackable": [True, True, True, False]}
            wanted = fa.aif(model, data.X, data[1], sample_weight=data.w, **attack)
            assert_same(summed(model, data, **attack).result(), wanted)
            assert_same(fa.aif(model, blocks(data), None, **attack), wanted)


@pytest.mark.parametrize("family", FAMILIES)
def test_budgets_that_samples_share_are_those_of_the_samples(family):
    model, data = given(family)
    for order in (1.0, 1.5, 2.0):
        found = fa.aif(model, data.X, data[1], sample_weight=data.w, order=order)
        mean = np.average(found.per_sample(), axis=0, weights=data.w)
        assert_close(mean, found.influence, 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_other_models_and_data(family):
    """Columns far from zero and of extreme scales, no intercept, float32, extreme weights."""
    cases = {
        "far": given(family, offset=300.0), "large": given(family, scale=1e6),
        "no intercept": given(family, fit_intercept=False), "no penalty": given(family, alpha=0.0),
    }  # fmt: skip
    for name, (model, data) in cases.items():
        wanted = fa.aif(model, data.X, data[1], sample_weight=data.w)
        found = summed(model, data).result()
        assert_close(found.influence, wanted.influence, 1e-9 if name == "far" else 1e-12)
        assert found.diagnostics["newton_step"] < 1e-2
    model, data = given(family)
    wanted = fa.aif(model, data.X, data[1], sample_weight=data.w)
    for w in (1e-200 * data.w, 1e200 * data.w):
        found = summed(model, data._replace(w=w)).result()
        assert_close(found.mixed, wanted.mixed, 1e-12)
    single = data._replace(X=data.X.astype(np.float32))
    wanted = fa.aif(model, single.X.astype(float), data[1], sample_weight=data.w)
    assert_close(summed(model, single).result().mixed, wanted.mixed, 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_files_merging_and_copies(family, tmp_path):
    model, data = given(family, offset=40.0)
    for order in (1.0, 2.0, np.inf):
        wanted = summed(model, data, order=order).result()
        parts = [fa.InfluenceAccumulator(model, order=order).update(*b) for b in blocks(data)]
        for k, part in enumerate(parts):
            part.save(tmp_path / f"{k}.npz")
        loaded = [fa.InfluenceAccumulator.load(tmp_path / f"{k}.npz", model) for k in range(4)]
        found = loaded[3] + loaded[1] + pickle.loads(pickle.dumps(loaded[0] + loaded[2]))
        assert_same(found.result(), wanted, 1e-11)
        again = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])
        assert_close(again.result().influence, wanted.influence, 1e-12)
    other, _ = given(family, alpha=0.03)
    with pytest.raises(ValueError, match=r"differs in the penalty"):
        fa.InfluenceAccumulator.load(tmp_path / "0.npz", other)
    with pytest.raises(ValueError, match="differ in the parameters"):
        found.merge(fa.InfluenceAccumulator(other))
    for what in ("per_sample", "conf_int"):
        with pytest.raises(ValueError, match="needs the rows"):
            getattr(wanted, what)()


def test_estimators_of_others_and_labels():
    X, y, w = softmax_makers.make(3)
    labels = np.array(["b", "a", "c"])[y]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=2.0, tol=1e-10, max_iter=9999))
    model.fit(X, labels, logisticregression__sample_weight=w)
    found = summed(model, softmax_makers.Classes(X, labels, w), p=np.inf).result()
    assert_same(found, fa.aif(model, X, labels, p=np.inf, sample_weight=w), 1e-12)
    with pytest.raises(ValueError, match="block 1 of X"):
        fa.aif(model, iter([(X, labels), (np.where(np.median(X) > X, np.nan, X), labels)]), None)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_are_never_all_there(family, tmp_path):
    """Lists, streams that start anew, memory maps, Dask."""
    da = pytest.importorskip("dask.array")
    model, data = given(family)
    y = data[1]
    wanted = fa.aif(model, data.X, y, sample_weight=data.w).influence
    on_disk = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=data.X.shape)
    on_disk[:] = data.X

    class Stream:
        def __iter__(self):
            return blocks(data)

    chunks = da.from_array(data.X, chunks=(40, 4)), da.from_array(y, chunks=(40, *y.shape[1:]))
    for X, targets, w in (
        (list(blocks(data)), None, None), (Stream(), None, None), (on_disk, y, data.w),
        (*chunks, data.w),
    ):  # fmt: skip
        assert_close(fa.aif(model, X, targets, sample_weight=w).influence, wanted, 1e-13)
        loss = fa.adversarial_loss(model, X, targets, 0.05, sample_weight=w)
        in_memory = fa.adversarial_loss(model, data.X, y, 0.05, sample_weight=data.w)
        assert loss == pytest.approx(in_memory, rel=1e-12)


def test_blocks_of_targets_that_are_unlike():
    data = outputs_makers.make(2)
    model = outputs_makers.fitted(data)
    for other, columns in ((data.Y[:, 0], 1), (np.column_stack([data.Y, data.Y]), 4)):
        with pytest.raises(ValueError, match=rf"y of block 1 has {columns} columns, but .* has 2"):
            fa.aif(model, [(data.X, data.Y), (data.X, other)], None)

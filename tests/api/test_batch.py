"""Many small problems at once against `fit` and `aif`, one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from conftest import using
from sklearn.base import clone

import fastaif as fa

MODELS = {
    "linear": fa.LinearRegression(),
    "ridge": fa.LinearRegression(alpha=0.1, fit_intercept=False),
    "logistic": fa.LogisticRegression(alpha=0.01),
    "poisson": fa.PoissonRegression(alpha=0.001),
    "huber": fa.HuberRegression(delta=0.5),
}
NUMBERS = ("params", "influence", "sensitivity_coefficient", "value_derivative", "radius")


def make(kind, k=12, lengths=None, m=4, seed=0):
    """Lists of problems, with columns far from zero and of other units, and weights."""
    rng = np.random.default_rng(seed)
    lengths = [60] * k if lengths is None else lengths
    X, y, w = [], [], []
    for n in lengths:
        rows = rng.normal(size=(n, m)) * np.array([1.0, 30.0, 0.01, 1.0][:m])
        f = rows[:, 0] + 0.05 * rows[:, min(1, m - 1)] + 0.3
        rows = rows + np.array([0.0, 100.0, 5.0, -3.0][:m])
        X.append(rows)
        y.append(
            {
                "logistic": lambda f=f: np.where(f + rng.logistic(size=f.size) > 0.0, "b", "a"),
                "poisson": lambda f=f: rng.poisson(np.exp(0.5 * f)).astype(float),
            }.get(kind, lambda f=f: f + rng.standard_t(3, size=f.size))()
        )
        w.append(rng.integers(0, 4, size=n).astype(float))
    return X, y, w


def one_by_one(model, X, y, w=None, **options):
    results = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for b in range(len(X)):
            weight = None if w is None else w[b]
            fitted = clone(model).fit(X[b], y[b], weight)
            results.append(fa.aif(fitted, X[b], y[b], sample_weight=weight, **options))
    return results


def assert_same(batch, results, rtol=1e-10):
    for name in NUMBERS:
        mine, theirs = getattr(batch, name), np.array([getattr(r, name) for r in results])
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("kind", MODELS)
def test_as_one_by_one(engine, kind, p):
    X, y, _ = make(kind)
    found = fa.aif_batch(MODELS[kind], np.array(X), np.array(y), p=p)
    assert not found.failed.any()
    assert found.p == p
    results = one_by_one(MODELS[kind], X, y, p=p)
    assert_same(found, results, 1e-9 if kind == "huber" else 1e-10)
    eps = np.array([0.001, 0.002])
    np.testing.assert_allclose(
        found.sensitivity(eps), [r.sensitivity_coefficient * eps**2 for r in results], rtol=1e-9
    )
    np.testing.assert_allclose(found.predict_params(0.1), found.params + 0.1 * found.influence)


@pytest.mark.parametrize("kind", MODELS)
def test_ragged_weighted_and_restricted(engine, kind):
    X, y, w = make(kind, lengths=[30, 71, 8, 120, 64, 45])
    options = {
        "p": 2, "radius": 1.0, "feature_scale": [1.0, 30.0, 0.01, 1.0],
        "attackable": [True, True, True, False], "damping": 0.01,
    }  # fmt: skip
    model = clone(MODELS[kind]).set_params(alpha=0.1)
    found = fa.aif_batch(model, X, y, sample_weight=w, **options)
    assert not found.failed.any()
    assert_same(found, one_by_one(model, X, y, w, **options), 1e-9)
    measured = {**options, "radius": "mean_norm"}
    found = fa.aif_batch(model, X, y, sample_weight=w, **measured)
    assert_same(found, one_by_one(model, X, y, w, **measured), 1e-9)


def test_fits_alone_and_single_precision(engine):
    X, y, w = make("linear")
    single = [part.astype(np.float32) for part in X]
    found = fa.fit_batch(fa.LinearRegression(), single, y, w)
    for b in range(len(X)):
        fitted = fa.LinearRegression().fit(single[b], y[b], w[b])
        np.testing.assert_allclose(found.params[b, :-1], fitted.coef_, rtol=1e-9)
    assert (found.n_iter >= 1).all()
    found = fa.aif_batch(fa.LinearRegression(), single, y)
    assert_same(found, one_by_one(fa.LinearRegression(), single, y))


def test_failures_are_marked_and_leave_the_rest_alone(engine):
    X, y, w = make("linear", k=7)
    alone = fa.aif_batch(fa.LinearRegression(), X, y, sample_weight=[np.ones(60)] * 7)
    weights = [np.ones(60)] * 7
    X[0] = np.where(np.arange(240).reshape(60, 4) == 17, np.nan, X[0])
    X[1] = X[1][:, [0, 1, 0, 3]]
    weights[2] = np.zeros(60)
    y[3] = X[3] @ [1.0, 2.0, 3.0, 4.0]
    y[4] = np.where(np.arange(60) == 5, np.inf, y[4])
    found = fa.aif_batch(fa.LinearRegression(), X, y, sample_weight=weights)
    said = (
        "X or y contains NaN", "the Hessian is singular", "sample_weight is zero for every sample",
        "every sample's input gradient is zero", "X or y contains NaN",
    )  # fmt: skip
    assert found.failed.tolist() == [True] * 5 + [False] * 2
    for reason, message in zip(found.reasons, said, strict=False):
        assert message in reason
    for name in NUMBERS:
        values = getattr(found, name)
        assert np.isnan(values[:5]).all()
        np.testing.assert_array_equal(values[5:], getattr(alone, name)[5:])
    frame = found.to_frame()
    assert frame["reason"].tolist() == list(found.reasons)
    assert np.isnan(frame["sensitivity_coefficient"][:5]).all()
    assert w[0].size == 60


def test_labels_that_cannot_be_fitted(engine):
    X, y, _ = make("logistic", k=3)
    y[0] = np.full(60, "a")
    y[1] = np.where(X[1][:, 0] > 0.0, "b", "a")
    found = fa.fit_batch(fa.LogisticRegression(alpha=0.0), X, y)
    assert found.reasons[0] == "y has one class only"
    assert found.failed.tolist() == [True, True, False]
    assert "alpha > 0" in found.reasons[1]


@pytest.mark.parametrize("kind", MODELS)
def test_the_smallest_problems(engine, kind):
    """Single rows and columns: everything that exists is as one by one."""
    model = clone(MODELS[kind]).set_params(alpha=0.5)
    X, y, _ = make(kind, lengths=[9, 17, 10], m=1)
    found = fa.aif_batch(model, X, y, p=np.inf)
    assert_same(found, one_by_one(model, X, y, p=np.inf), 1e-9)
    if kind == "linear":
        assert fa.fit_batch(model, np.ones((5, 1, 1)), np.ones((5, 1))).params.shape == (5, 2)
        assert fa.aif_batch(fa.LinearRegression(), np.ones((2, 1, 1)), np.ones((2, 1))).failed.all()


def test_threads_and_chunks_do_not_matter(engine, monkeypatch):
    from fastaif.api import batch

    X, y, _ = make("huber", k=50)
    whole = fa.aif_batch(fa.HuberRegression(), X, y, n_threads=1)
    monkeypatch.setattr(batch, "_ENTRIES", 500)
    monkeypatch.setattr("fastaif.data.parallel._SERIAL_ENTRIES", 1)
    parts = fa.aif_batch(fa.HuberRegression(), X, y, n_threads=2)
    for name in NUMBERS:
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_instruction_sets_and_numba_agree():
    X, y, w = make("huber", k=20)
    found = []
    for name in ("numba", "avx512", "avx2", "baseline"):
        try:
            with using(name):
                found.append(fa.aif_batch(fa.HuberRegression(), X, y, sample_weight=w))
        except pytest.skip.Exception:
            continue
    for other in found[1:]:
        for name in NUMBERS:
            theirs = getattr(found[0], name)
            size = np.abs(theirs).max()
            np.testing.assert_allclose(getattr(other, name), theirs, rtol=1e-10, atol=1e-11 * size)


def test_extreme_units(engine):
    """Columns and targets near the ends of the exponents' range."""
    X, y, _ = make("linear", k=3)
    factors = np.array([1e150, 1e-150, 1.0, 1e100])
    found = fa.aif_batch(fa.LinearRegression(), [part * factors for part in X], y, radius=1.0)
    assert not found.failed.any()
    plain = fa.aif_batch(
        fa.LinearRegression(), X, y, radius=1.0, feature_scale=1.0 / factors / 1e-150
    )
    np.testing.assert_allclose(found.params[:, :4] * factors, plain.params[:, :4], rtol=1e-8)


GOOD = np.random.default_rng(0).normal(size=(3, 20, 2))
REFUSED = {
    "another model": (fa.KernelRegression(), GOOD, GOOD[:, :, 0], TypeError, "a batch takes one"),
    "two dimensions": (fa.LinearRegression(), GOOD[0], GOOD[0, :, 0], ValueError, "three-dim"),
    "no problems": (fa.LinearRegression(), [], [], ValueError, "it has no problems"),
    "widths": (
        fa.LinearRegression(), [np.ones((5, 2)), np.ones((5, 3))], [np.ones(5)] * 2, ValueError,
        "must have the same features",
    ),
    "lengths": (
        fa.LinearRegression(), [np.ones((5, 2))] * 2, [np.ones(5), np.ones(4)], ValueError,
        r"y\[1\] has shape \(4,\), but X\[1\] has 5 rows",
    ),
    "problems": (
        fa.LinearRegression(), [np.ones((5, 2))] * 2, [np.ones(5)] * 3, ValueError,
        "y has 3 problems, but X has 2",
    ),
    "a shape": (fa.LinearRegression(), GOOD, GOOD[:, :3, 0], ValueError, r"y must be \(3, 20\)"),
    "missing y": (fa.LinearRegression(), GOOD, None, TypeError, "y is None"),
    "three labels": (
        fa.LogisticRegression(), GOOD, np.arange(60).reshape(3, 20) % 3, ValueError, "3 classes",
    ),
    "complex": (fa.LinearRegression(), GOOD * 1j, GOOD[:, :, 0], TypeError, "must hold real"),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_refusals(row):
    model, X, y, error, message = REFUSED[row]
    with pytest.raises(error, match=message):
        fa.aif_batch(model, X, y)
    with pytest.raises(error, match=message):
        fa.fit_batch(model, X, y)

"""Robust paths of rows that are not an array, and paths that are interrupted."""

from __future__ import annotations

import numpy as np
import pytest
from support.source_makers import data, given

import fastaif as fa
from fastaif.families.linear.robust.design import Design

EPS = [0.02, 0.1, 0.3]


def model_of(kind, X, y, w):
    models = {"linear": fa.LinearRegression(), "logistic": fa.LogisticRegression(alpha=1e-3)}
    return models[kind].fit(X, y, w)


@pytest.mark.parametrize("form", ["csr", "dask", "parquet", "again"])
@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_sources(kind, form, tmp_path):
    X, y, w = data(kind if kind == "logistic" else "squared_error")
    model = model_of(kind, X, y, w)
    rows, target, weight = given(form, X, y, w, tmp_path)
    path = fa.robust_path(model, rows, target, EPS, p=np.inf, sample_weight=weight)
    wanted = fa.robust_path(model, X, y, EPS, p=np.inf, sample_weight=w)
    assert path.converged
    np.testing.assert_allclose(path.objective(EPS), wanted.objective(EPS), rtol=1e-11)
    np.testing.assert_allclose(path.params, wanted.params, rtol=0, atol=1e-6)
    np.testing.assert_allclose(path.cost(EPS), wanted.cost(EPS), rtol=1e-5)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_an_interrupted_path_goes_on(p, monkeypatch, tmp_path):
    X, y, w = data("logistic")
    model, file = model_of("logistic", X, y, w), tmp_path / "path.checkpoint"
    made, limit, original = [0], [10**9], Design._gram

    def gram(self, weights, numbers):
        made[0] += 1
        if made[0] > limit[0]:
            raise KeyboardInterrupt
        return original(self, weights, numbers)

    monkeypatch.setattr(Design, "_gram", gram)
    whole = fa.robust_path(model, X, y, EPS, p=p, sample_weight=w)
    needed = made[0]
    assert needed >= 2
    made[0], limit[0] = 0, needed - 1
    with pytest.raises(KeyboardInterrupt):
        fa.robust_path(model, X, y, EPS, p=p, sample_weight=w, checkpoint=file)
    assert file.exists()
    made[0], limit[0] = 0, 10**9
    again = fa.robust_path(model, X, y, EPS, p=p, sample_weight=w, checkpoint=file)
    assert made[0] == 1
    assert not file.exists()
    np.testing.assert_array_equal(again.params, whole.params)


def test_another_path_and_other_models_are_refused(monkeypatch, tmp_path):
    X, y, w = data("logistic")
    model, file = model_of("logistic", X, y, w), tmp_path / "path.checkpoint"

    def interrupted(self, weights, numbers):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Design, "_gram", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fa.robust_path(model, X, y, EPS, sample_weight=w, checkpoint=file)
    with pytest.raises(ValueError, match="is the checkpoint of another"):
        fa.robust_path(model, X, y, [0.5], sample_weight=w, checkpoint=file)
    X, y = X[:60], X[:60, 0]
    quadratic = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="checkpoint is for models with linear predictors"):
        fa.robust_path(quadratic, X, y, EPS, checkpoint=tmp_path / "other")

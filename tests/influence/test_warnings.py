"""What is warned about, once, as a subclass of InfluenceWarning."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif.utils.warnings import (
    FlipWarning,
    SolverWarning,
    StationarityWarning,
    TieWarning,
    ZeroGradientWarning,
)  # fmt: skip


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 3))
    return X, X @ np.array([1.0, -2.0, 0.5]) + rng.normal(size=80)


def test_all_are_influence_warnings():
    for kind in (FlipWarning, SolverWarning, StationarityWarning, TieWarning, ZeroGradientWarning):
        assert issubclass(kind, fa.InfluenceWarning)


def test_a_model_fitted_to_other_data(data, rng):
    X, y = data
    model = fa.LinearRegression().fit(X[:40], y[:40])
    with pytest.warns(StationarityWarning, match="not stationary") as record:
        fa.aif(model, X, y)
    assert len(record) == 1
    assert record[0].filename == __file__


def test_refine_reaches_the_stationary_point(data):
    X, y = data
    other = fa.LinearRegression().fit(X[:40], y[:40])
    whole = fa.LinearRegression().fit(X, y)
    refined = fa.aif(other, X, y, refine=True)
    np.testing.assert_allclose(refined.params, np.append(whole.coef_, whole.intercept_), rtol=1e-11)
    np.testing.assert_allclose(refined.influence, fa.aif(whole, X, y).influence, rtol=1e-9)


def test_zero_gradients(data):
    X, y = data
    model = fa.LinearRegression().fit(X, y)
    model.coef_, model.intercept_ = np.array([1.0, -2.0, 0.5]), 0.0
    X = np.round(X * 4) / 4
    y = np.round(y)
    y[:5] = X[:5] @ model.coef_
    zero = pytest.warns(ZeroGradientWarning, match="samples have a zero input gradient")
    with zero, pytest.warns(StationarityWarning):
        result = fa.aif(model, X, y)
    assert result.diagnostics["zero_gradients"] >= 5


@pytest.mark.parametrize(("p", "coef"), [(1, [1.0, -1.0, 0.5]), (np.inf, [1.0, 0.0, 0.5])])
def test_ties(data, p, coef):
    X, y = data
    model = fa.LinearRegression().fit(X, y)
    model.coef_ = np.array(coef)
    with pytest.warns(TieWarning, match="not unique"), pytest.warns(StationarityWarning):
        result = fa.aif(model, X, y, p=p)
    assert result.diagnostics["ties"] == 1


def test_flips(data):
    X, y = data
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    with pytest.warns(FlipWarning, match="passed a kink"):
        result.sensitivity(1.0)
    with pytest.warns(FlipWarning):
        result.predict_params(1.0)


def test_a_solver_that_stopped_early(data):
    X, y = data
    model = fa.LinearRegression().fit(X, y)
    with pytest.warns(SolverWarning, match="stopped after"):
        fit = fa.robust_fit(model, X, y, 0.1, max_iter=2)
    assert not fit.converged


def test_nothing_is_warned_about_where_all_is_well(data, recwarn):
    X, y = data
    fa.aif(fa.LinearRegression().fit(X, y), X, y).sensitivity(1e-6)
    assert not recwarn.list

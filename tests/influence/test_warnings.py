"""What is warned about, once, as a subclass of InfluenceWarning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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


def labelled(data):
    X, y = data
    return X, (y > 0.0).astype(int)


@pytest.mark.parametrize(
    ("options", "cause", "remedy"),
    [
        ({"tol": 0.1}, r"stopped at tol=0\.1", "Fit it with tol=1e-10, or pass refine=True"),
        ({"max_iter": 2, "tol": 1e-9}, "stopped at max_iter=2", "larger max_iter"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_likeliest_cause_comes_first(data, options, cause, remedy):
    X, y = labelled(data)
    bare = LogisticRegression(**options).fit(X, y)
    behind = make_pipeline(StandardScaler(), LogisticRegression(**options)).fit(X, y)
    smoothed = fa.RandomizedSmoothing(LogisticRegression(**options), 0.01).fit(X, y)
    for model in (bare, behind, smoothed):
        expected = f"^scikit-learn's LogisticRegression {cause}: the model is not stationary"
        with pytest.warns(StationarityWarning, match=rf"{expected}.*{remedy}"):
            fa.aif(model, X, y)
    total = fa.InfluenceAccumulator(bare).update(X, y)
    with pytest.warns(StationarityWarning, match=expected) as record:
        total.result()
    assert "refine" not in str(record[0].message)


def test_a_closed_form_has_no_tolerance_to_blame(data):
    X, y = data
    model = Ridge(alpha=1.0).fit(X[:40], y[:40])
    with pytest.warns(StationarityWarning, match="^these are probably not the data"):
        fa.aif(model, X, y)


@pytest.mark.parametrize(("step", "warned"), [(0.045, False), (0.055, True)])
def test_silent_where_it_cannot_matter(data, step, warned):
    """A twentieth of a standard error decides; the diagnostics tell of less as well."""
    X, y = data
    model = fa.LinearRegression().fit(X, y)
    model.coef_ = model.coef_ + 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unit = fa.aif(model, X, y).diagnostics["newton_step"] / 1e-3
    model = fa.LinearRegression().fit(X, y)
    model.coef_ = model.coef_ + step / unit
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        result = fa.aif(model, X, y)
    assert [w.category for w in record] == [StationarityWarning] * warned
    assert result.diagnostics["newton_step"] == pytest.approx(step, rel=0.02)


def test_refine_reaches_the_stationary_point(data):
    X, y = data
    other = fa.LinearRegression().fit(X[:40], y[:40])
    whole = fa.LinearRegression().fit(X, y)
    refined = fa.aif(other, X, y, refine=True)
    np.testing.assert_allclose(refined.params, np.append(whole.coef_, whole.intercept_), rtol=1e-11)
    np.testing.assert_allclose(refined.influence, fa.aif(whole, X, y).influence, rtol=1e-9)


def test_zero_gradients(data):
    """Rows show them one by one, and they are solved for; sums only tell how many there are."""
    X, y = data
    model = fa.LinearRegression().fit(X, y)
    model.coef_, model.intercept_ = np.array([1.0, -2.0, 0.5]), 0.0
    X = np.round(X * 4) / 4
    y = np.round(y)
    y[:5] = X[:5] @ model.coef_
    with pytest.warns(StationarityWarning) as record:
        result = fa.aif(model, X, y)
    assert len(record) == 1
    assert result.diagnostics["zero_gradients"] == 0
    assert result.diagnostics["pinned_samples"] >= 5
    total = fa.InfluenceAccumulator(model)
    total.update(X, y)
    zero = pytest.warns(ZeroGradientWarning, match="samples have a zero input gradient")
    with zero, pytest.warns(StationarityWarning):
        result = total.result()
    assert result.diagnostics["zero_gradients"] >= 5


@pytest.mark.parametrize(("p", "coef"), [(1, [1.0, -1.0, 0.5]), (np.inf, [1.0, 0.0, 0.5])])
def test_ties(data, p, coef):
    X, y = data
    model = fa.LinearRegression().fit(X, y)
    model.coef_ = np.array(coef)
    with pytest.warns(StationarityWarning) as record:
        result = fa.aif(model, X, y, p=p)
    assert len(record) == 1
    assert result.diagnostics["ties"] == 0
    assert result.diagnostics["pinned_coefficients"] == 1


def test_flips(data):
    X, y = data
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    with pytest.warns(FlipWarning, match="passed a kink"):
        result.sensitivity(1.0, expansion="quadratic")
    again = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    with pytest.warns(FlipWarning):
        again.predict_params(1.0, expansion="linear")


def test_once_a_result_whatever_the_digits(data):
    X, y = data
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        for eps in (1.0, 1.5, [0.5, 2.0]):
            result.sensitivity(eps, expansion="quadratic")
        result.predict_params(3.0, expansion="linear")
    assert [w.category for w in record] == [FlipWarning]
    assert "eps=1 " in str(record[0].message)


def test_a_warning_that_was_raised_is_raised_again(data):
    X, y = data
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(FlipWarning):
                result.sensitivity(1.0, expansion="quadratic")


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

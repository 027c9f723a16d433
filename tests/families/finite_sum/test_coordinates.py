"""Columns far from zero or of extreme scale change the units of an answer, not the answer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import estimator, make

import fastaif as fa

KINDS = ["linear", "logistic", "poisson", "huber"]
UNITS = np.array([1e-15, 1e-9, 1.0, 1e9, 1e15])


def _problem(kind):
    X, y, w = make(kind, n=150, m=5, weighted=True)
    return X / X.std(axis=0), y, w


def _fitted(kind, X, y, w, alpha=0.0):
    return estimator(kind, alpha).fit(X, y, w)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("offset", "tol"), [(1e3, 1e-11), (1e6, 1e-8)])
def test_an_offset_moves_the_intercept_alone(kind, offset, tol):
    X, y, w = _problem(kind)
    plain = fa.aif(_fitted(kind, X, y, w), X, y, sample_weight=w, radius=1.0)
    far = X + offset
    moved = fa.aif(_fitted(kind, far, y, w), far, y, sample_weight=w, radius=1.0)
    np.testing.assert_allclose(moved.params[:5], plain.params[:5], rtol=tol)
    np.testing.assert_allclose(moved.influence[:5], plain.influence[:5], rtol=tol)
    coefficient = plain.sensitivity_coefficient
    assert moved.sensitivity_coefficient == pytest.approx(coefficient, rel=10 * tol)
    found, wanted = moved.verify(1e-3), plain.verify(1e-3)
    assert found.robust.converged
    np.testing.assert_allclose(found.robust.params[:5], wanted.robust.params[:5], rtol=tol)
    assert found.predicted_cost == pytest.approx(wanted.predicted_cost, rel=10 * tol)


def test_offsets_behind_a_scaler_that_does_not_centre():
    X, y, _ = _problem("linear")
    pipe = make_pipeline(StandardScaler(with_mean=False), Ridge(alpha=1e-3))
    near = fa.aif(pipe.fit(X, y), X, y, radius=1.0, refine=True)
    pipe = make_pipeline(StandardScaler(with_mean=False), Ridge(alpha=1e-3))
    far = fa.aif(pipe.fit(X + 1e6, y), X + 1e6, y, radius=1.0, refine=True)
    np.testing.assert_allclose(far.influence[:5], near.influence[:5], rtol=1e-7)
    assert far.verify(0.1).robust.converged


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_columns(kind):
    X, y, w = _problem(kind)
    plain = fa.aif(_fitted(kind, X, y, w), X, y, sample_weight=w, radius=1.0, p=3)
    scaled = X * UNITS
    model = _fitted(kind, scaled, y, w)
    np.testing.assert_allclose(model.coef_ * UNITS, plain.params[:5], rtol=1e-9)
    ball = {"radius": 1.0, "feature_scale": UNITS, "p": 3, "sample_weight": w}
    other = fa.aif(model, scaled, y, **ball)
    np.testing.assert_allclose(other.influence[:5] * UNITS, plain.influence[:5], rtol=1e-8)
    assert other.value_derivative == pytest.approx(plain.value_derivative, rel=1e-9)
    for eps in (1e-3, 0.1, 1.0):
        found, wanted = fa.robust_fit(model, scaled, y, eps, **ball), plain.verify(eps).robust
        assert found.converged
        np.testing.assert_allclose(found.params[:5] * UNITS, wanted.params[:5], atol=1e-8)


@pytest.mark.parametrize("scale", [1e-13, 1e20, 1e100, 1e-100])
@pytest.mark.parametrize("kind", KINDS)
def test_fits_find_tiny_and_huge_columns(kind, scale):
    X, y, w = _problem(kind)
    plain = _fitted(kind, X, y, w)
    model = _fitted(kind, X * scale, y, w)
    np.testing.assert_allclose(model.coef_ * scale, plain.coef_, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e200, 1e300])
def test_extreme_weights(factor):
    X, y, _ = _problem("linear")
    model = fa.LinearRegression().fit(X, y, np.full(150, factor))
    weighted = fa.aif(model, X, y, sample_weight=np.full(150, factor))
    np.testing.assert_allclose(weighted.influence, fa.aif(model, X, y).influence, rtol=1e-12)


def test_extreme_weights_keep_the_penalty_of_their_total():
    """Ridge's penalty is a share of the total weight, which must not be lost on the way."""
    X, y, _ = _problem("linear")
    ones = np.ones(150)
    small = Ridge(alpha=1.0).fit(X, y)
    large = Ridge(alpha=1e200).fit(X, y, 1e200 * ones)
    large.coef_, large.intercept_ = small.coef_, small.intercept_
    found = fa.aif(large, X, y, sample_weight=1e200 * ones).influence
    np.testing.assert_allclose(found, fa.aif(small, X, y).influence, rtol=1e-12)


def test_damping_reaches_offset_columns():
    X, y, _ = _problem("linear")
    far = X + 1e4
    model = fa.LinearRegression().fit(far, y)
    damped = fa.aif(model, far, y, damping=1e-3)
    H = damped.hessian + 1e-3 * np.eye(6)
    np.testing.assert_allclose(H @ damped.influence, -damped.mixed, rtol=1e-4, atol=1e-4)


def test_a_constant_column_needs_no_coefficient():
    X, y, _ = _problem("linear")
    X = np.column_stack([X, np.full(150, 3.0)])
    with pytest.warns(match="singular"):
        model = fa.LinearRegression().fit(X, y)
    robust = fa.robust_fit(model, X, y, 0.1)
    assert robust.converged
    assert abs(robust.params[5]) < 1e-9


def test_evaluation_frames_must_have_the_columns_of_the_fit():
    import pandas as pd

    X, y, _ = _problem("linear")
    frame = pd.DataFrame(X, columns=list("abcde"))
    result = fa.aif(fa.LinearRegression().fit(frame, y), frame, y)
    with pytest.raises(ValueError, match="columns of X"):
        result.sensitivity(1e-4, frame[list("bacde")], y)
    assert result.sensitivity(1e-4, frame, y) == pytest.approx(result.sensitivity(1e-4))


def test_features_by_name():
    import pandas as pd

    X, y, _ = _problem("linear")
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = fa.LinearRegression().fit(frame, y)
    wanted = fa.aif(model, frame, y, attackable=[True, False, True, False, False]).influence
    for names in (["a", "c"], frame.columns[[0, 2]], np.array(["a", "c"], dtype=object)):
        np.testing.assert_array_equal(fa.aif(model, frame, y, attackable=names).influence, wanted)


def test_results_compare_by_identity():
    X, y, _ = _problem("linear")
    model = fa.LinearRegression().fit(X, y)
    one, two = fa.aif(model, X, y), fa.aif(model, X, y)
    assert one == one
    assert one != two
    assert len({one, two}) == 2

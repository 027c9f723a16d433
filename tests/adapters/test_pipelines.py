"""Pipelines with PolynomialFeatures: the quadratic basis between scalers that are held fixed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import basis as twin
from oracles import basis_kinks
from sklearn import linear_model as sk
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.basis_makers import assert_agrees, assert_is_first, known_to_twin, make, without_alpha
from support.estimators import THEIRS
from support.makers import about, assert_close

import fastaif as fa

LAST = ["least squares", "ridge", "logistic", "poisson"]
ORDERINGS = ["poly", "scaler poly", "poly scaler", "scaler poly scaler"]
ATTACK = {"feature_scale": np.array([1.0, 0.5, 0.0])}


def pipeline(ordering, last, include_bias=False, **scaling):
    """The steps of that name, not fitted."""
    steps = []
    for word in ordering.split():
        if word == "poly":
            steps.append(PolynomialFeatures(2, include_bias=include_bias))
        else:
            steps.append(StandardScaler(**scaling))
    return make_pipeline(*steps, last)


def last_step(name, fit_intercept=True):
    factory, options, _, _ = THEIRS[name]
    return factory(fit_intercept=fit_intercept, **options)


def fitted(ordering, name, include_bias, weighted=False, fit_intercept=True, **scaling):
    kind = THEIRS[name][2]
    data = make(kind, n=50, weighted=weighted)
    pipe = pipeline(ordering, last_step(name, fit_intercept), include_bias, **scaling)
    weights = {f"{pipe.steps[-1][0]}__sample_weight": data.w} if weighted else {}
    return pipe.fit(data.X, data.y, **weights), data, kind


def arrays(scaler, n):
    """The shift and scale of a fitted scaler, 0 and 1 where it has none."""
    mean = np.zeros(n) if scaler is None or not scaler.with_mean else scaler.mean_
    sd = np.ones(n) if scaler is None or not scaler.with_std else scaler.scale_
    return mean, sd


def described(pipe, m):
    """The twin's basis and theta, and the scaler before the polynomial features."""
    steps = [step for _, step in pipe.steps]
    place = [type(step) for step in steps].index(PolynomialFeatures)
    before = steps[0] if place > 0 else None
    after = steps[place + 1] if place + 2 < len(steps) else None
    bias, last = int(steps[place].include_bias), steps[-1]
    shift, scale = arrays(before, m)
    mean, sd = arrays(after, m + m * (m + 1) // 2 + bias)
    coef = np.ravel(last.coef_)
    intercept = last.fit_intercept
    theta = coef[bias:]
    if intercept or (bias and mean[0] == 0.0):  # centred, the bias column is zero
        constant = coef[0] * (1.0 - mean[0]) / sd[0] if bias else 0.0
        theta = np.append(theta, np.ravel(last.intercept_)[0] + constant)
        intercept = True
    basis = twin.Between(twin.Quadratic(), shift, scale, mean[bias:], sd[bias:])
    before = {} if before is None else {"shift": shift, "scale": scale}
    return basis, theta, before, intercept


def compare(pipe, data, kind, alpha, **options):
    basis, theta, before, intercept = described(pipe, data.X.shape[1])
    options = options | {"sample_weight": data.w}
    result = fa.aif(pipe, data.X, data.y, **options)
    known = known_to_twin(kind, alpha, intercept)
    assert_close(result.params, theta, 1e-13)
    wanted = twin.influence(basis, data.X, data.y, theta, **known, **before, **options)
    assert_agrees(result, wanted)
    return result, basis, known


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("name", LAST)
@pytest.mark.parametrize(("include_bias", "weighted"), [(False, True), (True, False)])
def test_pipelines(ordering, name, include_bias, weighted):
    pipe, data, kind = fitted(ordering, name, include_bias, weighted)
    alpha = THEIRS[name][3](50 if data.w is None else data.w.sum())
    for space in ("scaled", "raw"):
        for p in (1.0, 3.0, np.inf):
            compare(pipe, data, kind, alpha, p=p, attack_space=space)
        compare(pipe, data, kind, alpha, attack_space=space, **ATTACK)


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("scaling", [{"with_mean": False}, {"with_std": False}])
def test_scalers_that_do_half(ordering, scaling):
    for include_bias in (False, True):
        pipe, data, kind = fitted(ordering, "ridge", include_bias, **scaling)
        for space in ("scaled", "raw"):
            compare(pipe, data, kind, 3.0 / 50, p=1.5, attack_space=space)


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("include_bias", [False, True])
def test_no_intercept(ordering, include_bias):
    """The coefficient of the bias column is the intercept, unless a scaler makes it zero."""
    pipe, data, kind = fitted(ordering, "least squares", include_bias, fit_intercept=False)
    result, _, _ = compare(pipe, data, kind, 0.0, p=2.0)
    centred = ordering.endswith("poly scaler")
    assert len(result.params) == (10 if include_bias and not centred else 9)


@pytest.mark.parametrize("name", LAST)
@pytest.mark.parametrize("include_bias", [False, True])
def test_names_are_the_last_steps(name, include_bias):
    X, y, _ = make(THEIRS[name][2])
    frame = pd.DataFrame(X, columns=["age", "bmi", "bp"])
    pipe = pipeline("scaler poly", last_step(name), include_bias).fit(frame, y)
    names = list(pipe[1].get_feature_names_out(frame.columns))
    wanted = (*names[include_bias:], "intercept")
    result = fa.aif(pipe, frame, y)
    assert result.names == wanted
    assert wanted[0] == "age"
    named = fa.aif(pipe, frame, y, attackable=["bmi"])
    mask = fa.aif(pipe, frame, y, attackable=[False, True, False])
    np.testing.assert_array_equal(named.influence, mask.influence)


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("name", LAST)
def test_sensitivity_on_other_data(ordering, name):
    pipe, data, kind = fitted(ordering, name, True)
    basis, theta, _, _ = described(pipe, 3)
    result = fa.aif(pipe, data.X, data.y)
    X, y, _ = make(kind, n=30, seed=9)
    for expansion in ("quadratic", "taylor"):
        wanted = twin.sensitivity(
            basis, X, y, theta, result.influence, 1e-5, expansion=expansion,
            **without_alpha(known_to_twin(kind)),
        )  # fmt: skip
        assert result.sensitivity(1e-5, X, y, expansion=expansion) == about(wanted, 1e-9)


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_validity(ordering, space):
    pipe, data, _ = fitted(ordering, "least squares", True)
    basis, theta, before, _ = described(pipe, 3)
    for p in (1.0, 2.0, np.inf):
        result = fa.aif(pipe, data.X, data.y, p=p, attack_space=space)
        events = basis_kinks.validity_radius(
            basis, data.X, data.y, theta, result.influence, loss="squared_error", p=p,
            attack_space=space, **before,
        )  # fmt: skip
        assert_is_first(result, events, tight=p <= 2)


def test_polynomials_of_scaled_inputs_are_ours():
    """In the scaled space a scaler before the rest is a change of units."""
    X, y, _ = make("linear", n=80)
    Z = StandardScaler().fit_transform(X)
    pipe = pipeline("scaler poly", sk.LinearRegression()).fit(X, y)
    found = fa.aif(pipe, X, y, p=3)
    wanted = fa.aif(fa.QuadraticRegression(alpha=0.0).fit(Z, y), Z, y, p=3)
    assert_close(found.influence, wanted.influence, 1e-9)
    assert found.radius == about(wanted.radius)
    assert found.validity_radius == about(wanted.validity_radius, 1e-8)


def test_passthrough_steps_are_skipped():
    X, y, _ = make("linear")
    steps = [("a", "passthrough"), ("b", PolynomialFeatures(2)), ("c", sk.LinearRegression())]
    found = fa.aif(Pipeline(steps).fit(X, y), X, y)
    wanted = fa.aif(make_pipeline(steps[1][1], steps[2][1]).fit(X, y), X, y)
    np.testing.assert_array_equal(found.influence, wanted.influence)


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("name", LAST)
def test_robust_copies_are_pipelines(ordering, name):
    """Their predictions are those of the robust parameters, whatever became of the bias column."""
    for include_bias in (False, True):
        pipe, data, kind = fitted(ordering, name, include_bias)
        robust = fa.robust_fit(pipe, data.X, data.y, 1e-3)
        assert [type(step) for _, step in robust.estimator.steps] == [
            type(step) for _, step in pipe.steps
        ]
        basis, theta, _, _ = described(robust.estimator, 3)
        assert_close(theta, robust.params, 1e-12)
        f = twin.rows(basis, data.X, True) @ robust.params
        last = robust.estimator
        found = last.decision_function(data.X) if kind == "logistic" else last.predict(data.X)
        wanted = np.exp(f) if kind == "poisson" else f
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-11)

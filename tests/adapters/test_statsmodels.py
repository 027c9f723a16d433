"""Fitted results of statsmodels: the same as ours on exog without its constant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from support.makers import assert_close, make

import fastaif as fa

OURS = {
    "linear": fa.LinearRegression, "logistic": fa.LogisticRegression,
    "poisson": fa.PoissonRegression,
}  # fmt: skip
FITS = {
    "OLS": ("linear", lambda y, Z, w: sm.OLS(y, Z).fit()),
    "WLS": ("linear", lambda y, Z, w: sm.WLS(y, Z, weights=w).fit()),
    "GLM Gaussian": ("linear", lambda y, Z, w: sm.GLM(y, Z, var_weights=w).fit(tol=1e-13)),
    "GLM Binomial": (
        "logistic",
        lambda y, Z, w: sm.GLM(y, Z, family=sm.families.Binomial(), freq_weights=w).fit(tol=1e-13),
    ),
    "GLM Poisson": (
        "poisson", lambda y, Z, w: sm.GLM(y, Z, family=sm.families.Poisson()).fit(tol=1e-13),
    ),
    "Logit": ("logistic", lambda y, Z, w: sm.Logit(y, Z).fit(disp=0, tol=1e-13)),
    "Poisson": (
        "poisson", lambda y, Z, w: sm.Poisson(y, Z).fit(disp=0, method="newton", tol=1e-13),
    ),
}  # fmt: skip
WEIGHTED = {"WLS", "GLM Gaussian", "GLM Binomial"}


def case(name):
    kind, fit = FITS[name]
    X, y, w = make(kind, n=90, m=3, weighted=True)
    y, w = np.where(y > 0, 1.0, 0.0) if kind == "logistic" else y, w + 0.5
    return kind, fit, X, y, w


@pytest.mark.every
@pytest.mark.parametrize("name", FITS)
def test_same_as_ours(name):
    kind, fit, X, y, w = case(name)
    Z = sm.add_constant(X)
    result = fit(y, Z, w)
    weights = w if name in WEIGHTED else None
    alpha = {} if kind != "logistic" else {"alpha": 0.0}
    model = OURS[kind](**alpha).fit(X, y, weights)
    for p in (1, 2, np.inf):
        found = fa.aif(result, Z, y, p=p)
        wanted = fa.aif(model, X, y, p=p, sample_weight=weights)
        assert found.names == ("x1", "x2", "x3", "const")
        assert found.attackable.tolist() == [False, True, True, True]
        assert_close(found.params, wanted.params, 1e-8)
        assert_close(found.influence, wanted.influence, 1e-7)
        assert found.radius == pytest.approx(wanted.radius, rel=1e-12)
    assert found.sensitivity(0.02) == pytest.approx(wanted.sensitivity(0.02), rel=1e-6)
    assert found.sensitivity(0.02, Z[:9], y[:9]) == pytest.approx(
        wanted.sensitivity(0.02, X[:9], y[:9]), rel=1e-6
    )


@pytest.mark.parametrize("name", ["OLS", "GLM Poisson"])
def test_robust_copies_are_results(name):
    kind, fit, X, y, w = case(name)
    Z = sm.add_constant(X)
    result = fit(y, Z, w)
    robust = fa.robust_fit(result, Z, y, 0.05)
    wanted = fa.robust_fit(OURS[kind]().fit(X, y), X, y, 0.05)
    assert_close(robust.params, wanted.params, 1e-7)
    assert type(robust.estimator) is type(result)
    f = X[:4] @ robust.params[:-1] + robust.params[-1]
    expected = np.exp(f) if kind == "poisson" else f
    np.testing.assert_allclose(robust.estimator.predict(Z[:4]), expected, rtol=1e-10)
    np.testing.assert_array_equal(result.params, fit(y, Z, w).params)
    moved = fa.attack(result, Z, y, 0.05)
    np.testing.assert_array_equal(moved[:, 0], 1.0)
    np.testing.assert_allclose(
        moved[:, 1:], fa.attack(OURS[kind]().fit(X, y), X, y, 0.05), atol=1e-7
    )


def test_frames_and_a_constant_anywhere():
    _, _, X, y, _ = case("OLS")
    frame = pd.DataFrame(X, columns=["age", "bmi", "dose"]).assign(one=2.0)[
        ["age", "one", "bmi", "dose"]
    ]
    result = sm.OLS(y, frame).fit()
    found = fa.aif(result, frame, y, attackable=["age", "dose"])
    wanted = fa.aif(fa.LinearRegression().fit(X, y), X, y, attackable=[True, False, True])
    assert found.names == ("age", "bmi", "dose", "one")
    assert_close(found.influence, wanted.influence, 1e-9)
    assert found.attackable.tolist() == [True, False, False, True]
    moved = fa.attack(result, frame, y, 0.1)
    assert list(moved.columns) == list(frame.columns)
    assert (moved["one"] == 2.0).all()
    robust = fa.robust_fit(result, frame, y, 0.1)
    assert robust.estimator.params["one"] == pytest.approx(robust.params[-1] / 2)
    with pytest.raises(ValueError, match=r"columns of X .* another order"):
        fa.aif(result, frame[["one", "age", "bmi", "dose"]], y)
    with pytest.raises(ValueError, match="attackable names one, which no attack can move"):
        fa.aif(result, frame, y, attackable=["one"])


def test_without_a_constant_there_is_no_intercept():
    _, _, X, y, _ = case("OLS")
    found = fa.aif(sm.OLS(y, X).fit(), X, y)
    wanted = fa.aif(fa.LinearRegression(fit_intercept=False).fit(X, y), X, y)
    assert_close(found.influence, wanted.influence, 1e-10)


def test_weights_given_take_the_place_of_the_fits():
    _, fit, X, y, w = case("WLS")
    Z = sm.add_constant(X)
    result = fit(y, Z, w)
    plain = fa.aif(result, Z, y, sample_weight=np.ones(90), refine=True)
    assert_close(plain.influence, fa.aif(sm.OLS(y, Z).fit(), Z, y).influence, 1e-9)
    with pytest.raises(ValueError, match=r"90 weights.*sample_weight"):
        fa.aif(result, Z[:50], y[:50])


def _refused():
    _, _, X, y, w = case("OLS")
    Z, c = sm.add_constant(X), np.round(np.abs(y))
    return {
        "GLS.*correlated": sm.GLS(y, Z).fit(),
        "QuantReg.*second derivative": sm.QuantReg(y, Z).fit(),
        "RLM.*HuberRegression": sm.RLM(y, Z).fit(),
        "Gamma.*Inverse": sm.GLM(np.exp(y), Z, family=sm.families.Gamma()).fit(),
        "NegativeBinomial: of statsmodels": sm.NegativeBinomial(c, Z).fit(disp=0),
        "fit_regularized": sm.OLS(y, Z).fit_regularized(alpha=0.1),
        "fit_constrained": sm.GLM(y, Z).fit_constrained("x1 = 0"),
        "offset": sm.GLM(c, Z, family=sm.families.Poisson(), offset=w).fit(),
        "exposure": sm.Poisson(c, Z, exposure=w + 1.0).fit(disp=0),
        "shares": sm.GLM(np.clip(np.abs(y) / 9, 0, 1), Z, family=sm.families.Binomial()).fit(),
        r"OLS is a model without parameters.*fit\(\)": sm.OLS(y, Z),
    }


@pytest.mark.filterwarnings("ignore")
def test_refused_with_a_reason():
    _, _, X, y, _ = case("OLS")
    for reason, result in _refused().items():
        with pytest.raises((TypeError, ValueError), match=reason):
            fa.aif(result, sm.add_constant(X), y)

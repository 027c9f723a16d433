"""Units of 2^k, k from −1000 to 1000: results follow to rounding, or a refusal says what to do."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from support.makers import estimator, make

import fastaif as fa

EXACT = 1e-12  # working coordinates subtract other means than the columns' own do
WITHIN = [-470, -300, -60, 60, 300, 470]
BEYOND = [-1000, -700, -540, -532, -520, -490, 520, 540, 700, 1000]
EVERY = [pytest.param(k, marks=pytest.mark.long) for k in range(-480, 500, 20)]
FITTED = [pytest.param(k, marks=pytest.mark.long) for k in range(-1000, 1001, 40)]
NORMS = [1.0, 2.0, 3.0, np.inf]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fitted(kind, k, fit_intercept=True, uneven=False):
    """A model of inputs in units of 2^-k, or of columns in 2^-k, 1 and 2^k; what undoes them."""
    X, y, w = make(kind, n=70, m=3, weighted=True)
    powers = np.array([k, 0, -k]) if uneven else np.full(3, k)
    X = np.ldexp(X, powers)
    model = estimator(kind, 0.0, fit_intercept).fit(X, y, w)
    return model, X, y, w, powers


def in_own_units(theta, powers):
    """θ, (3,) or with an intercept, of inputs in units of 1."""
    return np.ldexp(theta, np.append(powers, np.zeros(np.shape(theta)[-1] - 3, int)))


def close(found, expected, rtol=EXACT):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def results(kind, k, attack, **how):
    """All that is the same in any units."""
    model, X, y, w, powers = fitted(kind, k, **how)
    if how.get("uneven"):
        attack = attack | {"feature_scale": np.exp2(powers)}
    found = fa.aif(model, X, y, sample_weight=w, **attack)
    robust = fa.robust_fit(model, X, y, 0.05, sample_weight=w, **attack)
    attacked = fa.attack(model, X, y, 0.05, sample_weight=w, **attack)
    yield "influence", in_own_units(found.influence, powers)
    yield "per sample", in_own_units(found.per_sample(), powers)
    yield "prediction", in_own_units(found.predict_params(0.02), powers)
    yield "sensitivity", found.sensitivity(0.02)
    yield "validity radius", found.validity_radius
    yield "robust optimum", in_own_units(robust.params, powers)
    yield "its objective", robust.objective
    yield "whether it converged", float(robust.converged)
    yield "attacked inputs", np.ldexp(attacked, -powers)
    yield "loss", fa.adversarial_loss(model, X, y, 0.05, sample_weight=w, **attack)


@cache
def usual(kind, p):
    """In the units in which the data come."""
    return list(results(kind, 0, {"p": p}))


@pytest.mark.parametrize("k", [*WITHIN, *EVERY])
@pytest.mark.parametrize("p", NORMS)
def test_units_of_all_columns(kind, p, k):
    for (name, found), (_, expected) in zip(
        results(kind, k, {"p": p}), usual(kind, p), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("k", [-230, 30, 230])
@pytest.mark.parametrize("p", NORMS)
def test_columns_of_unlike_units(kind, p, k):
    """Each with its feature_scale: no norm is taken of what cannot be compared."""
    for (name, found), (_, expected) in zip(
        results(kind, k, {"p": p}, uneven=True), results(kind, 0, {"p": p}), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
def test_one_radius_for_columns_of_unlike_units(order, p):
    """It is far beyond what a column varies by: a word of it, and a way out."""
    X, y, _ = make("linear", n=70, m=3)
    X = np.ldexp(X, [300, 0, -300])
    model = fa.LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"column 2 of X by over 1e100 times.*feature_scale"):
        fa.robust_fit(model, X, y, 0.01, p=p, order=order)
    scales = {"feature_scale": np.exp2([300.0, 0.0, -300.0])}
    assert fa.robust_fit(model, X, y, 0.01, p=p, order=order, **scales).gap < 1e-9


@pytest.mark.parametrize("k", WITHIN)
def test_without_an_intercept(kind, k):
    how = {"attack": {"p": 2.0}, "fit_intercept": False}
    for (name, found), (_, expected) in zip(
        results(kind, k, **how), results(kind, 0, **how), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("order", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("k", [-300, 300])
def test_shared_budgets(k, order, p):
    """On the kinks of p = 1 and ∞ as well: entries that are as large, or zero, in any units."""
    found = results("linear", k, {"p": p, "order": order})
    expected = results("linear", 0, {"p": p, "order": order})
    for (name, there), (_, here) in zip(found, expected, strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-8, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("k", [*WITHIN, *BEYOND, *FITTED])
def test_fits_in_any_units(kind, k):
    model, *_, powers = fitted(kind, k)
    here, *_ = fitted(kind, 0)
    close(np.ldexp(model.coef_, powers), here.coef_)
    close(model.intercept_, here.intercept_)


@pytest.mark.parametrize("k", BEYOND)
@pytest.mark.parametrize("ask", [fa.aif, fa.robust_fit])
def test_squares_that_leave_the_range(kind, ask, k):
    model, X, y, w, _ = fitted(kind, k)
    eps = () if ask is fa.aif else (0.05,)
    with pytest.raises((ValueError, FloatingPointError), match=r"(multiply|divide) X by a power"):
        ask(model, X, y, *eps, sample_weight=w)


@pytest.mark.parametrize("k", BEYOND)
@pytest.mark.parametrize("p", NORMS)
def test_attacks_in_any_units(kind, p, k):
    """They take no square of an input."""
    model, X, y, w, powers = fitted(kind, k)
    here, X_0, *_ = fitted(kind, 0)
    found = fa.attack(model, X, y, 0.05, sample_weight=w, p=p)
    expected = fa.attack(here, X_0, y, 0.05, sample_weight=w, p=p)
    close(np.ldexp(found, -powers), expected)


@pytest.mark.parametrize("kind", ["linear", "huber"])
@pytest.mark.parametrize("k", [-460, -300, 300, 500])
def test_units_of_targets(kind, k):
    """Powers of two change no digit."""
    X, y, _ = make(kind, n=70, m=3)

    def found(power):
        targets = np.ldexp(y, power)
        model = fa.HuberRegression(2.0**power) if kind == "huber" else fa.LinearRegression()
        model.fit(X, targets)
        return [
            np.ldexp(part, -power) for part in (
                model.coef_, fa.aif(model, X, targets).influence,
                fa.robust_fit(model, X, targets, 0.05).params,
            )
        ]  # fmt: skip

    for there, here in zip(found(k), found(0), strict=True):
        close(there, here, 1e-14)


@pytest.mark.parametrize("kind", ["linear", "huber"])
@pytest.mark.parametrize("k", [-1000, -520, 520, 1000])
def test_targets_that_are_refused(kind, k):
    X, y, _ = make(kind, n=70, m=3)
    model = fa.HuberRegression(2.0**k) if kind == "huber" else fa.LinearRegression()
    with pytest.raises((ValueError, FloatingPointError), match=r"(multiply|divide) y"):
        model.fit(X, np.ldexp(y, k))
    model.n_features_in_, model.coef_, model.intercept_ = 3, np.zeros(3), np.ldexp(1.0, k)
    with pytest.raises((ValueError, FloatingPointError), match=r"(multiply|divide) y"):
        fa.aif(model, X, np.ldexp(y, k))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_penalty_that_hardly_holds_separable_classes(fit_intercept):
    """Two points at ±1e24: log(1 + e^−z) + α(z/1e24)² is least at e^−z/(1 + e^−z) = 2αz/1e48."""
    from scipy.optimize import brentq

    X, y, alpha = np.array([[-1e24], [1e24]]), np.array([0, 1]), 1e-3
    z = brentq(lambda z: 2.0 * alpha * z / 1e48 - np.exp(-z) / (1.0 + np.exp(-z)), 1.0, 200.0)
    model = fa.LogisticRegression(alpha, fit_intercept).fit(X, y)
    assert model.coef_[0] == pytest.approx(z / 1e24, rel=1e-12)
    if fit_intercept:
        # d/dε of the optimum of ℓ(z(1 − ε)): (z − 1)z/(z + 1), for e^−z beside 1.
        assert fa.aif(model, X, y).influence[0] == pytest.approx(
            (z - 1.0) * z / (z + 1.0) / 1e24, rel=1e-9
        )

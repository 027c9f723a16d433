"""The expansion that keeps the norm of the coefficients: its tangent, and where it is exact."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support.makers import assert_close, estimator, make

import fastaif as fa

KINDS = ["linear", "logistic", "poisson", "huber"]
NORMS = [1.0, 1.5, 2.0, 3.0, np.inf]


def quiet(call, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        return call(*arguments, **options)


def fitted(kind, alpha=0.0, seed=0, n=150):
    data = make(kind, n=n, seed=seed, weighted=True)
    return estimator(kind, alpha).fit(*data), data


def case(kind, p, alpha=0.0, **options):
    model, data = fitted(kind, alpha)
    return fa.aif(model, data.X, data.y, p=p, sample_weight=data.w, **options), model, data


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_its_tangent_at_zero_is_the_influence(kind, p):
    result, _, _ = case(kind, p, alpha=0.02)
    eps = 1e-6
    step = quiet(result.predict_params, eps) - result.params
    np.testing.assert_allclose(step / eps, result.influence, rtol=0, atol=2e-3 * size(result))


def size(result):
    return np.linalg.norm(result.influence)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("options", [{}, {"radius": 1.0, "feature_scale": [1, 0, 2, 1, 3]}])
def test_exact_for_squares_until_a_sample_turns_round(p, options):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 5)) + 3.0
    signs = rng.choice([-1.0, 1.0], size=60)
    y = X @ [1.0, -0.7, 0.4, 0.2, -0.1] + signs * rng.uniform(2.0, 3.0, size=60)
    model = fa.LinearRegression(alpha=0.01).fit(X, y)
    result = fa.aif(model, X, y, p=p, **options)
    eps = 0.02 if options else 0.03
    robust = fa.robust_fit(model, X, y, eps, p=p, **options)
    side = np.sign(model.predict(X) - y)
    assert np.array_equal(np.sign(robust.estimator.predict(X) - y), side)
    found = quiet(result.predict_params, eps)
    tolerance = 1e-6 if p == 3.0 else 1e-9
    np.testing.assert_allclose(found, robust.params, rtol=0, atol=tolerance * np.abs(found).max())
    exact = fa.sensitivity(model, X, y, eps, method="exact", p=p, **options)
    assert_close(quiet(result.sensitivity, eps), exact, 1e-5 if p == 3.0 else 1e-8)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", ["logistic", "poisson", "huber"])
def test_the_second_expansion_has_an_order_more(kind, p):
    """Its step misses by a twentieth of what the tangent misses by."""
    model, data = fitted(kind, 0.05, n=60)
    result = fa.aif(model, data.X, data.y, p=p, sample_weight=data.w)
    eps = 0.01
    robust = fa.robust_fit(model, data.X, data.y, eps, p=p, sample_weight=data.w)
    moved = np.linalg.norm(robust.params - result.params)
    error = np.linalg.norm(quiet(result.predict_params, eps) - robust.params) / moved
    straight = eps * result.influence + result.params - robust.params
    assert error < 0.05 * max(np.linalg.norm(straight) / moved, 0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_at_the_zero_radius(kind, p):
    """From there on the prediction is the robust optimum, and no cost is above its own."""
    result, model, data = case(kind, p, alpha=0.02)
    zero = result.problem.norm_expansion.zero
    for share, expected in ((0.999, False), (1.001, True)):
        robust = fa.robust_fit(
            model, data.X, data.y, share * zero.radius, p=p, sample_weight=data.w
        )
        assert (np.abs(robust.params[:-1]).max() < 1e-9) == expected
    found = quiet(result.predict_params, 1.001 * zero.radius)
    np.testing.assert_allclose(found, zero.theta, rtol=0, atol=1e-12)
    costs = quiet(result.sensitivity, zero.radius * np.array([0.2, 0.5, 0.9, 1.0, 3.0, 100.0]))
    top = quiet(fa.sensitivity, model, data.X, data.y, 2.0 * zero.radius, method="exact", p=p,
                sample_weight=data.w)  # fmt: skip
    assert np.all(costs <= top * (1 + 1e-9))
    assert_close(costs[-1], top, 1e-8)


def test_far_from_zero_columns_and_unlike_scales():
    """What shifting and rescaling the columns leaves alone is left alone."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 4))
    y = X @ [1.0, 0.5, -1.0, 0.1] + rng.normal(size=80)
    units, means = np.array([1e5, 1e-4, 1.0, 30.0]), np.array([1e8, 1.0, 1e6, 0.0])
    plain = fa.aif(fa.LinearRegression().fit(X, y), X, y, radius=1.0)
    Z = X * units + means
    moved = fa.aif(fa.LinearRegression().fit(Z, y), Z, y, radius=1.0, feature_scale=units)
    for eps in (1e-3, 0.05):
        cost = quiet(plain.sensitivity, eps)
        assert quiet(moved.sensitivity, eps) == pytest.approx(cost, rel=1e-5)


@pytest.mark.parametrize("kind", ["linear", "poisson"])
def test_past_the_zero_radius_of_a_close_fit(kind, rng):
    """Residuals at θ̂ say nothing of the steepness where no coefficient is left."""
    X = rng.normal(size=(300, 3))
    f = X @ [1.0, -0.5, 0.3]
    y = f + 0.01 * rng.normal(size=300) if kind == "linear" else rng.poisson(np.exp(f + 8.0))
    result = fa.aif(estimator(kind).fit(X, y), X, y)
    mean = y.mean() if kind == "linear" else np.log(y.mean())
    zero = fa.zero_radius(estimator(kind).fit(X, y), X, y)
    for share in (1.001, 1.5, 5.0):
        step = quiet(result.predict_params, share * zero)
        np.testing.assert_allclose(step, [0.0, 0.0, 0.0, mean], rtol=0, atol=1e-9 * abs(mean))


def test_the_cap_counts_the_penalty(rng):
    """What is not attacked takes over from what is, and its penalty grows: E ℓ may fall by more
    at the model without attackable features than on the way there."""
    x = rng.normal(size=(400, 2))
    X = np.column_stack([x[:, 1] + 0.5 * x[:, 0], x[:, 1]])
    y = X @ [-0.5, 1.0]
    model = fa.LinearRegression(fit_intercept=False, alpha=0.5).fit(X, y)
    attack = {"attackable": [True, False]}
    result, zero = fa.aif(model, X, y, **attack), fa.zero_radius(model, X, y, **attack)
    for share in (0.2, 0.5, 0.7):
        cost = fa.sensitivity(model, X, y, share * zero, method="exact", **attack)
        found = quiet(result.sensitivity, share * zero)
        assert found == pytest.approx(cost, rel=0.02)

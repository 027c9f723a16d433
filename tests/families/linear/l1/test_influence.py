"""The influence of models with an l1 penalty, against differences of exact robust optima."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles.l1 import robust_optimum

import fastaif as fa

MODELS = {
    "squared_error": fa.LinearRegression, "huber": fa.HuberRegression,
    "poisson": fa.PoissonRegression, "logistic": fa.LogisticRegression,
    "gamma": fa.GammaRegression,
}  # fmt: skip
BETA = np.array([1.0, -0.8, 0.0, 0.0, 0.5, 0.4, 0.0, 0.02])


def data(loss, seed=0, n=90):
    """Rows, targets and weights; two of the columns are nearly alike."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, BETA.size)) + 0.3
    X[:, 5] = X[:, 4] + 0.3 * rng.normal(size=n)
    f = X @ BETA
    targets = {
        "squared_error": f + rng.normal(size=n), "huber": f + rng.standard_t(3, size=n),
        "poisson": rng.poisson(np.exp(0.4 * f)).astype(float),
        "gamma": rng.gamma(2.0, np.exp(0.4 * f)), "logistic": np.sign(f + rng.logistic(size=n)),
    }  # fmt: skip
    return X, targets[loss], rng.uniform(0.5, 2.0, size=n)


def quiet_aif(model, X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error", fa.InfluenceWarning)
        return fa.aif(model, X, y, **options)


def slope(theta, optimum, h):
    """dθ/dε at 0 from three optima."""
    a, b, c = ((optimum(eps) - theta) / eps for eps in (h, 2.0 * h, 4.0 * h))
    return (4.0 * (2.0 * a - b) - (2.0 * b - c)) / 3.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ratio", [1.0, 0.6])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("loss", MODELS)
def test_it_is_the_derivative_of_robust_optima(loss, p, ratio, weighted):
    X, y, w = data(loss)
    w = w if weighted else None
    model = MODELS[loss](alpha=0.12, l1_ratio=ratio).fit(X, y, w)
    theta, signs = np.append(model.coef_, model.intercept_), np.sign(model.coef_)
    assert 0 < np.count_nonzero(signs) < signs.size
    result = quiet_aif(model, X, y, p=p, radius=1.0, sample_weight=w)
    assert np.all(result.influence[:-1][signs == 0] == 0.0)

    def optimum(rho):
        return robust_optimum(
            X, y, theta, loss=loss, alpha=0.12 * (1 - ratio), l1=0.12 * ratio, rho=rho, p=p,
            signs=signs, weights=w,
        )  # fmt: skip

    h = min(2e-5, 0.1 * result.validity_radius)
    wanted = slope(theta, optimum, h)
    np.testing.assert_allclose(
        result.influence, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max()
    )
    mean = np.average(result.per_sample(), axis=0, weights=w)
    np.testing.assert_allclose(mean, result.influence, rtol=0, atol=1e-12 * np.abs(mean).max())


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_up_to_the_validity_radius_signs_stay(loss, p):
    X, y, _ = data(loss, seed=2)
    model = MODELS[loss](alpha=0.15, l1_ratio=0.9).fit(X, y)
    result = fa.aif(model, X, y, p=p, radius=1.0)
    eps = 0.9 * result.validity_radius
    predicted = result.predict_params(eps, expansion="linear")
    np.testing.assert_array_equal(np.sign(predicted[:-1]), np.sign(model.coef_))


def test_coefficients_that_would_cross_zero_are_predicted_there():
    X, y, _ = data("squared_error")
    model = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, y)
    result = fa.aif(model, X, y, radius=1.0)
    with pytest.warns(fa.InfluenceWarning):
        predicted = result.predict_params(1.0)
    straight = result.params + result.influence
    crossed = result.params[:-1] * straight[:-1] < 0
    assert crossed.any()
    assert np.all(predicted[:-1][crossed] == 0.0)
    np.testing.assert_array_equal(predicted[:-1][~crossed], straight[:-1][~crossed])


@pytest.mark.parametrize("p", [2.0, np.inf])
def test_when_coefficients_leave_and_reach_zero(p):
    X, y, _ = data("squared_error")
    result = fa.aif(fa.LinearRegression(alpha=0.12, l1_ratio=1.0).fit(X, y), X, y, p=p, radius=1.0)
    problem, speed = result.problem, result.influence
    falling = result.params[:-1] * speed[:-1] < 0.0
    wanted = np.min(-result.params[:-1][falling] / speed[:-1][falling])
    assert np.isclose(problem._vanishing(speed).eps, wanted, rtol=1e-12)
    eps, zeros = problem._joining(speed).eps, ~problem.support
    drift, heights = (part[zeros] for part in problem.drift(speed))
    if np.isinf(eps):  # the attack's norm holds them
        assert np.all(np.abs(drift) <= heights)
    else:
        beyond = np.abs(problem.pulls[zeros] + eps * drift) - problem.l1_weights[zeros]
        assert abs((beyond - eps * heights).max()) <= 1e-12


def orthogonal(level, n_bound, seed=0):
    """Centred orthogonal columns, of which `n_bound` have a pull of exactly λ = level at zero."""
    rng = np.random.default_rng(seed)
    n, m = 64, 5
    Q = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, m + 1))]))[0]
    X, noise = np.sqrt(n) * Q[:, 1 : m + 1], np.sqrt(n) * Q[:, m + 1]
    pulls = np.array([1.0, -0.8, 0.1 * level, level / 2, -level / 2])
    pulls[3 + n_bound :] = 0.2 * level
    return X, X @ pulls + 0.7 * noise + 3.0


@pytest.mark.parametrize("n_bound", [1, 2])
@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_at_the_bound_of_a_pull_the_derivative_is_one_sided(p, n_bound):
    """Among near-by penalties, at which nothing is at a bound, one of the two cases is right."""
    level = 0.25
    X, y = orthogonal(level, n_bound)
    model = fa.LinearRegression(alpha=level, l1_ratio=1.0).fit(X, y)
    model.coef_[3:] = 0.0
    result = quiet_aif(model, X, y, p=p, radius=1.0)
    sides = np.sign([0.0, 0.0, 0.0, 1.0, -1.0])
    theta = np.append(model.coef_, model.intercept_)
    signs = np.sign(model.coef_)
    moved = result.influence[:-1] * (signs == 0)
    assert np.all(moved * sides >= 0.0)
    signs = signs + np.sign(moved)
    h = 1e-5

    def optimum(rho):
        return robust_optimum(
            X, y, theta + 1e-3 * h * np.append(moved, 0.0), loss="squared_error", alpha=0.0,
            l1=level, rho=rho, p=p, signs=signs,
        )  # fmt: skip

    wanted = slope(theta, optimum, h)
    np.testing.assert_allclose(
        result.influence, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max()
    )

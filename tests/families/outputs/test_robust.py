"""Attacks on models of several outputs and training against them, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import outputs as twin
from oracles.norms import dual_order, norm
from sklearn.linear_model import Ridge
from support.makers import about, assert_close, relative_error
from support.outputs_makers import fitted, make
from support.softmax_makers import theta_of

import fastaif as fa
from fastaif.families.outputs.attack import certificate
from fastaif.families.registry import adversary_of

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")


def losses_of(model, X, Y):
    return twin.losses(X, Y, theta_of(model))


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
def test_influence_is_the_slope_of_robust_optima(p):
    data = make(3)
    model = fitted(data)
    result = fa.aif(model, data.X, data.Y, p=p, sample_weight=data.w)
    errors = []
    for eps in (1e-4, 1e-5):
        robust = fa.robust_fit(model, data.X, data.Y, eps, p=p, sample_weight=data.w)
        assert robust.converged
        slope = (robust.params - result.params) / eps
        errors.append(relative_error(slope, result.influence))
    assert errors[0] < 3e-3
    assert errors[1] == pytest.approx(0.1 * errors[0], rel=0.05)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_values_of_shared_budgets_have_their_slope(order):
    data = make(3)
    model, options = fitted(data), {"order": order, "radius": 1.0}
    result = fa.aif(model, data.X, data.Y, **options)
    clean, worse = (
        fa.adversarial_loss(model, data.X, data.Y, eps, **options) for eps in (0.0, 1e-5)
    )
    assert (worse - clean) / 1e-5 == about(result.value_derivative, 1e-3)


def test_gain_equals_cost():
    data = make(3)
    found = fa.aif(fitted(data), data.X, data.Y, sample_weight=data.w).verify(1e-4)
    assert found.method == "exact"
    assert found.exact_cost == about(found.predicted_cost, 1e-3)
    assert found.exact_gain == about(found.predicted_gain, 1e-3)


@pytest.mark.parametrize(("t", "m", "p"), [(3, 3, 1.0), (3, 6, np.inf), (2, 10, np.inf)])
@pytest.mark.parametrize("method", ["exact", "pgd"])
def test_attacks_end_at_the_worst_vertex(t, m, p, method):
    data = make(t, m=m)
    model, more = fitted(data), {"method": method, "n_restarts": 2}
    found = fa.attack(model, data.X, data.Y, 0.4, p=p, radius=1.0, **more)
    corners = np.vstack([np.eye(m), -np.eye(m)])
    if np.isinf(p):
        corners = np.array(list(itertools.product([-1.0, 1.0], repeat=m)))
    worst = np.max([losses_of(model, data.X + 0.4 * c, data.Y) for c in corners], axis=0)
    np.testing.assert_allclose(losses_of(model, found, data.Y), worst, rtol=1e-12)


@pytest.mark.parametrize("t", [2, 4])
def test_attacks_in_a_disc_are_the_worst_of_all_around(t):
    data = make(t, m=2)
    model = fitted(data)
    found = losses_of(model, fa.attack(model, data.X, data.Y, 0.8, radius=1.0), data.Y)
    angles = np.linspace(0.0, 2.0 * np.pi, 2000)
    around = 0.8 * np.column_stack([np.cos(angles), np.sin(angles)])
    worst = np.max([losses_of(model, data.X + d, data.Y) for d in around], axis=0)
    assert np.all(found >= worst - 1e-9)
    np.testing.assert_allclose(found, worst, rtol=1e-5)


def test_ascents_reach_what_is_exact():
    data = make(3, n=200)
    model = fitted(data)
    exact, climbed = (
        fa.adversarial_loss(model, data.X, data.Y, 0.5, method=method, n_restarts=2, n_steps=300)
        for method in ("exact", "pgd")
    )
    assert climbed == about(exact, 1e-10)


def test_exactly_fitted_samples_are_attacked_along_what_moves_outputs_most():
    data = make(2)
    model = fitted(data)
    Y = model.predict(data.X)
    for p in (1.0, 2.0, 3.0, np.inf):
        found = fa.attack(model, data.X, Y, 0.3, p=p, radius=1.0)
        np.testing.assert_allclose(norm(found - data.X, p), 0.3, rtol=1e-9)
        least = 0.09 * np.max(np.sum(model.coef_**2, axis=0))
        assert losses_of(model, found, Y).min() >= 0.999 * least
    top = np.linalg.norm(model.coef_, 2)
    found = fa.attack(model, data.X, Y, 0.3, radius=1.0)
    np.testing.assert_allclose(losses_of(model, found, Y), (0.3 * top) ** 2, rtol=1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
def test_the_certificate_bounds_every_attack(p):
    data = make(3)
    model = fitted(data)
    problem = fa.aif(model, data.X, data.Y, p=p, sample_weight=data.w).problem
    for eps in (0.01, 0.3):
        reach = eps * problem.radius * norm(model.coef_, dual_order(p))
        errors = np.abs(model.predict(data.X) - data.Y) + reach
        wanted = np.average(np.sum(errors**2, axis=1), weights=data.w)
        proven = certificate(problem, problem.params, eps)
        assert proven == about(wanted)
        assert proven > adversary_of(problem).loss(problem.params, eps, None)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_what_a_robust_fit_says_of_itself(p):
    data = make(3)
    model, eps = fitted(data), 0.2
    robust = fa.robust_fit(model, data.X, data.Y, eps, p=p, sample_weight=data.w)
    assert robust.converged

    def value(coef, intercept):
        other = fitted(data)
        other.coef_, other.intercept_ = coef, intercept
        told = fa.adversarial_loss(
            other, data.X, data.Y, eps, p=p, sample_weight=data.w, n_restarts=2, n_steps=300
        )
        return told + 0.02 * np.sum(coef**2)

    best = robust.estimator
    here = value(best.coef_, best.intercept_)
    assert robust.objective == about(here, 1e-9)
    assert robust.method == "exact"
    assert robust.gap < 1e-8
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-2, 1e-3):  # convex: no θ around does better
        for _ in range(6):
            step, move = size * rng.normal(size=best.coef_.shape), size * rng.normal(size=3)
            assert value(best.coef_ + step, best.intercept_ + move) > here - 1e-9


def test_one_output_and_one_that_never_varies_are_robust_together():
    """The second's own optimum is zero everywhere; a sample that turns round ends at a kink."""
    data = make(1)
    both = np.column_stack([data.Y, np.full(len(data.X), 2.5)])
    one = fa.robust_fit(fa.LinearRegression(alpha=0.02).fit(data.X, data.Y), data.X, data.Y, 0.1)
    two = fa.robust_fit(fa.LinearRegression(alpha=0.02).fit(data.X, both), data.X, both, 0.1)
    assert_close(two.estimator.coef_[0], one.estimator.coef_[0], 1e-6)
    assert np.abs(two.estimator.coef_[1]).max() < 1e-6
    assert two.objective == about(one.objective, 1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
def test_coefficients_of_nothing_stay(p):
    """No attack moves the predictions of a model that is fitted to one row."""
    data = make(3)
    X, Y = data.X[:1], data.Y[:1]
    found = fa.robust_fit(Ridge(alpha=0.1).fit(X, Y), X, Y, 0.1, p=p, radius=1.0)
    np.testing.assert_allclose(found.estimator.coef_, 0.0)
    np.testing.assert_allclose(found.estimator.intercept_, Y[0], rtol=1e-12)


def test_a_path_is_its_robust_fits():
    data = make(3)
    model = fitted(data)
    path = fa.robust_path(model, data.X, data.Y, [0.02, 0.05])
    assert path.converged
    for eps in (0.02, 0.05):
        robust = fa.robust_fit(model, data.X, data.Y, eps)
        assert_close(path.params_at(eps), robust.params, 1e-6)
    assert path.cost(0.05) > path.cost(0.02) > 0.0
    assert path.adversarial_loss(0.05) > path.clean_loss(0.05)


def test_single_precision_stays_inside():
    data = make(3)
    X = data.X.astype(np.float32)
    found = fa.attack(fitted(data), X, data.Y, 0.1, radius=1.0)
    assert found.dtype == np.float32
    assert np.linalg.norm(found.astype(float) - X, axis=1).max() <= 0.1


def test_a_meta_estimator_takes_several_outputs():
    data = make(2)
    model = fa.AdversarialTraining(fa.LinearRegression(), eps=0.1).fit(data.X, data.Y)
    assert model.predict(data.X).shape == data.Y.shape
    alone = fa.LinearRegression().fit(data.X, data.Y)
    known = fa.robust_fit(alone, data.X, data.Y, 0.1, tol=model.tol)
    assert_close(theta_of(model.estimator_), known.params, 1e-12)

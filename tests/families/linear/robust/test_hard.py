"""Robust fits that are hard: far attacks, separable classes, flat losses, unweighted outliers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from support.fuzz import random_case

import fastaif as fa
from fastaif.families.problem import InfluenceProblem
from fastaif.utils.warnings import SolverWarning


def test_attacks_far_beyond_the_curvature_of_the_loss():
    """In raw units κ is in the hundreds, where the logistic loss is straight."""
    X, y = load_wine(return_X_y=True)
    fit = fa.robust_fit(fa.LogisticRegression().fit(X, y == 1), X, y == 1, 0.1, p=np.inf)
    assert fit.converged
    assert fit.objective == pytest.approx(0.57744, abs=1e-5)  # CVXPY with Clarabel
    X, y = load_breast_cancer(return_X_y=True)
    fit = fa.robust_fit(fa.LogisticRegression().fit(X, y), X, y, 0.3, p=np.inf)
    assert fit.converged
    assert fit.objective == pytest.approx(0.57541, abs=1e-5)


@pytest.fixture
def separable():
    X = np.random.default_rng(0).normal(size=(39, 4))
    y = X[:, 0] > 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fa.LogisticRegression(alpha=0).fit(X, y), X, y


def test_separable_classes_may_have_a_robust_optimum(separable):
    fit = fa.robust_fit(*separable, 0.3)
    assert fit.converged
    assert fit.objective == pytest.approx(0.620544, abs=1e-6)


def test_classes_that_stay_separable_under_attack_have_none(separable):
    with pytest.warns(SolverWarning):
        fit = fa.robust_fit(*separable, 0.01)
    assert not fit.converged


def test_at_zero_radius_the_natural_optimum():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(5, 10)), rng.normal(size=5)
    with pytest.warns(match="singular"):
        model = fa.LinearRegression().fit(X, y)
    fit = fa.robust_fit(model, X, y, 0.0)
    assert fit.converged
    np.testing.assert_allclose(X @ fit.params[:-1] + fit.params[-1], y, rtol=1e-10)


def test_rows_without_weight_may_overflow():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(100, 2))
    y = rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    far, w = X.copy(), np.ones(100)
    far[3], w[3] = 1e5, 0.0
    model = fa.PoissonRegression().fit(far, y, w)
    kept = w > 0
    plain = fa.PoissonRegression().fit(X[kept], y[kept])
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    np.testing.assert_allclose(
        fa.aif(model, far, y, sample_weight=w).influence,
        fa.aif(plain, X[kept], y[kept]).influence,
        rtol=1e-8,
    )


def test_targets_fitted_to_the_last_digit_are_refused():
    X = np.random.default_rng(3).normal(size=(50, 3))
    y = X @ np.array([1.0, 2.0, 3.0]) + 5.0
    with pytest.raises(ValueError, match="fits every target exactly"):
        fa.aif(fa.LinearRegression().fit(X, y), X, y)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("eps", [0.01, 0.1])
def test_multipliers_close_to_their_bounds(p, eps):
    """Residuals far beyond δ: many kinks, most of them attacked at one end almost alone."""
    X, y = load_diabetes(return_X_y=True)
    fit = fa.robust_fit(fa.HuberRegression().fit(X, y), X, y, eps, p=p)
    assert fit.converged
    assert fit.residual <= 1e-12


@pytest.mark.parametrize("delta", [1e-8, 1e-3, 1.0, 1e4])
def test_huber_fits_at_any_delta(delta):
    X, y = load_diabetes(return_X_y=True)
    model = fa.HuberRegression(delta=delta).fit(X, y)
    residual = model.predict(X) - y
    slope = residual / np.hypot(1.0, residual / delta)
    rows = np.column_stack([X, np.ones(len(y))])
    yardstick = np.mean(np.abs(slope) * np.linalg.norm(rows, axis=1))
    # A slope is known to rounding of the residual over δ, and no better.
    known = max(1e-10, np.finfo(float).eps * np.abs(y).max() / delta)
    assert np.linalg.norm(rows.T @ slope / len(y)) <= known * yardstick


def test_parts_of_the_protocol_agree_with_their_wholes():
    """Budgets, weights and products that later kinds of problems are made of."""
    X, y = load_diabetes(return_X_y=True)
    problem = fa.aif(fa.LinearRegression().fit(X, y), X, y).problem
    assert isinstance(problem, InfluenceProblem)
    ones, half = np.ones(len(y)), (np.arange(len(y)) % 2).astype(float)
    np.testing.assert_allclose(problem.mixed(ones), problem.mixed(), rtol=1e-12)
    np.testing.assert_allclose(
        problem.mixed(half) + problem.mixed(1.0 - half), problem.mixed(), rtol=1e-9
    )
    whole = fa.LinearRegression().fit(X[half > 0], y[half > 0])
    refitted = problem.fit_result(half).x
    np.testing.assert_allclose(refitted[:-1], whole.coef_, rtol=1e-9)
    v = np.arange(11.0)
    np.testing.assert_allclose(problem.hess_vec(v), problem.hessian @ v)
    np.testing.assert_allclose(problem.hess_vec(problem.solve(v)), v, atol=1e-8)


def test_steps_that_lead_nowhere_end_at_the_kinks_that_show():
    """Many rows of zeros, of which those sorted in late leave no room for a step."""
    case = random_case(940_012)
    found = fa.robust_fit(case.model, case.X, case.y, 0.05, sample_weight=case.w, **case.attack)
    assert found.converged
    assert found.gap <= 1e-12

"""Order 2 and the squared error with few rows: fits that meet every target, and those that do not.
"""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(seed: int, n: int = 20, m: int = 60):
    """More columns than rows, targets with as much noise as signal, and weights."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, m))
    y = X @ rng.standard_normal(m) / np.sqrt(m) + rng.standard_normal(n)
    return X, y, rng.uniform(0.2, 2.0, n)


def objective(beta, constant, X, y, w, rho, q, alpha):
    root = np.sqrt(np.average((X @ beta + constant - y) ** 2, weights=w))
    return (root + rho * np.linalg.norm(beta, q)) ** 2 + alpha * beta @ beta


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("eps", [0.01, 0.05, 0.2])
def test_wide_fits_are_proven(p, alpha, eps):
    """To 1e-8, and nothing near is lower."""
    X, y, w = data(0)
    model = fa.LinearRegression(alpha=alpha).fit(X, y, w)
    found = fa.robust_fit(model, X, y, eps, p=p, order=2, sample_weight=w)
    assert found.converged
    assert found.gap <= 1e-8
    q = {1.0: np.inf, 1.5: 3.0, 2.0: 2.0, np.inf: 1.0}[p]
    beta, constant = found.estimator.coef_, found.estimator.intercept_
    rest = (X, y, w, eps * found.radius, q, alpha)
    value = objective(beta, constant, *rest)
    assert np.isclose(found.objective, value, rtol=1e-10)
    rng = np.random.default_rng(1)
    for size in (1e-5, 1e-3, 1e-1):
        for move in size * rng.standard_normal((50, beta.size + 1)):
            there = objective(beta + move[:-1], constant + move[-1], *rest)
            assert there >= value * (1.0 - 1e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_weak_attacks_leave_the_shortest_fit_that_meets_all(alpha):
    X, y, _ = data(1)
    model = fa.LinearRegression(alpha=alpha, fit_intercept=False).fit(X, y)
    found = fa.robust_fit(model, X, y, 0.01, order=2)
    np.testing.assert_allclose(found.params, np.linalg.pinv(X) @ y, rtol=1e-6, atol=1e-9)
    assert found.gap <= 1e-8


@pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.SolverWarning")
def test_a_bound_is_no_more_than_the_minimum():
    """Where a few passes end it, on targets nearly met as elsewhere."""
    X, y, _ = data(2)
    for eps in (0.01, 0.05, 0.1, 0.2):
        for alpha in (0.0, 0.1):
            model = fa.LinearRegression(alpha=alpha).fit(X, y)
            best = fa.robust_fit(model, X, y, eps, p=np.inf, order=2).objective
            for limit in (50, 70, 90, 110):
                found = fa.robust_fit(model, X, y, eps, p=np.inf, order=2, max_iter=limit)
                assert found.objective * (1.0 - found.gap) <= best * (1.0 + 1e-9)

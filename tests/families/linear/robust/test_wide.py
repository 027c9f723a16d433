"""More columns than rows: natural and robust fits by matrices of the rows."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from support.makers import DELTA, estimator
from support.random_problems import RobustCase, clarabel_optimum, gaussian

import fastaif as fa

ROWS, COLUMNS = 60, 500


def wide(kind: str, n: int = ROWS, m: int = COLUMNS, seed: int = 1):
    return gaussian(kind, n, m, seed)


def worst_loss(X, y, theta, rho, p):
    q = {1.0: np.inf, np.inf: 1.0}.get(p) or p / (p - 1.0)
    r = X @ theta[:-1] + theta[-1] - y
    return np.mean((np.abs(r) + rho * np.linalg.norm(theta[:-1], q)) ** 2)


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize("share", [0.02, 0.3])
@pytest.mark.filterwarnings("ignore")
def test_a_general_solver_does_no_better(p, alpha, share):
    X, y = wide("linear")
    zero = np.linalg.norm((y - y.mean()) @ X, p) / np.abs(y - y.mean()).sum()
    rho = share * zero
    model = fa.LinearRegression(alpha=alpha).fit(X, y)
    found = fa.robust_fit(model, X, y, rho, p=p, radius=1.0)
    assert found.converged
    assert found.residual <= 1e-12
    assert found.gap <= 1e-10
    case = RobustCase("linear", X, y, None, alpha, True, p, rho, None)
    theirs = clarabel_optimum(case, rho, DELTA)
    mine, best = (
        worst_loss(X, y, x, rho, p) + alpha * x[:-1] @ x[:-1] for x in (found.params, theirs)
    )
    assert found.objective == pytest.approx(mine, rel=1e-12)
    assert mine <= best * (1.0 + 1e-9)


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.filterwarnings("ignore")
def test_weak_attacks_leave_the_interpolator_of_least_norm(p):
    """Up to a radius the optimum is the same, and fits all rows."""
    X, y = wide("linear")
    model = fa.LinearRegression().fit(X, y)
    fits = [fa.robust_fit(model, X, y, rho, p=p, radius=1.0) for rho in (0.01, 0.02)]
    for found in fits:
        assert found.converged
        np.testing.assert_allclose(X @ found.params[:-1] + found.params[-1], y, atol=1e-9)
    np.testing.assert_allclose(fits[0].params, fits[1].params, atol=1e-7)


@pytest.mark.parametrize("kind", ["logistic", "poisson", "huber"])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("tol", [1e-6, 1e-12])
def test_every_loss(kind, p, tol):
    X, y = wide(kind)
    model = estimator(kind, 1e-2, True).fit(X, y)
    found = fa.robust_fit(model, X, y, 0.01, p=p, tol=tol)
    assert found.converged
    assert found.gap <= max(tol, 1e-10)


@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson", "huber"])
@pytest.mark.parametrize("weighted", [False, True])
def test_natural_fits_with_a_penalty(kind, weighted):
    """The gradient vanishes."""
    X, y = wide(kind)
    w = np.arange(ROWS) % 3.0 if weighted else np.ones(ROWS)
    model = estimator(kind, 1e-2, True).fit(X, y, w)
    f = X @ model.coef_.ravel() + model.intercept_
    slope = {
        "linear": lambda: 2.0 * (f - y),
        "logistic": lambda: -y / (1.0 + np.exp(y * f)),
        "poisson": lambda: np.exp(f) - y,
        "huber": lambda: (f - y) / np.hypot(1.0, (f - y) / DELTA),
    }[kind]()
    share = w / w.sum()
    gradient = X.T @ (share * slope) + 0.02 * model.coef_.ravel()
    scale = np.sqrt(COLUMNS) * np.mean(np.abs(slope))
    assert np.linalg.norm(gradient) <= 1e-11 * scale
    assert abs(share @ slope) <= 1e-11 * scale


def test_natural_fits_without_one_are_of_least_norm():
    X, y = wide("linear")
    with pytest.warns(match="singular"):
        model = fa.LinearRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_, np.linalg.lstsq(X, y, rcond=None)[0], atol=1e-11)


def test_no_matrix_of_the_columns_is_made_by_natural_fits():
    X, y = wide("linear", 30, 20_000)
    tracemalloc.start()
    try:
        fa.LinearRegression(alpha=1e-3).fit(X, y)
        assert tracemalloc.get_traced_memory()[1] <= 40 * X.nbytes
    finally:
        tracemalloc.stop()

"""Newton's methods on functions whose minimum is known."""

from __future__ import annotations

import numpy as np

from fastaif.solvers.lbfgs import minimize_adversarial
from fastaif.solvers.newton import Local, minimize
from fastaif.solvers.nonconvex_newton import minimize_nonconvex


def bowl(A, centre):
    """½ (x − c)ᵀA(x − c) + Σ (x − c)⁴, whose minimum is c."""

    def evaluate(x):
        r = x - centre
        value = 0.5 * float(r @ A @ r) + float((r**4).sum())
        return Local(value, A @ r + 4.0 * r**3, A + np.diag(12.0 * r**2), 1.0)

    return evaluate


def test_newton(rng):
    A, centre = np.diag([1.0, 4.0, 9.0]) + 0.3, rng.normal(size=3)
    found = minimize(bowl(A, centre), np.full(3, 5.0), tol=1e-12)
    assert found.converged
    np.testing.assert_allclose(found.x, centre, rtol=1e-11, atol=1e-12)
    assert found.n_iter <= 15


def test_newton_takes_the_least_of_many_minimisers():
    """Where H is singular."""
    A, b = np.array([[2.0, 2.0], [2.0, 2.0]]), np.array([4.0, 4.0])

    def evaluate(x):
        return Local(0.5 * float(x @ A @ x) - float(b @ x), A @ x - b, A, 1.0)

    found = minimize(evaluate, np.zeros(2), tol=1e-12)
    assert found.singular
    np.testing.assert_allclose(found.x, [1.0, 1.0], rtol=1e-12)


def test_newton_without_convexity(rng):
    """(x² − 1)²/4 + y²: from near the maximum at 0 to a minimum."""

    def evaluate(x):
        a, b = x
        gradient = np.array([a**3 - a, 2.0 * b])
        hessian = np.array([[3.0 * a**2 - 1.0, 0.0], [0.0, 2.0]])
        return Local(0.25 * (a**2 - 1.0) ** 2 + b**2, gradient, hessian, 1.0)

    found = minimize_nonconvex(evaluate, np.array([0.05, 0.7]), tol=1e-12, max_iter=60)
    assert found.converged
    np.testing.assert_allclose(np.abs(found.x), [1.0, 0.0], atol=1e-10)


def test_lbfgs_in_a_metric(rng):
    A, centre = np.diag(np.geomspace(1.0, 1e4, 6)), rng.normal(size=6)
    evaluate = bowl(A, centre)

    def value_and_slope(x):
        local = evaluate(x)
        return local.value, local.gradient

    metric = np.linalg.cholesky(A)
    found = minimize_adversarial(value_and_slope, centre + 0.1, metric, 200)
    np.testing.assert_allclose(found.theta, centre, atol=1e-5)
    assert found.converged

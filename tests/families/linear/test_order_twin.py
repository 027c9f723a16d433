"""The slow twin of shared budgets against finite differences of robust optima."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import basis as basis_twin
from oracles import gram, order
from oracles import kernels as kernel_twin
from support import basis_makers, kernel_makers, makers

U = [1.0, 1.25, 2.0, 4.0, np.inf]
P = [1.0, 1.5, 2.0, 3.0, np.inf]
EPS = np.array([4e-6, 1e-6])
BASES = {
    "linear": (basis_twin.Powers(1), makers.make_clear),
    "quadratic": (basis_twin.Quadratic(), basis_makers.make_clear),
    "cubes": (basis_twin.Powers(3), basis_makers.make_clear),
}


def slope_of(errors):
    return np.log(errors[0] / errors[1]) / np.log(EPS[0] / EPS[1])


def assert_first_order(robust, theta, influence):
    """(theta_eps - theta) / eps - I is small, and falls with eps."""
    errors = np.array([np.linalg.norm((robust(e) - theta) / e - influence) for e in EPS])
    errors /= np.linalg.norm(influence)
    assert errors[1] <= 2e-3, errors
    assert abs(slope_of(errors) - 1.0) <= 0.1 or errors[0] <= 2e-8, errors
    return errors


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("name", BASES)
def test_basis_models(kind, name, p, u):
    basis, make = BASES[name]
    X, y, w = make(kind)
    w = w.copy()
    w[::7] = 0.0
    known = {"loss": makers.LOSS[kind], "alpha": 0.1, "delta": makers.DELTA, "sample_weight": w}
    theta = basis_twin.natural_fit(basis, X, y, **known)
    found = order.influence(basis, X, y, theta, order=u, p=p, **known)
    assert_first_order(
        lambda e: order.robust_fit(basis, X, y, theta, e, order=u, p=p, **known),
        theta, found["influence"],
    )  # fmt: skip


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
@pytest.mark.parametrize("moving", [True, False])
def test_kernel_regressions(moving, penalty, p, u):
    X, y, w = kernel_makers.positive(kernel_makers.make(n=16))
    centers = None if moving else X[:5] + 0.1
    model = gram.Regression(kernel_twin.RBF(0.7), y, 0.5, penalty, centers, w)
    theta = model.fit(X)
    found = order.kernel_influence(model, X, theta, order=u, p=p)
    assert_first_order(
        lambda e: order.kernel_robust_fit(model, theta, X, e, order=u, p=p),
        theta, found["influence"],
    )  # fmt: skip
    np.testing.assert_allclose(model.w @ found["per_sample"], found["influence"], rtol=1e-9)


@pytest.mark.parametrize("u", U)
def test_the_shares_cost_the_budget_and_are_the_best(rng, u):
    w = rng.integers(0, 4, size=40).astype(float)
    w /= w.sum()
    g = rng.uniform(0.1, 3.0, size=40)
    t = order.shares(g, w, u)
    value = order.slope(g, w, u)
    assert w @ (t * g) == pytest.approx(value, rel=1e-13)
    if np.isinf(u):
        assert np.all(t == 1.0)
        return
    assert w @ t**u == pytest.approx(1.0, rel=1e-13)
    for _ in range(200):
        other = rng.exponential(size=40) ** 2 * (t if rng.random() < 0.5 else 1.0)
        other /= (w @ other**u) ** (1.0 / u)
        assert w @ (other * g) <= value * (1 + 1e-12)


def test_extreme_orders_and_gains(rng):
    w = np.full(30, 1 / 30)
    g = rng.uniform(0.5, 1.0, size=30)
    for size in (1e-300, 1.0, 1e300):
        for u in (1.0 + 1e-12, 1.001, 1e12):
            t = order.shares(size * g, w, u)
            assert np.all(np.isfinite(t))
            np.testing.assert_allclose(t, order.shares(g, w, u), rtol=1e-10)
    np.testing.assert_allclose(order.shares(g, w, 1.0 + 1e-12), order.shares(g, w, 1.0), rtol=1e-9)
    np.testing.assert_allclose(order.shares(g, w, 1e12), 1.0, rtol=1e-11)

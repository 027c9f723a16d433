"""A few digits of robust fits with the squared error: soon had, and proven."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.random_problems import gaussian

import fastaif as fa
from fastaif.families.linear.robust import solve
from fastaif.families.linear.robust.squares import SquaresSearch


@pytest.fixture
def searches(monkeypatch):
    """The searches that are made, and whether they led to a proof."""
    made = []

    class Watched(SquaresSearch):
        def proves(self, tol, wary=False):
            proven = super().proves(tol, wary)
            if self.is_done:
                made.append((self, proven))
            return proven

    monkeypatch.setattr(solve, "SquaresSearch", Watched)
    return made


def data(n: int, m: int):
    """Columns far from zero, one that nobody attacks, weights of zero among others."""
    X, y = gaussian("linear", n, m)
    X = X + 2.0 * (np.arange(m) % 3 == 0)
    return X, y, np.arange(n) % 4.0, np.append(np.linspace(0.5, 2.0, m - 1), 0.0)


@pytest.mark.parametrize("p", [1.5, 2.0, 4.0, np.inf])
@pytest.mark.parametrize(("n", "m"), [(150, 6), (2500, 15)])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_gaps_are_proven_in_few_steps(p, n, m, alpha, searches):
    X, y, w, scale = data(n, m)
    options = {"p": p, "sample_weight": w, "feature_scale": scale}
    model = fa.LinearRegression(alpha=alpha).fit(X, y, w)
    exact = fa.robust_fit(model, X, y, 0.01, **options)
    assert not searches
    for tol in (1e-3, 1e-6, 1e-9):
        found = fa.robust_fit(model, X, y, 0.01, tol=tol, **options)
        true = (found.objective - exact.objective) / exact.objective
        assert found.converged
        assert -1e-13 <= true <= found.gap + 1e-14
        assert found.gap <= tol
    assert len(searches) == 3
    assert searches[0][1]


@pytest.mark.parametrize("share", [0.6, 0.95, 1.0, 1.2])
@pytest.mark.parametrize("p", [2.0, np.inf])
def test_strong_attacks_leave_few_coefficients(p, share, searches):
    """Up to one that leaves none, where the norm has its kink."""
    X, y = gaussian("linear", 300, 20)
    centred = y - y.mean()
    zero = np.linalg.norm(centred @ X, p) / np.abs(centred).sum()
    model = fa.LinearRegression().fit(X, y)
    for tol in (1e-4, 1e-8):
        found = fa.robust_fit(model, X, y, share * zero, p=p, radius=1.0, tol=tol)
        assert found.converged
        assert found.gap <= tol
    if share < 1.0:
        assert all(proven for _, proven in searches)


@pytest.mark.filterwarnings("ignore")
def test_starts_that_meet_every_target(searches):
    """More columns than rows: λ is sought with all rows at their kinks; with an intercept and no
    penalty there are moves that no row sees, and nothing is tried."""
    X, y = gaussian("linear", 30, 90)
    for alpha, fit_intercept in ((0.0, False), (0.1, True), (0.0, True)):
        model = fa.LinearRegression(alpha=alpha, fit_intercept=fit_intercept).fit(X, y)
        for eps in (0.01, 0.05, 0.1):
            exact = fa.robust_fit(model, X, y, eps)
            found = fa.robust_fit(model, X, y, eps, tol=1e-5)
            true = found.objective / exact.objective - 1.0
            assert found.converged, (alpha, fit_intercept, eps)
            assert -1e-12 <= true <= found.gap + 1e-14, (alpha, fit_intercept, eps)
            assert found.gap <= 1e-5, (alpha, fit_intercept, eps)
    assert len(searches) >= 3
    assert all(proven for _, proven in searches)


@pytest.mark.filterwarnings("ignore")
def test_singular_data_are_no_proof(searches):
    """A column twice: no factor of the bound's matrix, and so no bound of it."""
    X, y = gaussian("linear", 100, 5)
    X = np.column_stack([X, X[:, 0]])
    model = fa.LinearRegression().fit(X, y)
    found = fa.robust_fit(model, X, y, 0.02, tol=1e-6)
    assert found.converged
    assert found.gap <= 1e-6
    assert not any(proven for _, proven in searches)


def test_a_bound_is_one_wherever_it_is_made():
    """From any θ whatever, before any step."""
    X, y = gaussian("linear", 80, 4)
    model = fa.LinearRegression(fit_intercept=False).fit(X, y)
    best = fa.robust_fit(model, X, y, 0.1, p=2, radius=1.0).objective
    caught = []
    original = solve.SquaresSearch
    rng = np.random.default_rng(0)

    class Elsewhere(original):
        def __init__(self, problem, design, theta):
            for _ in range(20):
                moved = theta + rng.normal(size=theta.size)
                elsewhere = dataclasses.replace(problem, natural=None)
                search = original(elsewhere, design, moved)
                search._begin()
                search._prove()
                caught.append(search.value - search.gap)
            super().__init__(problem, design, theta)

    solve.SquaresSearch = Elsewhere
    try:
        fa.robust_fit(model, X, y, 0.1, p=2, radius=1.0, tol=1e-4)
    finally:
        solve.SquaresSearch = original
    assert len(caught) == 20
    assert max(caught) <= best * (1.0 + 1e-12)
    assert np.isfinite(caught).any()

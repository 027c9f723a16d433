"""Robust fits that pass over few rows against those that pass over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import make

import fastaif as fa
from fastaif.families.linear.robust import screening


def fits(monkeypatch, X, y, *, weight=None, model=None, **attack):
    """With screening and without it."""
    model = fa.LinearRegression() if model is None else model
    model.fit(X, y, sample_weight=weight)
    found = []
    for fewest in (0, 10**9):
        monkeypatch.setattr(screening, "_FEWEST_ROWS", fewest)
        found.append(fa.robust_fit(model, X, y, sample_weight=weight, **attack))
    return found


def assert_same(mine, other):
    assert mine.converged
    assert other.converged
    assert mine.objective == pytest.approx(other.objective, rel=1e-13)
    np.testing.assert_allclose(mine.params, other.params, rtol=0, atol=1e-11)


@pytest.mark.parametrize("eps", [1e-4, 0.01, 0.1, 0.3, 3.0])
@pytest.mark.parametrize("p", [1, 1.5, 2, np.inf])
def test_the_same_optimum(monkeypatch, p, eps):
    X, y, _ = make("linear", 1500, 6, seed=3)
    assert_same(*fits(monkeypatch, X, y, p=p, eps=eps))


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_scales_and_penalties(monkeypatch, alpha, fit_intercept, dtype):
    X, y, w = make("linear", 1600, 5, seed=4, weighted=True)
    X = (X * [1.0, 100.0, 0.01, 1.0, 5.0] + [0.0, 50.0, 0.0, 3.0, 1.0]).astype(dtype)
    model = fa.LinearRegression(alpha=alpha, fit_intercept=fit_intercept)
    scale = X.std(axis=0)
    mine, other = fits(
        monkeypatch, X, y, weight=w, model=model, eps=0.05, p=2, feature_scale=scale
    )
    assert_same(mine, other)


@pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.SolverWarning")
def test_ties_at_zero_residuals(monkeypatch):
    """Integer data: a thousand residuals are zero together, too many for an active set of
    independent kinks. Neither way certifies the optimum, and both return the same."""
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(3000, 4)).astype(float)
    y = X @ [1.0, -1.0, 2.0, 0.0] + rng.integers(-1, 2, size=3000)
    mine, other = fits(monkeypatch, X, y, p=2, eps=0.05)
    assert mine.objective == pytest.approx(other.objective, rel=1e-13)


def test_few_passes_over_all_rows(monkeypatch):
    X, y, _ = make("linear", 20_000, 10, seed=5)
    mine, other = fits(monkeypatch, X, y, p=2, eps=0.02)
    assert mine.n_iter <= 40
    assert mine.n_iter <= other.n_iter / 3

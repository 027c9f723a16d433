"""Robust fits of random problems: soon done, gaps that are bounds, and no worse than others'."""

from __future__ import annotations

import os

import numpy as np
import pytest
from oracles import linear as twin
from support.makers import DELTA, LOSS, estimator
from support.random_problems import RobustCase, clarabel_optimum, gaussian, robust_case

import fastaif as fa
from fastaif.utils.warnings import InfluenceWarning

# FASTAIF_ROBUST_PROBLEMS=2000 looks further than a test run has time for.
SEEDS = range(int(os.environ.get("FASTAIF_ROBUST_PROBLEMS", "120")))
LARGE = {"most_rows": 10_000, "most_columns": 300}


def fit(case: RobustCase, **options):
    model = estimator(case.kind, case.alpha, case.fit_intercept)
    model.fit(case.X, case.y, case.weights)
    return fa.robust_fit(
        model, case.X, case.y, case.eps, p=case.p, sample_weight=case.weights,
        feature_scale=case.feature_scale, **options,
    )  # fmt: skip


def objective(case: RobustCase, theta, radius: float) -> float:
    options = {} if case.feature_scale is None else {"feature_scale": case.feature_scale}
    return twin.robust_objective(
        case.X, case.y, theta, case.eps, loss=LOSS[case.kind], alpha=case.alpha,
        fit_intercept=case.fit_intercept, p=case.p, sample_weight=case.weights, delta=DELTA,
        radius=radius, **options,
    )  # fmt: skip


def separable(case: RobustCase, found) -> bool:
    """Whether the parameters found keep all attacked labels right: then there is no minimum."""
    if case.kind != "logistic" or case.alpha > 0.0:
        return False
    m = case.X.shape[1]
    f = case.X @ found.params[:m] + (found.params[m] if case.fit_intercept else 0.0)
    kept = np.ones(len(f), dtype=bool) if case.weights is None else case.weights > 0
    D = np.ones(m) if case.feature_scale is None else case.feature_scale
    q = {1.0: np.inf, np.inf: 1.0}.get(case.p) or case.p / (case.p - 1.0)
    kappa = case.eps * found.radius * np.linalg.norm(D * found.params[:m], q)
    return bool(np.all((case.y * f)[kept] > kappa))


@pytest.mark.filterwarnings("ignore")
def test_all_that_have_a_minimum_are_solved_in_few_passes():
    passes, checked = [], 0
    for seed in SEEDS:
        case = robust_case(seed, **(LARGE if len(SEEDS) > 500 and seed % 5 == 0 else {}))
        found = fit(case)
        if separable(case, found):
            assert not found.converged
            continue
        assert found.converged, seed
        assert found.gap <= 1e-8, seed
        passes.append(found.n_iter)
        if seed % 4 == 0 and case.X.size < 5_000:
            checked += 1
            theirs = clarabel_optimum(case, case.eps * found.radius, DELTA)
            mine, best = (objective(case, x, found.radius) for x in (found.params, theirs))
            assert mine <= best + 1e-9 * abs(best), seed
            assert mine - best <= found.gap * abs(mine) + 1e-13, seed
    assert checked >= len(SEEDS) // 8
    assert np.median(passes) <= 15
    assert np.quantile(passes, 0.9) <= 25
    assert max(passes) <= 80


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("seed", "sizes", "most"), [
    *((seed, {}, 60) for seed in (56, 84, 486, 1258)), (742, {}, 80),
    *((seed, LARGE, 60) for seed in (495, 665, 900, 100_095, 101_417, 101_488)),
])  # fmt: skip
def test_problems_that_were_hard(seed, sizes, most):
    """Rows settled too early, steps in circles, one attacked feature, starts far off, short steps
    along the boundary, Newton systems that lose their digits before the gap is closed."""
    found = fit(robust_case(seed, **sizes))
    assert found.converged
    assert found.gap <= 1e-11
    assert found.n_iter <= most


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6, 1e-8])
def test_loose_tolerances_are_proven_and_cost_less(tol):
    """`.gap` bounds the true gap, and is within what was asked for."""
    fewer = 0
    for seed in range(24):
        case = robust_case(seed, 300, 15)
        exact, rough = fit(case), fit(case, tol=tol)
        if separable(case, exact) or separable(case, rough):
            continue
        assert rough.converged, seed
        assert rough.gap <= tol, seed
        true = (rough.objective - exact.objective) / abs(rough.objective)
        assert true <= rough.gap + 1e-13, seed
        assert rough.n_iter <= exact.n_iter
        fewer += rough.n_iter < exact.n_iter
    assert fewer > 5


@pytest.mark.parametrize(
    ("n", "m", "share"),
    [(5000, 100, 0.2), (5000, 100, 0.3), (1000, 100, 0.2), (1000, 200, 0.2), (2000, 300, 0.2)],
)
def test_hundreds_of_kinks_at_once(n, m, share):
    """κ as large as residuals: as many rows as coefficients are fitted to the last digit, and as
    many coefficients are zero."""
    X, y = gaussian("linear", n, m)
    zero = np.abs((y - y.mean()) @ X).max() / np.abs(y - y.mean()).sum()
    model = fa.LinearRegression(alpha=0.0).fit(X, y)
    found = fa.robust_fit(model, X, y, share * zero, p=np.inf, radius=1.0)
    assert found.converged
    assert found.residual <= 1e-12
    assert found.gap <= 1e-12
    assert found.n_iter <= 40
    rows = np.abs(X @ found.params[:-1] + found.params[-1] - y) < 1e-10
    assert rows.sum() + (found.params == 0.0).sum() > m / 4


@pytest.mark.filterwarnings("ignore")
def test_integers_that_many_rows_share():
    """A thousand residuals are zero together, too many for kinks that are independent."""
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(3000, 4)).astype(float)
    y = X @ [1.0, -1.0, 2.0, 0.0] + rng.integers(-1, 2, size=3000)
    found = fa.robust_fit(fa.LinearRegression().fit(X, y), X, y, 0.05)
    assert found.converged
    assert found.gap <= 1e-11


def test_separable_classes_are_named_at_once():
    X = np.random.default_rng(0).normal(size=(39, 4))
    y = X[:, 0] > 0.3
    with pytest.warns(match="linearly separable"):
        model = fa.LogisticRegression(alpha=0).fit(X, y)
    with pytest.warns(InfluenceWarning, match="classes stay separable under this attack"):
        found = fa.robust_fit(model, X, y, 0.01)
    assert not found.converged
    assert found.n_iter <= 15


def test_too_few_passes_are_named():
    X, y = gaussian("linear", 300, 20)
    model = fa.LinearRegression().fit(X, y)
    with pytest.warns(InfluenceWarning, match="max_iter=5"):
        found = fa.robust_fit(model, X, y, 0.1, p=np.inf, max_iter=5)
    assert np.isfinite([found.residual, found.gap]).all()
    best = fa.robust_fit(model, X, y, 0.1, p=np.inf).objective
    assert (found.objective - best) / found.objective <= found.gap

"""The Wasserstein ball of order 1: its value, its robust fits and its influence."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import losses
from oracles import order as twin
from oracles.norms import norm
from support import makers
from support.makers import DELTA, LOSS, about, theta_of
from support.sums import loss_of

import fastaif as fa

ALPHA = 0.02
KINDS = {"logistic": 1.0, "huber": DELTA}
BALL = {"order": 1, "formula": "ball"}


def fitted(kind, n=40, m=4):
    X, y, _ = makers.make_clear(kind, n=n, m=m)
    w = np.random.default_rng(8).uniform(0.5, 2.0, size=n)
    return makers.estimator(kind, ALPHA).fit(X, y, w), X, y, w


def value(kind, theta, X, y, w, eps, p):
    """E l + eps s Lip ||beta||_q."""
    s = twin.attack_scale(X, p=p, sample_weight=w)[1]
    q = twin.dual_order(p)
    natural = w / w.sum() @ losses.loss(LOSS[kind], X @ theta[:-1] + theta[-1], y, DELTA)[0]
    return natural + eps * s * KINDS[kind] * norm(theta[:-1], q)


def optimum(kind, X, y, w, eps, p):
    """CVXPY's theta."""
    cp = pytest.importorskip("cvxpy", reason="CVXPY is not installed")
    pytest.importorskip("clarabel", reason="Clarabel is not installed")
    q = twin.dual_order(p)
    s = twin.attack_scale(X, p=p, sample_weight=w)[1]
    beta, b = cp.Variable(X.shape[1]), cp.Variable()
    f, ws = X @ beta + b, w / w.sum()
    if kind == "logistic":
        natural = ws @ cp.logistic(cp.multiply(-y, f))
    else:
        rows = cp.vstack([np.ones(len(y)), (f - y) / DELTA])
        natural = DELTA**2 * (ws @ cp.norm(rows, 2, axis=0) - 1.0)
    goal = natural + eps * s * KINDS[kind] * cp.norm(beta, "inf" if np.isinf(q) else q)
    problem = cp.Problem(cp.Minimize(goal + ALPHA * cp.sum_squares(beta)))
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return np.append(beta.value, b.value)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("eps", [0.01, 0.1])
def test_a_general_solver_does_no_better(kind, p, eps):
    model, X, y, w = fitted(kind)
    options = {"p": p, "sample_weight": w, **BALL}
    found = fa.robust_fit(model, X, y, eps, **options)
    assert found.converged
    assert 0.0 <= found.gap <= 1e-12
    penalty = ALPHA * found.params[:-1] @ found.params[:-1]
    mine = value(kind, found.params, X, y, w, eps, p)
    assert found.objective == about(mine + penalty, 1e-12)
    assert fa.adversarial_loss(found.estimator, X, y, eps, **options) == about(mine, 1e-12)
    theta = optimum(kind, X, y, w, eps, p)
    theirs = value(kind, theta, X, y, w, eps, p) + ALPHA * theta[:-1] @ theta[:-1]
    assert found.objective <= theirs + 1e-11
    assert found.objective == about(theirs, 1e-7)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_the_influence_is_the_slope_of_robust_optima(kind, p):
    model, X, y, w = fitted(kind)
    options = {"p": p, "sample_weight": w, **BALL}
    result = fa.aif(model, X, y, **options)
    eps = 1e-6
    fit = fa.robust_fit(model, X, y, eps, **options)
    natural = fa.robust_fit(model, X, y, 0.0, **options)
    slope = (fit.params - natural.params) / eps
    np.testing.assert_allclose(slope, result.influence, rtol=2e-4, atol=2e-5)
    rise = (fit.objective - natural.objective) / eps
    assert rise == about(result.value_derivative, 1e-4)
    np.testing.assert_allclose(
        w / w.sum() @ result.per_sample(), result.influence, rtol=1e-9, atol=1e-12
    )
    checked = result.verify(1e-4)
    assert checked.exact_gain == about(checked.exact_cost, 0.02)


def test_it_bounds_attacks_on_whole_samples():
    model, X, y, w = fitted("logistic")
    whole = fa.adversarial_loss(model, X, y, 0.3, order=1, sample_weight=w)
    assert whole <= fa.adversarial_loss(model, X, y, 0.3, sample_weight=w, **BALL)


def test_beyond_the_price_of_any_slope_nothing_is_left():
    model, X, y, w = fitted("huber")
    found = fa.robust_fit(model, X, y, 5.0, sample_weight=w, **BALL)
    assert found.converged
    assert not found.params[:-1].any()
    assert np.isfinite(theta_of(found.estimator)).all()


def test_paths_are_of_the_same_fits():
    model, X, y, w = fitted("logistic")
    path = fa.robust_path(model, X, y, eps=[0.02], sample_weight=w, **BALL)
    fit = fa.robust_fit(model, X, y, 0.02, sample_weight=w, **BALL)
    assert path.objective(0.02) == about(fit.objective, 1e-8)


def test_what_has_no_such_value_is_refused():
    X, y, _ = makers.make_clear("linear")
    linear = fa.LinearRegression(alpha=0.1).fit(X, y)
    for call in (fa.aif, lambda *a, **k: fa.robust_fit(*a, 0.1, **k),
                 lambda *a, **k: fa.adversarial_loss(*a, 0.1, **k)):  # fmt: skip
        with pytest.raises(ValueError, match="squared_error"):
            call(linear, X, y, **BALL)
        with pytest.raises(ValueError, match="order=1"):
            call(linear, X, y, order=2, formula="ball")
    quadratic = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="linear predictors"):
        fa.aif(quadratic, X, y, **BALL)
    with pytest.raises(ValueError, match="blocks"):
        fa.InfluenceAccumulator(fa.HuberRegression(alpha=0.1).fit(X, y), **BALL)


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_slope_is_steeper_than_the_bound(kind):
    loss = loss_of(kind)
    f = np.linspace(-60.0, 60.0, 1001)
    slopes = np.concatenate([np.abs(loss.slope(f, np.full(f.size, y))) for y in (-1.0, 1.0)])
    assert slopes.max() <= loss.lipschitz * (1.0 + 1e-15)
    assert loss.lipschitz == about(slopes.max(), 1e-3)

"""Attacks of a shared budget and robust fits against them: optima, bounds and first order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import linear as plain_twin
from oracles import losses
from oracles import order as twin
from oracles.norms import norm
from support import basis_makers, makers
from support.makers import DELTA, LOSS, about, theta_of
from support.random_problems import robust_case
from support.sums import loss_of

import fastaif as fa
from fastaif.families.linear.shared_attack import worst_moves
from fastaif.threat.budget import Sharing
from fastaif.utils.warnings import SolverWarning

P = makers.ORDERS
ALPHA = 0.02
CLOSED = [("linear", 2.0)] + [(kind, 1.0) for kind in LOSS]


def fitted(kind, n=40, m=4, seed=3, weighted=True):
    """A model of modest size and its data; a third of the samples without weight."""
    X, y, _ = makers.make_clear(kind, n=n, m=m, seed=seed)
    w = np.random.default_rng(8).uniform(0.5, 2.0, size=n) if weighted else None
    if weighted:
        w[::5] = 0.0
    return makers.estimator(kind, ALPHA).fit(X, y, w), X, y, w


def no_more_than(value, rel=1e-9):
    """The value with some room above: losses of counts may be negative."""
    return value + rel * abs(value)


def naive_objective(kind, X, y, w, eps, u, p, theta):
    return twin.robust_objective(
        X, y, theta, eps, loss=LOSS[kind], order=u, p=p, alpha=ALPHA, sample_weight=w, delta=DELTA
    )


# --- robust fits ------------------------------------------------------------------------


def cvxpy_optimum(kind, X, y, w, rho, u, p):
    """CVXPY's theta: the attack's size and the losses are epigraph variables."""
    cp = pytest.importorskip("cvxpy", reason="CVXPY is not installed")
    pytest.importorskip("clarabel", reason="Clarabel is not installed")
    keep = w > 0
    X, y, w = X[keep], y[keep], w[keep] / w.sum()
    n, m = X.shape
    q = 1.0 if np.isinf(p) else (np.inf if p == 1 else p / (p - 1.0))
    beta, b, size = cp.Variable(m), cp.Variable(), cp.Variable(nonneg=True)
    f, cone = X @ beta + b, [rho * cp.norm(beta, "inf" if np.isinf(q) else q) <= size]
    if u == 2:
        attacked = cp.square(cp.norm(cp.multiply(np.sqrt(w), f - y), 2) + size)
    else:  # t >= sum_i w_i l_i with the worst of j's losses in place of l_j, for every j
        own, worst, attacked = cp.Variable(n), cp.Variable(n), cp.Variable()
        reach = size / w
        if kind == "linear":
            cone += [cp.square(f - y) <= own, cp.square(cp.abs(f - y) + reach) <= worst]
        elif kind == "logistic":
            margin = cp.multiply(y, f)
            cone += [cp.logistic(-margin) <= own, cp.logistic(reach - margin) <= worst]
        elif kind == "poisson":
            cone += [cp.exp(f) - cp.multiply(y, f) <= own]
            for end in (f + reach, f - reach):
                cone += [cp.exp(end) - cp.multiply(y, end) <= worst]
        else:
            for j in range(n):
                for z, t in ((f[j] - y[j], own), (cp.abs(f[j] - y[j]) + reach[j], worst)):
                    root = cp.norm(cp.hstack([1.0, z / DELTA]), 2)
                    cone.append(DELTA**2 * (root - 1.0) <= t[j])
        cone.append(np.tile(w, (n, 1)) @ own + cp.multiply(w, worst - own) <= attacked)
    goal = cp.Minimize(attacked + ALPHA * cp.sum_squares(beta))
    problem = cp.Problem(goal, cone)
    for tol in (1e-11, 1e-9):  # where the first is more than rounding allows
        tight = {f"tol_{name}": tol for name in ("gap_abs", "gap_rel", "feas")}
        try:
            problem.solve(solver=cp.CLARABEL, **tight)
            break
        except cp.SolverError:
            continue
    assert problem.status in ("optimal", "optimal_inaccurate")
    return np.append(beta.value, b.value)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize(("kind", "u"), CLOSED)
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("eps", [0.003, 0.03, 0.2])
def test_a_general_solver_does_no_better(kind, u, p, eps):
    model, X, y, w = fitted(kind)
    found = fa.robust_fit(model, X, y, eps, p=p, order=u, sample_weight=w)
    rho = twin.attack_scale(X, p=p, sample_weight=w)[1] * eps
    theirs = naive_objective(kind, X, y, w, eps, u, p, cvxpy_optimum(kind, X, y, w, rho, u, p))
    mine = naive_objective(kind, X, y, w, eps, u, p, found.params)
    assert found.converged
    assert found.objective == about(mine, 1e-11)
    assert found.objective <= no_more_than(theirs)
    assert found.objective == about(theirs, 1e-6)


@pytest.mark.parametrize(("kind", "u"), CLOSED)
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_no_direction_descends(kind, u, p, rng):
    model, X, y, w = fitted(kind)
    for eps in (1e-4, 0.05):
        found = fa.robust_fit(model, X, y, eps, p=p, order=u, sample_weight=w)
        best = naive_objective(kind, X, y, w, eps, u, p, found.params)
        for length in (1e-5, 1e-3, 1e-1):
            for step in length * rng.normal(size=(30, 5)):
                other = naive_objective(kind, X, y, w, eps, u, p, found.params + step)
                assert other >= best - 1e-14


@pytest.mark.parametrize(("kind", "u"), [*CLOSED, *((kind, np.inf) for kind in LOSS)])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
def test_the_error_has_slope_one(kind, u, p):
    """(theta_eps - theta) / eps - I falls with eps; above u = 1 the paper's stays off."""
    model, X, y, w = fitted(kind)
    options = {"p": p, "order": u, "sample_weight": w}
    result = fa.aif(model, X, y, **options)
    eps = min(1e-4, result.validity_radius / 20.0) * np.array([1.0, 0.3, 0.1])
    fits = [fa.robust_fit(model, X, y, float(e), **options) for e in eps]
    quotients = [(fit.params - result.params) / e for fit, e in zip(fits, eps, strict=True)]
    errors = [np.linalg.norm(quotient - result.influence) for quotient in quotients]
    slope = np.polyfit(np.log(eps), np.log(errors), 1)[0]
    assert abs(slope - 1.0) <= 0.1, f"slope {slope:.3f}, errors {errors}, eps {eps}"
    if np.isfinite(u):
        paper = fa.aif(model, X, y, formula="paper", **options).influence
        misses = [np.linalg.norm(quotient - paper) for quotient in quotients]
        if u == 1:
            assert misses == pytest.approx(errors, rel=1e-6)
        else:
            assert min(misses) >= 0.5 * np.linalg.norm(result.influence)


@pytest.mark.long
def test_an_ascent_that_ends_on_a_kink_is_not_converged():
    """Its gradient is that of one side: the residual says nothing, and lower points are found."""
    model, X, y, w = fitted("linear")
    options = {"order": 1.1, "p": np.inf, "sample_weight": w}
    assert fa.robust_fit(model, X, y, 1e-4, method="pgd", **options).converged
    with pytest.warns(SolverWarning, match="kinks"):
        found = fa.robust_fit(model, X, y, 0.3, method="pgd", **options)
    assert not found.converged
    assert found.gap > 1e-9
    better = fa.robust_fit(model, X, y, 0.3, **options)
    assert better.objective < found.objective


@pytest.mark.parametrize(("kind", "u"), CLOSED)
def test_the_value_derivative_is_the_slope_of_the_objective(kind, u):
    model, X, y, w = fitted(kind)
    result = fa.aif(model, X, y, order=u, sample_weight=w)
    start = naive_objective(kind, X, y, w, 0.0, u, 2.0, result.params)
    eps = min(1e-5, result.validity_radius / 20.0)
    one, two = (
        (fa.robust_fit(model, X, y, e, order=u, sample_weight=w).objective - start) / e
        for e in (eps, eps / 2.0)
    )
    assert 2.0 * two - one == about(result.value_derivative, 1e-6)


@pytest.mark.parametrize(("kind", "u"), CLOSED)
def test_no_budget_is_no_robust_fit(kind, u):
    model, X, y, w = fitted(kind)
    found = fa.robust_fit(model, X, y, 0.0, order=u, sample_weight=w)
    np.testing.assert_allclose(found.params, theta_of(model), rtol=1e-8)


def test_weights_are_repetitions():
    """Of order 2; at order 1 half of a sample can be moved and half left."""
    X, y, _ = makers.make_clear("linear")
    many = np.random.default_rng(0).integers(0, 4, size=len(y))
    again = np.repeat(X, many, axis=0), np.repeat(y, many)
    model = makers.estimator("linear").fit(*again)
    one = fa.robust_fit(model, X, y, 0.1, order=2, sample_weight=many.astype(float))
    two = fa.robust_fit(model, *again, 0.1, order=2)
    np.testing.assert_allclose(one.params, two.params, rtol=1e-9)


# --- attacks ----------------------------------------------------------------------------


def spent(X, moved, w, u, p, c=None):
    """(E_n ||d / c||_p^u)^(1/u)."""
    c = np.ones(X.shape[1]) if c is None else c
    lengths = norm((moved - X)[:, c > 0] / c[c > 0], p)
    w = plain_twin.normalised_weights(len(X), w)
    top = lengths[w > 0].max()
    if np.isinf(u) or top == 0.0:
        return top
    return top * (w @ (lengths / top) ** u) ** (1.0 / u)


def mean_loss(kind, theta, X, y, w):
    f = X @ theta[:-1] + theta[-1]
    return plain_twin.normalised_weights(len(y), w) @ losses.loss(LOSS[kind], f, y, DELTA)[0]


@pytest.mark.parametrize("u", [1.0, 1.25, 2.0, 4.0, np.inf])
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("eps", [0.01, 0.3])
def test_attacks_stay_in_budget_and_beat_random_ones(kind, u, p, eps, rng):
    model, X, y, w = fitted(kind)
    theta, c = theta_of(model), np.array([1.0, 0.5, 0.0, 2.0])
    options = {"p": p, "order": u, "sample_weight": w, "feature_scale": c}
    moved = fa.attack(model, X, y, eps, random_state=0, **options)
    budget = eps * twin.attack_scale(X, p=p, sample_weight=w, feature_scale=c)[1]
    assert spent(X, moved, w, u, p, c) <= budget * (1 + 1e-12)
    np.testing.assert_array_equal(moved[:, 2], X[:, 2])
    found = mean_loss(kind, theta, moved, y, w)
    assert fa.adversarial_loss(model, X, y, eps, random_state=0, **options) == about(found, 1e-12)

    ws = plain_twin.normalised_weights(len(y), w)
    up = c * twin.scaled_direction(theta[:-1] * c, p, np.ones(4))
    for trial in range(200):
        sizes = rng.exponential(size=len(y)) ** (1 + trial % 4) + 1e-9
        if np.isinf(u):
            sizes /= sizes.max()
        else:
            sizes /= (ws @ sizes**u) ** (1.0 / u)
        if trial % 2:
            directions = rng.choice([-1.0, 1.0], size=(len(y), 1)) * up
        else:
            directions = rng.normal(size=X.shape)
            directions *= c / norm(directions * (c > 0), p)[:, None]
        other = X + budget * sizes[:, None] * directions
        assert spent(X, other, w, u, p, c) <= budget * (1 + 1e-9)
        assert mean_loss(kind, theta, other, y, w) <= no_more_than(found, 1e-12)
    # All of it on one sample, either way.
    for j in np.flatnonzero(ws > 0):
        for sign in (-1.0, 1.0):
            other = X.copy()
            other[j] += sign * budget * up * (1.0 if np.isinf(u) else ws[j] ** (-1.0 / u))
            assert mean_loss(kind, theta, other, y, w) <= no_more_than(found)


@pytest.mark.parametrize(("kind", "u"), [*CLOSED, *((kind, np.inf) for kind in LOSS)])
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("eps", [1e-6, 0.01, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_closed_inner_maxima(kind, u, p, eps, weighted):
    model, X, y, w = fitted(kind, weighted=weighted)
    options = {"p": p, "order": u, "sample_weight": w}
    wanted = twin.adversarial_loss(
        X, y, theta_of(model), eps, loss=LOSS[kind], delta=DELTA, **options
    )
    assert fa.adversarial_loss(model, X, y, eps, **options) == about(wanted, 1e-12)
    moved = fa.attack(model, X, y, eps, **options)
    assert mean_loss(kind, theta_of(model), moved, y, w) == about(wanted, 1e-11)
    if u == 1:  # one sample alone
        assert np.sum(np.any(moved != X, axis=1)) == 1


def best_of_squares(r, w, budget, u):
    """max E_n (|r| + a)^2 over E_n a^u <= budget^u, for u > 2: concave in a^u.

    2 (|r| + a) = lam u a^(u - 1) has one root a > 0 for each sample, and the sum falls with lam.
    """
    from scipy.optimize import brentq

    keep = w > 0
    r, w = np.abs(r[keep]), w[keep]

    def sizes(log_lam):
        lam = np.exp(log_lam)
        slope = 4.0 / (lam * u)
        top = slope ** (1.0 / (u - 2.0)) + (slope * r.max()) ** (1.0 / (u - 1.0))
        low, high = np.zeros_like(r), np.full_like(r, top)
        for _ in range(200):
            a = (low + high) / 2.0
            rising = 2.0 * (r + a) > lam * u * a ** (u - 1.0)
            low, high = np.where(rising, a, low), np.where(rising, high, a)
        return high

    log_lam = brentq(lambda t: w @ sizes(t) ** u - budget**u, -60.0, 60.0, xtol=1e-14)
    return w @ (r + sizes(log_lam)) ** 2


@pytest.mark.parametrize("u", [3.0, 4.0, 10.0])
@pytest.mark.parametrize("eps", [0.01, 0.3])
def test_ascents_reach_the_best_of_squares(u, eps):
    model, X, y, w = fitted("linear")
    theta, ws = theta_of(model), plain_twin.normalised_weights(len(y), w)
    budget = twin.reach_of(X, theta, eps, sample_weight=w)
    wanted = best_of_squares(X @ theta[:-1] + theta[-1] - y, ws, budget, u)
    found = fa.adversarial_loss(model, X, y, eps, order=u, sample_weight=w, random_state=0)
    assert found == about(wanted, 1e-9)


@pytest.mark.parametrize("u", [1.1, 1.5, 2.0, 3.0])
def test_ascents_reach_the_best_of_any_division(kind, u):
    """Where the inner problem is not concave one start is not enough: 0.03 % is left at most."""
    rng, loss = np.random.default_rng(4), loss_of(kind)
    for _ in range(12):
        f, w = rng.normal(size=12), rng.uniform(0.05, 2.0, size=12)
        y = f + rng.standard_t(3, size=12)
        if kind == "logistic":
            y = np.sign(y)
        elif kind == "poisson":
            y = rng.poisson(np.exp(f)).astype(float)
        w[0] = 0.0
        w /= w.sum()
        for size in (0.3, 1.0):
            moves = worst_moves(loss, f, y, w, Sharing(u), size)
            assert (w @ moves**u) ** (1.0 / u) == about(size, 1e-12)
            ends = (losses.loss(LOSS[kind], f + side * moves, y, DELTA)[0] for side in (1, -1))
            found = w @ np.maximum(*ends)
            known = {"loss": LOSS[kind], "order": u, "delta": DELTA, "parts": 200}
            assert twin.best_of_divided(f, y, w, size, **known) <= no_more_than(found, 3e-4)


@pytest.mark.parametrize("u", [1.0, 1.25, 2.0, 4.0])
def test_the_attacked_loss_is_first_order_right(kind, u):
    model, X, y, w = fitted(kind)
    result = fa.aif(model, X, y, order=u, sample_weight=w)
    clean = mean_loss(kind, theta_of(model), X, y, w)
    one, two = (
        (fa.adversarial_loss(model, X, y, e, order=u, sample_weight=w) - clean) / e
        for e in (2e-5, 1e-5)
    )
    assert 2.0 * two - one == about(result.value_derivative, 1e-6)


def test_budgets_of_every_order_are_nested(kind):
    """What is allowed at a larger order is allowed at a smaller one."""
    model, X, y, w = fitted(kind)
    values = [
        fa.adversarial_loss(model, X, y, 0.1, order=u, sample_weight=w, random_state=0)
        for u in (np.inf, 8.0, 3.0, 2.0, 1.5, 1.0)
    ]
    for less, more in itertools.pairwise(values):
        assert less <= no_more_than(more)


@pytest.mark.parametrize("u", [1.0, 1.25, 2.0, 4.0])
@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_basis_models_stay_in_budget(u, p):
    X, y, w = basis_makers.make_clear("linear")
    model = basis_makers.estimator("quadratic", "linear").fit(X, y, sample_weight=w)
    moved = fa.attack(model, X, y, 0.05, order=u, p=p, sample_weight=w)
    budget = 0.05 * twin.attack_scale(X, p=p, sample_weight=w)[1]
    assert spent(X, moved, w, u, p) <= budget * (1 + 1e-12)
    result = fa.aif(model, X, y, order=u, p=p, sample_weight=w)
    clean = fa.adversarial_loss(model, X, y, 0.0, order=u, p=p, sample_weight=w)
    one, two = (
        (fa.adversarial_loss(model, X, y, e, order=u, p=p, sample_weight=w) - clean) / e
        for e in (2e-4, 1e-4)
    )
    assert 2.0 * two - one == about(result.value_derivative, 1e-4)


def order_1_fit(seed):
    case = robust_case(seed, 60, 12)
    model = makers.estimator(case.kind, max(case.alpha, 1e-3), case.fit_intercept)
    model.fit(case.X, case.y, case.weights)
    return fa.robust_fit(
        model, case.X, case.y, case.eps, p=case.p, order=1, sample_weight=case.weights
    )


def test_kinks_of_the_norm_are_no_hindrance():
    found = order_1_fit(41)
    assert found.converged
    assert 0.0 <= found.gap <= 1e-11
    assert found.residual <= 1e-10
    assert found.n_iter > 0


@pytest.mark.filterwarnings("ignore")
def test_kinks_that_leave_no_coefficient_free():
    found = order_1_fit(42)
    assert found.converged


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("shape", [(2, 3), (5, 8), (10, 30)])
@pytest.mark.filterwarnings("ignore:.*Hessian is singular")
def test_more_parameters_than_rows_are_fitted_as_with_budgets_of_their_own(shape, p):
    """Up to some radius the optimum meets every target at the least norm, where both budgets' worst
    losses are the square of the norm: √(E r²) has its kink there."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=shape), rng.normal(size=shape[0])
    model = fa.LinearRegression().fit(X, y)
    own = fa.robust_fit(model, X, y, 0.02, p=p)
    np.testing.assert_allclose(own.estimator.predict(X), y, atol=1e-7)
    found = fa.robust_fit(model, X, y, 0.02, p=p, order=2)
    assert found.converged
    assert found.gap <= 1e-9
    assert found.objective == pytest.approx(own.objective, rel=1e-8)


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5])
def test_squares_of_order_2_take_few_passes_from_afar(p, eps):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3)) @ rng.standard_normal((3, 12))
    X += 0.05 * rng.standard_normal(X.shape)  # columns go together: the optimum is far from θ̂
    y = X @ rng.standard_normal(12) + rng.standard_normal(300)
    model = fa.LinearRegression().fit(X, y)
    fit = fa.robust_fit(model, X, y, eps, p=p, order=2, radius=1.0)
    assert fit.converged
    assert fit.gap <= 1e-12
    assert fit.n_iter <= 8
    beta, root = fit.params[:-1], np.sqrt(np.mean((X @ fit.params[:-1] + fit.params[-1] - y) ** 2))
    by_formula = (root + eps * np.linalg.norm(beta, ord=p / (p - 1.0))) ** 2
    assert fit.objective == pytest.approx(by_formula, rel=1e-12)

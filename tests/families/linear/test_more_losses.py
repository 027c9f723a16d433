"""The losses beyond the first four, in linear predictors: fits, influence, robust optima, paths."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import linear as twin
from scipy.optimize import minimize
from sklearn.base import clone

import fastaif as fa

PARAMETERS = {"tweedie": 1.4, "negative_binomial": 0.8, "expectile": 0.8}
MODELS = {
    "gamma": fa.GammaRegression(alpha=0.01),
    "tweedie": fa.TweedieRegression(power=1.4),
    "negative_binomial": fa.NegativeBinomialRegression(dispersion=0.8),
    "probit": fa.ProbitRegression(alpha=1e-3),
    "cloglog": fa.CloglogRegression(alpha=1e-3),
    "squared_hinge": fa.SquaredHingeClassification(alpha=1e-2),
    "expectile": fa.ExpectileRegression(tau=0.8),
}
NAMES = sorted(MODELS)
ORDERS = [1.0, 2.0, np.inf]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def make(name, n=120, m=4, seed=0):
    """Inputs, targets, weights of which some are zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.2 * rng.normal(size=(m, m)))
    f = X @ np.array([0.5, -0.3, 0.2, 0.1][:m]) + 0.2
    mean, noise = np.exp(f), rng.normal(size=n)
    y = {
        "gamma": rng.gamma(2.0, mean / 2.0),
        "tweedie": np.where(rng.random(n) < 0.3, 0.0, rng.gamma(2.0, mean / 2.0)),
        "negative_binomial": rng.poisson(mean * rng.gamma(1.0, 1.0, n)).astype(float),
        "cloglog": np.where(rng.random(n) < -np.expm1(-0.5 * mean), 1.0, -1.0),
        "expectile": f + noise,
    }.get(name, np.where(f + noise > 0, 1.0, -1.0))
    return X, y, rng.integers(0, 4, size=n).astype(float)


def told(name, weights):
    """What the twin asks for."""
    return {
        "loss": name, "alpha": MODELS[name].alpha, "delta": PARAMETERS.get(name, 1.0),
        "sample_weight": weights,
    }  # fmt: skip


def theta_of(model):
    return np.append(model.coef_, model.intercept_)


def peers(name):
    """Their fit, its coefficients: scikit-learn's and statsmodels' own."""
    sm = pytest.importorskip("statsmodels.api")
    sk = pytest.importorskip("sklearn.linear_model")
    links = sm.families.links

    def glm(family):
        return lambda X, y, w: sm.GLM(
            (y + 1) / 2 if name in ("probit", "cloglog") else y, sm.add_constant(X),
            family=family, freq_weights=w,
        ).fit(tol=1e-14).params[[1, 2, 3, 4, 0]]  # fmt: skip

    def theirs(model):
        return lambda X, y, w: theta_of(model.fit(X, y, sample_weight=w))

    known = {"tol": 1e-12, "max_iter": 1000, "solver": "newton-cholesky"}
    return {
        "gamma": theirs(sk.GammaRegressor(alpha=0.02, **known)),
        "tweedie": theirs(sk.TweedieRegressor(power=1.4, link="log", alpha=0.0, **known)),
        "negative_binomial": glm(sm.families.NegativeBinomial(alpha=0.8)),
        "probit": glm(sm.families.Binomial(links.Probit())),
        "cloglog": glm(sm.families.Binomial(links.CLogLog())),
    }[name]


@pytest.mark.parametrize("name", ["gamma", "tweedie", "negative_binomial", "probit", "cloglog"])
def test_fits_are_those_of_other_libraries(name):
    X, y, w = make(name)
    model = MODELS[name]
    if name in ("probit", "cloglog"):
        model = type(model)(alpha=0.0)
    mine, theirs = theta_of(model.fit(X, y, w)), peers(name)(X, y, w)
    np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-8)


def test_a_support_vector_machine_is_scikit_learns():
    from sklearn.svm import LinearSVC

    X, y, _ = make("squared_hinge")
    theirs = LinearSVC(C=3.0, fit_intercept=False, dual=False, tol=1e-14).fit(X, y)
    alpha = 1.0 / (2.0 * 3.0 * len(y))
    mine = fa.SquaredHingeClassification(alpha=alpha, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(mine.coef_, theirs.coef_[0], rtol=1e-7)  # its gradient is 2e-8
    short = np.maximum(1.0 - y * (X @ mine.coef_), 0.0)
    gradient = -2.0 * X.T @ (y * short) / len(y) + 2.0 * alpha * mine.coef_
    np.testing.assert_allclose(gradient, 0.0, atol=1e-14)
    assert not hasattr(mine, "predict_proba")


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.97])
def test_an_expectile_is_where_weighted_residuals_balance(tau):
    X, y, w = make("expectile")
    model = fa.ExpectileRegression(tau=tau).fit(X, y, w)
    r = y - model.predict(X)
    pull = w * np.where(r > 0, tau, 1.0 - tau) * r
    np.testing.assert_allclose(np.column_stack([X, np.ones(len(y))]).T @ pull, 0.0, atol=1e-10)


@pytest.mark.parametrize("p", ORDERS)
def test_influence_is_the_twins(engine, name, p):
    X, y, w = make(name)
    model = MODELS[name].fit(X, y, w)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    wanted = twin.influence(X, y, theta_of(model), p=p, **told(name, w))
    for mine, theirs in (
        (result.influence, wanted["influence"]),
        (result.value_derivative, wanted["value_derivative"]),
        (result.per_sample(), wanted["per_sample"]),
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-11 * np.abs(theirs).max(), rtol=0.0)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_robust_optima_are_certified_and_nobody_does_better(name, p, share):
    X, y, w = make(name, n=60)
    model = MODELS[name].fit(X, y, w)
    eps = share * min(fa.zero_radius(model, X, y, p=p, sample_weight=w), 1.0)
    fit = fa.robust_fit(model, X, y, eps=eps, p=p, sample_weight=w)
    assert fit.converged
    assert 0.0 <= fit.gap <= 1e-9

    def objective(theta):
        return twin.robust_objective(X, y, theta, eps, p=p, **told(name, w))

    mine = objective(fit.params)
    assert fit.objective == pytest.approx(mine, rel=1e-12)
    rng = np.random.default_rng(0)
    for start in (np.zeros(5), fit.params + 0.1 * rng.normal(size=5)):
        theirs = minimize(objective, start, method="Powell", options={"maxiter": 20_000})
        assert mine <= theirs.fun * (1.0 + 1e-12)


def cvxpy_optimum(name, data, p, rho):
    """CVXPY's objective; the attack's size is an epigraph variable."""
    cp = pytest.importorskip("cvxpy", reason="CVXPY is not installed")
    X, y, w = data
    beta, b, size = cp.Variable(X.shape[1]), cp.Variable(), cp.Variable(nonneg=True)
    f, delta = X @ beta + b, PARAMETERS.get(name, 1.0)

    def loss(f):
        if name == "gamma":
            return cp.multiply(y, cp.exp(-f)) + f
        if name == "tweedie":
            up = cp.exp((2.0 - delta) * f) / (2.0 - delta)
            return up + cp.multiply(y / (delta - 1.0), cp.exp((1.0 - delta) * f))
        if name == "negative_binomial":
            return cp.multiply(y + 1 / delta, cp.logistic(f + np.log(delta))) - cp.multiply(y, f)
        if name == "squared_hinge":
            return cp.square(cp.pos(1.0 - cp.multiply(y, f)))
        up, down = cp.square(cp.pos(f - y)), cp.square(cp.pos(y - f))
        return (1.0 - delta) * up + delta * down

    worst = cp.maximum(loss(f + size), loss(f - size))
    q = {1.0: "inf", 2.0: 2, np.inf: 1}[p]
    goal = cp.Minimize((w / w.sum()) @ worst + MODELS[name].alpha * cp.sum_squares(beta))
    tight = {f"tol_{part}": 1e-11 for part in ("gap_abs", "gap_rel", "feas")}
    cp.Problem(goal, [rho * cp.norm(beta, q) <= size]).solve(solver=cp.CLARABEL, **tight)
    return np.append(beta.value, b.value)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize(
    "name", ["gamma", "tweedie", "negative_binomial", "squared_hinge", "expectile"]
)
def test_a_general_solver_does_no_better(name, p):
    X, y, w = make(name, n=60)
    model = MODELS[name].fit(X, y, w)
    fit = fa.robust_fit(model, X, y, eps=0.1, p=p, sample_weight=w)
    rho = 0.1 * fa.aif(model, X, y, p=p, sample_weight=w).radius
    theirs = cvxpy_optimum(name, (X, y, w), p, rho)
    known = told(name, w)
    mine, best = (
        twin.robust_objective(X, y, theta, 0.1, p=p, **known) for theta in (fit.params, theirs)
    )
    assert mine <= best * (1.0 + 1e-9)
    assert mine == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("p", [1.0, pytest.param(2.0, marks=pytest.mark.long), np.inf])
def test_paths_hold_between_their_nodes(name, p):
    X, y, w = make(name)
    model = MODELS[name].fit(X, y, w)
    path = fa.robust_path(model, X, y, eps=0.3, p=p, sample_weight=w)
    assert path.converged
    for eps in (0.013, 0.11, 0.29):
        best = fa.robust_fit(model, X, y, eps=eps, p=p, sample_weight=w).objective
        assert path.objective(eps) <= best + 1e-8 * abs(best)


def test_the_slope_is_that_of_robust_optima(name):
    X, y, w = make(name)
    model = MODELS[name].fit(X, y, w)
    result = fa.aif(model, X, y, sample_weight=w)
    # Closer than this the optimum's own rounding shows; no sample turns round on the way.
    eps = min(1e-5, 0.5 * result.validity_radius)
    ends = [fa.robust_fit(model, X, y, eps=e, sample_weight=w).params for e in (eps, 0.5 * eps)]
    slope = (4.0 * ends[1] - ends[0] - 3.0 * theta_of(model)) / eps
    np.testing.assert_allclose(slope, result.influence, atol=2e-5 * np.abs(slope).max())


def test_many_small_problems_are_one_by_one(name):
    data = [make(name, n=n, seed=seed) for seed, n in enumerate((60, 80))]
    X, y, w = (list(part) for part in zip(*data, strict=True))
    batch = fa.aif_batch(MODELS[name], X, y, sample_weight=w)
    for k, (inputs, targets, weights) in enumerate(data):
        model = MODELS[name].fit(inputs, targets, weights)
        single = fa.aif(model, inputs, targets, sample_weight=weights)
        np.testing.assert_allclose(batch.params[k], theta_of(model), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(batch.influence[k], single.influence, rtol=1e-8, atol=1e-8)


def test_attacks_reach_the_adversarial_loss(name):
    X, y, w = make(name)
    model = MODELS[name].fit(X, y, w)
    attacked = fa.attack(model, X, y, eps=0.3, p=2, sample_weight=w)
    wanted = fa.adversarial_loss(model, X, y, eps=0.3, p=2, sample_weight=w)
    known = told(name, w)
    there = twin.natural_objective(attacked, y, theta_of(model), **known)
    penalty = known["alpha"] * np.sum(np.square(model.coef_))
    assert there - penalty == pytest.approx(wanted, rel=1e-9)


def test_labels_change_at_the_boundary_of_probabilities():
    X, y, w = make("cloglog")
    model = fa.CloglogRegression(alpha=1e-3).fit(X, y, w)
    share = model.predict_proba(X)
    np.testing.assert_allclose(share.sum(axis=1), 1.0, rtol=1e-13)
    f = X @ model.coef_ + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), f - np.log(np.log(2.0)), rtol=1e-13)
    np.testing.assert_allclose(share[:, 1], -np.expm1(-np.exp(f)), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), np.where(share[:, 1] > 0.5, 1.0, -1.0))
    radii = fa.robustness_radius(model, X, y)
    for eps in np.quantile(radii[radii > 0], [0.2, 0.7]):
        attacked = model.predict(fa.attack(model, X, y, eps=eps, p=2))
        away = np.abs(radii / eps - 1.0) > 1e-9
        np.testing.assert_array_equal((attacked == y)[away], (radii > eps)[away])


LOG_LINKS = {
    "poisson": fa.PoissonRegression(),
    "gamma": fa.GammaRegression(),
    "tweedie": fa.TweedieRegression(power=1.4),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", sorted(LOG_LINKS))
def test_with_a_log_link_the_unit_of_the_targets_moves_the_intercept_alone(name, order):
    """1e10 of them are no reason to take a residual for rounding."""
    X, y, w = make("gamma")
    one, many = (clone(LOG_LINKS[name]).fit(X, y * unit, w) for unit in (1.0, 1e10))
    told = {"order": order, "sample_weight": w}
    expected = fa.aif(one, X, y, **told)
    found = fa.aif(many, X, y * 1e10, **told)
    np.testing.assert_allclose(found.influence, expected.influence, rtol=1e-8, atol=1e-9)
    assert found.diagnostics["pinned_samples"] == found.diagnostics["zero_gradients"] == 0


def test_counts_in_large_units_are_fitted_to_the_last_digit():
    """What y f and the logarithm have in common cancels where y is large."""
    X, y, w = make("negative_binomial")
    y = 1e10 * (y + 1.0)
    model = fa.NegativeBinomialRegression(dispersion=0.8).fit(X, y, w)
    found = fa.aif(model, X, y, sample_weight=w)
    # Beyond 1/a the loss is a gamma loss over a.
    other = fa.GammaRegression().fit(X, y, w)
    expected = fa.aif(other, X, y, sample_weight=w)
    np.testing.assert_allclose(theta_of(model), theta_of(other), rtol=1e-8)
    np.testing.assert_allclose(found.influence, expected.influence, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", sorted(LOG_LINKS))
def test_a_fit_that_meets_every_target_is_refused_whatever_the_loss(name, order):
    X, y, _ = make("gamma", n=4, m=3)
    model = clone(LOG_LINKS[name]).fit(X, y)
    with pytest.raises(ValueError, match="every sample's input gradient is zero"):
        fa.aif(model, X, y, order=order)


WITHOUT_LABELS = {
    **LOG_LINKS,
    "negative_binomial": fa.NegativeBinomialRegression(dispersion=0.6),
    "squared_error": fa.LinearRegression(),
    "huber": fa.HuberRegression(delta=0.7),
    "expectile": fa.ExpectileRegression(tau=0.8),
}


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("name", sorted(WITHOUT_LABELS))
@pytest.mark.filterwarnings("ignore:.*Hessian is singular")
def test_targets_that_are_all_alike_leave_nothing_to_attack(name, order):
    """Rounding of their mean is no slope: a robust fit ends at it, whatever the budget."""
    rng = np.random.default_rng(0)
    for n, target in ((1, 3.0), (5, 3.0), (5, 0.37), (1, 1e5)):
        X, y = rng.normal(size=(n, 2)), np.full(n, target)
        model = clone(WITHOUT_LABELS[name]).fit(X, y)
        for p in (1.0, 2.0, np.inf):
            found = fa.robust_fit(model, X, y, 0.1, p=p, order=order)
            assert found.converged
            assert found.gap == 0.0
            np.testing.assert_array_equal(found.params[:2], 0.0)
            np.testing.assert_allclose(found.params[2], model.intercept_, rtol=1e-12)

"""Robust fits with an l1 penalty: certified by their duality gaps, and by CVXPY."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastaif as fa

LABELS = ("LogisticRegression", "ProbitRegression", "SquaredHingeClassification")
KINDS = (
    "LinearRegression", "HuberRegression", "ExpectileRegression", "PoissonRegression",
    "GammaRegression", "NegativeBinomialRegression", *LABELS,
)  # fmt: skip


def data(kind, seed=0, n=60, m=8):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) + 0.5
    f = X @ (rng.normal(size=m) * (np.arange(m) % 2)) + rng.normal(size=n)
    if kind in LABELS:
        return X, np.sign(f)
    if kind in KINDS[:3]:
        return X, f
    return X, rng.poisson(np.exp(np.clip(0.4 * f, -3.0, 3.0))) + 0.5 * (kind[0] == "G")


def proven(fit):
    assert fit.converged
    assert fit.gap < 1e-11
    return fit


@pytest.mark.parametrize("eps", [1e-4, 0.05, 0.5])
@pytest.mark.parametrize("ratio", [0.4, 1.0])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_gaps_prove_the_optimum(kind, p, ratio, eps):
    X, y = data(kind)
    model = getattr(fa, kind)(alpha=0.05, l1_ratio=ratio).fit(X, y)
    fit = proven(fa.robust_fit(model, X, y, eps=eps, p=p, radius=1.0))
    # The bound is of this very objective.
    at = fa.adversarial_loss(fit.estimator, X, y, eps, p=p, radius=1.0)
    beta = fit.params[:-1]
    penalty = 0.05 * ((1.0 - ratio) * beta @ beta + ratio * np.abs(beta).sum())
    np.testing.assert_allclose(fit.objective, at + penalty, rtol=1e-12)


def cvxpy_optimum(kind, X, y, p, alpha, ratio, rho, root=False):
    cp = pytest.importorskip("cvxpy", reason="CVXPY is not installed")
    n, m = X.shape
    beta, b = cp.Variable(m), cp.Variable()
    kappa = rho * cp.norm(beta, {1.0: "inf", 2.0: 2, np.inf: 1}[p])
    f = X @ beta + b
    if root:
        loss = cp.square(cp.norm(f - y) / np.sqrt(n) + kappa)
    elif kind == "LinearRegression":
        loss = cp.sum_squares(cp.abs(f - y) + kappa) / n
    else:
        loss = cp.sum(cp.logistic(kappa - cp.multiply(y, f))) / n
    penalty = alpha * ((1.0 - ratio) * cp.sum_squares(beta) + ratio * cp.norm1(beta))
    problem = cp.Problem(cp.Minimize(loss + penalty))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return np.append(beta.value, b.value), problem.value


@pytest.mark.parametrize("eps", [0.02, 0.3])
@pytest.mark.parametrize("ratio", [0.4, 1.0])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", ["LinearRegression", "LogisticRegression"])
def test_it_is_the_optimum_of_cvxpy(kind, p, ratio, eps):
    X, y = data(kind, seed=1)
    model = getattr(fa, kind)(alpha=0.05, l1_ratio=ratio).fit(X, y)
    fit = proven(fa.robust_fit(model, X, y, eps=eps, p=p, radius=1.0))
    theta, value = cvxpy_optimum(kind, X, y, p, 0.05, ratio, eps)
    np.testing.assert_allclose(fit.objective, value, rtol=1e-9)
    np.testing.assert_allclose(fit.params, theta, rtol=0, atol=1e-4)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_squares_at_order_two_are_those_of_cvxpy(p):
    X, y = data("LinearRegression", seed=1)
    model = fa.LinearRegression(alpha=0.05, l1_ratio=0.8).fit(X, y)
    fit = proven(fa.robust_fit(model, X, y, eps=0.1, p=p, order=2, radius=1.0))
    theta, value = cvxpy_optimum("LinearRegression", X, y, p, 0.05, 0.8, 0.1, root=True)
    np.testing.assert_allclose(fit.objective, value, rtol=1e-9)
    np.testing.assert_allclose(fit.params, theta, rtol=0, atol=1e-4)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
def test_weights_scales_and_what_is_not_attacked(p):
    rng = np.random.default_rng(3)
    X, y = data("LinearRegression", seed=2)
    w, scale = rng.uniform(0.0, 2.0, size=len(X)), rng.uniform(0.3, 3.0, size=8)
    w[:10] = 0.0
    model = fa.LinearRegression(alpha=0.3, l1_ratio=0.9).fit(X, y, w)
    options = {"p": p, "radius": 1.0, "feature_scale": scale, "attackable": np.arange(8) != 1}
    fit = proven(fa.robust_fit(model, X, y, eps=0.2, sample_weight=w, **options))
    part = proven(fa.robust_fit(model, X[10:], y[10:], eps=0.2, sample_weight=w[10:], **options))
    np.testing.assert_allclose(fit.params, part.params, rtol=0, atol=1e-9)


@pytest.mark.parametrize("p", [2.0, np.inf])
def test_more_columns_than_rows(p):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(30, 90))
    y = X[:, :3] @ [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=30)
    model = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, y)
    fit = proven(fa.robust_fit(model, X, y, eps=0.05, p=p, radius=1.0))
    assert np.count_nonzero(fit.params[:-1]) < 31


def test_units_of_columns_are_those_of_the_attack():
    """Columns of other units and far from zero: λ, the attack and β go along."""
    X, y = data("LinearRegression")
    near = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, y)
    far = fa.LinearRegression(alpha=1e2, l1_ratio=1.0).fit(1e3 * X + 1e5, y)
    wanted = proven(fa.robust_fit(near, X, y, eps=0.1, radius=1.0)).params[:-1]
    found = proven(fa.robust_fit(far, 1e3 * X + 1e5, y, eps=0.1, radius=1e3)).params[:-1]
    np.testing.assert_allclose(1e3 * found, wanted, rtol=0, atol=1e-9)


def test_beyond_the_zero_radius_nothing_is_left():
    X, y = data("LinearRegression")
    model = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, y)
    fit = proven(fa.robust_fit(model, X, y, eps=50.0, radius=1.0))
    assert not fit.params[:-1].any()
    np.testing.assert_allclose(fit.params[-1], y.mean(), rtol=1e-12)


@pytest.mark.parametrize("attackable", [None, np.arange(8) % 3 != 1])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("kind", ["LinearRegression", "LogisticRegression", "PoissonRegression"])
def test_the_zero_radius_is_where_the_last_attackable_coefficient_goes(kind, p, attackable):
    X, y = data(kind, seed=7)
    model = getattr(fa, kind)(alpha=0.05, l1_ratio=0.8).fit(X, y)
    options = {"p": p, "radius": 1.0, "attackable": attackable}
    eps = fa.zero_radius(model, X, y, **options)
    free = np.ones(8, dtype=bool) if attackable is None else attackable
    assert proven(fa.robust_fit(model, X, y, 0.999 * eps, **options)).params[:8][free].any()
    assert not proven(fa.robust_fit(model, X, y, 1.001 * eps, **options)).params[:8][free].any()


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_influence_sensitivity_and_verification_meet(p):
    X, y = data("PoissonRegression", seed=5)
    model = fa.PoissonRegression(alpha=0.05, l1_ratio=0.9).fit(X, y)
    result = fa.aif(model, X, y, p=p, radius=1.0)
    found = result.verify(min(1e-5, 0.3 * result.validity_radius))
    assert found.params_error < 1e-3
    assert abs(found.exact_cost / found.predicted_cost - 1.0) < 1e-3
    assert abs(found.exact_gain / found.predicted_gain - 1.0) < 1e-3
    eps = found.eps
    exact = fa.sensitivity(model, X, y, eps, method="exact", p=p, radius=1.0)
    np.testing.assert_allclose(result.sensitivity(eps), exact, rtol=1e-3)


def test_a_path_is_its_fits():
    X, y = data("LinearRegression", seed=6)
    model = fa.LinearRegression(alpha=0.1, l1_ratio=0.8).fit(X, y)
    path = fa.robust_path(model, X, y, [0.05, 0.2], radius=1.0)
    for eps in (0.05, 0.2):
        alone = fa.robust_fit(model, X, y, eps=eps, radius=1.0)
        np.testing.assert_allclose(path.params_at(eps), alone.params, rtol=0, atol=1e-3)
        np.testing.assert_allclose(path.objective(eps), alone.objective, rtol=1e-8)
    np.testing.assert_allclose(path.influence_at(0.0), fa.aif(model, X, y, radius=1.0).influence)
    with pytest.raises(ValueError, match="at ε = 0 alone"):
        path.influence_at(0.1)


@pytest.mark.parametrize("p", [2, np.inf])
@pytest.mark.parametrize("kind", ["LinearRegression", "LogisticRegression"])
def test_zeros_of_a_path_are_zeros(kind, p):
    X, y = data(kind, seed=6)
    model = getattr(fa, kind)(alpha=0.1, l1_ratio=0.5).fit(X, y)
    radii = [0.002, 0.01, 0.02, 0.05, 0.1]
    path = fa.robust_path(model, X, y, radii, p=p)
    assert path.converged
    found = path.params_at(radii)
    assert not ((found != 0.0) & (np.abs(found) < 1e-6)).any()
    exact = [fa.robust_fit(model, X, y, eps=e, p=p, tol=1e-13).params == 0.0 for e in radii]
    np.testing.assert_array_equal(found == 0.0, exact)


def test_training_meta_estimators_take_it():
    X, y = data("LogisticRegression")
    trained = fa.AdversarialTraining(fa.LogisticRegression(0.05, l1_ratio=1.0), eps=0.1).fit(X, y)
    assert trained.robust_.converged
    assert np.count_nonzero(trained.estimator_.coef_) < 8


@pytest.mark.parametrize(
    ("options", "message"),
    [({"order": 1}, "order=1 of a linear model"), ({"method": "pgd"}, "method='pgd'"),
     ({"order": 2, "method": "pgd"}, "method='pgd'")],
)  # fmt: skip
def test_other_fits_are_refused(options, message):
    X, y = data("LinearRegression")
    model = fa.LinearRegression(alpha=0.1, l1_ratio=0.8).fit(X, y)
    with pytest.raises(ValueError, match=message):
        fa.robust_fit(model, X, y, eps=0.1, **options)

"""What an l1 penalty is refused by name, and what it leaves right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import fastaif as fa


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)) * [1.0, 2.0, 0.5, 1.0, 1.0] + 1.0
    return X, X @ [1.0, -0.5, 0.0, 0.0, 0.2] + rng.normal(size=80)


@pytest.fixture
def model(data):
    return fa.LinearRegression(alpha=0.3, l1_ratio=0.8).fit(*data)


REFUSED = {
    "iterative solver": (lambda m, X, y: fa.aif(m, X, y, solver="cg"), "solver='cg'.*solver="),
    "at": (lambda m, X, y: fa.aif(m, X, y, at=0.1), "at=0.1 is not for.*l1"),
    "ball": (lambda m, X, y: fa.aif(m, X, y, order=1, formula="ball"), "formula='ball'.*l1"),
    "norm": (lambda m, X, y: fa.aif(m, X, y).sensitivity(0.01, expansion="norm"), "l1 term"),
    "batch": (lambda m, X, y: fa.aif_batch(m, X[None], y[None]), "batch takes no l1"),
    "batch fit": (lambda m, X, y: fa.fit_batch(m, X[None], y[None]), "batch takes no l1"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_says_why(what, model, data):
    call, message = REFUSED[what]
    with pytest.raises(ValueError, match=message):
        call(model, *data)


@pytest.mark.parametrize("step", [PolynomialFeatures(2), PCA(3)])
def test_inputs_that_are_mixed(step, data):
    pipe = make_pipeline(step, fa.LinearRegression(alpha=0.3, l1_ratio=0.8)).fit(*data)
    with pytest.raises(TypeError, match="l1 penalty behind preprocessing"):
        fa.aif(pipe, *data)


def test_all_zero_coefficients_leave_nothing_to_attack(data):
    model = fa.LinearRegression(alpha=100.0, l1_ratio=1.0).fit(*data)
    with pytest.raises(ValueError, match="attackable coefficients are all zero"):
        fa.aif(model, *data)


def test_dependent_columns_of_the_support_are_singular(data):
    X, y = data
    X = np.column_stack([X, X[:, 0]])
    model = fa.LinearRegression(alpha=0.3, l1_ratio=1.0).fit(X[:, :5], y)
    model.coef_ = np.append(model.coef_, 0.5 * model.coef_[0])
    model.coef_[0] *= 0.5
    model.n_features_in_ = 6
    with pytest.raises(np.linalg.LinAlgError, match="depend on each other"):
        fa.aif(model, X, y)


def test_a_sloppy_fit_is_told_of_and_refined(model, data):
    X, y = data
    exact = fa.aif(model, X, y)
    model.coef_ = model.coef_ + 0.1 * (model.coef_ != 0)
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):
        fa.aif(model, X, y)
    refined = fa.aif(model, X, y, refine=True)
    np.testing.assert_allclose(refined.influence, exact.influence, rtol=0, atol=1e-11)


def test_a_zero_that_should_not_be_is_told_of(model, data):
    X, y = data
    model.coef_[0] = 0.0
    model.intercept_ = float(np.mean(y - X @ model.coef_))
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):
        fa.aif(model, X, y)


def test_behind_a_scaler_it_is_the_model_of_scaled_columns(data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.3, l1_ratio=0.8))
    found = fa.aif(pipe.fit(X, y), X, y)
    Z = StandardScaler().fit_transform(X)
    alone = fa.aif(fa.LinearRegression(alpha=0.3, l1_ratio=0.8).fit(Z, y), Z, y)
    np.testing.assert_allclose(found.influence, alone.influence, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_shared_budgets_move_the_support_alone(order, model, data):
    X, y = data
    found = fa.aif(model, X, y, order=order)
    kept = np.append(model.coef_ != 0, True)
    assert not found.influence[~kept].any()
    H, mixed = found.hessian[np.ix_(kept, kept)], found.mixed[kept]
    np.testing.assert_allclose(found.influence[kept], -np.linalg.solve(H, mixed), rtol=1e-10)


def test_bootstrap_draws_are_refits(model, data):
    result = fa.aif(model, *data)
    lower, upper = result.conf_int(n_draws=50, random_state=0).T
    assert np.all(lower <= result.influence + 1e-12)
    assert np.all(upper >= result.influence - 1e-12)
    free = fa.aif(fa.LinearRegression().fit(*data), *data).std_error(n_draws=50, random_state=0)
    assert np.all(np.isfinite(free))


def test_a_report_can_be_made(model, data):
    result = fa.aif(model, *data)
    assert "reaches zero" in result.summary() or result.validity_radius > 0
    assert result.diagnostics["condition_number"] >= 1.0
    assert result.diagnostics["solver_residual"] < 1e-12

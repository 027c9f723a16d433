"""Natural fits: stationarity, other packages' optima, and data that are hard to fit."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from oracles import linear as twin
from oracles import losses
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from support.makers import DELTA, LOSS, assert_close, estimator, make, theta_of

import fastaif as fa

OPTIONS = [(0.0, True), (0.05, True), (0.05, False), (0.0, False)]


def scaled_gradient(kind, X, y, w, theta, alpha, fit_intercept):
    """The gradient's norm over the mean norm of its terms."""
    Z = twin.design(X, fit_intercept)
    w = twin.normalised_weights(len(Z), w)
    _, slope, _ = losses.loss(LOSS[kind], Z @ theta, y, DELTA)
    penalty = 2.0 * alpha * twin.penalised(theta.size, fit_intercept) * theta
    lengths = np.sqrt(1.0 + np.sum(np.square(X, dtype=float), axis=1))
    return np.linalg.norm(Z.T @ (w * slope) + penalty) / (w @ (np.abs(slope) * lengths))


@pytest.mark.parametrize(("alpha", "fit_intercept"), OPTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradient_vanishes(kind, alpha, fit_intercept, weighted, dtype):
    X, y, w = make(kind, n=400, m=7, weighted=weighted)
    X = X.astype(dtype)
    model = estimator(kind, alpha, fit_intercept).fit(X, y, w)
    theta = theta_of(model)
    assert scaled_gradient(kind, X, y, w, theta, alpha, fit_intercept) <= 1e-12
    assert theta.dtype == np.float64
    assert isinstance(model.intercept_, float)


@pytest.mark.parametrize(("alpha", "fit_intercept"), OPTIONS)
def test_twin_agrees(kind, alpha, fit_intercept):
    X, y, w = make(kind, weighted=True)
    model = estimator(kind, alpha, fit_intercept).fit(X, y, w)
    wanted = twin.natural_fit(
        X, y, loss=LOSS[kind], alpha=alpha, fit_intercept=fit_intercept, sample_weight=w,
        delta=DELTA,
    )  # fmt: skip
    assert_close(theta_of(model), wanted, 1e-10)


def test_weights_are_repetitions(kind):
    X, y, w = make(kind, weighted=True)
    times = w.astype(int)
    weighted = estimator(kind).fit(X, y, w)
    repeated = estimator(kind).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_close(theta_of(weighted), theta_of(repeated), 1e-11)


# --- other packages -------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("a", [0.0, 3.0])
def test_ridge(a, fit_intercept):
    X, y, w = make("linear", weighted=True)
    theirs = Ridge(alpha=a, fit_intercept=fit_intercept, solver="svd").fit(X, y, w)
    ours = fa.LinearRegression(alpha=a / w.sum(), fit_intercept=fit_intercept).fit(X, y, w)
    assert_close(theta_of(ours), theta_of(theirs), 1e-8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_logistic_regression(fit_intercept):
    X, y, w = make("logistic", weighted=True)
    labels = np.where(y > 0, "yes", "no")
    theirs = LogisticRegression(
        C=0.7, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-14, max_iter=1000
    ).fit(X, labels, w)
    alpha = 1.0 / (2.0 * 0.7 * w.sum())
    ours = fa.LogisticRegression(alpha=alpha, fit_intercept=fit_intercept).fit(X, labels, w)
    assert_close(theta_of(ours), theta_of(theirs), 1e-8)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-7)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-7)
    assert ours.score(X, labels) == theirs.score(X, labels)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_poisson_regressor(fit_intercept):
    X, y, w = make("poisson", weighted=True)
    theirs = PoissonRegressor(
        alpha=0.2, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-14, max_iter=1000
    ).fit(X, y, w)
    ours = fa.PoissonRegression(alpha=0.1, fit_intercept=fit_intercept).fit(X, y, w)
    assert_close(theta_of(ours), theta_of(theirs), 1e-8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)


def test_poisson_on_randhie():
    """20,190 counts of visits to a doctor."""
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    data = sm.datasets.randhie.load_pandas()
    X, y = data.exog.to_numpy(dtype=float), data.endog.to_numpy(dtype=float)
    family = sm.families.Poisson()
    theirs = sm.GLM(y, sm.add_constant(X), family=family).fit(tol=1e-14, maxiter=100)
    ours = fa.PoissonRegression().fit(X, y)
    assert_close(theta_of(ours), np.roll(theirs.params, -1), 1e-8)
    # Their information matrix is n times our Hessian.
    wanted = np.roll(np.linalg.inv(theirs.normalized_cov_params), (-1, -1), axis=(0, 1))
    assert_close(fa.aif(ours, X, y).hessian * len(y), wanted, 1e-8)


def test_diabetes_is_least_squares():
    X, y = load_diabetes(return_X_y=True)
    theirs = LinearRegression().fit(X, y)
    assert_close(theta_of(fa.LinearRegression().fit(X, y)), theta_of(theirs), 1e-10)


# --- hard data ------------------------------------------------------------------------


def cancer(standardize):
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0) if standardize else X, y


# The standardised classes are not separable by a plane through the origin.
@pytest.mark.parametrize(
    ("standardize", "fit_intercept"), [(False, True), (False, False), (True, True)]
)
def test_separable_classes(standardize, fit_intercept):
    """There is no finite optimum, but a fit must end and say so."""
    X, y = cancer(standardize)
    model = fa.LogisticRegression(alpha=0.0, fit_intercept=fit_intercept)
    with pytest.warns(ConvergenceWarning, match="separable"):
        model.fit(X, y)
    assert np.isfinite(theta_of(model)).all()
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("standardize", [False, True])
def test_separable_classes_have_no_influence(standardize):
    X, y = cancer(standardize)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fa.LogisticRegression(alpha=0.0).fit(X, y)
    with pytest.raises(ValueError, match=r"damping.*alpha|alpha.*damping"):
        fa.aif(model, X, y)


def singular(kind):
    """One column twice, and one that is a sum of others."""
    X, y, w = make(kind, m=3, weighted=True)
    return np.column_stack([X, X[:, 0], X[:, 1] + X[:, 2]]), y, w


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_singular_data_have_the_minimum_norm_fit(kind, fit_intercept):
    X, y, w = singular(kind)
    model = estimator(kind, 0.0, fit_intercept)
    with pytest.warns(ConvergenceWarning, match="least norm"):
        model.fit(X, y, w)
    theta = theta_of(model)
    assert scaled_gradient(kind, X, y, w, theta, 0.0, fit_intercept) <= 1e-12
    # The intercept is free, so that of all minimisers the one of least |coef| is in the span
    # of the rows, centred if there is an intercept.
    null = np.array([[1.0, 0, 0, -1, 0], [0, 1, 1, 0, -1]])
    np.testing.assert_allclose(null @ model.coef_, 0.0, atol=1e-10 * np.abs(theta).max())


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_fewer_rows_than_columns(fit_intercept):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(8, 20)), rng.normal(size=8)
    model = fa.LinearRegression(fit_intercept=fit_intercept)
    with pytest.warns(ConvergenceWarning, match="least norm"):
        model.fit(X, y)
    theirs = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    assert_close(theta_of(model), theta_of(theirs), 1e-9)


def test_singular_data_have_no_influence(kind):
    X, y, w = singular(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = estimator(kind, 0.0).fit(X, y, w)
    with pytest.raises(np.linalg.LinAlgError, match=r"least eigenvalue.*damping"):
        fa.aif(model, X, y, sample_weight=w)
    assert np.isfinite(fa.aif(model, X, y, sample_weight=w, damping=1e-3).influence).all()


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_columns_far_from_zero(kind, alpha):
    X, y, w = make(kind, weighted=True)
    far = X + 1e6
    near = far - 1e6  # the same numbers, without what was rounded away
    model, plain = (estimator(kind, alpha).fit(data, y, w) for data in (far, near))
    assert_close(model.coef_, plain.coef_, 1e-9)
    offset = 1e6 * plain.coef_.sum()
    assert model.intercept_ == pytest.approx(plain.intercept_ - offset, rel=1e-9)
    np.testing.assert_allclose(model.predict(far), plain.predict(near), atol=1e-7)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_columns_of_very_unlike_size(kind, alpha):
    X, y, w = make(kind, weighted=True)
    size = np.array([1e-6, 1e-3, 1.0, 1e3, 1e6])
    plain = estimator(kind, 0.0).fit(X, y, w)
    model = estimator(kind, alpha * 1e-14).fit(X * size, y, w)
    assert_close(model.coef_ * size, plain.coef_, 1e-8 if alpha == 0 else 1e-2)


def test_constant_column_is_the_intercept(kind):
    X, y, w = make(kind, weighted=True)
    wide = np.column_stack([X, np.full(len(X), 3.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = estimator(kind, 0.0).fit(wide, y, w)
    plain = estimator(kind, 0.0).fit(X, y, w)
    np.testing.assert_allclose(model.predict(wide), plain.predict(X), rtol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "poisson", "huber"])
def test_a_perfect_fit_is_found(kind):
    X, _, _ = make(kind, n=30)
    f = X @ np.linspace(0.3, -0.3, 5) + 0.1
    model = estimator(kind, 0.0).fit(X, np.exp(f) if kind == "poisson" else f)
    assert_close(theta_of(model), np.append(np.linspace(0.3, -0.3, 5), 0.1), 1e-9)


def test_one_sample_of_each_class():
    model = fa.LogisticRegression(alpha=0.1).fit([[0.0], [1.0]], ["a", "b"])
    assert list(model.predict([[-5.0], [5.0]])) == ["a", "b"]


@pytest.mark.parametrize("alpha", [-1.0, np.nan, np.inf])
def test_wrong_alpha_is_refused(kind, alpha):
    X, y, _ = make(kind)
    with pytest.raises(ValueError, match="alpha"):
        estimator(kind, alpha).fit(X, y)


def test_three_classes_are_refused():
    X = np.arange(6.0)[:, None]
    with pytest.raises(ValueError, match="Only binary classification"):
        fa.CloglogRegression().fit(X, [0, 1, 2, 0, 1, 2])


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="negative"):
        fa.PoissonRegression().fit([[0.0], [1.0]], [1.0, -1.0])


def test_a_deep_copy_shares_nothing_that_changes():
    X, y, _ = make("logistic", n=50, m=3)
    model = fa.LogisticRegression(alpha=0.1).fit(X, y)
    model.note, model.self = {"seen": [1]}, model
    other = copy.deepcopy(model)
    assert other.self is other
    assert vars(other).keys() == vars(model).keys()
    other.coef_[0], other.classes_[0] = 7.0, -7.0
    other.note["seen"].append(2)
    assert model.coef_[0] != 7.0
    assert model.classes_[0] != -7.0
    assert model.note == {"seen": [1]}
    assert_close(copy.deepcopy(model).predict(X), model.predict(X))

"""scikit-learn's models with an l1 penalty are ours: its scalings, and what becomes of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import linear_model as sk
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

import fastaif as fa

OLD = sk.LogisticRegression().penalty == "l2"  # from 1.8 on l1_ratio alone says which it is


def logistic(ratio, kind=sk.LogisticRegression, **options):
    penalty = {"penalty": "elasticnet"} if OLD else {}
    return kind(solver="saga", tol=1e-12, max_iter=100_000, **penalty, **options, **ratio)


NUMBERS = {
    "Lasso": (lambda: sk.Lasso(0.15, tol=1e-14), 1e-8),
    "LassoCV": (lambda: sk.LassoCV(cv=3, alphas=[0.1, 0.3], tol=1e-14), 1e-8),
    "LassoLars": (lambda: sk.LassoLars(0.15), 1e-8),
    "ElasticNet": (lambda: sk.ElasticNet(0.2, l1_ratio=0.6, tol=1e-14), 1e-8),
    "ElasticNet, of l2 alone": (lambda: sk.ElasticNet(0.2, l1_ratio=0.0, tol=1e-14), 1e-5),
    "ElasticNetCV": (
        lambda: sk.ElasticNetCV(cv=3, l1_ratio=[0.5, 0.9], alphas=[0.1, 0.3], tol=1e-14), 1e-8
    ),
    "SGDRegressor, l1": (
        lambda: sk.SGDRegressor(alpha=0.2, penalty="l1", tol=None, max_iter=3000, random_state=0),
        0.05,
    ),
    "SGDRegressor, elastic net": (
        lambda: sk.SGDRegressor(
            alpha=0.2, penalty="elasticnet", l1_ratio=0.7, tol=None, max_iter=3000, random_state=0
        ),
        0.05,
    ),
}  # fmt: skip
LABELS = {
    "LogisticRegression, l1": (lambda: logistic({"l1_ratio": 1.0}, C=0.15), 1e-6),
    "LogisticRegression, elastic net": (lambda: logistic({"l1_ratio": 0.6}, C=0.15), 1e-6),
    "LogisticRegression, liblinear": (
        lambda: sk.LogisticRegression(
            penalty="l1", solver="liblinear", C=0.15, fit_intercept=False, tol=1e-12, max_iter=5000
        ),
        1e-5,
    ),
    "LogisticRegressionCV": (
        lambda: logistic(
            {"l1_ratios": [0.5, 1.0]}, sk.LogisticRegressionCV, Cs=[0.1, 0.3], cv=3
        ),
        1e-6,
    ),
    "LinearSVC": (
        lambda: LinearSVC(
            penalty="l1", dual=False, C=0.05, fit_intercept=False, tol=1e-10, max_iter=50_000
        ),
        1e-5,
    ),
    "SGDClassifier": (
        lambda: sk.SGDClassifier(
            "log_loss", alpha=0.05, penalty="elasticnet", l1_ratio=0.8, tol=None, max_iter=3000,
            random_state=0,
        ),
        0.05,
    ),
}  # fmt: skip


def data(labels, seed=0, n=120, m=6):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m))
    f = X @ [1.0, -0.7, 0.4, 0.0, 0.0, 0.1] + 0.7 * rng.normal(size=n)
    return X, (f > 0).astype(int) if labels else 2.0 + f, rng.uniform(0.5, 2.0, size=n)


def fitted(model, X, y, w=None):
    weights = {} if w is None else {"sample_weight": w}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y, **weights)


@pytest.mark.every
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*NUMBERS, *LABELS])
@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning", "ignore::FutureWarning")
def test_their_optimum_is_ours(name, weighted):
    """Refined, parameters stay where they were: the penalties' scalings are right."""
    X, y, w = data(name in LABELS)
    make, off = (NUMBERS | LABELS)[name]
    w = w if weighted and name not in ("LassoLars",) else None
    if w is not None and "SGD" in name:  # whose penalty is in units of rows
        w = w / w.mean()
    model = fitted(make(), X, y, w)
    theirs = np.ravel(model.coef_)
    found = fa.aif(model, X, y, radius=1.0, sample_weight=w, refine=True)
    np.testing.assert_allclose(found.params[:6], theirs, rtol=0, atol=off)
    plain = fa.aif(model, X, y, radius=1.0, sample_weight=w)
    if off < 1e-4:
        np.testing.assert_array_equal(plain.influence[:6] == 0.0, theirs == 0.0)
        np.testing.assert_allclose(plain.influence, found.influence, rtol=0, atol=1e3 * off)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_robust_fits_give_their_estimator_back():
    X, y, _ = data(False)
    pipe = make_pipeline(StandardScaler(), sk.Lasso(0.1, tol=1e-14)).fit(X, y)
    fit = fa.robust_fit(pipe, X, y, eps=0.1)
    assert fit.converged
    assert type(fit.estimator[-1]).__name__ == "Lasso"
    np.testing.assert_array_equal(fit.estimator[-1].coef_, fit.params[:6])
    ours = make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.2, l1_ratio=1.0)).fit(X, y)
    again = fa.robust_fit(ours, X, y, eps=0.1)
    np.testing.assert_allclose(fit.params, again.params, rtol=0, atol=1e-9)


def test_default_tolerances_are_told_of_or_near_enough():
    X, y, _ = data(False)
    model = sk.Lasso(0.1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        found = fa.aif(model, X, y)
    exact = fa.aif(fitted(sk.Lasso(0.1, tol=1e-14), X, y), X, y)
    near = np.abs(found.influence - exact.influence).max()
    assert near < 1e-2 * np.abs(exact.influence).max()


@pytest.mark.parametrize("outputs", [False, True])
def test_several_predictions_are_refused(outputs):
    X, y, _ = data(False)
    if outputs:
        model = sk.Lasso(0.1).fit(X, np.column_stack([y, -y]))
        y = np.column_stack([y, -y])
    else:
        y = np.digitize(y, [1.5, 2.5])
        model = fitted(logistic({"l1_ratio": 1.0}, C=0.2), X, y)
    with pytest.raises(ValueError, match="l1 or elastic-net penalty and"):
        fa.aif(model, X, y)


def test_several_outputs_of_ours_are_refused():
    X, y, _ = data(False)
    with pytest.raises(ValueError, match="l1_ratio > 0 is for one output"):
        fa.LinearRegression(alpha=0.1, l1_ratio=0.5).fit(X, np.column_stack([y, -y]))


def test_a_lasso_behind_polynomials_is_refused():
    X, y, _ = data(False)
    pipe = make_pipeline(PolynomialFeatures(2), sk.Lasso(0.1)).fit(X, y)
    with pytest.raises(TypeError, match="Lasso with an l1 penalty behind preprocessing"):
        fa.aif(pipe, X, y)

"""scikit-learn's estimators whose objective is one of ours in other words, and its scalers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import linear_model as sk
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from support.makers import assert_close, make

import fastaif as fa

TIGHT = {"tol": 1e-12, "max_iter": 10_000}
# Each with the α of ours, from the fitted estimator and the number of rows.
SAME = {
    "RidgeCV": (sk.RidgeCV(alphas=[0.1, 3.0]), fa.LinearRegression, lambda f, n: f.alpha_ / n),
    "BayesianRidge": (
        sk.BayesianRidge(), fa.LinearRegression, lambda f, n: f.lambda_ / f.alpha_ / n,
    ),
    "Tweedie 0": (
        sk.TweedieRegressor(power=0, alpha=0.2, **TIGHT), fa.LinearRegression, lambda f, n: 0.2,
    ),
    "Tweedie 1": (
        sk.TweedieRegressor(power=1, alpha=0.2, **TIGHT), fa.PoissonRegression, lambda f, n: 0.1,
    ),
    "LogisticRegressionCV": (
        sk.LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, **TIGHT), fa.LogisticRegression,
        lambda f, n: 0.5 / np.ravel(f.C_)[0] / n,
    ),
    "SGDRegressor": (sk.SGDRegressor(alpha=0.1), fa.LinearRegression, lambda f, n: 0.1),
    "SGDClassifier": (
        sk.SGDClassifier("log_loss", alpha=0.1), fa.LogisticRegression, lambda f, n: 0.05,
    ),
}  # fmt: skip
KINDS = {
    fa.LinearRegression: "linear", fa.LogisticRegression: "logistic",
    fa.PoissonRegression: "poisson",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", SAME)
def test_same_influence_as_ours(name):
    theirs, ours, alpha_of = SAME[name]
    X, y, _ = make(KINDS[ours])
    theirs.fit(X, y)
    model = ours(alpha=alpha_of(theirs, len(X))).fit(X, y)
    found = fa.aif(theirs, X, y, refine=True)
    wanted = fa.aif(model, X, y)
    assert_close(found.params, wanted.params, 1e-10)
    assert_close(found.influence, wanted.influence, 1e-8)
    robust = fa.robust_fit(theirs, X, y, 0.05).estimator
    assert type(robust) is type(theirs)
    assert robust.predict(X[:3]).shape == (3,)
    if "SGD" not in name:
        near = fa.aif(theirs, X, y)
        assert_close(near.influence, wanted.influence, 1e-5)


def test_ridge_classifiers_are_least_squares_on_their_labels():
    X, y, _ = make("logistic")
    model = fa.LinearRegression(alpha=2.0 / len(X)).fit(X, y)
    wanted = fa.aif(model, X, y)
    words = np.where(y > 0, "yes", "no")
    for theirs in (sk.RidgeClassifier(alpha=2.0), sk.RidgeClassifierCV(alphas=[2.0])):
        found = fa.aif(theirs.fit(X, words), X, words)
        assert_close(found.influence, wanted.influence, 1e-8)
        assert fa.robust_fit(theirs, X, words, 0.1).estimator.predict(X[:2]).dtype.kind == "U"


@pytest.mark.parametrize(
    "scaler",
    [MinMaxScaler(), MinMaxScaler((-1.0, 3.0)), MaxAbsScaler(), RobustScaler(),
     RobustScaler(with_centering=False), RobustScaler(with_scaling=False)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_scalers_are_held_fixed(scaler, p):
    X, y, _ = make("linear")
    pipe = make_pipeline(scaler, StandardScaler(), fa.LinearRegression(alpha=0.1)).fit(X, y)
    found = fa.aif(pipe, X, y, p=p)
    wanted = fa.aif(pipe[-1], pipe[:-1].transform(X), y, p=p)
    assert_close(found.influence, wanted.influence, 1e-10)
    moved = fa.attack(pipe, X, y, 0.1, p=p)
    inner = fa.attack(pipe[-1], pipe[:-1].transform(X), y, 0.1, p=p)
    np.testing.assert_allclose(pipe[:-1].transform(moved), inner, atol=1e-9)


REFUSED = {
    "gamma": (sk.TweedieRegressor(power=2), "linear", "power=0"),
    "epsilon": (sk.SGDRegressor("epsilon_insensitive"), "linear", "squared_error"),
    "class weights": (sk.RidgeClassifier(class_weight="balanced"), "logistic", "sample_weight"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_options_are_refused_by_name(name):
    model, kind, reason = REFUSED[name]
    X, y, _ = make(kind)
    y = np.abs(y) + 1.0 if name == "gamma" else y
    with pytest.raises(ValueError, match=reason):
        fa.aif(model.fit(X, y), X, y)


def test_clipping_scalers_are_refused():
    X, y, _ = make("linear")
    pipe = make_pipeline(MinMaxScaler(clip=True), sk.Ridge()).fit(X, y)
    with pytest.raises(ValueError, match=r"MinMaxScaler\(clip=True\)"):
        fa.aif(pipe, X, y)

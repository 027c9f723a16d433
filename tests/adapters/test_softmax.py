"""scikit-learn's logistic regressions of three classes or more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import softmax as twin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from support.makers import about, assert_close
from support.softmax_makers import make, theta_of

import fastaif as fa

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("error::fastaif.InfluenceWarning"),
]
TIGHT = {"tol": 1e-10, "max_iter": 5000, "C": 0.7}


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky"])
@pytest.mark.parametrize("penalty", ["l2", "none", "balanced"])
def test_influence_of_their_fits(penalty, solver):
    X, y, w = make(3)
    options = {"l2": {}, "none": {"C": np.inf}, "balanced": {"class_weight": "balanced"}}[penalty]
    labels = np.array(["low", "mid", "top"])[y]
    model = LogisticRegression(solver=solver, **{**TIGHT, **options}).fit(X, labels, w)
    weight = w
    if penalty == "balanced":
        counts = np.array([w[y == k].sum() for k in range(3)])
        weight = w * (counts.sum() / (3.0 * counts))[y]
    alpha = 0.0 if penalty == "none" else 0.5 / 0.7 / weight.sum()
    result = fa.aif(model, X, labels, sample_weight=w)
    known = twin.influence(X, y, result.params, 3, alpha=alpha, sample_weight=weight)
    assert_close(result.params, theta_of(model), 0.0)
    assert_close(result.influence, known["influence"], 1e-10)
    assert result.problem.alpha == about(alpha)


def test_behind_a_scaler_with_names():
    X, y, _ = make(4)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    pipe = make_pipeline(StandardScaler(), LogisticRegression(**TIGHT)).fit(frame, y)
    result = fa.aif(pipe, frame, y, p=np.inf, attackable=["a", "c"])
    known = twin.influence(
        X, y, result.params, 4, alpha=0.5 / 0.7 / len(X), p=np.inf, shift=pipe[0].mean_,
        scale=pipe[0].scale_, attackable=[True, False, True, False],
    )  # fmt: skip
    assert result.names[:4] == ("a[0]", "b[0]", "c[0]", "d[0]")
    assert_close(result.influence, known["influence"], 1e-10)
    robust = fa.robust_fit(pipe, frame, y, 0.01)
    assert_close(theta_of(robust.estimator[-1]), robust.params, 0.0)
    assert robust.estimator.score(frame, y) > 0.4


def test_encoded_categories_are_not_attacked():
    X, y, _ = make(3)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["city"] = np.array(["Bern", "Oslo", "Rome"])[np.arange(len(X)) % 3]
    parts = [("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["city"])]
    pipe = make_pipeline(ColumnTransformer(parts), LogisticRegression(**TIGHT)).fit(frame, y)
    result = fa.aif(pipe, frame, y)
    assert list(result.attackable) == [True, True, False, False, False]
    V = pipe[0].transform(frame)
    known = twin.influence(
        V, y, result.params, 3, alpha=0.5 / 0.7 / len(X), attackable=[True, True] + [False] * 3
    )
    assert_close(result.influence, known["influence"], 1e-10)


def test_the_one_that_was_chosen():
    X, y, _ = make(3)
    model = LogisticRegressionCV(
        Cs=[0.1, 1.0], cv=3, tol=1e-10, max_iter=5000, scoring="accuracy"
    ).fit(X, y)
    result = fa.aif(model, X, y)
    alpha = 0.5 / np.ravel(model.C_)[0] / len(X)
    known = twin.influence(X, y, result.params, 3, alpha=alpha)
    assert_close(result.influence, known["influence"], 1e-10)


def test_noisy_copies():
    X, y, _ = make(3)
    model = fa.RandomizedSmoothing(LogisticRegression(**TIGHT), 0.3, n_copies=3, random_state=0)
    result = fa.aif(model.fit(X, y), X, y)
    copies, labels = np.asarray(result.problem.source.x[:]), np.tile(y, 3)
    known = twin.influence(
        copies, labels, result.params, 3, alpha=0.5 / 0.7 / len(labels),
        radius=np.linalg.norm(X, axis=1).mean(),
    )  # fmt: skip
    assert_close(result.influence, known["influence"], 1e-10)
    assert result.per_sample().shape == (len(X), 15)
    assert_close(result.per_sample().mean(axis=0), result.influence, 1e-10)


REFUSED = {
    "PolynomialFeatures": [PolynomialFeatures(2), LogisticRegression(**TIGHT)],
    "elastic-net": [
        LogisticRegression(solver="saga", l1_ratio=0.5, tol=1e-2, max_iter=5000)
    ],
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_refused_by_name(message):
    X, y, _ = make(3)
    model = make_pipeline(*REFUSED[message]).fit(X, y)
    with pytest.raises((TypeError, ValueError), match=message):
        fa.aif(model, X, y)


def test_the_same_classes_one_by_one_are_another_model():
    X, y, _ = make(3)
    model = LogisticRegression(**TIGHT).fit(X, y)
    model.multi_class = "ovr"
    with pytest.raises(ValueError, match="one by one"):
        fa.aif(model, X, y)

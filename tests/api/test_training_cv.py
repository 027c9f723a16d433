"""ε by cross-validation: the choice of a grid search over robust fits."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa

GRID = np.array([0.1, 0.0, 0.01, 0.03])


def data(kind):
    load, model = {
        "linear": (load_diabetes, Ridge()), "logistic": (load_breast_cancer, LogisticRegression()),
    }[kind]  # fmt: skip
    X, y = load(return_X_y=True)
    return X[:150, :8], y[:150], make_pipeline(StandardScaler(), model)


@pytest.mark.parametrize("scoring", ["adversarial", None])
@pytest.mark.parametrize("p", [2, np.inf])
@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_chooses_as_a_grid_search(kind, p, scoring):
    X, y, model = data(kind)

    def attacked(fitted, X, y):
        s = fitted.robust_.radius
        return -fa.adversarial_loss(fitted.estimator_, X, y, 0.05, p=p, radius=s)

    search = GridSearchCV(
        fa.AdversarialTraining(model, p=p, tol=1e-11), {"eps": GRID}, cv=3,
        scoring=attacked if scoring else None,
    ).fit(X, y)  # fmt: skip
    found = fa.AdversarialTrainingCV(
        model, GRID, p=p, cv=3, scoring=scoring, attack_eps=0.05, tol=1e-11
    ).fit(X, y)  # fmt: skip
    assert found.eps_ == search.best_params_["eps"]
    np.testing.assert_allclose(
        found.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"], rtol=1e-5
    )
    assert found.best_score_ == pytest.approx(search.best_score_, rel=1e-5)
    np.testing.assert_array_equal(found.predict(X), search.best_estimator_.predict(X))


def test_folds_weights_frames_and_scorers():
    X, y, model = data("linear")
    frame, w = pd.DataFrame(X).add_prefix("x"), np.random.default_rng(0).uniform(0.5, 2.0, 150)
    search = fa.AdversarialTrainingCV(
        model, GRID, cv=KFold(2), scoring="neg_mean_squared_error", attackable=["x1", "x2"]
    )
    found = search.fit(frame, pd.Series(y), sample_weight=w)
    assert list(found.feature_names_in_) == list(frame.columns)
    clean = clone(found).set_params(scoring="clean").fit(frame, pd.Series(y), sample_weight=w)
    for key in ("eps", "split0_test_score", "split1_test_score", "mean_test_score"):
        np.testing.assert_allclose(clean.cv_results_[key], found.cv_results_[key], rtol=1e-10)
    assert sorted(found.cv_results_["rank_test_score"])[0] == 1
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(frame), found.predict(frame))


def test_refusals():
    X, y, model = data("linear")
    with pytest.raises(ValueError, match="scoring='worst' is unknown"):
        fa.AdversarialTrainingCV(model, scoring="worst").fit(X, y)
    with pytest.raises(ValueError, match="eps must be"):
        fa.AdversarialTrainingCV(model, [-0.1]).fit(X, y)


def test_the_default_grid_and_the_price():
    X, y, model = data("linear")
    found = fa.AdversarialTrainingCV(model, cv=2).fit(X, y)
    assert found.cv_results_["eps"].size == 25
    fitted = model.fit(X, y)
    eps = fa.choose_eps(fitted, X, y, max_cost=100.0)
    assert fa.robust_path(fitted, X, y, [eps]).cost(eps) == pytest.approx(100.0, rel=1e-4)


def test_a_model_that_looks_at_nothing_is_told():
    X, y, _ = data("linear")
    search = fa.AdversarialTrainingCV(fa.LinearRegression(), eps=[0.0, 5.0], attack_eps=5.0, cv=3)
    with pytest.warns(fa.RangeWarning, match="no coefficient left: attacks of attack_eps = 5"):
        search.fit(X, y)
    assert search.eps_ == 5.0


def test_pipelines_are_scored_by_their_last_step():
    """What is before it is done once; there may be nothing."""
    X, y, _ = data("linear")
    X, y = X[:40], y[:40]
    plain = fa.AdversarialTrainingCV(Ridge(), GRID[:2], cv=2, scoring=None).fit(X, y)
    for steps in ([], ["passthrough"]):
        piped = make_pipeline(*steps, Ridge())
        found = fa.AdversarialTrainingCV(piped, GRID[:2], cv=2, scoring="r2").fit(X, y)
        for name, wanted in plain.cv_results_.items():
            np.testing.assert_allclose(found.cv_results_[name], wanted, err_msg=name)


@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_own_scores_are_those_by_name(kind):
    """All models at once have the scores that each has by scikit-learn's metric, whatever labels
    are."""
    X, y, model = data(kind)
    name = "r2" if kind == "linear" else "accuracy"
    for targets in (y, pd.Series(y) if kind == "linear" else np.where(y > 0, "yes", "no")):
        own = fa.AdversarialTrainingCV(model, GRID, cv=2, scoring=None).fit(X, targets)
        named = fa.AdversarialTrainingCV(model, GRID, cv=2, scoring=name).fit(X, targets)
        for key, wanted in named.cv_results_.items():
            np.testing.assert_allclose(own.cv_results_[key], wanted, rtol=1e-13, err_msg=key)

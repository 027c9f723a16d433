"""AdversarialTraining as an estimator: its fit is robust_fit's, and a search chooses its ε."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.makers import about, assert_close, make
from support.makers import estimator as plain

import fastaif as fa
from fastaif.utils.warnings import SolverWarning

# To rounding: the checks compare predictions of two fits to 1e-7, more than a gap of 1e-8 promises.
EXACTLY = {"tol": 1e-12}
ESTIMATORS = [
    fa.AdversarialTraining(fa.LinearRegression(alpha=0.01), 0.05, **EXACTLY),
    fa.AdversarialTraining(fa.LogisticRegression(alpha=0.01), p=np.inf, **EXACTLY),
    fa.AdversarialTraining(fa.PoissonRegression(alpha=0.1), 0.02, **EXACTLY),
    fa.AdversarialTraining(Ridge(), 0.05, radius=1.0, **EXACTLY),
    fa.AdversarialTraining(
        make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.1)), **EXACTLY
    ),
]


def expected_failures(estimator):
    """Checks that cannot pass, with the reason."""
    reasons = {"check_dtype_object": "robust_fit refuses arrays of objects"}
    if isinstance(estimator.estimator, Pipeline):
        reasons["check_fit2d_1sample"] = "one standardised sample is zero, which robust_fit says"
    return reasons


# The checks fit to random and degenerate data, on which estimators may warn as they please.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_is_robust_fits(kind, weighted):
    X, y, w = make(kind, weighted=weighted)
    attack = {"p": 1.5, "radius": 0.5, "attackable": ["x0", "x3"]}
    model = fa.AdversarialTraining(plain(kind), 0.2, **attack, tol=1e-10)
    assert model.fit(X, y, sample_weight=w) is model
    inner = plain(kind).fit(X, y, w)
    wanted = fa.robust_fit(inner, X, y, 0.2, **attack, tol=1e-10, sample_weight=w)
    np.testing.assert_array_equal(model.robust_.params, wanted.params)
    assert model.robust_.converged
    np.testing.assert_array_equal(model.predict(X), wanted.estimator.predict(X))
    assert model.score(X, y, w) == wanted.estimator.score(X, y, w)
    np.testing.assert_array_equal(model.natural_estimator_.coef_, inner.coef_)
    assert not np.array_equal(model.predict(X), inner.predict(X))
    assert not hasattr(model.estimator, "coef_")


def test_it_lowers_the_loss_under_attack_and_raises_the_clean_one(kind):
    X, y, _ = make(kind)
    model = fa.AdversarialTraining(plain(kind, alpha=0.0), 0.1).fit(X, y)
    for eps, sign in ((0.0, 1.0), (0.1, -1.0)):
        robust = fa.adversarial_loss(model.estimator_, X, y, eps)
        natural = fa.adversarial_loss(model.natural_estimator_, X, y, eps)
        assert sign * (robust - natural) > 0.0


def test_orders_and_ascent_are_robust_fits():
    X, y, _ = make("linear")
    inner = fa.LinearRegression().fit(X, y)
    for options in ({"order": 2}, {"order": 1, "p": np.inf}):
        model = fa.AdversarialTraining(fa.LinearRegression(), 0.1, **options).fit(X, y)
        wanted = fa.robust_fit(inner, X, y, 0.1, tol=1e-8, **options)
        np.testing.assert_array_equal(model.robust_.params, wanted.params)
    by_ascent = fa.AdversarialTraining(
        fa.LinearRegression(), 0.1, method="pgd", max_iter=3, random_state=3, n_threads=1
    )
    with pytest.warns(SolverWarning):
        assert by_ascent.fit(X, y).robust_.method == "pgd"


def test_without_an_attack_it_is_the_natural_optimum():
    X, y, _ = make("linear")
    model = fa.AdversarialTraining(fa.LinearRegression(alpha=0.1), 0.0).fit(X, y)
    assert_close(model.estimator_.coef_, model.natural_estimator_.coef_, 1e-10)


def test_weights_are_repetitions_in_a_pipeline():
    X, y, w = make("linear", weighted=True)
    inner = make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.1))
    model = fa.AdversarialTraining(inner, 0.1, tol=1e-11)
    times = w.astype(int)
    repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_close(model.fit(X, y, w).robust_.params, repeated.robust_.params, 1e-9)


def test_it_is_what_is_inside():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    names = np.array(["bad", "good"])
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    model = fa.AdversarialTraining(inner, attackable=[X.columns[0]]).fit(X, names[y])
    assert is_classifier(model)
    assert is_regressor(fa.AdversarialTraining(Ridge()))
    assert not hasattr(fa.AdversarialTraining(Ridge()), "predict_proba")
    assert list(model.classes_) == ["bad", "good"]
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.n_features_in_ == 30
    for method in ("predict", "predict_proba", "decision_function"):
        wanted = getattr(model.robust_.estimator, method)(X)
        np.testing.assert_array_equal(getattr(model, method)(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_parameters_and_clones():
    model = fa.AdversarialTraining(Ridge(3.0), 0.2, p=np.inf, order=1, radius=1.0, tol=1e-6)
    again = clone(model)
    assert again.get_params()["estimator__alpha"] == 3.0
    again.set_params(eps=0.5, estimator__alpha=1.0)
    assert (again.eps, again.estimator.alpha, again.p, again.order) == (0.5, 1.0, np.inf, 1)
    assert (model.eps, model.estimator.alpha) == (0.2, 3.0)


def test_randomized_smoothing_is_trained_on_its_copies():
    X, y, _ = make("linear")
    smooth = fa.RandomizedSmoothing(fa.LinearRegression(), 0.3, 4, random_state=0)
    model = fa.AdversarialTraining(smooth, 0.1).fit(X, y)
    wanted = fa.robust_fit(clone(smooth).fit(X, y), X, y, 0.1, tol=1e-8)
    np.testing.assert_array_equal(model.robust_.params, wanted.params)
    assert isinstance(model.estimator_, fa.RandomizedSmoothing)


def test_a_search_chooses_the_eps_that_does_best_under_the_attack():
    X, y = load_diabetes(return_X_y=True)
    model = fa.AdversarialTraining(make_pipeline(StandardScaler(), Ridge()))
    grid = [0.0, 0.01, 0.03, 0.1]

    def attacked(model, X, y):
        return -fa.adversarial_loss(model.estimator_, X, y, 0.1)

    chosen = {}
    for name, scoring in (("clean", None), ("attacked", attacked)):
        search = GridSearchCV(model, {"eps": grid}, scoring=scoring, cv=4).fit(X, y)
        means = [
            np.mean(cross_val_score(clone(model).set_params(eps=e), X, y, scoring=scoring, cv=4))
            for e in grid
        ]
        assert_close(search.cv_results_["mean_test_score"], means, 1e-12)
        assert search.best_params_["eps"] == grid[int(np.argmax(means))]
        assert search.best_estimator_.robust_.eps == search.best_params_["eps"]
        chosen[name] = search.best_params_["eps"]
    assert chosen["clean"] < chosen["attacked"]


def test_functions_are_given_the_model_inside():
    X, y, _ = make("linear")
    model = fa.AdversarialTraining(fa.LinearRegression(alpha=0.1), 0.1).fit(X, y)
    for function in (fa.aif, fa.InfluenceAccumulator):
        with pytest.raises(TypeError, match=r"give its natural_estimator_ to aif"):
            function(model, X, y) if function is fa.aif else function(model).update(X, y)
    with pytest.raises(NotFittedError):
        fa.aif(clone(model), X, y)
    with pytest.raises(TypeError, match="WithInfluence is not taken as it is: give its estimator_"):
        fa.aif(fa.WithInfluence(Ridge()).fit(X, y), X, y)
    assert fa.aif(model.natural_estimator_, X, y).influence.shape == (6,)
    loss = fa.adversarial_loss(model.estimator_, X, y, 0.1)
    assert loss + 0.1 * np.sum(model.estimator_.coef_**2) == about(model.robust_.objective, 1e-10)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"eps": -0.1}, ValueError, "eps must be"),
        ({"eps": [0.1, 0.2]}, TypeError, "eps must be"),
        ({"p": 0.5}, ValueError, "p must be"),
        ({"method": "best"}, ValueError, "method must be"),
        ({"tol": 0.0}, ValueError, "tol must be"),
    ],
)
def test_refusals(options, error, message):
    X, y, _ = make("linear")
    with pytest.raises(error, match=message):
        fa.AdversarialTraining(fa.LinearRegression(), **options).fit(X, y)


def test_errors_and_warnings_come_out():
    X, y, _ = make("linear")
    with pytest.raises(TypeError, match="PCA is not supported"):
        fa.AdversarialTraining(PCA()).fit(X, y)
    with pytest.raises(NotFittedError):
        fa.AdversarialTraining(Ridge()).predict(X)
    short = fa.AdversarialTraining(plain("logistic"), 0.1, max_iter=1)
    labels = make("logistic").y
    with pytest.warns(SolverWarning):
        assert not short.fit(X, labels).robust_.converged

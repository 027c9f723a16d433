"""WithInfluence as an estimator, and the scorer's numbers and choices."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.makers import about, assert_close, make
from support.makers import estimator as plain

import fastaif as fa
from fastaif.utils.warnings import FlipWarning

ALPHAS = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]

# --- the estimator ----------------------------------------------------------------------

ESTIMATORS = [
    fa.WithInfluence(fa.LinearRegression(alpha=0.01)),
    fa.WithInfluence(fa.LogisticRegression(), p=np.inf),
    fa.WithInfluence(Ridge(), radius=1.0),
    fa.WithInfluence(make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.1))),
]


def expected_failures(estimator):
    """Checks that cannot pass, with the reason."""
    reasons = {"check_dtype_object": "aif refuses arrays of objects"}
    if is_regressor(estimator):
        reasons["check_fit2d_1sample"] = "aif finds that one sample is fitted exactly, and says so"
    return reasons


@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("weighted", [False, True])
def test_influence_is_of_the_fit(kind, weighted):
    X, y, w = make(kind, weighted=weighted)
    model = fa.WithInfluence(plain(kind), p=1.5, radius=2.0, attackable=["x0", "x3"])
    model.fit(X, y, sample_weight=w)
    inner = plain(kind).fit(X, y, w)
    wanted = fa.aif(inner, X, y, p=1.5, radius=2.0, attackable=["x0", "x3"], sample_weight=w)
    np.testing.assert_array_equal(model.influence_, wanted.influence)
    assert model.result_.p == 1.5
    np.testing.assert_array_equal(model.predict(X), inner.predict(X))
    assert model.score(X, y, w) == inner.score(X, y, w)
    assert not hasattr(model.estimator, "coef_")


def test_weights_are_repetitions_in_a_pipeline():
    X, y, w = make("linear", weighted=True)
    model = fa.WithInfluence(make_pipeline(StandardScaler(), fa.LinearRegression(alpha=0.1)))
    times = w.astype(int)
    repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert_close(model.fit(X, y, w).influence_, repeated.influence_, 1e-10)


def test_it_is_what_is_inside():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    labels = np.where(y > 0, "benign", "malignant")
    model = fa.WithInfluence(make_pipeline(StandardScaler(), fa.LogisticRegression(alpha=0.01)))
    assert is_classifier(model)
    assert not is_regressor(model)
    assert not any(hasattr(model, name) for name in ("classes_", "n_features_in_"))
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.fit(X, labels)
    assert list(model.classes_) == ["benign", "malignant"]
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.n_features_in_ == 30
    for method in ("predict", "predict_proba", "decision_function"):
        wanted = getattr(model.estimator_, method)(X)
        np.testing.assert_array_equal(getattr(model, method)(X), wanted)
    assert is_regressor(fa.WithInfluence(Ridge()))
    assert not hasattr(fa.WithInfluence(Ridge()), "predict_proba")


def test_clones_parameters_and_pickles():
    X, y, _ = make("linear")
    model = fa.WithInfluence(make_pipeline(StandardScaler(), Ridge()), p=np.inf, damping=0.1)
    model.set_params(estimator__ridge__alpha=7.0, damping=0.2)
    copied = clone(model)
    assert copied.get_params()["estimator__ridge__alpha"] == 7.0
    assert copied.damping == 0.2
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.influence_, model.influence_)
    score = fa.sensitivity_scorer(0.1)
    assert score(again, X, y) == score(model, X, y)


def test_errors_come_out():
    X, y, _ = make("linear")
    twice = np.column_stack([X, X[:, 0]])
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.WithInfluence(Ridge(alpha=0.0, solver="svd")).fit(twice, y)
    with pytest.raises(TypeError, match="PCA is not supported"):
        fa.WithInfluence(PCA()).fit(X, y)
    with pytest.raises(ValueError, match="p must be"):
        fa.WithInfluence(Ridge(), p=0.5).fit(X, y)


def test_a_singular_candidate_does_not_stop_a_search():
    X, y, _ = make("linear")
    twice = np.column_stack([X, X[:, 0]])
    search = GridSearchCV(
        fa.WithInfluence(Ridge(solver="svd")), {"estimator__alpha": [0.0, 1.0]},
        scoring=fa.sensitivity_scorer(0.1), cv=3,
    )  # fmt: skip
    with pytest.warns(FitFailedWarning, match="damping"), pytest.warns(UserWarning, match="nan"):
        search.fit(twice, y)
    assert search.best_params_ == {"estimator__alpha": 1.0}


# --- the scorer -------------------------------------------------------------------------


def direct_influence(V, y, alpha):
    """(θ̂, I) of ridge regression with an intercept, p = 2 (1/W scaling of alpha)."""
    n, m = V.shape
    Z = np.column_stack([V, np.ones(n)])
    H = 2.0 * Z.T @ Z / n + 2.0 * alpha / n * np.diag(np.append(np.ones(m), 0.0))
    theta = np.linalg.solve(H, 2.0 * Z.T @ y / n)
    r = Z @ theta - y
    size = np.linalg.norm(theta[:-1])
    mixed = 2.0 * size * np.sign(r) @ Z / n
    mixed[:-1] += 2.0 * np.mean(np.abs(r)) * theta[:-1] / size
    return theta, -np.mean(np.linalg.norm(V, axis=1)) * np.linalg.solve(H, mixed)


@pytest.mark.parametrize("place", ["outside", "inside"])
@pytest.mark.parametrize("expansion", ["quadratic", "taylor"])
def test_the_number(place, expansion):
    X, y = load_diabetes(return_X_y=True)
    Xt, yt, Xe, ye = X[:300], y[:300], X[300:], y[300:]
    model = {
        "outside": fa.WithInfluence(make_pipeline(StandardScaler(), Ridge(alpha=5.0))),
        "inside": make_pipeline(StandardScaler(), "passthrough", fa.WithInfluence(Ridge(5.0))),
    }[place].fit(Xt, yt)
    found = fa.sensitivity_scorer(0.03, 2.5, expansion)(model, Xe, ye)

    mean, sd = Xt.mean(axis=0), Xt.std(axis=0)
    theta, influence = direct_influence((Xt - mean) / sd, yt, 5.0)
    Z = np.column_stack([(Xe - mean) / sd, np.ones(len(Xe))])
    r, step = Z @ theta - ye, Z @ influence
    cost = 0.03**2 * np.mean(step**2)  # ½ IᵀH_eI with H_e = 2 E zzᵀ
    if expansion == "taylor":
        cost += 0.03 * np.mean(2.0 * r * step)
    assert -found == about(np.mean(r**2) + 2.5 * cost, 1e-10)
    assert isinstance(found, float)
    for score in (fa.sensitivity_scorer(0.03, weight=0.0), fa.sensitivity_scorer(0.0)):
        assert -score(model, Xe, ye) == about(np.mean(r**2), 1e-12)


def test_a_forecast_is_that_of_the_exact_cost():
    X, y = load_diabetes(return_X_y=True)
    model = fa.WithInfluence(make_pipeline(StandardScaler(), Ridge(1e-6))).fit(X, y)
    clean = fa.sensitivity_scorer(0.0)(model, X, y)
    cost = clean - fa.sensitivity_scorer(0.05, expansion="norm")(model, X, y)
    assert cost == pytest.approx(fa.robust_path(model.estimator_, X, y, 0.05).cost(0.05), rel=0.25)


def test_the_number_for_other_losses(kind):
    X, y, _ = make(kind, n=300)
    model = fa.WithInfluence(plain(kind), p=np.inf, radius=1.0).fit(X[:200], y[:200])
    Xe, ye = X[200:], y[200:]
    # At eps = 0 an attack does nothing.
    wanted = fa.adversarial_loss(model.estimator_, Xe, ye, 0.0)
    wanted += model.result_.sensitivity(1e-3, Xe, ye, expansion="quadratic")
    assert -fa.sensitivity_scorer(1e-3)(model, Xe, ye) == about(wanted, 1e-12)


def test_it_pickles_and_says_what_it_is():
    score = fa.sensitivity_scorer(0.05, weight=2, expansion="taylor")
    assert repr(score) == "sensitivity_scorer(eps=0.05, weight=2, expansion='taylor')"
    assert pickle.loads(pickle.dumps(score)) == score


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-0.1,), ValueError, "eps must be"),
        ((np.inf,), ValueError, "eps must be"),
        (([0.1],), TypeError, "eps must be"),
        ((0.1, -1.0), ValueError, "weight must be"),
        ((0.1, 1.0, "cubic"), ValueError, "'quadratic', 'taylor'"),
    ],
)
def test_refusals(arguments, error, message):
    with pytest.raises(error, match=message):
        fa.sensitivity_scorer(*arguments)


def test_other_estimators_are_told_to_be_wrapped():
    X, y, _ = make("linear")
    score = fa.sensitivity_scorer(0.1)
    for model in (Ridge().fit(X, y), make_pipeline(StandardScaler(), Ridge()).fit(X, y)):
        with pytest.raises(TypeError, match=r"Ridge keeps no influence.*WithInfluence"):
            score(model, X, y)
    with pytest.raises(NotFittedError):
        score(fa.WithInfluence(Ridge()), X, y)
    with pytest.raises(ValueError, match="3 features"):
        score(fa.WithInfluence(Ridge()).fit(X, y), X[:, :3], y)


def test_kinks_do_not_make_it_warn():
    X, y = load_diabetes(return_X_y=True)
    model = fa.WithInfluence(fa.LinearRegression()).fit(X, y)
    with pytest.warns(FlipWarning):
        model.result_.sensitivity(0.5, expansion="quadratic")
    fa.sensitivity_scorer(0.5)(model, X, y)  # a warning would fail the test


# --- choices ----------------------------------------------------------------------------


def ridge():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = fa.WithInfluence(make_pipeline(StandardScaler(), Ridge()))
    return X, y, model, {"estimator__ridge__alpha": ALPHAS}


@pytest.mark.long
def test_a_larger_eps_chooses_a_stronger_penalty():
    X, y, model, grid = ridge()
    chosen = {}
    for eps in (0.0, 0.005, 0.01, 0.02):
        search = GridSearchCV(model, grid, scoring=fa.sensitivity_scorer(eps), cv=5).fit(X, y)
        chosen[eps] = search.best_params_["estimator__ridge__alpha"]
        assert isinstance(search.best_estimator_.result_, fa.InfluenceResult)
    assert chosen == {0.0: 0.3, 0.005: 3.0, 0.01: 10.0, 0.02: 30.0}


@pytest.mark.long
@pytest.mark.parametrize(("eps", "gain"), [(0.01, 0.015), (0.02, 0.035)])
def test_the_choice_withstands_the_attack(eps, gain):
    """The natural fit chosen has the least or next to least held-out loss under attack."""
    X, y, model, grid = ridge()

    def attacked(fitted, X, y):
        return -fa.adversarial_loss(fitted.estimator_, X, y, eps, radius=fitted.result_.radius)

    scores = {"attack": attacked, "aif": fa.sensitivity_scorer(eps)}
    search = GridSearchCV(model, grid, scoring=scores, refit="aif", cv=5).fit(X, y)
    by_attack = search.cv_results_["mean_test_attack"]
    assert search.best_index_ in np.argsort(by_attack)[-2:]
    assert by_attack[search.best_index_] > (1.0 - gain) * by_attack[0]


def test_the_last_eigenvector_is_why():
    """Nearly collinear serum measures: one direction of H holds nearly all of S."""
    X, y, model, _ = ridge()

    def share(alpha):
        result = model.set_params(estimator__ridge__alpha=alpha).fit(X, y).result_
        H, loss = result.hessian, result.hessian - np.diag([2.0 * alpha / 442] * 10 + [0.0])
        least, vectors = np.linalg.eigh(H)
        along = (vectors[:, 0] @ result.influence) * vectors[:, 0]
        return least[0], 0.5 * along @ loss @ along / result.sensitivity_coefficient

    assert share(0.1) == (pytest.approx(0.0177, rel=0.01), pytest.approx(0.995, abs=0.002))
    assert share(30.0) == (pytest.approx(0.153, rel=0.01), pytest.approx(0.049, abs=0.005))


def test_our_ridge_chooses_as_theirs():
    X, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), fa.WithInfluence(fa.LinearRegression()))
    grid = {"withinfluence__estimator__alpha": [0.3 / 353, 3.0 / 353, 30.0 / 353]}
    for eps, place in ((0.0, 0), (0.02, 2)):
        search = GridSearchCV(pipeline, grid, scoring=fa.sensitivity_scorer(eps), cv=5)
        assert search.fit(X, y).best_index_ == place


@pytest.mark.long
def test_in_parallel():
    X, y, model, _ = ridge()
    score = fa.sensitivity_scorer(0.02)
    alone = cross_val_score(model, X, y, scoring=score, cv=4)
    together = cross_val_score(model, X, y, scoring=score, cv=4, n_jobs=2)
    np.testing.assert_array_equal(together, alone)
    both = cross_validate(model, X, y, scoring={"aif": score, "r2": "r2"}, cv=4)
    np.testing.assert_array_equal(both["test_aif"], alone)


def test_classifiers():
    X, y = load_breast_cancer(return_X_y=True)
    logistic = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    model = fa.WithInfluence(make_pipeline(StandardScaler(), logistic))
    grid = {"estimator__logisticregression__C": [100.0, 10.0, 1.0, 0.1]}
    chosen = [
        GridSearchCV(model, grid, scoring=fa.sensitivity_scorer(eps), cv=5).fit(X, y).best_index_
        for eps in (0.0, 0.3)
    ]
    assert chosen[0] < chosen[1]

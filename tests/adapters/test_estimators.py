"""scikit-learn's fitted estimators: the same influence as ours, or a refusal by name."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles import norms as twin
from sklearn import linear_model as sk
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import FastICA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeRegressor
from support.estimators import THEIRS, logistic
from support.makers import about, assert_close, make, theta_of

import fastaif as fa


def ours(kind, alpha, fit_intercept=True):
    classes = {
        "linear": fa.LinearRegression,
        "logistic": fa.LogisticRegression,
        "poisson": fa.PoissonRegression,
    }
    return classes[kind](alpha=alpha, fit_intercept=fit_intercept)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", THEIRS)
def test_same_influence_as_ours(name, fit_intercept, weighted):
    factory, options, kind, alpha_of = THEIRS[name]
    X, y, w = make(kind, weighted=weighted)
    alpha = alpha_of(len(X) if w is None else w.sum())
    theirs = factory(fit_intercept=fit_intercept, **options).fit(X, y, sample_weight=w)
    model = ours(kind, alpha, fit_intercept).fit(X, y, w)
    for p in (1.0, 2.0, np.inf):
        found = fa.aif(theirs, X, y, p=p, sample_weight=w)
        wanted = fa.aif(model, X, y, p=p, sample_weight=w)
        assert_close(found.params, wanted.params, 1e-8)
        assert_close(found.influence, wanted.influence, 1e-6)
        assert_close(found.hessian, wanted.hessian, 1e-7)
        assert found.problem.alpha == about(wanted.problem.alpha) or alpha == 0.0


@pytest.mark.parametrize("name", THEIRS)
def test_refine_removes_what_their_solver_left(name):
    factory, options, kind, alpha_of = THEIRS[name]
    X, y, w = make(kind, weighted=True)
    theirs = factory(**options).fit(X, y, sample_weight=w)
    model = ours(kind, alpha_of(w.sum())).fit(X, y, w)
    found = fa.aif(theirs, X, y, sample_weight=w, refine=True)
    wanted = fa.aif(model, X, y, sample_weight=w)
    assert_close(found.params, wanted.params, 1e-12)
    assert_close(found.influence, wanted.influence)


def test_labels_of_any_kind():
    X, y, _ = make("logistic")
    words = np.where(y > 0, "sick", "fine")
    found = fa.aif(logistic().fit(X, words), X, words)
    # "fine" < "sick": the second class is the positive one in both.
    assert_close(found.influence, fa.aif(logistic().fit(X, y), X, y).influence, 1e-10)


@pytest.mark.parametrize("name", THEIRS)
def test_robust_copy_is_theirs(name):
    factory, options, kind, _ = THEIRS[name]
    X, y, _ = make(kind)
    theirs = factory(**options).fit(X, y)
    robust = fa.aif(theirs, X, y).verify(0.01).robust
    assert type(robust.estimator) is type(theirs)
    assert robust.estimator.coef_.shape == theirs.coef_.shape
    assert np.shape(robust.estimator.intercept_) == np.shape(theirs.intercept_)
    np.testing.assert_allclose(theta_of(robust.estimator), robust.params, rtol=1e-15)
    assert np.isfinite(robust.estimator.predict(X[:3]).astype(float)).all()


# --- pipelines ------------------------------------------------------------------------


def pipeline(name, *scalers, fit_intercept=True):
    factory, options, kind, _ = THEIRS[name]
    steps = [*(scalers or [StandardScaler()]), factory(fit_intercept=fit_intercept, **options)]
    data = make(kind)
    return make_pipeline(*steps).fit(data.X, data.y), data, kind


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("name", THEIRS)
def test_scaled_space_is_the_last_steps_inputs(name, p):
    pipe, (X, y, _), _ = pipeline(name)
    found = fa.aif(pipe, X, y, p=p)
    wanted = fa.aif(pipe[-1], pipe[:-1].transform(X), y, p=p)
    assert_close(found.influence, wanted.influence, 1e-10)
    assert_close(found.mixed, wanted.mixed, 1e-10)
    assert found.radius == about(wanted.radius)
    assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient, 1e-9)
    assert found.validity_radius == about(wanted.validity_radius, 1e-8)


SCALERS = {
    "two": [StandardScaler(), StandardScaler(with_mean=False)],
    "no mean": [StandardScaler(with_mean=False)],
    "no scale": [StandardScaler(with_std=False)],
    "neither": [StandardScaler(with_mean=False, with_std=False)],
    "passthrough": ["passthrough", StandardScaler()],
}


@pytest.mark.parametrize("scalers", SCALERS)
def test_chains_of_scalers(scalers):
    pipe, (X, y, _), _ = pipeline("ridge", *SCALERS[scalers])
    found = fa.aif(pipe, X, y, p=1.5)
    wanted = fa.aif(pipe[-1], pipe[:-1].transform(X), y, p=1.5)
    assert_close(found.influence, wanted.influence, 1e-10)
    assert found.radius == about(wanted.radius)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("name", THEIRS)
def test_raw_space_is_an_attack_on_raw_inputs(name, p):
    """Without a penalty the raw attack is that on the model in raw units."""
    pipe, (X, y, _), kind = pipeline(name)
    found = fa.aif(pipe, X, y, p=p, attack_space="raw")
    assert found.radius == about(twin.norm(X, p).mean())
    if found.problem.alpha > 0:
        return
    plain = fa.aif(ours(kind, 0.0).fit(X, y), X, y, p=p)
    assert_close(found.influence_raw, plain.influence, 1e-6)
    assert found.value_derivative == about(plain.value_derivative, 1e-6)


@pytest.mark.parametrize("space", ["raw", "scaled"])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("name", THEIRS)
def test_spaces_against_the_robust_optimum(name, p, space):
    """The difference quotient of the exact robust optimum, extrapolated once."""
    pipe, (X, y, _), _ = pipeline(name)
    result = fa.aif(pipe, X, y, p=p, attack_space=space, refine=True)
    eps = min(1e-4, result.validity_radius / 4)
    one, half = ((result.verify(e).robust.params - result.params) / e for e in (eps, eps / 2))
    assert_close(2 * half - one, result.influence, 1e-6)


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_influence_in_raw_units(name, fit_intercept):
    """The slopes of the predictor in raw x, as a finite difference of the pipeline's output."""
    pipe, (X, y, _), _ = pipeline(name, fit_intercept=fit_intercept)
    result = fa.aif(pipe, X, y)
    scaler = pipe[0]
    step = result.params + result.influence
    coef = result.influence[:-1] if fit_intercept else result.influence
    np.testing.assert_allclose(result.influence_raw[: X.shape[1]], coef / scaler.scale_, rtol=1e-12)

    def predictor(theta, rows):
        beta, b = (theta[:-1], theta[-1]) if fit_intercept else (theta, 0.0)
        return scaler.transform(rows) @ beta + b

    moved = predictor(step, X) - predictor(result.params, X)
    raw = result.influence_raw
    if fit_intercept:
        np.testing.assert_allclose(X @ raw[:-1] + raw[-1], moved, rtol=1e-9, atol=1e-12)
    else:
        centred = X - scaler.mean_
        np.testing.assert_allclose(centred @ raw, moved, rtol=1e-9, atol=1e-12)


def test_names_are_the_raw_features():
    import pandas as pd

    X, y, _ = make("linear", m=2)
    frame = pd.DataFrame(X, columns=["age", "bmi"])
    pipe = make_pipeline(StandardScaler(), sk.Ridge()).fit(frame, y)
    assert fa.aif(pipe, frame, y).names == ("age", "bmi", "intercept")
    with pytest.raises(ValueError, match="columns of X"):
        fa.aif(pipe, frame[["bmi", "age"]], y)


# --- refusals ---------------------------------------------------------------------------


def fitted(model, kind="linear", outputs=1, classes=2):
    X, y, _ = make(kind)
    if outputs > 1:
        y = np.column_stack([y] * outputs)
    if classes > 2:
        y = np.arange(len(y)) % classes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y), X, np.ravel(y)[: len(X)]


REFUSED_OPTIONS = {
    "positive": lambda: fitted(sk.LinearRegression(positive=True)),
    "Ridge.*positive": lambda: fitted(sk.Ridge(positive=True, alpha=1e-3)),
    "alpha per output": lambda: fitted(sk.Ridge(alpha=[1.0, 2.0]), outputs=2),
    "Lasso.*positive": lambda: fitted(sk.Lasso(positive=True, alpha=1e-3)),
    "l1 penalty on its intercept": lambda: fitted(
        logistic(solver="liblinear", l1_ratio=1.0, tol=1e-3), "logistic"
    ),
    "3 classes": lambda: fitted(sk.RidgeClassifier(), "logistic", classes=3),
}


@pytest.mark.parametrize("message", REFUSED_OPTIONS)
def test_refused_options(message):
    model, X, y = REFUSED_OPTIONS[message]()
    with pytest.raises(ValueError, match=message):
        fa.aif(model, X, y)


@pytest.mark.parametrize("message", ["positive", "l1 penalty on its intercept", "3 classes"])
def test_refused_options_behind_a_scaler(message):
    model, X, y = REFUSED_OPTIONS[message]()
    pipe = make_pipeline(StandardScaler(), model).fit(X, y)
    with pytest.raises(ValueError, match=message):
        fa.aif(pipe, X, y)


def test_liblinear_without_intercept_is_taken():
    model, X, y = fitted(logistic(solver="liblinear", fit_intercept=False, tol=1e-12), "logistic")
    found = fa.aif(model, X, y, refine=True)
    alpha = 1.0 / (2.0 * 0.7 * len(X))
    wanted = fa.aif(ours("logistic", alpha, fit_intercept=False).fit(X, y), X, y)
    assert_close(found.influence, wanted.influence)


OTHERS = {
    "RandomForestClassifier": (RandomForestClassifier(n_estimators=2), "no gradient"),
    "HistGradientBoostingRegressor": (HistGradientBoostingRegressor(max_iter=2), "no gradient"),
    "DecisionTreeRegressor": (DecisionTreeRegressor(max_depth=2), "no gradient"),
    "KNeighborsRegressor": (KNeighborsRegressor(), "no gradient"),
    "GridSearchCV": (GridSearchCV(sk.Ridge(), {"alpha": [1.0, 2.0]}), "best_estimator_"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_estimators_are_refused_with_a_way_out(name):
    X, y, _ = make("poisson")
    model, reason = OTHERS[name]
    model.fit(X, y + 1.0)
    for estimator in (model, make_pipeline(StandardScaler(), model).fit(X, y + 1.0)):
        with pytest.raises(TypeError, match=f"{name} is not supported: .*{reason}"):
            fa.aif(estimator, X, y + 1.0)


def test_hinges_and_wrappers_are_refused_with_a_way_out():
    X, y, _ = make("logistic")
    for model, reason in (
        (LinearSVC(loss="hinge"), "squared_hinge"), (SVC(), "LogisticRegression"),
        (CalibratedClassifierCV(sk.LogisticRegression()), "calibrated_classifiers_"),
        (sk.SGDClassifier(), "log_loss"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=f"{type(model).__name__}.*{reason}"):
            fa.aif(model.fit(X, y), X, y)


def test_the_model_is_judged_before_the_data():
    X, y, _ = make("linear")
    model = DecisionTreeRegressor().fit(X, y)
    with pytest.raises(TypeError, match="no gradient"):
        fa.aif(model, X.astype(str), y)
    with pytest.raises(NotFittedError):
        fa.aif(sk.Ridge(), X[0], y)


def test_other_preprocessing_is_refused_with_a_list():
    X, y, _ = make("linear")
    pipe = make_pipeline(FastICA(n_components=2), sk.Ridge()).fit(X, y)
    with pytest.raises(TypeError, match=r"FastICA.*scalers"):
        fa.aif(pipe, X, y)


def test_not_an_estimator():
    X, y, _ = make("linear")
    for thing in (None, 3.0, "ridge"):
        with pytest.raises(TypeError, match="not supported"):
            fa.aif(thing, X, y)
    with pytest.raises(TypeError, match=r"Ridge is a class.*Ridge\(\)\.fit\(X, y\)"):
        fa.aif(sk.Ridge, X, y)


UNFITTED = [
    fa.LinearRegression(), fa.LogisticRegression(), fa.PoissonRegression(), fa.HuberRegression(),
    sk.LinearRegression(), sk.Ridge(), sk.LogisticRegression(), sk.PoissonRegressor(),
    make_pipeline(StandardScaler(), sk.Ridge()), Pipeline([("last", fa.LinearRegression())]),
]  # fmt: skip


@pytest.mark.parametrize("model", UNFITTED, ids=lambda m: type(m).__module__ + type(m).__name__)
def test_unfitted(model):
    X, y, _ = make("linear")
    with pytest.raises(NotFittedError, match="not fitted"):
        fa.aif(model, X, y)

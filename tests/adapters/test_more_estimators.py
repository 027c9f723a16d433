"""scikit-learn's estimators whose objective is one of ours in other words, and its scalers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import linear_model as sk
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVR
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
    "inverse Gaussian": (sk.TweedieRegressor(power=3), "linear", "powers from 1 to 2"),
    "epsilon": (sk.SGDRegressor("epsilon_insensitive"), "linear", "squared_error"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_options_are_refused_by_name(name):
    model, kind, reason = REFUSED[name]
    X, y, _ = make(kind)
    y = np.abs(y) + 1.0 if name == "inverse Gaussian" else y
    with pytest.raises(ValueError, match=reason):
        fa.aif(model.fit(X, y), X, y)


def test_penalties_of_stochastic_gradients_count_rows():
    """SGD's penalty is shrunk by a step a row, whatever the row's weight."""
    X, y, w = make("logistic")
    n, w = len(X), 3.0 * np.random.default_rng(0).uniform(0.2, 1.8, len(X))
    labels = {-1.0: 2.0, 1.0: 0.5}
    options = {"tol": None, "max_iter": 1500, "random_state": 0, "alpha": 0.1}
    cases = {
        "weights": (sk.SGDClassifier("log_loss", **options), fa.LogisticRegression, w, w),
        "class weights": (
            sk.SGDClassifier("log_loss", class_weight=labels, **options), fa.LogisticRegression,
            w, w * np.where(y > 0, 0.5, 2.0),
        ),
        "regression": (sk.SGDRegressor(**options), fa.LinearRegression, w, w),
    }  # fmt: skip
    for name, (theirs, ours, given, amounts) in cases.items():
        halved = 0.1 if name == "regression" else 0.05
        model = ours(alpha=halved * n / amounts.sum()).fit(X, y, amounts)
        theirs.fit(X, y, sample_weight=given)
        np.testing.assert_allclose(np.ravel(theirs.coef_), np.ravel(model.coef_), atol=0.03)
        found = fa.aif(theirs, X, y, sample_weight=given, refine=True)
        wanted = fa.aif(model, X, y, sample_weight=amounts)
        assert_close(found.params, wanted.params, 1e-9)
        assert_close(found.influence, wanted.influence, 1e-8)


def test_clipping_scalers_are_refused():
    X, y, _ = make("linear")
    pipe = make_pipeline(MinMaxScaler(clip=True), sk.Ridge()).fit(X, y)
    with pytest.raises(ValueError, match=r"MinMaxScaler\(clip=True\)"):
        fa.aif(pipe, X, y)


# --- class weights, and intercepts that a penalty shrinks ---------------------------------------

WEIGHTED = {
    "logistic": lambda cw: sk.LogisticRegression(
        C=0.7, tol=1e-13, solver="newton-cholesky", max_iter=1000, class_weight=cw
    ),
    "ridge": lambda cw: sk.RidgeClassifier(2.0, class_weight=cw),
}


@pytest.mark.parametrize("weights", ["balanced", {-1.0: 1.0, 1.0: 2.5}], ids=str)
@pytest.mark.parametrize("name", WEIGHTED)
def test_class_weights_are_sample_weights(name, weights):
    X, y, w = make("logistic", weighted=True)
    w = w + 0.5
    counts = np.ones(len(y)) if name == "ridge" else w
    shares = {label: counts[y == label].sum() for label in (-1.0, 1.0)}
    factor = weights if weights != "balanced" else {
        label: counts.sum() / (2.0 * share) for label, share in shares.items()
    }  # fmt: skip
    theirs = WEIGHTED[name](weights).fit(X, y, sample_weight=w)
    plain = WEIGHTED[name](None)
    folded = w * np.vectorize(factor.get)(y)
    plain.fit(X, y, sample_weight=folded)
    found = fa.aif(theirs, X, y, sample_weight=w)
    wanted = fa.aif(plain, X, y, sample_weight=folded)
    assert_close(found.params, wanted.params, 1e-8)
    assert_close(found.influence, wanted.influence, 1e-7)
    assert found.radius == pytest.approx(wanted.radius, rel=1e-12)


def test_class_weights_in_blocks():
    X, y, _ = make("logistic")
    for weights in ({-1.0: 1.0, 1.0: 2.5}, "balanced"):
        theirs = WEIGHTED["logistic"](weights).fit(X, y)
        if weights == "balanced":
            with pytest.raises(ValueError, match=r"balanced.*all of the rows"):
                fa.InfluenceAccumulator(theirs)
            continue
        total = fa.InfluenceAccumulator(theirs).update(X[:70], y[:70]).update(X[70:], y[70:])
        assert_close(total.result().influence, fa.aif(theirs, X, y).influence, 1e-12)


@pytest.mark.parametrize("scaling", [1.0, 3.0])
def test_liblinear_penalises_the_intercept(scaling):
    """Its robust optimum and influence are those of a constant column nobody attacks."""
    X, y, _ = make("logistic")
    theirs = sk.LogisticRegression(
        solver="liblinear", C=0.7, intercept_scaling=scaling, tol=1e-12, max_iter=10_000
    ).fit(X, y)
    with_constant = np.column_stack([X, np.full(len(X), scaling)])
    ours = fa.LogisticRegression(alpha=0.5 / 0.7 / len(X), fit_intercept=False)
    ours.fit(with_constant, y)
    mask = np.arange(X.shape[1] + 1) < X.shape[1]
    for p in (1, 2, np.inf):
        found = fa.aif(theirs, X, y, p=p, refine=True)
        wanted = fa.aif(ours, with_constant, y, p=p, attackable=mask)
        assert_close(found.influence, wanted.influence * np.append(np.ones(5), scaling), 1e-8)
        assert found.attackable.tolist() == [True] * 5
        one = fa.robust_fit(theirs, X, y, 0.05, p=p)
        two = fa.robust_fit(ours, with_constant, y, 0.05, p=p, attackable=mask)
        assert_close(one.params, two.params * np.append(np.ones(5), scaling), 1e-7)
    moved = fa.attack(theirs, X, y, 0.1)
    assert moved.shape == X.shape
    assert fa.adversarial_loss(theirs, X, y, 0.1) == pytest.approx(
        fa.adversarial_loss(ours, with_constant, y, 0.1, attackable=mask), rel=1e-6
    )
    assert one.estimator.decision_function(X[:3]) == pytest.approx(
        X[:3] @ one.params[:-1] + one.params[-1], rel=1e-12
    )


def test_linear_svr_is_a_ridge_with_a_penalised_intercept():
    X, y, _ = make("linear")
    theirs = LinearSVR(
        loss="squared_epsilon_insensitive", epsilon=0.0, C=0.7, tol=1e-12, max_iter=100_000,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    Z = np.column_stack([X, np.ones(len(X))])
    ours = fa.LinearRegression(alpha=0.5 / 0.7 / len(X), fit_intercept=False).fit(Z, y)
    found = fa.aif(theirs, X, y, refine=True)
    wanted = fa.aif(ours, Z, y, attackable=np.arange(6) < 5)
    assert_close(found.influence, wanted.influence, 1e-8)
    tube = LinearSVR(max_iter=100_000, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="epsilon=0"):
        fa.aif(tube, X, y)


def test_ard_keeps_what_it_has_pruned_at_zero():
    X, y, _ = make("linear")
    Z = np.column_stack([X, np.random.default_rng(3).normal(size=(len(X), 2))])
    theirs = sk.ARDRegression(threshold_lambda=1e3).fit(Z, y)
    kept = theirs.lambda_ < 1e3
    assert 0 < kept.sum() < 7
    found = fa.aif(theirs, Z, y)
    assert len(found.params) == kept.sum() + 1
    assert found.attackable.tolist() == kept.tolist()
    robust = fa.robust_fit(theirs, Z, y, 0.05).estimator
    assert robust.coef_[~kept].tolist() == [0.0] * int((~kept).sum())


def test_transformed_targets():
    X, y, _ = make("linear")
    theirs = TransformedTargetRegressor(sk.Ridge(1.0), func=np.cbrt, inverse_func=lambda z: z**3)
    theirs.fit(X, y)
    found = fa.aif(theirs, X, y)
    wanted = fa.aif(sk.Ridge(1.0).fit(X, np.cbrt(y)), X, np.cbrt(y))
    assert_close(found.influence, wanted.influence, 1e-12)
    robust = fa.robust_fit(theirs, X, y, 0.1)
    inner = X[:4] @ robust.params[:-1] + robust.params[-1]
    np.testing.assert_allclose(robust.estimator.predict(X[:4]), inner**3, rtol=1e-9)

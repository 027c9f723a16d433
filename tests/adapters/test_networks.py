"""scikit-learn's networks: the same as ours, of any depth and classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import assert_close, make

import fastaif as fa
from fastaif.utils.warnings import StationarityWarning

OPTIONS = {
    "hidden_layer_sizes": (3,), "activation": "tanh", "solver": "lbfgs", "alpha": 2.0,
    "tol": 1e-12, "max_iter": 5000, "random_state": 0,
}  # fmt: skip
KINDS = {"linear": (MLPRegressor, fa.MLPRegression, 1.0),
         "logistic": (MLPClassifier, fa.MLPClassification, 0.5)}  # fmt: skip


def same(kind, X, y):
    """Theirs, fitted, and ours with its parameters and its α."""
    theirs, ours, factor = KINDS[kind]
    theirs = theirs(**OPTIONS).fit(X, y)
    model = ours(hidden=3, alpha=factor * OPTIONS["alpha"] / len(X), random_state=0).fit(X, y)
    (w1, w2), (b1, b2) = theirs.coefs_, theirs.intercepts_
    model.set_parameters(np.concatenate([w1.ravel(), b1, w2.ravel(), b2]), X.shape[1])
    return theirs, model


@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_same_influence_as_ours(kind):
    X, y, _ = make(kind, n=80, m=2)
    X = StandardScaler().fit_transform(X)
    theirs, ours = same(kind, X, y)
    for p in (1, 2, np.inf):
        found, wanted = (fa.aif(model, X, y, p=p, damping="auto") for model in (theirs, ours))
        assert_close(found.influence, wanted.influence, 1e-9)
        assert found.problem.alpha == pytest.approx(wanted.problem.alpha, rel=1e-12)
    # Theirs is stationary, so that the objective is the same but for a factor.
    assert found.problem.newton_step() < 0.05
    refined = fa.aif(theirs, X, y, refine=True)
    copy = refined.problem.model.rebuild(refined.params)
    assert type(copy) is type(theirs)
    assert copy.predict(X).shape == (80,)
    if kind == "linear":
        ours.set_parameters(refined.params, 2)
        np.testing.assert_allclose(copy.predict(X), ours.predict(X), rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu", "identity"])
@pytest.mark.parametrize("kind", ["linear", "labels", "classes"])
def test_any_depth_and_classes(kind, activation):
    """Theirs is stationary for our α; and its predictions are those that are described."""
    X, y = targets(kind)
    make_model = MLPRegressor if kind == "linear" else MLPClassifier
    # Few rectifiers may all die, and leave nothing to attack.
    layers = (8, 6) if activation == "relu" else (3, 2)
    options = {"hidden_layer_sizes": layers, "activation": activation}
    options["alpha"] = 0.2
    model = make_model(**(OPTIONS | options)).fit(X, y)
    result = fa.aif(model, X, y, damping="auto")
    problem, factor = result.problem, 1.0 if kind == "linear" else 0.5
    assert problem.alpha == pytest.approx(factor * 0.2 / len(X), rel=1e-14)
    if activation != "relu":  # a minimum may sit at a kink
        # Their solver ends by the objective's digits; another α would leave as much as it pulls.
        pull = np.abs(problem.penalty_gradient(result.params)).max()
        assert np.abs(problem.gradient).max() < max(1e-4, 0.02 * pull)
    F = problem.derivatives.outputs(result.params, X)
    wanted = model.predict(X) if kind == "linear" else model.predict_proba(X)
    found = F[:, 0]
    if kind == "labels":
        found = 1.0 / (1.0 + np.exp(-F))
        found = np.hstack([1.0 - found, found])
    elif kind == "classes":
        found = np.exp(F) / np.exp(F).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
    copy = problem.model.rebuild(result.params)
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert "kinked_pairs" in result.diagnostics


def targets(kind):
    X, y, _ = make("linear", n=80, m=2)
    X = StandardScaler().fit_transform(X)
    y = (y - y.mean()) / y.std()
    if kind == "labels":
        y = np.where(y > 0.1, "yes", "no")
    elif kind == "classes":
        y = np.array(["low", "mid", "top"])[np.digitize(y, [-0.4, 0.5])]
    return X, y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{}, {"batch_size": 30}, {"early_stopping": True}])
def test_stochastic_solvers_are_taken_with_a_warning(options):
    """Their penalty is that of a mean batch; they end near an optimum, not at one."""
    X, y = targets("classes")
    pipe = make_pipeline(
        StandardScaler(), MLPClassifier((4, 3), activation="tanh", random_state=0, **options)
    ).fit(X, y)
    with pytest.warns(StationarityWarning, match=r"'adam'.*solver='lbfgs'.*refine=True"):
        result = fa.aif(pipe, X, y, damping="auto")
    n = 72 if "early_stopping" in options else 80
    batches = [30, 30, 20] if "batch_size" in options else [n]
    wanted = 0.5 * 1e-4 * np.mean(1.0 / np.array(batches))
    assert result.problem.alpha == pytest.approx(wanted, rel=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_refined_from_adam_it_is_an_optimum(activation):
    X, y = targets("linear")
    model = MLPRegressor(
        hidden_layer_sizes=(3, 2), activation=activation, alpha=0.2, random_state=0, max_iter=400,
        learning_rate_init=0.01,
    ).fit(X, y)  # fmt: skip
    result = fa.aif(model, X, y, refine=True)
    assert result.problem.newton_step() < 1e-6
    theirs = MLPRegressor(**(OPTIONS | {
        "hidden_layer_sizes": (3, 2), "activation": activation, "alpha": 0.2, "warm_start": True,
    })).fit(X, y)  # fmt: skip
    copy = result.problem.model.rebuild(result.params)
    theirs.coefs_, theirs.intercepts_ = copy.coefs_, copy.intercepts_
    theirs.fit(X, y)
    np.testing.assert_allclose(theirs.predict(X), copy.predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_others_are_refused_by_name():
    X, y = targets("linear")
    options = OPTIONS | {"max_iter": 20}
    poisson = MLPRegressor(**options, loss="poisson").fit(X, np.exp(y))
    with pytest.raises(ValueError, match=r"loss='poisson'.*PoissonRegressor"):
        fa.aif(poisson, X, np.exp(y))
    both = np.column_stack([y > 0, y > 0.5]).astype(int)
    several = MLPClassifier(**options).fit(X, both)
    with pytest.raises(ValueError, match="2 labels at once"):
        fa.aif(several, X, both[:, 0])

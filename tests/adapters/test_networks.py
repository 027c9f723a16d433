"""scikit-learn's networks with one hidden layer of tanh: the same as ours."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import assert_close, make

import fastaif as fa

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
@pytest.mark.parametrize(
    ("options", "reason"),
    [({"activation": "relu"}, "activation='tanh'"),
     ({"hidden_layer_sizes": (3, 2)}, r"\[3, 2, 1\]"),
     ({"solver": "adam", "max_iter": 3}, "solver='lbfgs'")],
)  # fmt: skip
def test_others_are_refused_by_name(options, reason):
    X, y, _ = make("linear", n=40, m=2)
    model = MLPRegressor(**(OPTIONS | {"max_iter": 20} | options))
    pipe = make_pipeline(StandardScaler(), model).fit(X, y)
    with pytest.raises(ValueError, match=reason):
        fa.aif(pipe, X, y)

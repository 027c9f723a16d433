"""Other people's estimators, described by whoever registers them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import assert_close, make

import fastaif as fa
from fastaif.adapters import LinearDescription, register
from fastaif.adapters.registered import _DESCRIBED


class Theirs(BaseEstimator):
    """Penalised least squares or logistic regression under names of its own."""

    def __init__(self, kind="linear"):
        self.kind = kind

    def fit(self, X, y):
        model = {"linear": fa.LinearRegression, "logistic": fa.LogisticRegression}[self.kind]
        found = model(alpha=0.1).fit(X, y)
        self.slopes, self.offset, self.n_features_in_ = found.coef_, found.intercept_, X.shape[1]
        return self

    def predict(self, X):
        return X @ self.slopes + self.offset


class Derived(Theirs):
    """Of a registered type."""


@pytest.fixture(autouse=True)
def registry():
    """Types registered by a test are gone after it."""
    before = dict(_DESCRIBED)
    yield
    _DESCRIBED.clear()
    _DESCRIBED.update(before)


def put(model, coef, intercept):
    new = Theirs(model.kind)
    new.slopes, new.offset, new.n_features_in_ = coef, intercept, len(coef)
    return new


def as_linear(model):
    logistic = model.kind == "logistic"
    return LinearDescription(
        model.slopes, model.offset, "logistic" if logistic else "squared_error",
        alpha=lambda W: 0.1 * W / W, classes=(-1.0, 1.0) if logistic else None, put=put,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["linear", "logistic"])
@pytest.mark.parametrize("cls", [Theirs, Derived])
def test_a_described_type_is_taken_everywhere(cls, kind):
    register(Theirs, as_linear)
    X, y, _ = make(kind)
    ours = {"linear": fa.LinearRegression, "logistic": fa.LogisticRegression}[kind](alpha=0.1)
    for build in (lambda step: step, lambda step: make_pipeline(StandardScaler(), step)):
        theirs, wanted = build(cls(kind)).fit(X, y), build(ours).fit(X, y)
        assert_close(fa.aif(theirs, X, y).influence, fa.aif(wanted, X, y).influence, 1e-12)
        robust = fa.robust_fit(theirs, X, y, 0.05)
        assert_close(robust.params, fa.robust_fit(wanted, X, y, 0.05).params, 1e-9)
        last = robust.estimator[-1] if hasattr(robust.estimator, "steps") else robust.estimator
        np.testing.assert_array_equal(last.slopes, robust.params[:-1])
        assert robust.estimator.predict(X[:3]).shape == (3,)


def test_another_estimator_may_stand_for_it():
    X, y, _ = make("linear")
    register(Theirs, lambda model: make_pipeline(StandardScaler(), Ridge(2.0)).fit(X, y))
    found = fa.aif(Theirs().fit(X, y), X, y)
    wanted = fa.aif(make_pipeline(StandardScaler(), Ridge(2.0)).fit(X, y), X, y)
    np.testing.assert_array_equal(found.influence, wanted.influence)


def test_without_put_attributes_are_set():
    X, y, _ = make("linear")
    register(Theirs, lambda model: LinearDescription(model.slopes, model.offset))
    with pytest.raises(TypeError, match=r"no coef_ to set.*put"):
        _ = fa.robust_fit(Theirs().fit(X, y), X, y, 0.05).estimator
    register(Ridge, lambda model: LinearDescription(model.coef_, model.intercept_, alpha=1.0))
    model = Ridge(alpha=len(X)).fit(X, y)
    robust = fa.robust_fit(model, X, y, 0.05)
    np.testing.assert_array_equal(robust.estimator.coef_, robust.params[:-1])


def test_what_is_wrong_with_it():
    X, y, _ = make("linear")
    with pytest.raises(TypeError, match="kind must be a type"):
        register("Ridge", as_linear)
    with pytest.raises(TypeError, match="describe must be callable"):
        register(Theirs, None)
    register(Theirs, lambda model: LinearDescription(model.slopes, loss="logistic"))
    with pytest.raises(ValueError, match=r"two classes: say which"):
        fa.aif(Theirs().fit(X, y), X, y)
    register(Theirs, lambda model: LinearDescription(model.slopes, loss="hinge"))
    with pytest.raises(ValueError, match=r"loss must be one of"):
        fa.aif(Theirs().fit(X, y), X, y)

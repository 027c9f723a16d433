"""scikit-learn's least squares of several outputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import outputs as twin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from support.makers import assert_close
from support.outputs_makers import make
from support.softmax_makers import theta_of

import fastaif as fa

pytestmark = pytest.mark.filterwarnings("error::fastaif.InfluenceWarning")
THEIRS = {
    "LinearRegression": (LinearRegression(), lambda model: 0.0),
    "without an intercept": (LinearRegression(fit_intercept=False), lambda model: 0.0),
    "Ridge": (Ridge(3.0), lambda model: 3.0),
    "equal alphas": (Ridge([3.0, 3.0, 3.0]), lambda model: 3.0),
    "RidgeCV": (RidgeCV([0.1, 5.0]), lambda model: model.alpha_),
}


@pytest.mark.parametrize("name", THEIRS)
def test_influence_of_their_fits(name):
    X, Y, w = make(3)
    estimator, alpha = THEIRS[name]
    model = estimator.fit(X, Y, w)
    result = fa.aif(model, X, Y, sample_weight=w, p=3)
    known = twin.influence(
        X, Y, result.params, alpha=alpha(model) / w.sum(), sample_weight=w, p=3,
        fit_intercept=model.fit_intercept,
    )  # fmt: skip
    assert_close(result.params, theta_of(model), 0.0)
    assert_close(result.influence, known["influence"], 1e-10)
    robust = fa.robust_fit(model, X, Y, 0.01, sample_weight=w)
    assert_close(theta_of(robust.estimator), robust.params, 0.0)
    assert type(robust.estimator) is type(model)


def test_frames_behind_scalers_and_encoders():
    X, Y, _ = make(2)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["city"] = np.array(["Bern", "Oslo", "Rome"])[np.arange(len(X)) % 3]
    targets = pd.DataFrame(Y, columns=["yes", "no"])
    parts = [("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["city"])]
    pipe = make_pipeline(ColumnTransformer(parts), Ridge(2.0)).fit(frame, targets)
    result = fa.aif(pipe, frame, targets)
    assert list(result.attackable) == [True, True, False, False, False]
    V = pipe[0].transform(frame)
    known = twin.influence(
        V, Y, result.params, alpha=2.0 / len(X), attackable=[True, True] + [False] * 3
    )
    assert_close(result.influence, known["influence"], 1e-10)
    assert result.names[0] == "n__a[y0]"


def test_transformed_targets():
    X, Y, _ = make(2)
    around = TransformedTargetRegressor(Ridge(2.0), transformer=StandardScaler()).fit(X, Y)
    result = fa.aif(around, X, Y)
    inner = around.transformer_.transform(Y)
    known = twin.influence(X, inner, result.params, alpha=2.0 / len(X))
    assert_close(result.influence, known["influence"], 1e-10)


def test_one_column_is_one_output():
    X, Y, _ = make(1)
    wide, flat = Ridge(2.0).fit(X, Y), Ridge(2.0).fit(X, Y[:, 0])
    assert_close(fa.aif(wide, X, Y).influence, fa.aif(flat, X, Y[:, 0]).influence, 1e-12)


REFUSED = {
    "one alpha per output": Ridge([1.0, 2.0, 3.0]),
    "PolynomialFeatures": make_pipeline(PolynomialFeatures(2), Ridge()),
    "positive=True": LinearRegression(positive=True),
    "KernelRidge has 3 outputs": KernelRidge(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_by_name(message):
    X, Y, _ = make(3)
    with pytest.raises((TypeError, ValueError), match=message):
        fa.aif(REFUSED[message].fit(X, Y), X, Y)

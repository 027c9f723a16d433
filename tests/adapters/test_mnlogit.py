"""Fitted MNLogits: a softmax whose first class has no parameters."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from oracles import softmax as twin
from support.makers import about, assert_close
from support.softmax_makers import make

import fastaif as fa

pytestmark = pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ModelWarning")


def fit(y, Z):
    return sm.MNLogit(y, Z).fit(disp=0, tol=1e-13, maxiter=100)


def less_first(theta, n_classes, fit_intercept=True):
    """Of the classes but for the first, less its own."""
    W, b = twin.split(theta, n_classes, fit_intercept)
    W, b = (part[1:] - part[0] for part in (W, b))
    return np.append(W.ravel(), b if fit_intercept else [])


@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_everything_is_that_of_our_softmax_less_its_first_class(n_classes, order):
    X, y, _ = make(n_classes, n=150)
    result = fit(y, sm.add_constant(X))
    found = fa.aif(result, sm.add_constant(X), y, order=order)
    rows = np.hstack([np.zeros((5, 1)), np.array(result.params)]).T
    theta = np.append(rows[:, 1:].ravel(), rows[:, 0])
    known = twin.influence(X, y, theta, n_classes, order=order)
    assert_close(found.params, less_first(theta, n_classes), 0.0)
    assert_close(found.influence, less_first(known["influence"], n_classes), 1e-9)
    assert found.radius == about(known["radius"])
    assert found.value_derivative == about(known["value_derivative"])
    cost = 0.5 * known["influence"] @ known["hessian_eval"] @ known["influence"]
    assert found.sensitivity_coefficient == about(cost, 1e-9)
    kept = np.r_[4 : 4 * n_classes, 4 * n_classes + 1 : 5 * n_classes]
    assert_close(found.mixed, known["mixed"][kept], 1e-10)
    assert_close(found.hessian, known["hessian"][np.ix_(kept, kept)], 1e-10)
    rows = np.stack([less_first(row, n_classes) for row in known["per_sample"]])
    assert_close(found.per_sample(), rows, 1e-9)
    assert found.diagnostics["solver_residual"] < 1e-12
    values = np.linalg.eigvalsh(found.hessian)
    assert found.diagnostics["least_eigenvalue"] == about(values[0], 1e-9)


def test_damping_is_of_its_own_parameters():
    X, y, _ = make(3)
    Z = sm.add_constant(X)
    found = fa.aif(fit(y, Z), Z, y, damping=0.2)
    H = found.hessian + 0.2 * np.eye(10)
    assert_close(found.influence, -np.linalg.solve(H, found.mixed), 1e-10)


def test_standard_errors_are_those_of_the_result():
    X, y, _ = make(3)
    result = fit(y, sm.add_constant(X))
    moved = fa.adapters.describe.describe_fitted(result).rebuild
    theta = fa.aif(result, sm.add_constant(X), y).params.copy()
    theta[0] += 0.5 * np.array(result.bse)[1, 0]
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):
        told = fa.aif(moved(theta), sm.add_constant(X), y).diagnostics["newton_step"]
    assert told == pytest.approx(0.5, rel=0.1)


def test_frames_names_labels_and_constants():
    X, y, w = make(3)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame.insert(2, "one", 2.0)
    labels = pd.Series(np.array(["low", "mid", "top"])[y], dtype="category")
    result = fit(labels, frame)
    found = fa.aif(result, frame, labels, attackable=["a", "d"])
    assert found.names[:5] == ("a[mid]", "b[mid]", "c[mid]", "d[mid]", "a[top]")
    assert found.names[8:] == ("one[mid]", "one[top]")
    assert_close(found.params[8:], 2.0 * np.array(result.params)[2], 1e-14)
    assert found.attackable.tolist() == [True, False, False, False, True]
    assert list(found.to_frame().index) == list(found.names)
    assert np.array_equal(pickle.loads(pickle.dumps(found)).influence, found.influence)
    robust = fa.robust_fit(result, frame, labels, 0.05)
    assert robust.converged
    again = robust.estimator
    assert type(again) is type(result)
    assert_close(again.predict(frame).sum(axis=1), np.ones(len(X)), 1e-12)
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):
        assert_close(fa.aif(again, frame, labels).params, robust.params, 1e-12)
    assert found.verify(1e-4).exact_cost == about(found.verify(1e-4).predicted_cost, 2e-3)
    weighted = fa.aif(result, frame, labels, sample_weight=w, refine=True)
    known = twin.natural_fit(X, y, 3, sample_weight=w)
    assert_close(weighted.params, less_first(known, 3), 1e-8)


def test_robust_optima_are_those_of_our_softmax():
    X, y, _ = make(3)
    Z, eps = sm.add_constant(X), 0.05
    ours = fa.robust_fit(fa.LogisticRegression(alpha=0.0).fit(X, y), X, y, eps)
    theirs = fa.robust_fit(fit(y, Z), Z, y, eps)
    assert theirs.objective == about(ours.objective, 1e-10)
    assert_close(theirs.params, less_first(ours.params, 3), 1e-6)
    slope = (fa.robust_fit(fit(y, Z), Z, y, 1e-5).params - fa.aif(fit(y, Z), Z, y).params) / 1e-5
    assert_close(slope, fa.aif(fit(y, Z), Z, y).influence, 1e-3)
    radii = fa.robustness_radius(fit(y, Z), Z, y)
    known = fa.robustness_radius(fa.LogisticRegression(alpha=0.0).fit(X, y), X, y)
    assert_close(radii, known, 1e-7)


def test_without_a_constant():
    X, y, _ = make(3)
    result = fit(y, X)
    found = fa.aif(result, X, y)
    theta = np.append(np.zeros(4), np.array(result.params).T.ravel())
    known = twin.influence(X, y, theta, 3, fit_intercept=False)
    assert_close(found.influence, less_first(known["influence"], 3, False), 1e-9)


@pytest.mark.parametrize("make_labels", [
    lambda y: y + 4, lambda y: y.astype(float), lambda y: np.array(["no", "so", "yes"])[y],
    lambda y: 1.5 * y, lambda y: pd.Series(y + 1),
])  # fmt: skip
def test_labels_of_any_kind(make_labels):
    X, y, _ = make(3)
    Z = sm.add_constant(X)
    labels = make_labels(y)
    given = pd.DataFrame(Z) if hasattr(labels, "index") else Z
    found = fa.aif(fit(labels, given), given, labels)
    assert_close(found.influence, fa.aif(fit(y, Z), Z, y).influence, 1e-8)


REFUSED = {
    "y contains 7": (lambda y, Z: fit(y, Z), lambda y: np.where(y == 1, 7, y)),
    "y contains 'x'": (lambda y, Z: fit(y, Z), lambda y: np.full(len(y), "x")),
    "fit_regularized": (
        lambda y, Z: sm.MNLogit(y, Z).fit_regularized(alpha=0.1, disp=0), lambda y: y
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_refused_by_name(message):
    X, y, _ = make(3)
    Z = sm.add_constant(X)
    model, labels = REFUSED[message]
    with pytest.raises((TypeError, ValueError), match=message):
        fa.aif(model(y, Z), Z, labels(y))

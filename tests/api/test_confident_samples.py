"""Samples that a classifier is sure of, where the loss and its slope underflow."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif import _compute


@pytest.fixture(
    params=["native", pytest.param("numba", marks=pytest.mark.long)], autouse=True
)
def backend(request):
    before = _compute.chosen_backend()
    if request.param == "native" and not _compute.native_available():
        pytest.skip("the C extension was not built")
    fa.set_backend(request.param)
    yield
    _compute.set_backend(before)


def margins(model, X, y):
    return y * model.decision_function(X)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("method", ["exact", "pgd"])
def test_linear_predictors(method, p):
    X = np.array([[-2000.0, 1.0], [-3.0, 0.0], [3.0, 0.0], [2000.0, -1.0]])
    y = np.array([-1, -1, 1, 1])
    model = fa.LogisticRegression(alpha=1e-3).fit(X, y)
    model.coef_, model.intercept_ = np.array([1.0, 0.25]), 0.0
    for radius in (2.0, 2500.0):
        found = fa.attack(model, X, y, 1.0, p=p, radius=radius, method=method)
        gain = radius * np.linalg.norm(model.coef_, ord={1: np.inf, 2: 2, np.inf: 1}[p])
        np.testing.assert_allclose(margins(model, X, y) - margins(model, found, y), gain, rtol=1e-9)


def test_the_quadratic_basis_is_attacked_exactly(rng):
    X = rng.normal(size=(60, 2))
    y = np.where(X[:, 0] + X[:, 1] ** 2 > 0.5, 1, -1)
    model = fa.BasisRegression(fa.bases.Quadratic(), "logistic", alpha=0.1).fit(X, y)
    calm = fa.attack(model, X, y, 1.0, radius=0.3)
    model.coef_, model.intercept_ = model.coef_ * 1e4, model.intercept_ * 1e4
    for method in ("exact", "pgd"):
        found = fa.attack(model, X, y, 1.0, radius=0.3, method=method, n_steps=200)
        np.testing.assert_allclose(margins(model, found, y), margins(model, calm, y), rtol=1e-6)


def test_networks_lower_every_margin(rng):
    X = rng.normal(size=(60, 2))
    y = np.where(X[:, 0] > 0.0, 1, -1)
    model = fa.MLPClassification(hidden=3, alpha=0.1, random_state=0).fit(X, y)
    model.coefs_ = [model.coefs_[0], model.coefs_[1] * 1e4]
    before = margins(model, X, y)
    assert np.abs(before).max() > 745.0
    after = margins(model, fa.attack(model, X, y, 1.0, radius=0.1), y)
    assert np.all(after < before - 1.0)

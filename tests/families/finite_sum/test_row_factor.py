"""H⁻¹ by a matrix of the rows, where these are fewer than the parameters."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from support.makers import assert_close, estimator
from support.random_problems import gaussian

import fastaif as fa
from fastaif.families.finite_sum.coordinates import Coordinates
from fastaif.families.finite_sum.row_factor import row_factor


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("damping", [0.0, 0.2])
def test_solves_are_those_of_the_matrix(intercept, ridge, damping, rng):
    n, m = 7, 40
    V = rng.normal(size=(n, m))
    work = Coordinates(rng.normal(size=m) * intercept, np.exp2(rng.integers(-2, 3, size=m)))
    W = np.column_stack([V, rng.uniform(0.5, 1.0, size=n)]) if intercept else V
    R = np.append(np.full(m, ridge), np.zeros(int(intercept)))
    found = row_factor(W, R, damping, work)
    if ridge == damping == 0.0:
        assert found is None
        return
    H = W.T @ W + np.diag(R) + damping * work.damping(m + intercept)
    b = rng.normal(size=(len(H), 3))
    assert_close(found.solve(b), np.linalg.solve(H, b), 1e-12)
    assert_close(found.solve(b[:, 0]), np.linalg.solve(H, b[:, 0]), 1e-12)
    assert_close(found.inverse_diagonal(), np.diagonal(np.linalg.inv(H)), 1e-11)
    assert 0.0 < found.rcond <= 1.0


def test_a_ridge_lost_in_rounding_is_none(rng):
    W = 1e9 * rng.normal(size=(3, 40))
    assert row_factor(W, np.ones(40), 0.0, Coordinates(np.zeros(40), np.ones(40))) is None


def wide(kind: str, n: int = 40, m: int = 410):
    X, y = gaussian(kind, n, m, 1)
    X = X + 5.0 * (np.arange(m) % 3 == 0)
    w = np.arange(n) % 3.0
    return estimator(kind, 1e-2, True).fit(X, y, w), X, y, w


@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson", "huber"])
@pytest.mark.parametrize(("p", "damping"), [(2.0, 0.0), (np.inf, 0.05), (3.0, 0.0)])
@pytest.mark.filterwarnings("ignore")
def test_influences_are_those_of_the_matrix_of_the_columns(kind, p, damping):
    model, X, y, w = wide(kind)
    options = {"p": p, "sample_weight": w, "damping": damping}
    wanted = fa.aif(model, X, y, solver="cholesky", **options)
    found = fa.aif(model, X, y, **options)
    assert wanted.diagnostics["solver"] == "cholesky"
    assert found.diagnostics["solver"] == "woodbury"
    assert found.diagnostics["solver_residual"] < 1e-12
    # Of columns far from zero the matrix of the columns has lost some digits.
    assert_close(found.influence, wanted.influence, 1e-9)
    assert_close(found.per_sample(), wanted.per_sample(), 1e-9)
    assert_close(found.hessian, wanted.hessian, 1e-12)


@pytest.mark.filterwarnings("ignore")
def test_draws_and_predictions_are_those_of_the_matrix_of_the_columns():
    model, X, y, w = wide("linear")
    wanted = fa.aif(model, X, y, sample_weight=w, solver="cholesky")
    found = fa.aif(model, X, y, sample_weight=w)
    assert_close(found.predict_params(0.01), wanted.predict_params(0.01), 1e-9)
    assert_close(found.conf_int(n_draws=3), wanted.conf_int(n_draws=3), 1e-8)


def test_separable_classes_are_refused_as_ever():
    X, y = gaussian("logistic", 40, 410, 1)
    with pytest.warns(match="separable"):
        model = fa.LogisticRegression(alpha=0.0).fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="linearly separable"):
        fa.aif(model, X, y)


@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_no_matrix_of_the_columns_is_made(kind):
    X, y = gaussian(kind, 20, 8_000, 1)
    model = estimator(kind, 1e-2, True).fit(X, y)
    tracemalloc.start()
    try:
        found = fa.aif(model, X, y)
        found.per_sample()
        found.conf_int(n_draws=3)
        fa.robust_fit(model, X, y, 0.01)
        assert tracemalloc.get_traced_memory()[1] <= 40 * X.nbytes
    finally:
        tracemalloc.stop()

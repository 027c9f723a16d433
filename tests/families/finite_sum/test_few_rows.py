"""Conjugate gradients with the Gram matrix of few rows as preconditioner."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import assert_close, relative_error

import fastaif as fa
from fastaif.solvers.woodbury import woodbury


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_woodbury_against_the_inverse(scale, rng):
    W, R = scale * rng.normal(size=(7, 40)), rng.uniform(0.5, 2.0, size=40)
    found = woodbury(lambda U: W @ U, lambda Z: W.T @ Z, (W / R) @ W.T, R)
    b = rng.normal(size=(40, 3))
    assert_close(found(b), np.linalg.solve(W.T @ W + np.diag(R), b), 1e-9)


def test_woodbury_tells_where_rounding_hides_the_ridge(rng):
    W = 1e9 * np.ones((3, 40))
    assert woodbury(lambda U: W @ U, lambda Z: W.T @ Z, W @ W.T, np.ones(40)) is None


def wide(rng, kind):
    """Data of few rows and an ill-conditioned wide model, fitted."""
    X = rng.normal(size=(150, 30)) @ np.diag(np.geomspace(1.0, 0.03, 30))
    f = X[:, :3].sum(axis=1) + X[:, 0] * X[:, 1]
    w = rng.integers(0, 3, size=150).astype(float)
    y = np.sign(f + 3.0 * rng.normal(size=150)) if kind == "logistic" else f
    y = y if kind == "logistic" else y + 0.3 * rng.normal(size=150)
    model = fa.BasisRegression(fa.bases.Quadratic(), loss=kind, alpha=1e-3)
    if kind == "squared_error":
        model = fa.QuadraticRegression(alpha=1e-4)
    return model.fit(X, y, w), X, y, w


@pytest.mark.parametrize("kind", ["squared_error", "logistic"])
@pytest.mark.parametrize("stored", [True, False])
def test_few_rows_and_many_parameters(kind, stored, rng, monkeypatch):
    model, X, y, w = wide(rng, kind)
    if not stored:
        operator = "fastaif.families.finite_sum.hessian_operator"
        monkeypatch.setattr(f"{operator}.fits", lambda doubles: False)
        monkeypatch.setattr("fastaif.passes.hessian_products._ROOT_DOUBLES", 1000)
    wanted = fa.aif(model, X, y, sample_weight=w)
    found = fa.aif(model, X, y, sample_weight=w, solver="cg")
    assert_close(found.influence, wanted.influence, 1e-8)
    assert found.diagnostics["solver_residual"] < 1e-10
    damped = [
        fa.aif(model, X, y, sample_weight=w, solver=s, damping=0.01) for s in ("cholesky", "cg")
    ]
    assert_close(damped[1].influence, damped[0].influence, 1e-8)
    count = found.diagnostics["solver_iterations"]
    monkeypatch.setattr("fastaif.families.finite_sum.hessian_operator._MOST_DUAL_ROWS", 0)
    slow = fa.aif(model, X, y, sample_weight=w, solver="cg")
    assert relative_error(slow.influence, wanted.influence) < 1e-6  # of fewer digits, too
    assert count < 0.5 * slow.diagnostics["solver_iterations"]


def test_a_singular_hessian_of_few_rows_is_refused(rng):
    X = rng.normal(size=(150, 30))
    X[:, 29] = X[:, 0] + X[:, 1]  # not penalised, and not determined
    y = X[:, 0] + 0.3 * rng.normal(size=150)
    with pytest.warns(Warning, match="singular"):
        model = fa.QuadraticRegression(alpha=1e-3).fit(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(model, X, y, solver="cg")


@pytest.mark.parametrize("solver", ["cg", "lissa"])
@pytest.mark.parametrize("alpha", [1e-8, 1e-7])
def test_few_rows_that_leave_no_digits_are_refused(solver, alpha):
    """A penalty of 1e-12 of the curvature makes H definite on paper alone; factors refuse it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 24)) @ rng.normal(size=(24, 24))
    y = X[:, 0] + rng.normal(size=120)
    with pytest.warns(Warning, match="singular"):
        model = fa.QuadraticRegression(alpha=alpha).fit(X, y)
    for each in ("cholesky", solver):
        with pytest.raises(np.linalg.LinAlgError, match="damping"):
            fa.aif(model, X, y, solver=each)

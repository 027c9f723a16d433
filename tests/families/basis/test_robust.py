"""Exact robust fits of quadratic models for p = 2, kinks and all, and fits by ascent for the rest.

The inner maxima are trust-region problems; by the S-lemma the whole is a semidefinite program.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracles import basis as twin
from oracles import basis_attack
from support.basis_makers import LOSSES, estimator, known_to_twin, loss_of, make, params_of
from support.makers import Data, about, assert_close

import fastaif as fa

EPS = [0.01, 0.1, 0.5, 2.0]


def problem(kind, fit_intercept=True, alpha=0.02, **data):
    """A fitted quadratic model, its data, and the twin's robust objective."""
    X, y, w = make(kind, **({"weighted": True} | data))
    model = estimator("quadratic", kind, alpha, fit_intercept).fit(X, y, w)
    known = known_to_twin(kind, alpha, fit_intercept) | {"sample_weight": w}

    def objective(theta, eps):
        return basis_attack.robust_objective(twin.Quadratic(), X, y, theta, eps, **known)

    return model, Data(X, y, w), objective


def assert_stands(model, data, objective, eps):
    """The fit converged, its numbers are true, and no direction leads down."""
    robust = fa.robust_fit(model, data.X, data.y, eps, p=2, sample_weight=data.w)
    assert robust.method == "exact"
    assert robust.converged
    assert 0.0 <= robust.gap <= 1e-9
    value = objective(robust.params, eps)
    assert robust.objective == about(value, 1e-11)
    # By no more than the fit admits to, and rounding.
    least = value - (robust.gap + 1e-13) * abs(value)
    assert objective(params_of(model), eps) >= least
    rng = np.random.default_rng(1)
    for step in (1e-5, 1e-3, 0.1):
        for d in rng.normal(size=(12, robust.params.size)):
            assert objective(robust.params + step * d / np.linalg.norm(d), eps) >= least
    return robust


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_no_direction_leads_down(kind, eps, fit_intercept):
    """The robust objective is convex in theta, so a local test is a global one."""
    assert_stands(*problem(kind, fit_intercept), eps)


@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("kind", ["linear", "poisson", "huber"])
def test_fewer_rows_than_parameters(kind, eps):
    assert_stands(*problem(kind, alpha=1e-3, n=8, weighted=False), eps)


@pytest.mark.parametrize("eps", [10.0, 60.0, 1e4])
def test_strong_attacks_leave_a_constant(kind, eps):
    """Past some eps it is best to ignore the inputs: all of them zero, exactly.

    The natural fit's adversarial loss may be too large for a number.
    """
    model, data, _ = problem(kind)
    robust = fa.robust_fit(model, data.X, data.y, eps, sample_weight=data.w)
    assert robust.converged
    np.testing.assert_array_equal(robust.params[:-1], 0.0)
    mean = np.average(data.y, weights=data.w)
    wanted = {
        "linear": lambda: mean,
        "logistic": lambda: 2.0 * np.arctanh(mean),
        "poisson": lambda: np.log(mean),
    }
    if kind in wanted:
        assert robust.params[-1] == about(wanted[kind](), 1e-9)


def test_astronomic_losses_of_the_natural_fit():
    """They are no reason to stop at another astronomic one: a constant fit is there to find."""
    X, y, _ = make("poisson", n=8, seed=64615)
    model = estimator("quadratic", "poisson").fit(X, y)
    robust = fa.robust_fit(model, X, y, 30.0, radius=0.77)
    assert robust.converged
    assert robust.objective == about(np.mean(y) - np.mean(y) * np.log(np.mean(y)), 1e-9)


def semidefinite_optimum(kind, data, reach, alpha):
    """CVXPY's theta: sgn f <= t on a ball if and only if a matrix is positive semidefinite."""
    cp = pytest.importorskip("cvxpy", reason="CVXPY is not installed")
    pytest.importorskip("clarabel", reason="Clarabel is not installed")
    keep = data.w > 0
    X, y, w = data.X[keep], data.y[keep], data.w[keep] / data.w.sum()
    n, m = X.shape
    A, b, constant = cp.Variable((m, m), symmetric=True), cp.Variable(m), cp.Variable()
    high, low, cone = cp.Variable(n), cp.Variable(n), []
    for i, x in enumerate(X):
        f, g = x @ b + cp.trace(A @ np.outer(x, x)) + constant, b + 2 * A @ x
        for sign, bound in ((1, high[i]), (-1, -low[i])):
            t = cp.Variable(nonneg=True)
            side = cp.reshape(-0.5 * sign * g, (m, 1), order="C")
            corner = cp.reshape(bound - sign * f - t * reach**2, (1, 1), order="C")
            cone.append(cp.bmat([[t * np.eye(m) - sign * A, side], [side.T, corner]]) >> 0)
    worst = {
        "linear": lambda: cp.square(cp.pos(cp.maximum(high - y, y - low))),
        "logistic": lambda: cp.logistic(
            cp.multiply((1 - y) / 2, high) - cp.multiply((1 + y) / 2, low)
        ),
        "poisson": lambda: cp.maximum(
            cp.exp(high) - cp.multiply(y, high), cp.exp(low) - cp.multiply(y, low)
        ),
    }[kind]()
    j, k = np.triu_indices(m)
    times = np.where(j == k, 1.0, 2.0)  # theta holds twice the entries off the diagonal
    squares = sum(cp.square(c * A[a, b]) for a, b, c in zip(j, k, times, strict=True))
    cp.Problem(cp.Minimize(w @ worst + alpha * squares), cone).solve(solver=cp.CLARABEL)
    return np.concatenate([b.value, times * A.value[j, k], [constant.value]])


@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson"])
@pytest.mark.parametrize("eps", EPS[1:])
def test_a_semidefinite_program_does_no_better(kind, eps):
    model, data, objective = problem(kind, n=24, m=2, seed=3)
    robust = fa.robust_fit(model, data.X, data.y, eps, sample_weight=data.w)
    theirs = semidefinite_optimum(kind, data, eps * robust.radius, 0.02)
    mine, best = objective(robust.params, eps), objective(theirs, eps)
    # Its own tolerance is 1e-8.
    assert mine <= best + 1e-8 * abs(best)
    assert mine == about(best, 1e-7)
    np.testing.assert_allclose(robust.params, theirs, atol=1e-3)


def test_projected_ascent_comes_close_to_the_exact_fit(kind):
    """Its own objective may be too low: ascent can stop at a local maximum of a ball."""
    model, (X, y, w), objective = problem(kind, n=30, m=2)
    exact = fa.robust_fit(model, X, y, 0.1, sample_weight=w)
    ascent = fa.robust_fit(model, X, y, 0.1, sample_weight=w, method="pgd")
    true = objective(ascent.params, 0.1)
    assert ascent.objective <= true * (1 + 1e-12)
    assert exact.objective <= true * (1 + 1e-9)
    assert true == about(exact.objective, 1e-3)
    np.testing.assert_allclose(ascent.params, exact.params, atol=0.05)


def test_quadratic_regression_has_the_same_robust_fits():
    X, y, w = make("linear", weighted=True)
    model = fa.QuadraticRegression(alpha=0.02).fit(X, y, w)
    general = fa.BasisRegression(fa.bases.Quadratic(), loss=loss_of("linear"), alpha=0.02)
    general.fit(X, y, w)
    for eps in (1e-3, 0.3):
        found, wanted = (fa.robust_fit(m, X, y, eps, sample_weight=w) for m in (model, general))
        assert_close(found.params, wanted.params, 1e-9)
        assert_close(params_of(found.estimator), found.params, 1e-14)
        squares = found.estimator.quadratic_
        np.testing.assert_array_equal(squares, squares.T)


@pytest.mark.parametrize("attack", [
    {"feature_scale": np.array([1.0, 0.0, 3.0])},
    {"radius": 0.7, "attackable": np.array([True, True, False])},
])  # fmt: skip
def test_adversarial_losses_are_the_twins(kind, attack):
    X, y, w = make(kind, weighted=True)
    model = estimator("quadratic", kind).fit(X, y, w)
    options = {"sample_weight": w} | attack
    known = {"loss": LOSSES[kind], "delta": known_to_twin(kind)["delta"]}
    for eps in (1e-6, 0.1, 1.0):
        worst = basis_attack.adversarial_losses(
            twin.Quadratic(), X, y, params_of(model), eps, **known, **options
        )
        found = fa.adversarial_loss(model, X, y, eps, **options)
        assert found == about(w @ worst / w.sum(), 1e-12)

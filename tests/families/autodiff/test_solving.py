"""Models of users' own whose Hessian is known by its products alone, and damping for them."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from oracles import differentiable as naive
from support.makers import about, assert_close, make, relative_error

import fastaif as fa
from fastaif.solvers import limits as choice
from fastaif.solvers.nystrom import NegativeCurvatureError, nystrom
from fastaif.utils.warnings import StationarityWarning

HIDDEN = 3


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not there")
        )
        for name in ("torch", "jax")
    ],
)
def backend(request):
    return request.param


def frame(backend):
    """The framework's own functions."""
    if backend == "torch":
        import torch

        return torch.nn.functional
    import jax

    return jax.nn


@pytest.fixture(scope="module")
def logistic(backend):
    """Our logistic regression and the same model in the framework, with its own penalty or ours."""
    X, y, w = make("logistic", n=90, m=4, weighted=True)
    own = fa.LogisticRegression(alpha=0.02, fit_intercept=False).fit(X, y, w)

    softplus = frame(backend).softplus

    def loss(theta, X, y):
        return softplus(-y * (X @ theta))

    plain = fa.DifferentiableModel(loss, own.coef_, backend=backend, alpha=0.02)
    given = fa.DifferentiableModel(
        loss, own.coef_, backend=backend, penalty=lambda theta: 0.02 * (theta**2).sum()
    )
    return own, (plain, given), X, y, w


@pytest.mark.long
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_cg_against_our_own_regression(logistic, p):
    own, models, X, y, w = logistic
    wanted = fa.aif(own, X, y, p=p, sample_weight=w)
    for model in models:
        found = fa.aif(model, X, y, p=p, sample_weight=w, solver="cg")
        assert_close(found.influence, wanted.influence, 1e-10)
        assert_close(found.per_sample(), wanted.per_sample(), 1e-9)
        assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient, 1e-9)
        assert found.hessian is None
        for key in ("condition_number", "least_eigenvalue"):
            assert found.diagnostics[key] == about(wanted.diagnostics[key], 1e-2)
        assert found.diagnostics["solver"] == "cg"
        assert found.diagnostics["solver_iterations"] > 0
        assert found.diagnostics["solver_residual"] < 1e-10
        assert found.verify(1e-3).exact_cost == about(wanted.verify(1e-3).exact_cost, 1e-6)


def test_lissa_is_near_and_keyed(logistic):
    own, (model, _), X, y, w = logistic
    options = {"sample_weight": w, "solver": "lissa"}
    wanted = fa.aif(own, X, y, sample_weight=w).influence
    found = fa.aif(model, X, y, random_state=0, **options)
    assert 0.0 < relative_error(found.influence, wanted) < 0.02
    assert found.diagnostics["solver"] == "lissa"
    assert np.array_equal(found.influence, fa.aif(model, X, y, random_state=0, **options).influence)
    assert not np.array_equal(
        found.influence, fa.aif(model, X, y, random_state=1, **options).influence
    )


# --- a network ------------------------------------------------------------------------------


def network(backend, theta, alpha, m=2):
    """The naive twin's network."""
    tanh = frame(backend).tanh

    def loss(theta, X, y):
        h = HIDDEN
        W1, b1 = theta[: h * m].reshape(h, m), theta[h * m : h * m + h]
        w2, b2 = theta[h * m + h : h * m + 2 * h], theta[-1]
        return (tanh(X @ W1.T + b1) @ w2 + b2 - y) ** 2

    return fa.DifferentiableModel(loss, theta, backend=backend, alpha=alpha)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 2))
    y = np.tanh(X @ [1.5, -0.7]) + 0.6 * np.sin(2.0 * X[:, 1]) + 0.3 * rng.normal(size=80)
    return X, y, rng.normal(size=HIDDEN * 4 + 1)


@pytest.mark.long
def test_refine_without_a_hessian(backend, data):
    X, y, start = data
    theta = naive.fit(start, X, y, np.ones(80), 0.02)
    away = network(backend, theta + 1e-2 * np.cos(np.arange(theta.size)), 0.02)
    with pytest.warns(StationarityWarning, match="refine=True"):
        rough = fa.aif(away, X, y, solver="cg")
    with pytest.warns(StationarityWarning):
        direct = fa.aif(away, X, y)
    ratio = rough.diagnostics["newton_step"] / direct.diagnostics["newton_step"]
    assert 0.3 < ratio < 3.0  # an estimate
    found = fa.aif(away, X, y, solver="cg", refine=True)
    assert_close(found.params, theta, 1e-8)
    H = naive.hessian(theta, X, y, np.ones(80), 0.02)
    assert_close(found.influence, -np.linalg.solve(H, found.mixed), 1e-6)
    assert found.diagnostics["newton_step"] < 1e-8


@pytest.mark.long
def test_refine_descends_where_the_hessian_is_indefinite(backend, data):
    X, y, start = data
    one = np.ones(80)
    assert np.linalg.eigvalsh(naive.hessian(start, X, y, one, 0.02))[0] < -0.1
    found = fa.aif(network(backend, start, 0.02), X, y, solver="cg", refine=True, damping="auto")
    assert np.linalg.norm(naive.gradient(found.params, X, y, one, 0.02)) < 1e-9
    assert np.linalg.eigvalsh(naive.hessian(found.params, X, y, one, 0.02))[0] > -1e-8


@pytest.mark.long
@pytest.mark.parametrize("solver", ["cholesky", "cg", "lissa"])
def test_an_indefinite_hessian_asks_for_damping(backend, data, solver):
    X, y, start = data
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(network(backend, start, 0.0), X, y, solver=solver, random_state=0)


@pytest.mark.long
@pytest.mark.parametrize(("solver", "slack"), [("cholesky", 1e-10), ("cg", 3e-3)])
def test_automatic_damping(backend, data, solver, slack):
    """What is missing is added: enough for the factor, and little more."""
    X, y, start = data
    one = np.ones(80)
    H = naive.hessian(start, X, y, one, 0.0)
    values = np.linalg.eigvalsh(H)
    assert values[0] < 0.0
    with pytest.warns(StationarityWarning):
        found = fa.aif(network(backend, start, 0.0), X, y, solver=solver, damping="auto")
    wanted = 2.0**-26 * values[-1] - values[0]
    added = found.diagnostics["damping"]
    assert added == pytest.approx(wanted, rel=slack + 1e-9)
    assert added > -values[0]
    assert found.diagnostics["least_eigenvalue"] > 0.0
    left = (H + added * np.eye(len(H))) @ found.influence + found.mixed
    assert np.linalg.norm(left) < 1e-6 * np.linalg.norm(H) * np.linalg.norm(found.influence)
    if solver == "cholesky":
        with pytest.warns(StationarityWarning):
            again = fa.aif(network(backend, start, 0.0), X, y, damping=added)
        assert_close(again.influence, found.influence, 1e-6)


@pytest.mark.long
@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_automatic_damping_adds_nothing_to_what_is_definite(logistic, solver):
    own, models, X, y, w = logistic
    wanted = fa.aif(own, X, y, sample_weight=w)
    for model in models:
        found = fa.aif(model, X, y, sample_weight=w, solver=solver, damping="auto")
        assert found.diagnostics["damping"] == 0.0
        assert_close(found.influence, wanted.influence, 1e-10)


@pytest.mark.long
@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_a_singular_hessian(backend, solver, rng):
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    X = np.column_stack([X, X[:, 0]])
    theta = np.linalg.lstsq(X, y, rcond=None)[0]
    model = fa.DifferentiableModel(
        lambda theta, X, y: (X @ theta - y) ** 2, theta, backend=backend
    )
    with pytest.raises(np.linalg.LinAlgError, match=r"singular.*damping"):
        fa.aif(model, X, y, solver=solver)
    found = fa.aif(model, X, y, solver=solver, damping="auto")
    largest = np.linalg.eigvalsh(2.0 * X.T @ X / 60)[-1]
    assert found.diagnostics["damping"] == pytest.approx(2.0**-26 * largest, rel=1e-2)


def test_auto_goes_by_the_number_of_parameters(logistic, monkeypatch):
    _, (model, _), X, y, w = logistic
    assert fa.aif(model, X, y, sample_weight=w).diagnostics["solver"] == "cholesky"
    monkeypatch.setattr("fastaif.families.autodiff.problem.LARGEST_AUTODIFF", 3)
    monkeypatch.setattr("fastaif.families.autodiff.solving.LARGEST_AUTODIFF", 3)
    found = fa.aif(model, X, y, sample_weight=w)
    assert found.diagnostics["solver"] == "cg"
    with pytest.raises(ValueError, match="robust fit forms the Hessian"):
        found.verify(1e-3)
    assert choice.LARGEST_AUTODIFF < choice.LARGEST


# --- the preconditioner ---------------------------------------------------------------------


def test_a_sketch_takes_out_the_largest_eigenvalues(rng):
    d = 200
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    A = (Q * np.append(np.geomspace(1e4, 1e-2, 40), np.full(d - 40, 1e-4))) @ Q.T
    shift = 1e-3
    M = nystrom(lambda U: A @ U, d, 60, shift)(np.eye(d))
    assert_close(M, M.T, 1e-13)
    values = np.linalg.eigvals(M @ (A + shift * np.eye(d))).real
    assert values.min() > 0.0
    assert values.max() / values.min() < 10.0
    assert np.linalg.cond(A + shift * np.eye(d)) > 1e6


def test_a_sketch_of_what_is_small_or_curved_downwards(rng):
    whole = nystrom(lambda U: 2.0 * U, 3, 64)(np.eye(3))
    assert_close(whole, np.eye(3), 1e-13)
    assert_close(nystrom(lambda U: 0.0 * U, 5, 2)(np.eye(5)), np.eye(5))
    with pytest.raises(NegativeCurvatureError) as caught:
        nystrom(lambda U: -U, 10, 3, 0.5)
    assert caught.value.curvature == pytest.approx(-0.5)

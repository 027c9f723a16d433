"""The influence of networks against a naive twin, automatic differentiation and refits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from oracles import network as twin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import about, assert_close, relative_error
from support.network_makers import ACTIVATIONS, diabetes, fitted, make, with_parameters

import fastaif as fa

# Networks of random parameters are not stationary, and damping makes up for what H lacks.
pytestmark = pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.StationarityWarning")
LOSSES = ["squared_error", "logistic"]
DAMPED = {"damping": 50.0}


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_everything_agrees_with_the_twin(loss, activation, p):
    X, y, w = make(loss, n=90, m=3)
    model = with_parameters(loss, 3, 5, activation)
    attack = {"feature_scale": np.array([1.0, 0.5, 2.0]), "attackable": [True, True, False]}
    result = fa.aif(model, X, y, p=p, sample_weight=w, **attack, **DAMPED)
    known = twin.everything(
        X, y, result.params, name=activation, loss=loss, alpha=0.01, p=p, sample_weight=w,
        **attack,
    )  # fmt: skip
    assert result.radius == about(known["radius"])
    assert result.value_derivative == about(known["value_derivative"])
    assert_close(result.problem.gradient, known["gradient"], 1e-12)
    assert_close(result.mixed, known["mixed"], 1e-12)
    assert_close(result.hessian, known["hessian"], 1e-12)
    damped = known["hessian"] + 50.0 * np.eye(len(result.params))
    assert_close(result.influence, -np.linalg.solve(damped, known["mixed"]), 1e-11)
    assert_close(result.per_sample(), -np.linalg.solve(damped, known["shares"].T).T, 1e-11)
    assert_close(w @ result.per_sample() / w.sum(), result.influence, 1e-11)


@pytest.mark.parametrize("loss", LOSSES)
def test_gauss_newton(loss):
    X, y, w = make(loss)
    model = with_parameters(loss, 3, 4, "tanh")
    result = fa.aif(model, X, y, sample_weight=w, hessian="gauss_newton", damping=1e-3)
    known = twin.everything(
        X, y, result.params, name="tanh", loss=loss, alpha=0.01, sample_weight=w
    )
    assert_close(result.hessian, known["gauss_newton"], 1e-12)
    damped = known["gauss_newton"] + 1e-3 * np.eye(len(result.params))
    assert_close(result.influence, -np.linalg.solve(damped, known["mixed"]), 1e-10)
    # A cost is that of the loss's own curvature all the same.
    exact = known["hessian"] - 0.02 * np.diag(twin.penalised(3, 4))
    cost = 0.5 * result.influence @ exact @ result.influence
    assert result.sensitivity_coefficient == about(cost, 1e-9)


@pytest.mark.parametrize("space", ["scaled", "raw"])
def test_behind_a_scaler(space):
    X, y, w = make("squared_error")
    X = 3.0 * X + np.array([1.0, -2.0, 0.5])
    pipeline = make_pipeline(StandardScaler(), with_parameters("squared_error", 3, 4, "gelu"))
    pipeline[0].fit(X)
    result = fa.aif(pipeline, X, y, p=1.5, sample_weight=w, attack_space=space, **DAMPED)
    known = twin.everything(
        X, y, result.params, name="gelu", loss="squared_error", alpha=0.01, p=1.5,
        sample_weight=w, shift=pipeline[0].mean_, scale=pipeline[0].scale_, attack_space=space,
    )  # fmt: skip
    assert_close(result.mixed, known["mixed"], 1e-12)
    assert_close(result.hessian, known["hessian"], 1e-12)
    # Moving the raw parameters moves the predictions as moving θ does.
    step = 1e-6 * result.influence
    raw = with_parameters("squared_error", 3, 4, "gelu")
    W1, b1, w2, b2 = twin.unpack(result.params, 3)
    W1 = W1 / pipeline[0].scale_[:, None]
    theta = np.concatenate([W1.ravel(), b1 - pipeline[0].mean_ @ W1, w2, [b2]])
    raw.set_parameters(theta + 1e-6 * result.influence_raw, 3)
    moved = result.problem.model.rebuild(result.params + step)
    assert_close(raw.predict(X), moved.predict(X), 1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_autodiff_on_diabetes(activation, p):
    pytest.importorskip("jax", reason="JAX is not installed")
    from oracles.network_autodiff import mixed_and_hessian

    X, y = (part[::4] for part in diabetes())
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y))
    model = with_parameters("squared_error", 10, 16, activation)
    result = fa.aif(model, X, y, p=p, sample_weight=w, **DAMPED)
    mixed, hessian = mixed_and_hessian(
        X, y, result.params, name=activation, loss="squared_error", alpha=0.01, p=p,
        sample_weight=w,
    )  # fmt: skip
    assert_close(result.mixed, mixed)
    assert_close(result.hessian, hessian)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_extreme_arguments(activation):
    X, y, _ = make("squared_error", n=20)
    model = with_parameters("squared_error", 3, 4, activation)
    model.coefs_[0] *= 30.0
    result = fa.aif(model, X, y, hessian="gauss_newton", damping=1.0)
    known = twin.everything(
        X, y, result.params, name=activation, loss="squared_error", alpha=0.01
    )
    assert_close(result.hessian, known["gauss_newton"], 1e-12)
    assert_close(result.mixed, known["mixed"], 1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_and_threads(dtype):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(3000, 4)).astype(dtype)
    y = np.sin(X[:, 0]) + 0.1 * rng.normal(size=3000)
    model = with_parameters("squared_error", 4, 6, "tanh")
    want = fa.aif(model, X.astype(float), y, n_threads=1, **DAMPED)
    for rows in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
        for threads in (1, 3):
            found = fa.aif(model, rows, y, n_threads=threads, **DAMPED)
            assert_close(found.influence, want.influence, 1e-12)
    one, three = (fa.aif(model, X, y, n_threads=k, **DAMPED).influence for k in (1, 3))
    assert np.array_equal(one, three)


def test_indefinite_hessian_asks_for_damping():
    X, y, _ = make("squared_error")
    model = with_parameters("squared_error", 3, 5, "tanh", alpha=0.0)
    with pytest.raises(np.linalg.LinAlgError, match=r"least eigenvalue -.*damping > 0"):
        fa.aif(model, X, y)
    known = twin.everything(
        X, y, model.parameters(), name="tanh", loss="squared_error", alpha=0.0
    )
    least = np.linalg.eigvalsh(known["hessian"])[0]
    assert least < 0.0
    result = fa.aif(model, X, y, damping=-1.5 * least)
    assert result.diagnostics["least_eigenvalue"] == about(-0.5 * least, 1e-6)
    assert result.diagnostics["damping"] == -1.5 * least
    assert fa.aif(model, X, y, hessian="gauss_newton", damping=1e-3).problem.gauss_newton


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_derivatives_along_a_step(loss, activation):
    X, y, w = make(loss)
    result = fa.aif(
        with_parameters(loss, 3, 4, activation), X, y, sample_weight=w, **DAMPED
    )
    step = np.random.default_rng(3).normal(size=len(result.params))
    known = twin.everything(
        X, y, result.params, name=activation, loss=loss, sample_weight=w
    )
    slope, curvature = result.problem.along(step)
    assert slope == about(known["gradient"] @ step, 1e-10)
    assert curvature == about(step @ known["hessian"] @ step, 1e-10)
    evaluated = result.problem.evaluate(result.params)
    assert evaluated.loss == about(known["value"])
    assert_close(evaluated.hessian, known["hessian"], 1e-12)
    # The input gradients' own derivative, by differences.
    sweep = result.problem.sweep
    at, moved = sweep.input_slopes(result.params, step, 0, len(y))
    ahead, _ = sweep.input_slopes(result.params + 1e-6 * step, step, 0, len(y))
    behind, _ = sweep.input_slopes(result.params - 1e-6 * step, step, 0, len(y))
    assert_close(moved, (ahead - behind) / 2e-6, 1e-8)
    assert_close(at[0], twin.prediction(result.params, X[0], activation)["inputs"], 1e-12)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_kinks(p):
    X, y, _ = make("squared_error", n=200)
    result = fa.aif(fitted("squared_error", "tanh"), X, y, p=p)
    radius = result.validity_radius
    assert 0.0 < radius < np.inf
    # No sample changes side before it along the predicted path, nor its direction.
    before, at = (
        result.problem.model.rebuild(result.params + share * radius * result.influence)
        for share in (0.0, 0.9)
    )
    assert np.array_equal(np.sign(before.predict(X) - y), np.sign(at.predict(X) - y))
    assert result.flip_fraction(100.0 * radius) >= 0.0


def test_weights_are_repetitions():
    X, y, w = make("squared_error")
    model = with_parameters("squared_error", 3, 4, "tanh")
    weighted = fa.aif(model, X, y, sample_weight=w, **DAMPED)
    rows = np.repeat(np.arange(len(y)), w.astype(int))
    repeated = fa.aif(model, X[rows], y[rows], **DAMPED)
    assert_close(weighted.influence, repeated.influence, 1e-12)


def test_refine_reaches_a_stationary_point():
    X, y, _ = make("squared_error", n=200)
    model = fitted("squared_error", "tanh")
    result = fa.aif(model, X[:150], y[:150], refine=True)
    assert relative_error(result.params, model.parameters()) > 1e-6
    assert np.abs(result.problem.gradient).max() < 1e-12


def test_result_is_reported_and_pickled():
    X, y, _ = make("logistic", n=200)
    result = fa.aif(fitted("logistic", "softplus"), X, y, damping=1e-6)
    text = str(pickle.loads(pickle.dumps(result)))
    assert "network" in text
    assert "W1[x" in text
    assert result.to_frame().shape == (len(result.params), 3)


def test_refusals():
    X, y, _ = make("squared_error")
    model = with_parameters("squared_error", 3, 4, "tanh")
    with pytest.raises(ValueError, match="X contains NaN or infinity"):
        fa.aif(model, np.where(X > 2.0, np.nan, X), y)
    with pytest.raises(ValueError, match=r"order=2.*robust fits.*linear predictors"):
        fa.robust_fit(model, X, y, 0.1, order=2)
    wide = with_parameters("squared_error", 200, 30, "tanh")
    with pytest.raises(ValueError, match="6061 parameters"):
        fa.aif(wide, np.ones((4, 200)), np.arange(4.0))


@pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.ZeroGradientWarning")
def test_arguments_whose_squares_overflow():
    X, y, _ = make("logistic", n=40)
    model = with_parameters("logistic", 3, 4, "gelu")
    result = fa.aif(model, 1e155 * X, y, hessian="gauss_newton", damping=1.0)
    assert np.isfinite(result.problem.gradient).all()
    # Units are 0 or the identity there, so that f is linear along each ray.
    relu = np.maximum(X @ model.coefs_[0], 0.0) @ model.coefs_[1]
    assert_close(model.decision_function(1e155 * X) / 1e155, relu, 1e-12)


@pytest.mark.parametrize("size", [1e9, 1e150])
def test_rows_of_weight_zero_leave_the_fit_alone(size):
    X, y, _ = make("squared_error")
    known = fa.MLPRegression(hidden=3, alpha=1e-2, random_state=1).fit(X[1:], y[1:])
    X[0] *= size
    weights = np.ones(len(y))
    weights[0] = 0.0
    model = fa.MLPRegression(hidden=3, alpha=1e-2, random_state=1).fit(X, y, weights)
    assert_close(model.parameters(), known.parameters(), 1e-6)


@pytest.mark.filterwarnings("error")
def test_targets_whose_squares_overflow_are_refused():
    X, y, _ = make("squared_error")
    with pytest.raises(FloatingPointError, match="rescale the features or the targets"):
        fa.MLPRegression(hidden=3, random_state=0).fit(X, 1e200 * y)

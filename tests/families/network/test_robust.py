"""Attacks on networks, and adversarial training beside what the influence predicts of it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from oracles import network as twin
from oracles.norms import dual_order, norm
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale
from support.makers import about, assert_close, relative_error
from support.network_makers import ACTIVATIONS, fitted, make, with_parameters

import fastaif as fa
from fastaif.utils.warnings import SolverWarning

LOSSES = ["squared_error", "logistic"]
ORDERS = [1.5, 2.0, np.inf]


# --- attacks ------------------------------------------------------------------------------


def pointwise(loss, f, y):
    return (f - y) ** 2 if loss == "squared_error" else np.logaddexp(0.0, -y * f)


@pytest.mark.parametrize("p", [1.0, *ORDERS])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_grid_point_of_the_ball_is_worse(loss, activation, p):
    X, y, w = make(loss, n=40, m=2)
    model, eps = with_parameters(loss, 2, 5, activation), 0.3
    scale = np.array([1.0, 0.5])
    attack = {
        "p": p, "feature_scale": scale, "radius": 1.0, "n_restarts": 8, "random_state": 0,
    }  # fmt: skip
    adversarial = fa.attack(model, X, y, eps, **attack)
    delta = (adversarial - X) / scale
    assert np.all(norm(delta, p) <= eps * (1.0 + 1e-12))
    reached = pointwise(loss, model_f(model, adversarial), y)
    side = np.linspace(-eps, eps, 61)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    grid = grid[norm(grid, p) <= eps]
    worst = np.max([pointwise(loss, model_f(model, X + scale * t), y) for t in grid], axis=0)
    assert np.all(reached >= worst - 1e-12)
    mean = fa.adversarial_loss(model, X, y, eps, sample_weight=w, **attack)
    assert mean == about(w @ reached / w.sum())


def model_f(model, X):
    return getattr(model, "decision_function", model.predict)(X)


@pytest.mark.parametrize("p", ORDERS)
def test_attacks_are_stationary(p):
    """Of the linear model of f at the end of an ascent no other point of the ball is worse."""
    X, y, _ = make("squared_error")
    model = with_parameters("squared_error", 3, 5, "tanh")
    adversarial = fa.attack(model, X, y, 1e-2, p=p, radius=1.0, n_steps=200)
    delta = adversarial - X
    for x, d, target in zip(X, delta, y, strict=True):
        at = twin.prediction(model.parameters(), x + d, "tanh")
        side = np.sign(at["f"] - target)
        if side * (twin.prediction(model.parameters(), x, "tanh")["f"] - target) < 0.0:
            continue
        best = 1e-2 * norm(at["inputs"], dual_order(p))
        assert side * at["inputs"] @ d >= best * (1.0 - 1e-12)


def test_attacks_do_not_depend_on_blocks_and_types():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(700, 4)).astype(np.float32)
    y = rng.normal(size=700)
    model = with_parameters("squared_error", 4, 6, "gelu")
    options = {"radius": 1.0, "n_restarts": 4, "random_state": 5, "n_steps": 7}
    whole = fa.attack(model, X.astype(float), y, 2.0, **options)
    strided = np.asfortranarray(X.astype(float))
    assert np.array_equal(whole, fa.attack(model, strided, y, 2.0, **options))
    assert fa.attack(model, X, y, 2.0, **options).dtype == np.float32
    assert_close(fa.attack(model, X[:5].astype(float), y[:5], 2.0, **options), whole[:5], 1e-10)
    masked = fa.attack(model, X.astype(float), y, 2.0, attackable=[True, False, True, False])
    assert np.array_equal(masked[:, [1, 3]], X[:, [1, 3]].astype(float))
    assert fa.adversarial_loss(model, X, y, 2.0, **options) >= fa.adversarial_loss(model, X, y, 0.0)


def test_given_steps_and_exact_attacks():
    X, y, _ = make("squared_error")
    model = with_parameters("squared_error", 3, 5, "tanh")
    best = fa.adversarial_loss(model, X, y, 0.05)
    walked = fa.adversarial_loss(model, X, y, 0.05, step=0.1, n_steps=300)
    assert walked == about(best, 1e-9)
    assert fa.adversarial_loss(model, X, y, 0.05, step=0.1, n_steps=1) < best
    with pytest.raises(ValueError, match=r"method='exact'.*network"):
        fa.attack(model, X, y, 0.05, method="exact")
    with pytest.raises(ValueError, match=r"method='exact'.*network"):
        fa.robust_fit(model, X, y, 0.05, method="exact")


# --- adversarial training -----------------------------------------------------------------


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_influence_is_the_slope_of_the_robust_path(loss, activation, p):
    X, y, w = make(loss, n=200)
    model = fitted(loss, activation, weighted=True)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    # The error falls with ε, down to where rounding of θ_ε − θ̂ is all there is.
    errors = []
    for eps in (1e-5, 1e-6, 1e-7):
        check = result.verify(eps)
        assert check.robust.converged
        assert check.robust.residual < 1e-12
        errors.append(check.params_error)
    assert errors[1] < 0.15 * errors[0]
    assert errors[2] < 0.3 * errors[1]
    assert errors[1] < 2e-4
    near = result.verify(1e-5)
    assert near.exact_cost == about(near.predicted_cost, 1e-2)
    assert near.exact_gain == about(near.predicted_gain, 1e-2)


@pytest.mark.parametrize("loss", LOSSES)
def test_robust_optimum_is_that_of_a_general_optimiser(loss):
    X, y, w = make(loss, n=200)
    model, eps = fitted(loss, "tanh", weighted=True), 0.01 if loss == "logistic" else 5e-4
    robust = fa.robust_fit(model, X, y, eps, sample_weight=w)
    assert robust.converged
    assert robust.method == "pgd"
    pen = twin.penalised(3, 3)

    def objective(theta):
        moved = clone(model)
        moved.__dict__.update(model.__dict__)
        moved.set_parameters(theta, 3)
        value = fa.adversarial_loss(
            moved, X, y, eps, sample_weight=w, n_steps=200, radius=robust.radius
        )
        return value + 1e-3 * float(pen @ theta**2)

    assert robust.objective == about(objective(robust.params), 1e-11)
    found = minimize(objective, model.parameters(), method="L-BFGS-B", options={"ftol": 1e-15})
    assert robust.objective <= found.fun + 1e-12
    assert relative_error(found.x, robust.params) < 1e-2
    assert_close(robust.estimator.parameters(), robust.params, 1e-15)


def test_large_attacks_lower_the_adversarial_loss_and_say_how_well():
    X, y, _ = make("squared_error", n=200)
    model = fitted("squared_error", "tanh")
    with pytest.warns(SolverWarning, match="kinks"):
        robust = fa.robust_fit(model, X, y, 0.1)
    assert not robust.converged
    assert robust.residual > 1e-9
    before, after = (
        fa.adversarial_loss(m, X, y, 0.1, n_steps=200) for m in (model, robust.estimator)
    )
    assert after < 0.98 * before
    with pytest.warns(SolverWarning):
        again = fa.robust_fit(model, X, y, 0.1, method="pgd")
    assert np.array_equal(again.params, robust.params)


def test_at_zero_nothing_moves():
    X, y, _ = make("squared_error", n=200)
    model = fitted("squared_error", "gelu")
    robust = fa.robust_fit(model, X, y, 0.0)
    assert_close(robust.params, model.parameters(), 1e-12)


@pytest.mark.parametrize("method", ["exact", "quadratic"])
def test_sensitivity(method):
    X, y, _ = make("logistic", n=200)
    held_out, labels, _ = make("logistic", n=100, seed=1)
    model, eps = fitted("logistic", "tanh"), 1e-4
    given = {"X_eval": held_out, "y_eval": labels}
    exact = fa.sensitivity(model, X, y, eps, method=method, expansion="taylor", **given)
    predicted = fa.sensitivity(model, X, y, eps, method="aif", expansion="taylor", **given)
    assert exact == about(predicted, 1e-2)
    robust = fa.robust_fit(model, X, y, eps)
    if method == "exact":
        losses = [
            np.mean(pointwise("logistic", m.decision_function(held_out), labels))
            for m in (model, robust.estimator)
        ]
        assert exact == about(losses[1] - losses[0], 1e-8)


# --- estimators ---------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_fits_are_stationary(loss, activation):
    X, y, w = make(loss, n=200)
    model = fitted(loss, activation, weighted=True)
    known = twin.everything(
        X, y, model.parameters(), name=activation, loss=loss, alpha=1e-3, sample_weight=w
    )
    assert np.abs(known["gradient"]).max() < 1e-12
    assert np.linalg.eigvalsh(known["hessian"])[0] > 0.0
    f = [twin.prediction(model.parameters(), x, activation)["f"] for x in X]
    assert_close(model_f(model, X), f, 1e-13)
    assert [np.shape(part) for part in model.coefs_] == [(3, 3), (3,)]
    assert np.shape(model.intercepts_[0]) == (3,)
    assert isinstance(model.intercepts_[1], float)


def test_fits_are_reproducible_and_pickled():
    X, y, _ = make("logistic")
    model = fa.MLPClassification(hidden=4, alpha=0.01, random_state=3).fit(X, y)
    again = clone(model).fit(X, y)
    assert np.array_equal(model.parameters(), again.parameters())
    restored = pickle.loads(pickle.dumps(model))
    assert np.array_equal(restored.predict_proba(X), model.predict_proba(X))
    assert_close(model.predict_proba(X).sum(axis=1), np.ones(len(X)), 1e-15)
    assert model.score(X, y) > 0.7


def test_stopping_early_is_said():
    from sklearn.exceptions import ConvergenceWarning

    X, y, _ = make("squared_error")
    with pytest.warns(ConvergenceWarning, match="stopped after"):
        fa.MLPRegression(hidden=8, max_iter=2, random_state=0).fit(X, y)


@pytest.mark.parametrize(("options", "said"), [
    ({"hidden": 0}, "hidden"), ({"activation": "swish"}, "tanh.*softplus.*gelu"),
    ({"alpha": -1.0}, "alpha"), ({"tol": 0.0}, "tol"), ({"max_iter": 0}, "max_iter"),
])  # fmt: skip
def test_wrong_options(options, said):
    X, y, _ = make("squared_error")
    with pytest.raises(ValueError, match=said):
        fa.MLPRegression(**options).fit(X, y)


def test_a_network_behind_polynomial_features_is_refused():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures

    X, y, _ = make("squared_error")
    pipeline = make_pipeline(PolynomialFeatures(2), fa.MLPRegression(3, alpha=0.1, random_state=0))
    with pytest.raises(TypeError, match="PolynomialFeatures before a MLPRegression"):
        fa.aif(pipeline.fit(X, y), X, y)


@pytest.mark.long
def test_two_equal_units_part_where_that_is_lower():
    """Their gradients are zero towards one another: descents ended at a saddle, and said that they
    had converged."""
    flowers = load_iris()
    X = scale(flowers.data)
    net = fa.MLPClassification(hidden=4, alpha=1e-3, random_state=0).fit(X, flowers.target)
    found = fa.robust_fit(net, X, flowers.target, eps=0.05)
    assert found.converged
    assert found.gap < 1e-12
    assert found.objective < 0.1375  # the saddle's is .13853

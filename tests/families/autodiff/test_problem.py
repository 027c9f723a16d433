"""Models and losses of users' own, in torch and in JAX, against models whose answers are known."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pytest
from oracles import differentiable as naive
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale
from support.makers import ORDERS, about, assert_close, make, make_clear

import fastaif as fa
from fastaif.utils.warnings import FlipWarning, StationarityWarning, TieWarning, ZeroGradientWarning

ALPHA, HIDDEN = 0.02, 3


class Frame(NamedTuple):
    """The functions of a framework that the models here are written with."""

    name: str
    tanh: object
    softplus: object
    array: object


def load(name):
    if name == "torch":
        import torch

        return Frame(name, torch.tanh, torch.nn.functional.softplus, torch.tensor)
    import jax

    return Frame(name, jax.numpy.tanh, jax.nn.softplus, jax.numpy.asarray)


def backends(*names):
    return [
        pytest.param(
            name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not there")
        )
        for name in names
    ]


@pytest.fixture(scope="module", params=backends("torch", "jax"))
def frame(request):
    return load(request.param)


# --- against fastaif's own models ---------------------------------------------------------


@pytest.fixture(scope="module")
def logistic(frame):
    """Our logistic regression and the same model in the framework."""
    X, y, w = make("logistic", n=90, m=4, weighted=True)
    own = fa.LogisticRegression(alpha=ALPHA).fit(X, y, w)

    def loss(params, X, y):
        return frame.softplus(-y * (X @ params["w"] + params["b"]))

    model = fa.DifferentiableModel(
        loss, {"w": own.coef_, "b": own.intercept_}, backend=frame.name,
        penalty=lambda params: ALPHA * (params["w"] ** 2).sum(),
    )  # fmt: skip
    return own, model, X, y, w


@pytest.mark.parametrize("p", ORDERS)
def test_logistic_regression(logistic, p):
    own, model, X, y, w = logistic
    attack = {"p": p, "sample_weight": w, "feature_scale": np.array([1.0, 0.5, 2.0, 0.0])}
    found, wanted = fa.aif(model, X, y, **attack), fa.aif(own, X, y, **attack)
    for name in ("influence", "mixed", "hessian", "params", "influence_raw"):
        assert_close(getattr(found, name), getattr(wanted, name), 1e-10)
    assert found.radius == about(wanted.radius)
    assert found.value_derivative == about(wanted.value_derivative)
    assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient, 1e-10)
    assert found.validity_radius == about(wanted.validity_radius, 1e-8)
    assert_close(found.per_sample(), wanted.per_sample(), 1e-10)
    eps = [1e-4, 3e-4]
    for expansion in ("quadratic", "taylor"):
        assert_close(
            found.sensitivity(eps, expansion=expansion),
            wanted.sensitivity(eps, expansion=expansion), 1e-10,
        )  # fmt: skip
    assert found.names == ("w[0]", "w[1]", "w[2]", "w[3]", "b")
    assert "differentiable" in found.summary()
    assert list(found.to_frame().index) == list(found.names)


@pytest.fixture(scope="module")
def curved(frame):
    """Our quadratic regression and the same model in the framework, data without kinks near."""
    X, y, w = make_clear("linear", n=60, m=3)
    own = fa.QuadraticRegression(alpha=ALPHA).fit(X, y, w)
    rows, columns = np.triu_indices(3)

    def loss(params, X, y):
        linear, products, intercept = params
        v = X[:, rows] * X[:, columns]
        return (X @ linear + v @ products + intercept - y) ** 2

    products = own.quadratic_[rows, columns] * np.where(rows == columns, 1.0, 2.0)
    params = (own.coef_, products, own.intercept_)
    model = fa.DifferentiableModel(
        loss, params, backend=frame.name,
        penalty=lambda params: ALPHA * (params[1] ** 2).sum(),
    )  # fmt: skip
    return own, model, X, y, w


@pytest.mark.long
@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_quadratic_regression(curved, p):
    own, model, X, y, w = curved
    attack = {"p": p, "sample_weight": w, "attackable": [True, True, False]}
    found, wanted = fa.aif(model, X, y, **attack), fa.aif(own, X, y, **attack)
    for name in ("influence", "mixed", "hessian", "params"):
        assert_close(getattr(found, name), getattr(wanted, name), 1e-9)
    assert_close(found.per_sample(), wanted.per_sample(), 1e-9)
    assert found.sensitivity_coefficient == about(wanted.sensitivity_coefficient, 1e-9)


@pytest.mark.parametrize(("order", "formula"), [(1, "exact"), (2, "exact"), (3, "paper")])
def test_budgets_that_samples_share(curved, order, formula):
    own, model, X, y, w = curved
    found, wanted = (
        fa.aif(each, X, y, sample_weight=w, order=order, formula=formula) for each in (model, own)
    )
    assert_close(found.mixed, wanted.mixed, 1e-9)
    assert_close(found.per_sample(), wanted.per_sample(), 1e-9)
    assert found.value_derivative == about(wanted.value_derivative, 1e-9)
    attack = {"sample_weight": w, "order": order}
    assert_close(fa.attack(model, X, y, 0.01, **attack), fa.attack(own, X, y, 0.01, **attack))
    losses = [fa.adversarial_loss(each, X, y, 0.01, **attack) for each in (model, own)]
    assert losses[0] == about(losses[1], 1e-9)
    assert found.validity_radius == np.inf
    with pytest.raises(ValueError, match="linear predictors"):
        found.verify(1e-3)


@pytest.mark.parametrize("eps", [1e-3, 0.02])
def test_robust_fits_and_attacks(curved, eps):
    own, model, X, y, w = curved
    found, wanted = (
        fa.aif(each, X, y, sample_weight=w).verify(eps) for each in (model, own)
    )
    assert_close(found.robust.params, wanted.robust.params, 1e-9)
    assert found.robust.converged
    assert found.robust.objective == about(wanted.robust.objective)
    assert found.params_error == about(wanted.params_error, 1e-5)
    assert found.exact_cost == about(wanted.exact_cost, 1e-6)
    assert found.exact_gain == about(wanted.exact_gain, 1e-6)
    assert found.predicted_cost == about(wanted.predicted_cost, 1e-9)
    assert isinstance(found.robust.estimator, fa.DifferentiableModel)
    assert_close(found.robust.estimator.theta_, found.robust.params)
    assert_close(fa.attack(model, X, y, eps), fa.attack(own, X, y, eps), 1e-9)
    assert fa.adversarial_loss(model, X, y, eps) == about(fa.adversarial_loss(own, X, y, eps), 1e-9)
    changes = [
        fa.sensitivity(each, X, y, eps, method="exact", sample_weight=w) for each in (model, own)
    ]
    assert changes[0] == about(changes[1], 1e-6)


@pytest.mark.long
def test_the_first_kink_of_a_regression(frame):
    X, y, _ = make("linear", n=80, m=3)
    own = fa.LinearRegression().fit(X, y)
    model = fa.DifferentiableModel(
        lambda theta, X, y: (X @ theta[:3] + theta[3] - y) ** 2,
        np.append(own.coef_, own.intercept_), backend=frame.name,
    )  # fmt: skip
    for p in (1.0, 2.0, np.inf):
        found, wanted = fa.aif(model, X, y, p=p), fa.aif(own, X, y, p=p)
        assert found.validity_radius == about(wanted.validity_radius, 1e-6)
        eps = np.array([0.003, 0.03, 0.1])
        np.testing.assert_allclose(found.flip_fraction(eps), wanted.flip_fraction(eps))
    assert found.names == tuple(f"theta[{k}]" for k in range(4))


@pytest.mark.long
@pytest.mark.parametrize("order", [2.0, np.inf])
def test_flips_beyond_the_turn_of_the_slopes(frame, order):
    """Far out on the path the slopes have turned by more than a right angle."""
    X, y = load_diabetes(return_X_y=True)
    X, y = scale(X), scale(y)
    own = fa.LinearRegression().fit(X, y)
    model = fa.DifferentiableModel(
        lambda theta, X, y: (X @ theta[:10] + theta[10] - y) ** 2,
        np.append(own.coef_, own.intercept_), backend=frame.name,
    )  # fmt: skip
    found, wanted = (fa.aif(each, X, y, order=order) for each in (model, own))
    eps = np.array([1e-3, 0.01, 0.05, 0.1, 1.0])
    np.testing.assert_allclose(found.flip_fraction(eps), wanted.flip_fraction(eps), atol=1e-12)
    assert found.flip_fraction(0.1) > 0.3
    with pytest.warns(FlipWarning):
        found.sensitivity(0.05)


def test_the_far_end_of_a_ball(frame):
    """A Poisson loss may rise downhill at first and yet be worst at the other end."""
    X, y, _ = make("poisson", n=80, m=3)
    own = fa.PoissonRegression(alpha=ALPHA).fit(X, y)

    def loss(theta, X, y):
        f = X @ theta[:3] + theta[3]
        return 2.718281828459045**f - y * f

    theta = np.append(own.coef_, own.intercept_)
    model = fa.DifferentiableModel(loss, theta, backend=frame.name)
    losses = [fa.adversarial_loss(each, X, y, 0.8) for each in (model, own)]
    assert losses[0] == about(losses[1])


# --- a small network -----------------------------------------------------------------------


def network(frame, alpha=ALPHA, **options):
    """The naive twin's network in the framework, with the squared error."""

    def loss(params, X, y):
        W1, b1 = params["hidden"]
        w2, b2 = params["output"]
        return (frame.tanh(X @ W1.T + b1) @ w2 + b2 - y) ** 2

    def model(theta, m):
        parts = naive.split(theta, m)
        params = {"hidden": [parts.W1, parts.b1], "output": [parts.w2, np.asarray(parts.b2)]}
        return fa.DifferentiableModel(loss, params, backend=frame.name, alpha=alpha, **options)

    return model


@pytest.fixture(scope="module")
def fitted():
    """Data, and the naive network's parameters at a minimum."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(80, 2))
    y = np.tanh(X @ [1.5, -0.7]) + 0.6 * np.sin(2.0 * X[:, 1]) + 0.3 * rng.normal(size=80)
    w = rng.integers(0, 3, size=80).astype(float)
    start = rng.normal(size=HIDDEN * 4 + 1)
    theta = naive.fit(start, X, y, w, ALPHA)
    assert np.linalg.eigvalsh(naive.hessian(theta, X, y, w, ALPHA))[0] > 1e-4
    return X, y, w, theta


@pytest.fixture(scope="module")
def net(frame, fitted):
    X, _, _, theta = fitted
    return network(frame, batch_size=33)(theta, X.shape[1])


@pytest.mark.long
@pytest.mark.parametrize("p", ORDERS)
def test_a_network_against_numpy(net, fitted, p):
    X, y, w, theta = fitted
    c = np.array([0.7, 1.0])
    found = fa.aif(net, X, y, p=p, sample_weight=w, feature_scale=c)
    wanted = naive.influence(theta, X, y, w, ALPHA, p, c)
    assert_close(found.mixed, wanted.mixed, 1e-11)
    assert_close(found.hessian, wanted.hessian, 1e-8)
    assert_close(found.influence, -np.linalg.solve(found.hessian, wanted.mixed), 1e-10)
    assert found.radius == about(wanted.radius)
    assert found.value_derivative == about(wanted.radius * wanted.slope)
    assert found.diagnostics["newton_step"] < 1e-8
    assert found.diagnostics["solver_residual"] < 1e-10
    assert_close(np.average(found.per_sample(), axis=0, weights=w), found.influence, 1e-10)
    assert found.names[:3] == ("hidden.0[0,0]", "hidden.0[0,1]", "hidden.0[1,0]")
    assert found.names[-1] == "output.1"


def test_the_optimum_moves_as_predicted(net, fitted):
    """Along fixed directions θ moves as I says: the optimum's central differences."""
    X, y, w, theta = fitted
    found = fa.aif(net, X, y, sample_weight=w)
    phi = naive.influence(theta, X, y, w, ALPHA, 2.0, np.ones(2)).directions
    eps = 1e-4
    ends = [
        naive.fit(theta, X + sign * eps * found.radius * phi, y, w, ALPHA) for sign in (1, -1)
    ]
    assert_close((ends[0] - ends[1]) / (2.0 * eps), found.influence, 1e-5)


def test_sensitivity_on_other_data(net, fitted):
    X, y, w, theta = fitted
    found = fa.aif(net, X, y, sample_weight=w)
    rng = np.random.default_rng(8)
    Z, t = rng.normal(size=(50, 2)), rng.normal(size=50)
    one, step = np.ones(50), found.influence
    curvature = step @ naive.hessian(theta, Z, t, one, 0.0) @ step
    slope = naive.gradient(theta, Z, t, one, 0.0) @ step
    eps = 1e-3
    cost = found.sensitivity(eps, Z, t, expansion="quadratic")
    assert cost == about(0.5 * eps**2 * curvature, 1e-7)
    assert found.sensitivity(eps, Z, t, expansion="taylor") == about(
        0.5 * eps**2 * curvature + eps * slope, 1e-9
    )


def test_influence_against_robust_fits(net, fitted):
    """The error of the prediction falls with ε."""
    X, y, w, _ = fitted
    found = fa.aif(net, X, y, sample_weight=w)
    eps = np.array([1e-4, 1e-5]) * min(1.0, found.validity_radius / 2e-4)
    errors = [found.verify(float(e)).params_error for e in eps]
    assert errors[1] < 0.15 * errors[0] < 0.05


@pytest.mark.long
def test_refine_and_the_warning_without_it(frame, fitted):
    X, y, w, theta = fitted
    away = network(frame)(theta + 5e-3 * np.cos(np.arange(theta.size)), 2)
    with pytest.warns(StationarityWarning, match="refine=True"):
        fa.aif(away, X, y, sample_weight=w)
    found = fa.aif(away, X, y, sample_weight=w, refine=True)
    assert_close(found.params, theta, 1e-8)


@pytest.mark.long
def test_an_indefinite_hessian_is_refused_unless_damped(frame, fitted):
    X, y, _, theta = fitted
    flat = network(frame, alpha=0.0)(np.zeros_like(theta) + 0.1, 2)
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(flat, X, y)
    with pytest.warns(StationarityWarning):
        found = fa.aif(flat, X, y, damping=5.0)
    assert found.diagnostics["least_eigenvalue"] > 0
    assert_close((found.hessian + 5.0 * np.eye(theta.size)) @ found.influence, -found.mixed)
    lower = fa.robust_fit(flat, X, y, 1e-3)
    assert lower.objective < fa.adversarial_loss(flat, X, y, 1e-3)
    with pytest.raises(ValueError, match="gauss_newton"):
        fa.aif(flat, X, y, damping=5.0, hessian="gauss_newton")


def test_inputs_of_any_kind(net, fitted):
    import pandas as pd

    X, y, w, _ = fitted
    wanted = fa.aif(net, X, y, sample_weight=w)
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert_close(fa.aif(net, frame, y, sample_weight=w).influence, wanted.influence)
    single = fa.aif(net, X.astype(np.float32), y, sample_weight=w)
    assert_close(single.influence, wanted.influence, 1e-4)
    bound = fa.aif(net, frame, y, sample_weight=w, attackable=["b"])
    kept = fa.aif(net, X, y, sample_weight=w, feature_scale=[0.0, 1.0])
    assert_close(bound.influence, kept.influence)
    scaled = fa.aif(net, X, y, sample_weight=1e80 * w)
    assert_close(scaled.influence, wanted.influence)


# --- classes, zero gradients, refusals ------------------------------------------------------


@pytest.mark.long
def test_integer_targets_stay_integers(frame):
    """A softmax regression of three classes: y picks the column."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = rng.integers(0, 3, size=60)
    assert y.dtype == np.int64

    def jax_loss(params, X, y):
        import jax

        return -jax.nn.log_softmax(X @ params)[np.arange(X.shape[0]), y]

    def torch_loss(params, X, y):
        import torch

        return torch.nn.functional.cross_entropy(X @ params, y, reduction="none")

    chosen = jax_loss if frame.name == "jax" else torch_loss
    model = fa.DifferentiableModel(chosen, np.zeros((2, 3)), backend=frame.name, alpha=0.05)
    found = fa.aif(model, X, y, refine=True)
    assert found.diagnostics["newton_step"] < 1e-10
    assert found.verify(1e-4).params_error < 0.01


def test_zero_gradients_and_ties(frame):
    X = np.array([[1.0, 0.5], [2.0, -1.0], [0.5, 2.0], [-1.0, 1.0]])
    y = np.array([1.0, 0.0, 3.0, 2.0])

    def loss(theta, X, y):
        r = X[:, 0] * theta[0] + X[:, 1] * theta[1] - y
        return r * r * (y > 0)

    model = fa.DifferentiableModel(loss, np.array([0.6, 0.6]), backend=frame.name, alpha=1.0)
    with (
        pytest.warns(ZeroGradientWarning, match="1 of 4"),
        pytest.warns(TieWarning, match="3 tied"),
        pytest.warns(StationarityWarning),
    ):
        fa.aif(model, X, y, p=1)


def square(theta, X, y):
    return (X @ theta - y) ** 2


@pytest.mark.parametrize(
    ("loss", "options", "error", "message"),
    [
        (lambda theta, X, y: square(theta, X, y).mean(), {}, ValueError, "reduction='none'"),
        (lambda theta, X, y: (X @ theta)[:, None] - y, {}, ValueError, r"shape \(\d+,\)"),
        (
            lambda theta, X, y: square(theta, X - X.mean(0), y), {}, ValueError,
            "another loss in another batch",
        ),
        (lambda theta, X, y: 0.0 * square(theta, X, y), {}, ValueError, "input gradient is zero"),
        (
            square, {"penalty": lambda theta: theta**2}, ValueError,
            "penalty must return a single number",
        ),
    ],
)  # fmt: skip
def test_losses_that_are_refused(frame, loss, options, error, message):
    X = np.random.default_rng(1).normal(size=(20, 3))
    model = fa.DifferentiableModel(loss, np.ones(3), backend=frame.name, **options)
    with pytest.raises(error, match=message):
        fa.aif(model, X, X[:, 0])


def test_single_precision_is_refused(frame):
    def loss(theta, X, y):
        found = square(theta, X, y)
        return found.float() if frame.name == "torch" else found.astype("float32")

    model = fa.DifferentiableModel(loss, np.ones(3), backend=frame.name)
    X = np.random.default_rng(1).normal(size=(20, 3))
    with pytest.raises(TypeError, match="float64"):
        fa.aif(model, X, X[:, 0])


@pytest.mark.parametrize(
    ("params", "options", "error", "message"),
    [
        (np.ones(2), {}, ValueError, "give backend="),
        (np.ones(2), {"backend": "mxnet"}, ValueError, "must be one of"),
        (np.arange(2), {"backend": "jax"}, TypeError, "floating-point"),
        ({"w": [np.nan]}, {"backend": "jax"}, ValueError, "NaN or infinity"),
        ({}, {"backend": "jax"}, ValueError, "params is empty"),
        (np.ones(2), {"backend": "jax", "alpha": -1.0}, ValueError, "alpha"),
        (np.ones(2), {"backend": "jax", "alpha": 1.0, "penalty": abs}, ValueError, "both given"),
        (np.ones(2), {"backend": "jax", "penalty": 3}, TypeError, "penalty must be callable"),
        (np.ones(2), {"backend": "jax", "batch_size": 0}, ValueError, "batch_size"),
    ],
)
def test_arguments_that_are_refused(params, options, error, message):
    with pytest.raises(error, match=message):
        fa.DifferentiableModel(square, params, **options)


@pytest.mark.long
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not there")
def test_results_can_be_pickled():
    X, y, _ = make("linear", n=30, m=3)
    model = fa.DifferentiableModel(square, np.ones(3), backend="jax")
    found = fa.aif(model, X, y, refine=True)
    again = pickle.loads(pickle.dumps(found))
    assert again.validity_radius == about(found.validity_radius, 1e-9)
    assert_close(fa.aif(pickle.loads(pickle.dumps(model)), X, y, refine=True).mixed, found.mixed)


@pytest.mark.long
def test_bad_data_are_located(net, fitted):
    X, y, _, _ = fitted
    broken = np.array(X)
    broken[7, 1] = np.nan
    with pytest.raises(ValueError, match="row 7, column 1"):
        fa.aif(net, broken, y)
    with pytest.raises(TypeError, match="encode labels"):
        fa.aif(net, X, np.where(y > 0, "a", "b"))


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not there")
def test_a_torch_module(fitted):
    import torch

    X, y, w, theta = fitted
    parts = naive.split(theta, 2)
    module = torch.nn.Sequential(
        torch.nn.Linear(2, HIDDEN), torch.nn.Tanh(), torch.nn.Dropout(0.5),
        torch.nn.Linear(HIDDEN, 1),
    ).double()  # fmt: skip
    values = (parts.W1, parts.b1, parts.w2[None], [parts.b2])
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(np.asarray(value)))
    loss = torch.nn.MSELoss(reduction="none")
    model = fa.DifferentiableModel.from_module(module, loss, alpha=ALPHA)
    found = fa.aif(model, X, y, sample_weight=w)
    wanted = naive.influence(theta, X, y, w, ALPHA, 2.0, np.ones(2))
    assert_close(found.mixed, wanted.mixed, 1e-11)
    assert found.names[0] == "0.weight[0,0]"
    assert found.names[-1] == "3.bias[0]"
    assert module.training
    assert str(model) == f"DifferentiableModel(d={theta.size}, backend='torch')"
    assert model.params["3.bias"].dtype == torch.float64
    again = pickle.loads(pickle.dumps(found))
    assert_close(again.problem.fit_result().x, theta, 1e-8)
    model = pickle.loads(pickle.dumps(model))
    assert_close(fa.aif(model, X, y, sample_weight=w).mixed, found.mixed)

    module[0].weight.requires_grad_(False)
    part = fa.aif(
        fa.DifferentiableModel.from_module(module, loss, alpha=ALPHA), X, y, sample_weight=w
    )
    assert_close(part.mixed, wanted.mixed[2 * HIDDEN :], 1e-11)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not there")
def test_jax_arrays_of_single_precision_are_a_start():
    """JAX stays at its default precision outside."""
    import jax

    params = {"w": jax.numpy.ones(2, dtype="float32")}
    model = fa.DifferentiableModel(lambda p, X, y: (X @ p["w"] - y) ** 2, params, alpha=0.1)
    X, y, _ = make("linear", n=30, m=2)
    found = fa.aif(model, X, y, refine=True)
    own = fa.LinearRegression(alpha=0.1, fit_intercept=False).fit(X, y)
    assert_close(found.influence, fa.aif(own, X, y).influence, 1e-9)
    assert model.params["w"].dtype == "float64"
    assert jax.numpy.ones(1).dtype == "float32" or jax.config.jax_enable_x64

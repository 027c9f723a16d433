"""Networks under attacks whose budget the samples share."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import network as twin
from oracles.norms import norm
from support.makers import about, assert_close
from support.network_makers import ACTIVATIONS, make, with_parameters

import fastaif as fa

# Networks of random parameters are not stationary, and damping makes up for what H lacks.
pytestmark = pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.StationarityWarning")
LOSSES = ["squared_error", "logistic"]
ORDERS = [1.0, 1.25, 2.0, 4.0]
ATTACK = {"feature_scale": np.array([1.0, 0.5, 2.0]), "attackable": [True, True, False]}


def compare(model, X, y, loss, activation, tol=1e-10, **options):
    """Everything that the shares enter, beside the twin."""
    result = fa.aif(model, X, y, damping=50.0, **options)
    known = twin.everything(
        X, y, result.params, name=activation, loss=loss, alpha=0.01, **options
    )
    w = options.get("sample_weight")
    w = np.ones(len(y)) if w is None else w
    damped = known["hessian"] + 50.0 * np.eye(len(result.params))
    assert result.value_derivative == about(known["value_derivative"], tol)
    assert_close(result.problem.budgets, known["budgets"], tol)
    assert_close(result.mixed, known["mixed"], tol)
    assert_close(result.influence, -np.linalg.solve(damped, known["mixed"]), tol)
    assert_close(result.per_sample(), -np.linalg.solve(damped, known["shares"].T).T, tol)
    assert_close(w @ result.per_sample() / w.sum(), result.influence, tol)
    return result


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("loss", LOSSES)
def test_influence_agrees_with_the_twin(loss, p, order):
    X, y, w = make(loss, n=90)
    for activation in ACTIVATIONS:
        model = with_parameters(loss, 3, 5, activation)
        compare(model, X, y, loss, activation, p=p, order=order, sample_weight=w, **ATTACK)


@pytest.mark.long
@pytest.mark.parametrize("order", ORDERS)
def test_many_blocks_and_gains_that_grow(order):
    X, y, w = make("squared_error", n=2000)
    growing = np.argsort(np.abs(y))
    X, y = X[growing], y[growing]  # the largest gain is raised again and again
    model = with_parameters("squared_error", 3, 5, "tanh")
    result = compare(model, X, y, "squared_error", "tanh", order=order, sample_weight=w)
    threaded = fa.aif(
        model, np.asfortranarray(X), y, damping=50.0, order=order, sample_weight=w, n_threads=2
    )
    assert_close(threaded.influence, result.influence, 1e-12)


def test_the_printed_formula():
    X, y, w = make("logistic", n=90)
    model = with_parameters("logistic", 3, 5, "gelu")
    compare(model, X, y, "logistic", "gelu", order=3.0, formula="paper", sample_weight=w)


def test_a_tie_is_shared():
    X, y, _ = make("squared_error", n=40)
    X, y = np.concatenate([X, X]), np.concatenate([y, y])
    model = with_parameters("squared_error", 3, 4, "tanh")
    result = compare(model, X, y, "squared_error", "tanh", order=1.0)
    assert np.count_nonzero(result.problem.budgets) == 2


def test_high_orders_approach_budgets_of_their_own():
    X, y, _ = make("squared_error")
    model = with_parameters("squared_error", 3, 4, "tanh")
    own = fa.aif(model, X, y, damping=50.0)
    high = fa.aif(model, X, y, damping=50.0, order=1e9)
    assert_close(high.influence, own.influence, 1e-6)
    assert high.validity_radius > 0.0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("loss", LOSSES)
def test_attacks_keep_to_the_budget_and_gain_what_is_predicted(loss, p, order):
    X, y, w = make(loss)
    model = with_parameters(loss, 3, 4, "softplus")
    options = {"p": p, "order": order, "sample_weight": w, **ATTACK}
    result = fa.aif(model, X, y, damping=50.0, **options)
    eps, c = 1e-5, np.array([1.0, 0.5, 2.0])
    moved = fa.attack(model, X, y, eps, **options) - X
    assert np.all(moved[:, 2] == 0.0)
    lengths = norm(moved / c, p)
    spent = float(w @ lengths**order / w.sum()) ** (1.0 / order)
    assert spent <= eps * result.radius * (1.0 + 1e-9)
    before, after = (fa.adversarial_loss(model, X, y, e, **options) for e in (0.0, eps))
    assert (after - before) / eps == pytest.approx(result.value_derivative, rel=2e-3)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_large_attacks_are_no_worse_than_random_ones(order):
    X, y, _ = make("squared_error", n=20)
    model = with_parameters("squared_error", 3, 4, "tanh")
    eps, s = 0.3, float(np.linalg.norm(X, axis=1).mean())
    found = fa.adversarial_loss(model, X, y, eps, order=order)
    rng = np.random.default_rng(1)
    for _ in range(200):
        t = rng.normal(size=X.shape) * rng.exponential(size=(20, 1)) ** 3
        t *= eps * s / np.mean(np.linalg.norm(t, axis=1) ** order) ** (1.0 / order)
        assert found >= np.mean((model.predict(X + t) - y) ** 2)
    assert found > np.mean((model.predict(X) - y) ** 2)
    adversarial = fa.attack(model, X, y, eps, order=order)
    assert found == pytest.approx(float(np.mean((model.predict(adversarial) - y) ** 2)), rel=1e-9)

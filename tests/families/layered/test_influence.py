"""The influence of deep networks against complex steps, the compiled pass, and refits."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from oracles import layers as twin
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support import network_makers
from support.layer_makers import ACTIVATIONS, KINDS, OUTPUTS, data, fitted, with_parameters
from support.makers import about, assert_close, relative_error

import fastaif as fa
from fastaif.adapters import network as adapter
from fastaif.families.layered.idle_units import idle_biases

# Networks of random parameters are not stationary, and damping makes up for what H lacks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.StationarityWarning"),
    pytest.mark.filterwarnings("ignore::fastaif.utils.warnings.ZeroGradientWarning"),  # of relu
]
DAMPED = {"damping": 50.0}
HIDDEN = (3, 2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_everything_agrees_with_complex_steps(kind, activation):
    X, y, w = data(kind, n=12)
    model = with_parameters(kind, 3, HIDDEN, activation)
    p = {"squared_error": 2.0, "logistic": np.inf, "softmax": 1.5, "outputs": 1.0}[kind]
    attack = {"feature_scale": np.array([1.0, 0.5, 2.0]), "attackable": [True, True, False]}
    result = fa.aif(model, X, y, p=p, sample_weight=w, **attack, **DAMPED)
    known = twin.everything(
        X, y, result.params, (3, *HIDDEN, OUTPUTS[kind]), name=activation, kind=kind, alpha=0.01,
        p=p, sample_weight=w, **attack,
    )  # fmt: skip
    assert result.radius == about(known["radius"])
    assert_close(result.problem.gradient, known["gradient"], 1e-12)
    assert_close(result.mixed, known["mixed"], 1e-9)
    assert_close(result.hessian, known["hessian"], 1e-9)
    damped = known["hessian"] + 50.0 * np.eye(len(result.params))
    assert_close(result.influence, -np.linalg.solve(damped, known["mixed"]), 1e-9)
    assert_close(result.per_sample(), -np.linalg.solve(damped, known["shares"].T).T, 1e-9)
    assert_close(w @ result.per_sample() / w.sum(), result.influence, 1e-11)


def by_layers(monkeypatch):
    """Let one hidden layer go by the general engine."""
    monkeypatch.setattr(adapter, "has_pass", lambda layers: False)


@pytest.mark.parametrize(("p", "order"), [(1.0, np.inf), (2.0, np.inf), (1.5, 2.0), (np.inf, 1.0)])
@pytest.mark.parametrize("kind", ["squared_error", "logistic"])
def test_one_hidden_layer_is_what_its_pass_says(kind, p, order, monkeypatch):
    X, y, w = network_makers.make(kind, n=90)
    X = 3.0 * X + np.array([1.0, -2.0, 0.5])
    model = network_makers.with_parameters(kind, 3, 5, "gelu")
    pipeline = make_pipeline(StandardScaler().fit(X), model)
    options = {"p": p, "order": order, "sample_weight": w, **DAMPED}
    wanted = fa.aif(pipeline, X, y, **options)
    by_layers(monkeypatch)
    found = fa.aif(pipeline, X, y, **options)
    assert type(found.problem).__name__ == "LayeredProblem"
    for name in ("influence", "hessian", "mixed", "radius", "value_derivative", "influence_raw",
                 "validity_radius", "sensitivity_coefficient"):  # fmt: skip
        assert_close(getattr(found, name), getattr(wanted, name), 1e-11)
    assert found.names[:20] == wanted.names[:20]
    assert_close(found.per_sample(), wanted.per_sample(), 1e-11)
    assert found.sensitivity(1e-4) == about(wanted.sensitivity(1e-4), 1e-9)
    assert found.flip_fraction(0.3) == about(wanted.flip_fraction(0.3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_of_robust_optima(kind):
    X, y, _ = data(kind, n=200, m=2)
    model = fitted(kind)
    result = fa.aif(model, X, y)
    errors = []
    for eps in (1e-4, 1e-5):
        robust = fa.robust_fit(model, X, y, eps)
        assert robust.converged
        step = (robust.params - result.params) / eps
        errors.append(relative_error(step, result.influence))
    assert errors[1] < 1e-3
    assert errors[1] < 0.2 * errors[0]
    verified = result.verify(1e-4)
    assert verified.predicted_cost == about(verified.exact_cost, 0.02)


def test_adding_to_all_classes_changes_nothing():
    X, y, _ = data("softmax", n=200, m=2)
    model = fitted("softmax")
    result = fa.aif(model, X, y, p=1)
    last = slice(-3, None)
    assert abs(result.influence[last].sum()) < 1e-12 * np.abs(result.influence[last]).max()
    assert abs(result.hessian[last, last].sum()) < 1e-12
    moved = pickle.loads(pickle.dumps(model))
    moved.intercepts_[-1] = moved.intercepts_[-1] + 5.0
    assert_close(fa.aif(moved, X, y, p=1).influence, result.influence, 1e-10)
    assert_close(moved.predict_proba(X), model.predict_proba(X), 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_solvers_and_gauss_newton(kind):
    X, y, w = data(kind, n=60)
    model = with_parameters(kind, 3, HIDDEN, "tanh")
    options = {"sample_weight": w, "damping": 0.5, "hessian": "gauss_newton"}
    result = fa.aif(model, X, y, **options)
    values = np.linalg.eigvalsh(result.hessian)
    assert values[0] > -1e-12
    by_cg = fa.aif(model, X, y, solver="cg", **options)
    assert by_cg.hessian is None
    assert_close(by_cg.influence, result.influence, 1e-9)
    # J by differences of the outputs: H is E J' B J.
    theta, layers = result.params, model.layers(3)
    J = np.stack([
        twin.slope(lambda h, e=e: layers.run(theta + h * e, X).outputs)
        for e in np.eye(theta.size)
    ], axis=-1)  # fmt: skip
    F = layers.run(theta, X).outputs
    if kind in ("squared_error", "outputs"):
        B = 2.0 * np.tile(np.eye(F.shape[1]), (len(X), 1, 1))
    elif kind == "logistic":
        q = 1.0 / (1.0 + np.exp(-F[:, 0]))
        B = (q * (1.0 - q))[:, None, None]
    else:
        q = np.exp(F) / np.exp(F).sum(axis=1, keepdims=True)
        B = q[:, :, None] * np.eye(3) - q[:, :, None] * q[:, None, :]
    wanted = np.einsum("n,nkd,nkl,nle->de", w / w.sum(), J, B, J)
    wanted += 0.02 * np.diag(twin.penalised(layers.sizes))
    assert_close(result.hessian, wanted, 1e-9)


def test_weights_are_repetitions_and_zero_weights_nothing():
    X, y, w = data("softmax", n=40)
    model = with_parameters("softmax", 3, HIDDEN, "tanh")
    counts = w.astype(int)
    weighted = fa.aif(model, X, y, sample_weight=w, **DAMPED)
    repeated = fa.aif(model, np.repeat(X, counts, axis=0), np.repeat(y, counts), **DAMPED)
    assert_close(weighted.influence, repeated.influence, 1e-12)
    wild = X.copy()
    wild[w == 0] = 1e150
    assert_close(
        fa.aif(model, wild, y, sample_weight=w, radius=weighted.radius, **DAMPED).influence,
        weighted.influence, 1e-12,
    )  # fmt: skip


def test_kinks_of_relu_are_counted():
    X, y, _ = data("squared_error", n=40)
    model = with_parameters("squared_error", 3, HIDDEN, "relu")
    assert fa.aif(model, X, y, **DAMPED).diagnostics["kinked_pairs"] == 0
    z = X[7] @ model.coefs_[0]
    model.intercepts_[0][1] = -z[1]
    with pytest.warns(fa.utils.warnings.TieWarning, match=r"1 pairs of a sample and a unit"):
        assert fa.aif(model, X, y, **DAMPED).diagnostics["kinked_pairs"] == 1


def test_where_a_unit_of_relu_switches():
    X, y, _ = data("squared_error", n=40)
    model = with_parameters("squared_error", 3, HIDDEN, "relu")
    result = fa.aif(model, X, y, **DAMPED)
    eps, layers = result.validity_radius, model.layers(3)
    steps = fa.attack(model, X, y, 1e-9) - X

    def signs(size):
        return np.hstack([
            z > 0
            for z in layers.run(
                result.params + size * result.influence, X + size / 1e-9 * steps
            ).sums
        ])  # fmt: skip

    flips = result.problem.kinks(result.influence).flips
    assert np.array_equal(signs(0.98 * eps), signs(0.0))
    assert flips[0] == pytest.approx(eps) or not np.array_equal(signs(1.05 * eps), signs(0.0))


def test_idle_units_have_no_part():
    X, y, _ = data("squared_error", n=200, m=2)
    model = fa.MLPRegression(hidden=(6, 5), alpha=0.05, random_state=0).fit(X, y)
    idle = idle_biases(model.layers(2), model.parameters())
    assert idle.size > 0
    result = fa.aif(model, X, y)
    assert result.diagnostics["idle_units"] == idle.size
    assert np.all(np.abs(result.influence[idle]) < 1e-12)
    robust = fa.robust_fit(model, X, y, 1e-5)
    busy = np.delete(np.arange(result.influence.size), idle)
    step = (robust.params - result.params)[busy] / 1e-5
    assert relative_error(step, result.influence[busy]) < 1e-2


# --- the estimators ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_fits_are_stationary(kind):
    X, y, _ = data(kind, n=200, m=2)
    model = fitted(kind)
    result = fa.aif(model, X, y)
    assert np.linalg.norm(result.problem.gradient) < 1e-9
    assert result.problem.spectrum()[0] > 0
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.parameters(), model.parameters())
    shapes = [np.shape(W) for W in model.coefs_]
    assert shapes[:2] == [(2, 3), (3, 2)]
    assert shapes[2] == {"softmax": (2, 3), "outputs": (2, 2)}.get(kind, (2,))
    assert len(result.names) == len(result.params)
    assert result.problem.model.rebuild(result.params).score(X, y) == model.score(X, y)


def test_a_tuple_of_one_is_a_number():
    X, y, _ = data("squared_error", n=60)
    number, one = (
        fa.MLPRegression(hidden=hidden, alpha=0.01, random_state=0).fit(X, y)
        for hidden in (4, (4,))
    )
    np.testing.assert_array_equal(number.parameters(), one.parameters())
    np.testing.assert_array_equal(fa.aif(number, X, y).influence, fa.aif(one, X, y).influence)


def test_weighted_fits():
    X, y, w = data("softmax", n=60)
    options = {"hidden": (3, 2), "alpha": 0.01, "random_state": 0}
    weighted = fa.MLPClassification(**options).fit(X, y, w)
    result = fa.aif(weighted, X, y, sample_weight=w)
    assert np.linalg.norm(result.problem.gradient) < 1e-9
    counts = w.astype(int)
    repeated = fa.aif(weighted, np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_close(repeated.influence, result.influence, 1e-9)


def test_labels_and_probabilities():
    X, y, _ = data("softmax", n=80)
    names = np.array(["low", "mid", "top"])[y.astype(int)]
    model = fa.MLPClassification(hidden=(4,), alpha=0.01, random_state=0).fit(X, names)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (80, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    result = fa.aif(model, X, names)
    assert "3" in result.problem.model.details
    assert "network" in str(result.summary())
    radii = fa.robustness_radius(model, X[:6], names[:6])
    wrong = model.predict(X[:6]) != names[:6]
    np.testing.assert_array_equal(radii == 0, wrong)
    with pytest.raises(ValueError, match=r"'none'.*low"):
        fa.aif(model, X, np.where(names == "low", "none", names))


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"hidden": ()}, "hidden is empty"), ({"hidden": (3, 0)}, "hidden must be an integer"),
     ({"hidden": (3, 2.5)}, "hidden must be an integer"),
     ({"hidden": (3, 2), "activation": "swish"}, "tanh.*relu"),
     ({"hidden": "3"}, "hidden must be an integer")],
)  # fmt: skip
def test_wrong_options(options, reason):
    X, y, _ = data("squared_error")
    with pytest.raises((TypeError, ValueError), match=reason):
        fa.MLPRegression(**options).fit(X, y)


def test_what_is_refused():
    X, y, _ = data("softmax", n=60)
    model = with_parameters("softmax", 3, HIDDEN, "tanh")
    with pytest.raises(ValueError, match=r"3 × 3 × 2 × 3 units.*InfluenceAccumulator"):
        fa.InfluenceAccumulator(model).update(X, y)
    with pytest.raises(np.linalg.LinAlgError, match="damping"):
        fa.aif(model, X, y)
    with pytest.raises(ValueError, match="method='exact'"):
        fa.robust_fit(model, X, y, 0.1, method="exact")
    with pytest.raises(ValueError, match="NaN"):
        fa.aif(model, np.where(np.arange(3) == 1, np.nan, X), y, **DAMPED)


def test_attacks_stay_within_and_raise_the_loss():
    X, y, _w = data("softmax", n=60)
    model = with_parameters("softmax", 3, HIDDEN, "gelu")
    for p, eps in ((1, 0.05), (2, 0.2), (np.inf, 0.1)):
        s = np.mean(np.linalg.norm(X, ord=p, axis=1))
        attacked = fa.attack(model, X, y, eps, p=p)
        assert np.linalg.norm(attacked - X, ord=p, axis=1).max() <= eps * s * (1 + 1e-12)
        clean, found = (-np.log(model.predict_proba(Z)[np.arange(60), y.astype(int)])
                        for Z in (X, attacked))  # fmt: skip
        assert np.all(found >= clean)
        told = fa.adversarial_loss(model, X, y, eps, p=p)
        assert told == about(found.mean(), 1e-9)


def test_sure_samples_are_attacked_as_well():
    """Where the loss underflows its logits still tell where to go."""
    X, y, _ = data("softmax", n=30)
    model = with_parameters("softmax", 3, HIDDEN, "tanh")
    small = fa.attack(model, X, y, 1e-6) - X
    model.coefs_[-1] = 1e4 * model.coefs_[-1]
    model.intercepts_[-1] = 1e4 * model.intercepts_[-1]
    right = model.predict(X) == y
    assert right.any()
    large = fa.attack(model, X, y, 1e-6) - X
    lengths = np.linalg.norm(large, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(small, axis=1), rtol=1e-6)


def test_refining_and_intervals():
    X, y, _ = data("logistic", n=200, m=2)
    model = fitted("logistic")
    moved = pickle.loads(pickle.dumps(model))
    moved.coefs_[1] = moved.coefs_[1] + 0.01
    refined = fa.aif(moved, X, y, refine=True)
    assert_close(refined.influence, fa.aif(model, X, y).influence, 1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        interval = refined.conf_int(method="clt")
    assert interval.shape == (refined.params.size, 2)


def test_overflow_is_an_error_and_no_convergence_a_warning():
    X, y, _ = data("squared_error")
    with pytest.warns(ConvergenceWarning, match="MLPRegression stopped"):
        fa.MLPRegression(hidden=(3, 3), alpha=1e-6, max_iter=2, random_state=0).fit(X, y)


def test_a_network_that_is_switched_off_has_no_attack():
    X, y, _ = data("squared_error", n=60)
    model = fa.MLPRegression(hidden=(3, 2), activation="logistic", alpha=5.0, random_state=0)
    with pytest.raises(ValueError, match="every sample's input gradient is zero"):
        fa.aif(model.fit(X, y), X, y)


def test_a_column_of_targets_is_a_vector():
    X, y, _ = data("squared_error", n=60)
    options = {"hidden": (3, 2), "alpha": 0.01, "random_state": 0}
    flat, column = (fa.MLPRegression(**options).fit(X, t) for t in (y, y[:, None]))
    np.testing.assert_array_equal(flat.parameters(), column.parameters())
    assert column.predict(X).shape == (60,)
    model = fa.MLPRegression(**options).fit(X, np.column_stack([y, -y, y**2]))
    assert model.predict(X).shape == (60, 3)
    with pytest.raises(ValueError, match="fitted to 3 outputs"):
        fa.aif(model, X, y, damping="auto")

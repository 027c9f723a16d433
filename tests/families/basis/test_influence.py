"""`aif` of basis models against the slow twin: every basis, loss, norm and option."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from oracles import basis as twin
from support.basis_checks import inspected
from support.basis_makers import (
    BASES,
    WAVES,
    M,
    assert_agrees,
    estimator,
    known_to_twin,
    make,
    params_of,
    twin_of,
    without_alpha,
)  # fmt: skip
from support.makers import ORDERS, about, assert_close
from support.makers import estimator as linear_estimator

import fastaif as fa

MASK = np.array([True, False, True])
ATTACKS = {
    "radius": {"radius": 1.7},
    "feature_scale": {"feature_scale": np.array([1.0, 0.5, 2.0])},
    "attackable": {"attackable": MASK},
    "all": {"feature_scale": np.array([0.5, 3.0, 2.0]), "attackable": MASK, "radius": 0.4},
    "one": {"attackable": np.array([False, True, False])},
}
MODELS = {
    "plain": {"alpha": 0.0},
    "penalised": {"alpha": 0.05},
    "no intercept": {"alpha": 0.05, "fit_intercept": False},
}
# Linear() and Powers(1) are compared with the linear model below.
CURVED = [name for name in BASES if name not in ("linear", "powers 1")]


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize(("options", "weighted"), [
    ("plain", False), ("plain", True), ("penalised", True), ("no intercept", False),
])  # fmt: skip
def test_models(name, kind, p, options, weighted):
    data = make(kind, weighted=weighted)
    result, wanted = inspected(name, kind, data, p=p, **MODELS[options])
    assert_agrees(result, wanted)
    assert result.p == p
    d = len(result.params)
    assert len(result.names) == d
    assert len(set(result.names)) == d
    assert (result.names[-1] == "intercept") == MODELS[options].get("fit_intercept", True)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", ["quadratic", "powers 3", "fourier", "custom"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(name, kind, p, attack):
    result, wanted = inspected(name, kind, make(kind, weighted=True), p=p, **ATTACKS[attack])
    assert_agrees(result, wanted)


SHAPES = [(1, 1), (1, 3), (2, 3), (300, 1), (257, 2), (1025, 5), (40, 9)]


@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
@pytest.mark.parametrize(("n", "m"), SHAPES)
@pytest.mark.parametrize("name", ["quadratic", "powers 3", "fourier"])
def test_shapes(name, n, m):
    """The model is another sample's: with few rows its own residuals would be zero."""
    model = estimator(name, "poisson").fit(*make("poisson", n=200, m=m))
    X, y, _ = make("poisson", n=n, m=m, seed=1)
    result = fa.aif(model, X, y, p=3, damping=0.1)
    wanted = twin.influence(
        twin_of(name, model), X, y, params_of(model), p=3, damping=0.1, **known_to_twin("poisson")
    )
    assert_agrees(result, wanted)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_quadratic_regression(p):
    X, y, w = make("linear", weighted=True)
    for fit_intercept in (True, False):
        model = fa.QuadraticRegression(alpha=0.03, fit_intercept=fit_intercept).fit(X, y, w)
        result = fa.aif(model, X, y, p=p, sample_weight=w)
        known = known_to_twin("linear", 0.03, fit_intercept)
        theta = params_of(model)
        assert_close(result.params, theta, 1e-15)
        wanted = twin.influence(twin.Quadratic(), X, y, theta, p=p, sample_weight=w, **known)
        assert_agrees(result, wanted)
        general = estimator("quadratic", "linear", 0.03, fit_intercept).fit(X, y, w)
        other = fa.aif(general, X, y, p=p, sample_weight=w)
        assert_close(result.influence, other.influence)
        assert result.names == other.names
        assert result.sensitivity_coefficient == about(other.sensitivity_coefficient, 1e-9)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", ["linear", "powers 1"])
@pytest.mark.parametrize("options", MODELS)
def test_first_powers_are_the_linear_model(name, kind, p, options):
    X, y, w = make(kind, weighted=True)
    options = MODELS[options]
    found = fa.aif(estimator(name, kind, **options).fit(X, y, w), X, y, p=p, sample_weight=w)
    model = linear_estimator(kind, **options).fit(X, y, w)
    wanted = fa.aif(model, X, y, p=p, sample_weight=w)
    for attribute in ("params", "influence", "mixed", "hessian"):
        assert_close(getattr(found, attribute), getattr(wanted, attribute))
    assert_close(found.per_sample(), wanted.per_sample())
    for attribute in ("radius", "value_derivative", "sensitivity_coefficient", "validity_radius"):
        assert getattr(found, attribute) == about(getattr(wanted, attribute), 1e-9)
    eps = np.array([1e-4, 0.01, 0.1, 1.0])
    np.testing.assert_allclose(found.flip_fraction(eps), wanted.flip_fraction(eps), atol=1e-12)


@pytest.mark.parametrize("expansion", ["quadratic", "taylor"])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", BASES)
def test_sensitivity(name, kind, expansion, held_out):
    data = make(kind, weighted=True)
    result, _ = inspected(name, kind, data)
    evaluation = make(kind, n=40, seed=99) if held_out else None
    given = () if evaluation is None else evaluation[:2]
    known = without_alpha(known_to_twin(kind))
    X, y, w = evaluation or data
    basis = twin_of(name, fit_of(name, kind, data))
    eps = np.array([0.0, 1e-6, 1e-5])
    wanted = [
        twin.sensitivity(
            basis, X, y, result.params, result.influence, e, expansion=expansion, sample_weight=w,
            **known,
        )
        for e in eps
    ]  # fmt: skip
    found = result.sensitivity(eps, *given, expansion=expansion)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    assert isinstance(result.sensitivity(1e-6, *given, expansion=expansion), float)
    cost = result.sensitivity(1e-6, expansion="quadratic")
    assert cost == about(1e-12 * result.sensitivity_coefficient)


def fit_of(name, kind, data):
    return estimator(name, kind).fit(*data)


@pytest.mark.parametrize("name", BASES)
def test_mean_of_the_samples_is_the_whole(name, kind):
    data = make(kind, weighted=True)
    result, _ = inspected(name, kind, data, p=1.5)
    assert_close(np.average(result.per_sample(), axis=0, weights=data.w), result.influence, 1e-11)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("name", BASES)
def test_weights_are_repetitions(name, kind, p):
    X, y, w = make(kind, weighted=True)
    times = w.astype(int)
    model = estimator(name, kind).fit(X, y, w)
    weighted = fa.aif(model, X, y, p=p, sample_weight=w)
    Xr, yr = np.repeat(X, times, axis=0), np.repeat(y, times)
    repeated = fa.aif(estimator(name, kind).fit(Xr, yr), Xr, yr, p=p)
    assert_close(weighted.params, repeated.params, 1e-11)
    assert_close(weighted.influence, repeated.influence)
    assert weighted.radius == about(repeated.radius)


@pytest.mark.parametrize("name", ["quadratic", "powers 3", "fourier"])
def test_damping_is_added_before_the_inverse_alone(name, kind):
    result, wanted = inspected(name, kind, make(kind, weighted=True), damping=0.3)
    assert_agrees(result, wanted)
    _, plain = inspected(name, kind, make(kind, weighted=True))
    assert_close(result.hessian, plain["hessian"])


@pytest.mark.parametrize("name", BASES)
def test_refine_goes_to_the_optimum_of_the_data(name, kind):
    X, y, w = make(kind, weighted=True)
    model = fit_of(name, kind, make(kind, weighted=True))
    wanted = fa.aif(model, X, y, sample_weight=w)
    model.coef_ = model.coef_ + 0.02
    found = fa.aif(model, X, y, sample_weight=w, refine=True)
    assert_close(found.params, wanted.params, 1e-10)
    assert_close(found.influence, wanted.influence, 1e-8)


@pytest.mark.parametrize("name", ["quadratic", "powers 2", "fourier", "custom"])
def test_threads_do_not_change_a_bit(name):
    X, y, w = make("poisson", n=20_000, weighted=True)
    model = estimator(name, "poisson").fit(X, y, w)
    one, two = (fa.aif(model, X, y, p=1.5, sample_weight=w, n_threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one.influence, two.influence)
    np.testing.assert_array_equal(one.hessian, two.hessian)
    np.testing.assert_array_equal(one.per_sample(), two.per_sample())


def test_frames_and_names():
    X, y, _ = make("linear")
    frame = pd.DataFrame(X, columns=["age", "bmi", "bp"])
    for name in BASES:
        model = estimator(name, "linear").fit(frame, y)
        mask = fa.aif(model, frame, y, attackable=[True, False, True])
        named = fa.aif(model, frame, y, attackable=["bp", "age"])
        np.testing.assert_array_equal(mask.influence, named.influence)
    names = fa.aif(fa.QuadraticRegression().fit(frame, y), frame, y).names
    assert names[:3] == ("age", "bmi", "bp")
    assert len(names) == 10


# --- zero gradients and ties ----------------------------------------------------------------


def squares():
    """v(x) = (x_1^2, x_2^2): the gradient of f vanishes at x = 0 exactly, whatever theta."""
    return fa.bases.Custom(
        lambda X: X**2, lambda X, P: 2.0 * X * P, lambda X, theta: 2.0 * X * theta
    )


def aif_warned(model, X, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = fa.aif(model, X, y, **options)
    return result, [str(w.message) for w in caught if issubclass(w.category, fa.InfluenceWarning)]


@pytest.mark.parametrize("p", ORDERS)
def test_zero_gradients_are_counted(p, rng):
    X = rng.normal(size=(60, 2)) + 2.0
    X[[3, 17]] = 0.0
    y = X[:, 0] ** 2 - X[:, 1] ** 2 + rng.normal(size=60)
    model = fa.BasisRegression(squares()).fit(X, y)
    result, messages = aif_warned(model, X, y, p=p)
    assert result.diagnostics["zero_gradients"] == 2
    assert sum("zero" in text for text in messages) == 1
    gradients = 2.0 * X * model.coef_
    assert result.value_derivative == about(
        result.radius * np.mean(2.0 * np.abs(y - model.predict(X))
                                * np.linalg.norm(gradients, ord=twin.dual_order(p), axis=1)),
        1e-12,
    )  # fmt: skip


def test_zeros_of_entries_are_ties_for_p_infinity(rng):
    X = rng.normal(size=(60, 2)) + 2.0
    X[[3, 17, 40], 0] = 0.0
    y = X[:, 0] ** 2 - X[:, 1] ** 2 + rng.normal(size=60)
    model = fa.BasisRegression(squares()).fit(X, y)
    result, messages = aif_warned(model, X, y, p=np.inf)
    assert result.diagnostics["ties"] == 3
    assert result.diagnostics["zero_gradients"] == 0
    assert len(messages) == 1
    assert aif_warned(model, X, y, p=2)[0].diagnostics["ties"] == 0
    # An entry that nobody attacks is no tie.
    masked, messages = aif_warned(model, X, y, p=np.inf, attackable=[False, True])
    assert masked.diagnostics["ties"] == 0
    assert not messages


def test_equal_largest_entries_are_ties_for_p_one(rng):
    X = rng.normal(size=(60, 2)) + 2.0
    y = X[:, 0] ** 2 + X[:, 1] ** 2 + rng.normal(size=60)
    X[[3, 17], 0] = X[[3, 17], 1]
    model = fa.BasisRegression(squares()).fit(X, y)
    model.coef_ = np.array([0.5, 0.5])
    result, messages = aif_warned(model, X, y, p=1, refine=False)
    assert result.diagnostics["ties"] == 2
    assert any("tie" in text for text in messages)


def test_all_gradients_zero_are_refused(rng):
    X = rng.normal(size=(30, M))
    y = rng.normal(size=30)
    model = fa.BasisRegression(
        fa.bases.Custom(WAVES.features, WAVES.jac_vec, WAVES.jac_t_vec)
    ).fit(X, y)
    model.coef_ = np.zeros(4)
    with pytest.raises(ValueError, match="gradient"):
        fa.aif(model, X, y)

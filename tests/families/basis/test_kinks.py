"""Kinks of the robust path of basis models: against the twin, and by walking the line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles import basis as twin
from oracles import basis_kinks, losses
from support.basis_makers import (
    BASES,
    EVENTS,
    LOSSES,
    assert_is_first,
    estimator,
    known_to_twin,
    make,
    make_clear,
    twin_of,
    without_alpha,
)
from support.makers import DELTA, ORDERS, about

import fastaif as fa
from fastaif.utils.warnings import FlipWarning, RangeWarning


def result_of(name, kind, data, **options):
    model = estimator(name, kind).fit(*data)
    result = fa.aif(model, data.X, data.y, sample_weight=data.w, **options)
    return result, twin_of(name, model)


def assert_agrees(result, basis, kind, data, p, **options):
    events = basis_kinks.validity_radius(
        basis, data.X, data.y, result.params, result.influence, p=p, sample_weight=data.w,
        **without_alpha(known_to_twin(kind), "delta"), **options,
    )  # fmt: skip
    assert_is_first(result, events, tight=p in (1, 2) and not isinstance(basis, twin.Fourier))


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", BASES)
def test_twin_agrees(name, kind, p, seed):
    data = make(kind, n=30 + 20 * seed, seed=seed, weighted=seed > 0)
    result, basis = result_of(name, kind, data, p=p)
    assert_agrees(result, basis, kind, data, p)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("attack", [
    {"feature_scale": np.array([1.0, 0.0, 3.0])},
    {"attackable": np.array([False, True, False])},
    {"radius": 0.3, "feature_scale": np.array([0.1, 2.0, 1.0])},
])  # fmt: skip
@pytest.mark.parametrize("name", ["quadratic", "powers 2", "fourier", "custom"])
def test_units_of_the_attack_count(name, kind, p, attack):
    data = make(kind, n=40, seed=4)
    result, basis = result_of(name, kind, data, p=p, **attack)
    assert_agrees(result, basis, kind, data, p, **attack)


def clear_of_others(seed=0):
    """A quadratic surface so curved that a gradient near zero bounds eps before anything else."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, size=(40, 2))
    f = X[:, 0] ** 2 + X[:, 1] ** 2
    return X, np.where(rng.uniform(size=40) < 0.5, f + 1.0, f - 1.0)


def test_balls_that_reach_a_zero_of_the_gradient_bound_it():
    X, y = clear_of_others()
    model = fa.BasisRegression(fa.bases.Quadratic(), alpha=0.0).fit(X, y)
    result = fa.aif(model, X, y, p=2)
    events = basis_kinks.validity_radius(
        twin.Quadratic(), X, y, result.params, result.influence, loss="squared_error"
    )
    assert events["residual"] > events["vanishing"][0], "these data were chosen for it"
    assert result.validity_radius == about(events["vanishing"][0], 1e-9)
    assert EVENTS["vanishing"] in result.validity_reason
    A = np.diag(result.params[[2, 4]])
    A[0, 1] = A[1, 0] = result.params[3] / 2.0
    gradients = result.params[:2] + 2.0 * X @ A
    least = np.linalg.norm(gradients, axis=1).min()
    bound = least / (2.0 * np.abs(np.linalg.eigvalsh(A)).max() * result.radius)
    assert result.validity_radius == about(bound, 1e-9)


def state(result, basis, data, kind, p, eps):
    """The signs of l', and what the directions of the attacks depend on."""
    theta = result.params + eps * result.influence
    f = twin.rows(basis, data.X, True) @ theta
    signs = np.sign(losses.loss(LOSSES[kind], f, data.y, DELTA)[1])
    G = twin.input_gradients(basis, data.X, theta[:-1])
    if np.isinf(p):
        return np.column_stack([signs, np.sign(G)])
    if p == 1:
        return np.column_stack([signs, np.argmax(np.abs(G), axis=1)])
    return signs[:, None]


@pytest.mark.parametrize("p", [1.0, 3.0, np.inf])
@pytest.mark.parametrize("name", ["powers 3", "fourier", "custom"])
def test_nothing_changes_before_and_something_after(name, kind, p):
    data = make_clear(kind)
    result, basis = result_of(name, kind, data, p=p)
    radius = result.validity_radius
    if EVENTS["vanishing"] in result.validity_reason:
        radius = 0.0  # what that bounds is not on this line
    start = state(result, basis, data, kind, p, 0.0)
    last = 5.0 if np.isinf(radius) else radius * (1 - 1e-7)
    for eps in np.linspace(0.0, last, 30):
        np.testing.assert_array_equal(state(result, basis, data, kind, p, eps), start)
    if 0.0 < radius < np.inf:
        after = state(result, basis, data, kind, p, radius * (1 + 1e-7))
        assert np.any(after != start)


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_flip_fraction_counts_signs(name, kind, weighted):
    data = make(kind, n=120, weighted=weighted)
    result, basis = result_of(name, kind, data, p=2.0)
    w = np.ones(120) if data.w is None else data.w
    start = state(result, basis, data, kind, 2.0, 0.0)[:, 0]
    eps = np.array([0.0, 1e-4, 1e-3, 0.01, 0.1, 1.0])
    walked = [
        w @ (state(result, basis, data, kind, 2.0, e)[:, 0] != start) / w.sum() for e in eps
    ]
    np.testing.assert_allclose(result.flip_fraction(eps), walked, atol=1e-12)
    assert isinstance(result.flip_fraction(0.1), float)


@pytest.mark.parametrize("name", ["quadratic", "fourier"])
def test_warning_past_one_flip_in_twenty(name):
    result, _ = result_of(name, "linear", make("linear", n=400), p=2.0)
    low, high = 0.0, 1e3
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if result.flip_fraction(middle) > 0.05 else (middle, high)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        warnings.simplefilter("error", FlipWarning)
        result.sensitivity(high * (1 - 1e-6))
    with pytest.warns(FlipWarning, match="samples have passed a kink"):
        result.sensitivity(high * (1 + 1e-6))
    again, _ = result_of(name, "linear", make("linear", n=400), p=2.0)
    with pytest.warns(FlipWarning, match="samples have passed a kink"):
        again.predict_params(high * (1 + 1e-6))


def test_a_sample_without_gradient_and_share_hides_no_kink(rng):
    """Of a shared budget a row with ∇_x f = 0 has none: others tell where gradients may vanish."""
    X = rng.normal(size=(60, 2))
    X[3] = 0.0
    y = X[:, 0] ** 2 + 0.1 * rng.normal(size=60)
    omega = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    basis = fa.bases.Fourier(5, 0.2, frequencies=omega, phases=np.zeros(5))
    model = fa.BasisRegression(basis, alpha=0.01).fit(X, y)
    with pytest.warns(fa.ZeroGradientWarning):
        result = fa.aif(model, X, y, order=2.0)
    beta = np.sqrt(2.0 / 5.0) * model.coef_
    gains = np.linalg.norm(-np.sin(X @ omega.T) * beta @ omega, axis=1)
    slopes = 2.0 * np.abs(model.predict(X) - y) * gains
    shares = slopes / np.sqrt(np.mean(slopes**2))
    bound = np.sum(np.abs(beta) * np.sum(omega**2, axis=1))
    paid = shares > 0.0
    wanted = np.min(gains[paid] / shares[paid]) / (result.radius * bound)
    assert result.validity_radius == pytest.approx(wanted, rel=1e-10)

"""Kinks of the robust path along the predicted line: against the twin and by walking it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles import linear as twin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.linear_checks import slopes
from support.makers import LOSS, ORDERS, about, estimator, make, make_clear, theta_of

import fastaif as fa
from fastaif.utils.warnings import FlipWarning, RangeWarning

REASONS = {
    "residual": "slope changes sign",
    "sign": "changes sign",
    "argmax": "becomes the largest",
    None: "none",
}


def result_of(kind, p, data, **options):
    model = estimator(kind).fit(*data)
    return fa.aif(model, data.X, data.y, p=p, sample_weight=data.w, **options), theta_of(model)


def direction_state(result, p, eps, used):
    """What the attack's direction depends on, beside its norm."""
    u = (result.params + eps * result.influence)[:-1][used]
    if np.isinf(p) or u.size == 1:
        return np.sign(u)
    if p == 1:
        return np.array([np.argmax(np.abs(u)), np.sign(u[np.argmax(np.abs(u))])])
    return np.zeros(1)


def state(result, data, kind, p, eps, used):
    kept = data.w > 0
    signs = slopes(result, data, kind, eps)[kept]
    return np.concatenate([signs, direction_state(result, p, eps, used)])


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weighted", [False, True])
def test_twin_agrees(kind, p, seed, weighted):
    data = make(kind, n=40 + 30 * seed, m=2 + seed, seed=seed, weighted=weighted)
    result, theta = result_of(kind, p, data)
    wanted, reason = twin.validity_radius(
        data.X, data.y, theta, result.influence, loss=LOSS[kind], p=p, sample_weight=data.w
    )
    assert result.validity_radius == about(wanted, 1e-9)
    assert REASONS[reason] in result.validity_reason


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("seed", range(4))
def test_nothing_changes_before_and_something_after(kind, p, seed):
    data = make_clear(kind, n=25, m=3 + seed, seed=seed)
    result, _ = result_of(kind, p, data)
    radius, used = result.validity_radius, np.ones(3 + seed, dtype=bool)
    start = state(result, data, kind, p, 0.0, used)
    last = 5.0 if np.isinf(radius) else radius * (1 - 1e-7)
    for eps in np.linspace(0.0, last, 50):
        np.testing.assert_array_equal(state(result, data, kind, p, eps, used), start)
    if np.isfinite(radius):
        assert np.any(state(result, data, kind, p, radius * (1 + 1e-7), used) != start)


@pytest.mark.parametrize("kind", ["linear", "poisson", "huber"])
@pytest.mark.parametrize("weighted", [False, True])
def test_flip_fraction_counts_signs(kind, weighted):
    data = make(kind, n=200, weighted=weighted)
    result, _ = result_of(kind, 2.0, data)
    w = np.ones(200) if data.w is None else data.w
    start = slopes(result, data, kind, 0.0)
    eps = np.array([0.0, 1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0])
    walked = [w @ (slopes(result, data, kind, e) != start) / w.sum() for e in eps]
    np.testing.assert_allclose(result.flip_fraction(eps), walked, atol=1e-12)
    assert result.flip_fraction(0.1) == pytest.approx(walked[4], abs=1e-12)
    assert isinstance(result.flip_fraction(0.1), float)


def test_logistic_never_flips():
    result, _ = result_of("logistic", 2.0, make("logistic"))
    assert result.flip_fraction(1e6) == 0.0
    assert result.validity_radius == np.inf
    assert "none" in result.validity_reason


def test_counts_of_zero_never_flip():
    data = make("poisson", n=100)
    data = data._replace(y=np.zeros(100))
    data.y[0] = 1.0
    result, _ = result_of("poisson", 2.0, data)
    assert result.flip_fraction(1e9) <= 0.01


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("attack", [{"attackable": [False, True, False]},
                                    {"feature_scale": [0.0, 2.0, 0.0]}])  # fmt: skip
def test_a_single_attackable_feature(p, attack):
    """Every norm of a single number is its magnitude: all p agree, with a kink at zero."""
    data = make_clear("logistic", n=60, m=3)
    result, theta = result_of("logistic", p, data, **attack)
    reference, _ = result_of("logistic", 2.0, data, **attack)
    np.testing.assert_allclose(result.influence, reference.influence, rtol=1e-12)
    assert result.influence[1] * theta[1] < 0  # it shrinks
    assert result.validity_radius == about(-theta[1] / result.influence[1], 1e-10)
    assert "changes sign" in result.validity_reason


@pytest.mark.parametrize("p", [1.0, np.inf])
@pytest.mark.parametrize("space", ["raw", "scaled"])
def test_units_of_the_attack_count(kind, p, space):
    data = make(kind, n=300, m=4, seed=3)
    pipeline = make_pipeline(StandardScaler(), estimator(kind)).fit(data.X, data.y)
    scale = np.array([1.0, 3.0, 0.0, 0.5])
    options = {"p": p, "attack_space": space, "feature_scale": scale}
    result = fa.aif(pipeline, data.X, data.y, **options)
    wanted, _ = twin.validity_radius(
        data.X, data.y, theta_of(pipeline[-1]), result.influence, loss=LOSS[kind],
        shift=pipeline[0].mean_, scale=pipeline[0].scale_, **options,
    )  # fmt: skip
    assert result.validity_radius == about(wanted, 1e-9)


def eps_of_fraction(result, fraction):
    """The eps by which that share of the samples has flipped."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if result.flip_fraction(middle) > fraction else (middle, high)
    return high


def test_warning_past_one_flip_in_twenty():
    data = make("linear", n=400)
    result, _ = result_of("linear", 2.0, data)
    eps = eps_of_fraction(result, 0.05)
    calls = [
        lambda e: result.predict_params(e, expansion="linear"),
        lambda e: result.sensitivity(e, expansion="quadratic"),
        lambda e: result.sensitivity([0.0, e], expansion="quadratic"),
        lambda e: result.sensitivity(e, data.X, data.y, expansion="taylor"),
    ]
    for call in calls:
        result, _ = result_of("linear", 2.0, data)  # a result warns once
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RangeWarning)
            warnings.simplefilter("error", FlipWarning)
            call(eps * (1 - 1e-6))
        with pytest.warns(FlipWarning, match="samples have passed a kink"):
            call(eps * (1 + 1e-6))


def test_flips_are_what_the_robust_fit_sees():
    """Past the radius the exact path has a kink: the error grows faster than before it."""
    data = make_clear("linear", n=20, m=2)
    result, _ = result_of("linear", 2.0, data)
    radius = result.validity_radius

    def curvature(eps):
        step = 0.02 * radius
        near = [result.verify(e).robust.params for e in (eps - step, eps, eps + step)]
        return np.linalg.norm(near[0] - 2 * near[1] + near[2]) / step**2

    kinks = [curvature(e) for e in np.linspace(0.7, 1.4, 36) * radius]
    smooth = [curvature(e) for e in np.linspace(0.1, 0.5, 9) * radius]
    assert max(kinks) > 10 * max(smooth)


@pytest.mark.parametrize("weighted", [False, True])
def test_order_1_ends_where_another_sample_gains_as_much(weighted):
    """The squared error's gains of all of the budget, from the definition, at θ̂ + εI."""
    X, y, w = make("linear", n=40, m=3, seed=2, weighted=weighted)
    model = fa.LinearRegression(alpha=0.05).fit(X, y, w)
    result = fa.aif(model, X, y, order=1, sample_weight=w)
    eps = result.validity_radius
    theta, omega = result.params + eps * result.influence, np.ones(40) if w is None else w
    kept, omega = omega > 0.0, omega / omega.sum()
    size = np.abs(X @ theta[:-1] + theta[-1] - y)[kept]
    move = eps * result.radius * np.linalg.norm(result.params[:-1]) / omega[kept]
    gains = np.sort(omega[kept] * ((size + move) ** 2 - size**2))
    assert gains[-2] == about(gains[-1], 1e-12)

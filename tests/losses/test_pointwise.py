"""Pointwise losses, vectorised and compiled, against 60-digit arithmetic and the slow twin."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from oracles import losses as twin
from support.makers import about

from fastaif._compute.numba_ops.losses import end_gap, point_loss
from fastaif.losses import Huber, get

DELTAS = {"squared_error": 1.0, "logistic": 1.0, "poisson": 1.0, "huber": 1.3}
NAMES = list(DELTAS)
TARGETS = {
    "squared_error": [0.0, -2.5, 1e3],
    "logistic": [-1.0, 1.0],
    "poisson": [0.0, 1.0, 17.0],
    "huber": [0.0, -2.5, 1e3],
}
PREDICTIONS = [0.0, 1e-9, -1e-9, 0.3, -0.3, 1.0, 2.833, -5.0, 20.0, -40.0, 300.0, -700.0]
POINTS = [(name, f, y) for name in NAMES for y in TARGETS[name] for f in PREDICTIONS]
KAPPAS = [1e-12, 1e-5, 0.9e-4, 1.1e-4, 0.01, 1.0, 30.0]


def described(name):
    return Huber(DELTAS[name]) if name == "huber" else get(name)


def exact(name, f, y):
    """Value, first and second derivative to 60 digits."""
    f, y, delta = Decimal(f), Decimal(y), Decimal(DELTAS[name])
    if name == "squared_error":
        return (f - y) ** 2, 2 * (f - y), Decimal(2)
    if name == "poisson":
        return f.exp() - y * f, f.exp() - y, f.exp()
    if name == "logistic":
        odds = (-y * f).exp()
        return (1 + odds).ln(), -y * odds / (1 + odds), odds / (1 + odds) ** 2
    r = f - y
    root = (1 + (r / delta) ** 2).sqrt()
    return delta**2 * (root - 1), r / root, 1 / root**3


@pytest.fixture(autouse=True)
def _digits():
    # 400 digits: log(1 + e) at f = 700 starts 300 digits behind the point.
    with localcontext() as context:
        context.prec = 400
        yield


def terms(name, f, y):
    """The parts of a loss that may cancel: rounding errors are relative to their size."""
    if name == "poisson":
        return [np.exp(f) + abs(y * f), np.exp(f) + y, 0.0]
    return [0.0, 0.0, 0.0]


def compiled(name, f, y):
    return point_loss(described(name).code, DELTAS[name], f, y)


def vectorised(name, f, y):
    loss, f, y = described(name), np.array([f]), np.array([y])
    return [float(part[0]) for part in (loss.value(f, y), loss.slope(f, y), loss.curvature(f, y))]


@pytest.mark.parametrize("version", [compiled, vectorised])
@pytest.mark.parametrize(("name", "f", "y"), POINTS)
def test_value_and_derivatives(version, name, f, y):
    wanted = [float(part) for part in exact(name, f, y)]
    for found, value, size in zip(version(name, f, y), wanted, terms(name, f, y), strict=True):
        assert abs(found - value) <= 4e-15 * max(abs(value), size)


@pytest.mark.parametrize("name", NAMES)
def test_vectorised_agrees_with_the_twin(name, rng):
    f = 4.0 * rng.normal(size=200)
    y = rng.choice(TARGETS[name], size=200)
    loss = described(name)
    wanted = twin.loss(name, f, y, DELTAS[name])
    found = loss.value(f, y), loss.slope(f, y), loss.curvature(f, y)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("version", [compiled, vectorised])
@pytest.mark.parametrize("f", [1e154, -1e154, 1e200, -1e300])
def test_huber_is_linear_far_out(version, f):
    value, slope, curvature = version("huber", f, 0.5)
    assert value == about(1.3 * abs(f))
    assert slope == about(np.copysign(1.3, f))
    assert 0.0 <= curvature < 1e-300


@pytest.mark.parametrize("version", [compiled, vectorised])
@pytest.mark.parametrize("margin", [1e3, 1e200, 1e308])
def test_logistic_far_out(version, margin):
    assert list(version("logistic", margin, 1.0)) == [0.0, 0.0, 0.0]
    assert list(version("logistic", margin, -1.0)) == [margin, 1.0, 0.0]


@pytest.mark.parametrize("version", [compiled, vectorised])
@pytest.mark.parametrize("f", [-800.0, -1e200])
def test_poisson_far_below(version, f):
    assert list(version("poisson", f, 2.0)) == [-2.0 * f, -2.0, 0.0]


@pytest.mark.parametrize("name", NAMES)
def test_finite_input_gives_no_nan(name):
    for f in (0.0, 1e-300, 1e3, -1e3, 1e150, -1e150, 1e300, -1e300):
        for y in TARGETS[name]:
            assert not np.isnan(compiled(name, f, y)).any()


STEPS = [0.0, 1e-14, -1e-9, 1e-4, 0.5, -0.999, 1.0, -1.5, 6.0]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("name", "f", "y"), POINTS)
def test_difference_keeps_its_digits(name, f, y, step):
    there = f + step
    wanted = float(exact(name, there, y)[0] - exact(name, f, y)[0])
    loss = described(name)
    found = float(loss.change(np.array([f]), np.array([there - f]), np.array([y]))[0])
    # The change cannot be known better than slope times the step.
    slope = max(abs(float(exact(name, end, y)[1])) for end in (f, there))
    width = abs(there - f) * (slope + terms(name, max(f, there), y)[1])
    assert abs(found - wanted) <= 2e-14 * max(width, abs(wanted))


def exact_gap(name, f, y, kappa):
    """(l(f + k) - l(f - k)) / 2k to 60 digits."""
    f, kappa = Decimal(f), Decimal(kappa)
    ends = exact(name, f + kappa, y)[0] - exact(name, f - kappa, y)[0]
    return float(ends / (2 * kappa))


@pytest.mark.parametrize("name", ["squared_error", "poisson", "huber"])
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("f", [0.0, 1e-9, 0.3, 2.833, -5.0, 20.0])
def test_end_gap(name, f, kappa):
    for y in TARGETS[name]:
        wanted = exact_gap(name, f, y, kappa)
        compiled_gap = end_gap(described(name).code, DELTAS[name], f, y, kappa)
        vector_gap = described(name).end_gap(np.array([f]), np.array([y]), kappa)
        slack = 4e-15 * ((np.exp(f + kappa) + y) if name == "poisson" else abs(wanted))
        assert abs(compiled_gap - wanted) <= slack
        assert abs(float(vector_gap[0]) - wanted) <= slack


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kappa", KAPPAS)
def test_sign_of_end_gap_is_the_worse_end(name, kappa, rng):
    y = rng.choice(TARGETS[name], size=100)
    f = y + rng.normal(size=100)
    loss = described(name)
    signs = np.sign(loss.end_gap(f, y, kappa))
    for k in range(100):
        gap = end_gap(loss.code, DELTAS[name], f[k], y[k], kappa)
        assert np.sign(gap) == signs[k] == np.sign(exact_gap(name, f[k], y[k], kappa))


def test_end_gap_at_zero_width_is_the_slope():
    for name in ("squared_error", "poisson", "huber"):
        slope = exact(name, 0.7, 2.0)[1]
        assert end_gap(described(name).code, DELTAS[name], 0.7, 2.0, 0.0) == about(slope)
        loss = described(name)
        assert loss.end_gap(np.array([0.7]), np.array([2.0]), 0.0)[0] == about(slope)


@pytest.mark.parametrize(("f", "kappa"), [(-800.0, 800.0), (-1000.0, 999.0), (-750.0, 10.0)])
def test_poisson_gap_where_its_factors_overflow(f, kappa):
    wanted = exact_gap("poisson", f, 1.0, kappa)
    assert end_gap(described("poisson").code, 1.0, f, 1.0, kappa) == about(wanted)
    assert described("poisson").end_gap(np.array([f]), np.array([1.0]), kappa)[0] == about(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_slope_changes_sign_where_it_says(name):
    y = np.array(TARGETS[name])
    f = described(name).zero_slope_prediction(y)
    for place, target in zip(f, y, strict=True):
        if name == "logistic" or (name == "poisson" and target == 0):
            assert np.isnan(place)
        else:
            assert abs(float(exact(name, place, target)[1])) <= 1e-14 * (1 + abs(target))

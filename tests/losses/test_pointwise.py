"""Pointwise losses, vectorised and compiled, against 60-digit arithmetic and the slow twin."""

from __future__ import annotations

from decimal import Decimal, getcontext, localcontext
from functools import cache
from itertools import product

import numpy as np
import pytest
from oracles import losses as twin
from support.makers import about

from fastaif._compute.numba_ops import point_losses
from fastaif._compute.numba_ops.jit import callable_part
from fastaif.losses import Expectile, Huber, NegativeBinomial, Tweedie, get

LOSSES = {
    loss.name: loss
    for loss in (
        *(get(name) for name in ("squared_error", "logistic", "poisson", "gamma", "probit")),
        *(get(name) for name in ("cloglog", "squared_hinge")),
        Huber(1.3), Tweedie(1.4), NegativeBinomial(0.7), Expectile(0.8),
    )
}  # fmt: skip
NAMES = sorted(LOSSES)
DELTAS = {name: loss.parameter for name, loss in LOSSES.items()}
REALS, LABELS = [0.0, -2.5, 1e3], [-1.0, 1.0]
TARGETS = {
    name: LABELS if loss.has_labels else [0.0, 1.0, 17.0] if loss.has_positive_targets else REALS
    for name, loss in LOSSES.items()
}
TARGETS["gamma"] = [0.3, 1.0, 17.0]
TWO_ENDED = [name for name in NAMES if not LOSSES[name].is_monotone]
PREDICTIONS = [0.0, 1e-9, -1e-9, 0.3, -0.3, 1.0, 2.833, -5.0, 20.0, -40.0, 300.0, -700.0]
KAPPAS = [1e-12, 1e-5, 0.9e-4, 1.1e-4, 0.01, 1.0, 30.0]


def described(name):
    return LOSSES[name]


PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628621")


def normal_share(t):
    """Phi(t) and phi(t): by a continued fraction for t below -6, else by the series of erf."""
    density = (-t * t / 2).exp() / (2 * PI).sqrt()
    if t > 6:
        return 1 - normal_share(-t)[0], density
    if t < -6:
        rest = Decimal(0)
        for k in range(400, 0, -1):
            rest = k / (rest - t)
        return density / (rest - t), density
    term = total = t
    for k in range(1, 300):
        term = term * t * t / (2 * k + 1)
        total += term
    return Decimal("0.5") + density * total, density


def exact_of_labels(name, f, y):
    if name == "logistic":
        odds = (-y * f).exp()
        return (1 + odds).ln(), -y * odds / (1 + odds), odds / (1 + odds) ** 2
    if name == "squared_hinge":
        gap = max(1 - y * f, Decimal(0))
        return gap**2, -2 * y * gap, Decimal(2 if gap > 0 else 0)
    if name == "probit":
        share, density = normal_share(y * f)
        h = density / share
        return -share.ln(), -y * h, h * (y * f + h)
    mean = f.exp()
    if y < 0:
        return mean, mean, mean
    if mean > 5000:
        return Decimal(0), Decimal(0), Decimal(0)
    ratio = mean / (mean.exp() - 1)
    if mean < Decimal("1e-60"):
        return -f, -ratio, mean / 2
    return -(1 - (-mean).exp()).ln(), -ratio, ratio * (mean + ratio - 1)


def exact_of_means(name, f, y, a):
    if name == "poisson":
        return f.exp() - y * f, f.exp() - y, f.exp()
    if name == "gamma":
        return y * (-f).exp() + f, 1 - y * (-f).exp(), y * (-f).exp()
    if name == "tweedie":
        up, down = ((2 - a) * f).exp(), y * ((1 - a) * f).exp()
        return up / (2 - a) - down / (1 - a), up - down, (2 - a) * up - (1 - a) * down
    odds, count = a * f.exp(), y + 1 / a
    share = odds / (1 + odds)
    return count * (1 + odds).ln() - y * f, count * share - y, count * share / (1 + odds)


@cache
def exact(name, f, y):
    """Value, first and second derivative to 60 digits."""
    f, y, delta = Decimal(f), Decimal(y), Decimal(DELTAS[name])
    getcontext().prec = 450 if abs(f) > 10 else 100  # the normal tail at 40 begins 350 digits in
    if LOSSES[name].has_labels:
        return exact_of_labels(name, f, y)
    if LOSSES[name].has_positive_targets:
        return exact_of_means(name, f, y, delta)
    r = f - y
    if name == "squared_error":
        return r**2, 2 * r, Decimal(2)
    if name == "expectile":
        side = 1 - delta if r > 0 else delta
        return side * r**2, 2 * side * r, 2 * side
    root = (1 + (r / delta) ** 2).sqrt()
    return delta**2 * (root - 1), r / root, 1 / root**3


@pytest.fixture(autouse=True)
def _digits():
    # log(1 + e) at f = 700 starts 300 digits behind the point.
    with localcontext() as context:
        context.prec = 400
        context.Emin, context.Emax = -(10**9), 10**9
        yield


@np.errstate(over="ignore")
def terms(name, f, y):
    """The parts of a loss that may cancel: rounding errors are relative to their size."""
    if name == "poisson":
        return [np.exp(f) + abs(y * f), np.exp(f) + y, 0.0]
    if name == "gamma":
        return [y * np.exp(-f) + abs(f), 1.0 + y * np.exp(-f), 0.0]
    if name == "tweedie":
        a = DELTAS[name]
        return [0.0, np.exp((2 - a) * f) + y * np.exp((1 - a) * f), 0.0]
    if name == "negative_binomial":
        count = y + 1.0 / DELTAS[name]
        return [(count + y) * (abs(f) + 1.0), count + y, 0.0]
    return [0.0, 0.0, 0.0]


def unit(name, f, y):
    """Relative rounding: exponents of a size multiply it."""
    exponents = {
        "probit": f * f if y * f > -3.0 else 0.0,
        "cloglog": np.exp(min(f, 7.0)) if y > 0 else 0.0,
        "tweedie": abs(f),
        "negative_binomial": abs(f),
    }
    return 4e-15 + 1.2e-16 * exponents.get(name, 0.0)


end_gap, point_loss = map(callable_part, (point_losses.end_gap, point_losses.point_loss))


def compiled(name, f, y):
    return point_loss(described(name).code, DELTAS[name], f, y)


def vectorised(name, f, y):
    loss, f, y = described(name), np.array([f]), np.array([y])
    return [float(part[0]) for part in (loss.value(f, y), loss.slope(f, y), loss.curvature(f, y))]


@pytest.mark.parametrize("version", [compiled, vectorised])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_derivatives(version, name):
    for f, y in product(PREDICTIONS, TARGETS[name]):
        wanted = [float(part) for part in exact(name, f, y)]
        for found, value, size in zip(version(name, f, y), wanted, terms(name, f, y), strict=True):
            bound = unit(name, f, y) * max(abs(value), size) + 1e-320
            assert abs(found - value) <= bound, (f, y)


@pytest.mark.parametrize("name", NAMES)
def test_vectorised_agrees_with_the_twin(name, rng):
    f = (0.5 if name == "cloglog" else 4.0) * rng.normal(size=200)  # the twin's formula cancels
    y = rng.choice(TARGETS[name], size=200)
    loss = described(name)
    wanted = twin.loss(name, f, y, DELTAS[name])
    found = loss.value(f, y), loss.slope(f, y), loss.curvature(f, y)
    rtol = {"probit": 1e-11, "cloglog": 1e-12}.get(name, 1e-13)
    np.testing.assert_allclose(found, wanted, rtol=rtol)


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


@pytest.mark.parametrize("f", PREDICTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_difference_keeps_its_digits(name, f):
    loss = described(name)
    for step, y in product(STEPS, TARGETS[name]):
        there = f + step
        wanted = float(exact(name, there, y)[0] - exact(name, f, y)[0])
        found = float(loss.change(np.array([f]), np.array([there - f]), np.array([y]))[0])
        # The change cannot be known better than slope times the step.
        slope = max(abs(float(exact(name, end, y)[1])) for end in (f, there))
        width = abs(there - f) * (slope + terms(name, max(f, there), y)[1])
        rounding = max(unit(name, end, y) for end in (f, there))
        assert abs(found - wanted) <= 5.0 * rounding * max(width, abs(wanted)), (step, y)


def exact_gap(name, f, y, kappa):
    """(l(f + k) - l(f - k)) / 2k to 60 digits."""
    f, kappa = Decimal(f), Decimal(kappa)
    ends = exact(name, f + kappa, y)[0] - exact(name, f - kappa, y)[0]
    return float(ends / (2 * kappa))


@pytest.mark.parametrize("name", TWO_ENDED)
def test_end_gap(name):
    predictions = [0.0, 1e-9, 0.3, 2.833, -5.0, 20.0]
    for kappa, f, y in product(KAPPAS, predictions, TARGETS[name]):
        wanted = exact_gap(name, f, y, kappa)
        compiled_gap = end_gap(described(name).code, DELTAS[name], f, y, kappa)
        vector_gap = described(name).end_gap(np.array([f]), np.array([y]), kappa)
        ends = [terms(name, end, y)[1] for end in (f - kappa, f + kappa)]
        slack = max(unit(name, f + kappa, y) * max(*ends, abs(wanted)), 0.0)
        assert abs(compiled_gap - wanted) <= slack, (kappa, f, y)
        assert abs(float(vector_gap[0]) - wanted) <= slack, (kappa, f, y)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kappa", KAPPAS)
def test_sign_of_end_gap_is_the_worse_end(name, kappa, rng):
    y = rng.choice(TARGETS[name], size=100)
    f = y + rng.normal(size=100)
    loss = described(name)
    signs = np.sign(loss.end_gap(f, y, kappa))
    for k in range(100):
        gap = end_gap(loss.code, DELTAS[name], f[k], y[k], kappa)
        wanted = np.sign(exact_gap(name, f[k], y[k], kappa))
        assert signs[k] == wanted
        assert np.sign(gap) == (-y[k] if loss.is_monotone else wanted)


def test_end_gap_at_zero_width_is_the_slope():
    for name in TWO_ENDED:
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
        if LOSSES[name].is_monotone or (LOSSES[name].has_positive_targets and target == 0):
            assert np.isnan(place)
        else:
            assert abs(float(exact(name, place, target)[1])) <= 1e-14 * (1 + abs(target))


@pytest.mark.parametrize("name", NAMES)
def test_conjugates_are_reached_at_their_slopes(name):
    """ℓ*(ℓ'(f)) = f ℓ'(f) − ℓ(f), where ℓ is convex."""
    loss, f = described(name), np.array([-1.2, -0.3, 0.4, 0.9])
    for y in [target for target in TARGETS[name] if target != 0.0]:
        y = np.full(4, y)
        slope = loss.slope(f, y)
        wanted = slope * f - loss.value(f, y)
        np.testing.assert_allclose(loss.conjugate(slope, y), wanted, rtol=1e-8, atol=1e-12)

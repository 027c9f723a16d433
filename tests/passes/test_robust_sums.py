"""Sums of the inner maximum: values by definition, derivatives by finite differences.

psi(f, k) = max l(f ± k) = S + |c|, S and c half the sum and half the difference of the loss
at the two ends. Smoothed: S + sqrt(c^2 + mu^2). With a multiplier: S + lambda c.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracles import losses
from support.makers import DELTA, LOSS, about, make, make_clear
from support.sums import ALL, sweep

from fastaif._compute import types as c

KAPPAS = [1e-3, 0.1, 0.7]


def ends(kind, X, y, theta, kappa):
    """S and c of every row."""
    f = X @ theta[:-1] + theta[-1]
    plus, minus = (losses.loss(LOSS[kind], f + k, y, DELTA)[0] for k in (kappa, -kappa))
    return 0.5 * (plus + minus), 0.5 * (plus - minus)


def start(kind, m):
    return np.append(np.linspace(0.5, -0.4, m), 0.15)


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("mode", ["hard", "smooth", "multiplier"])
def test_value(kind, kappa, mode, rng):
    X, y, w = make(kind, 70, 4, weighted=True)
    theta = start(kind, 4)
    middle, half = ends(kind, X, y, theta, kappa)
    given = rng.uniform(-1, 1, size=70)
    if mode == "smooth" and kind != "logistic":  # whose inner maximum has no kink to smooth
        wanted, options = middle + np.hypot(half, 0.2), {"smoothing": 0.2}
    elif mode == "multiplier":
        wanted, options = middle + given * half, {"multiplier": given}
    else:
        wanted, options = middle + np.abs(half), {}
    found = sweep(kind, X, y, w).run(theta, ALL, kappa=kappa, **options)
    assert found.loss == about(w @ wanted / w.sum())


@pytest.mark.parametrize("kappa", KAPPAS)
def test_multiplier_at_the_ends_is_the_hard_maximum(kind, kappa):
    X, y, w = make(kind, 70, 4, weighted=True)
    theta = start(kind, 4)
    _, half = ends(kind, X, y, theta, kappa)
    hard = sweep(kind, X, y, w).run(theta, ALL, kappa=kappa)
    mixed = sweep(kind, X, y, w).run(theta, ALL, kappa=kappa, multiplier=np.sign(half))
    assert mixed.loss == about(hard.loss)
    for name in ("gradient", "hessian", "mixed_direction"):
        found, wanted = getattr(mixed, name), getattr(hard, name)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
    assert mixed.gain == about(hard.gain)


def test_rows_without_a_multiplier_keep_the_hard_maximum(kind):
    X, y, w = make(kind, 70, 4, weighted=True)
    theta = start(kind, 4)
    hard = sweep(kind, X, y, w).run(theta, ALL, kappa=0.3)
    absent = sweep(kind, X, y, w).run(theta, ALL, kappa=0.3, multiplier=np.full(70, np.nan))
    assert absent.loss == about(hard.loss)
    np.testing.assert_allclose(absent.gradient, hard.gradient, rtol=1e-13)


@pytest.mark.parametrize("kind", ["linear", "poisson", "huber"])
def test_value_where_both_ends_are_as_bad(kind):
    X = np.array([[1.0], [-2.0], [0.0]])
    f = 0.5 * X[:, 0]
    y = np.exp(f) * np.sinh(0.4) / 0.4 if kind == "poisson" else f
    theta = np.array([0.5, 0.0])
    middle, half = ends(kind, X, y, theta, 0.4)
    np.testing.assert_allclose(half, 0.0, atol=1e-15)
    found = sweep(kind, X, y).run(theta, ALL, kappa=0.4)
    assert found.loss == about(np.mean(middle))


def central(function, x, step):
    return (function(x + step) - function(x - step)) / (2.0 * step)


def scan(kind, data, theta, kappa, options):
    """The sums as functions of theta and of kappa."""
    pass_over = sweep(kind, *data)

    def along(direction, name):
        return lambda t: getattr(
            pass_over.run(theta + t * direction, ALL, kappa=kappa, **options), name
        )

    def widened(name):
        return lambda k: getattr(pass_over.run(theta, ALL, kappa=k, **options), name)

    return pass_over.run(theta, ALL, kappa=kappa, **options), along, widened


MODES = {
    "hard": {},
    "smooth": {"smoothing": 0.3},
    "multiplier": {"multiplier": np.linspace(-1.0, 1.0, 40)},
}


@pytest.mark.parametrize("kappa", [0.05, 0.4])
@pytest.mark.parametrize("mode", MODES)
def test_derivatives(kind, kappa, mode):
    # No residual is near zero, so that the hard maximum changes ends nowhere near.
    data = make_clear(kind, 40, 4)
    theta = np.append(np.linspace(0.9, -0.5, 4), 0.2)
    here, along, widened = scan(kind, data, theta, kappa, MODES[mode])
    step = 1e-5
    close = {"rtol": 1e-6, "atol": 1e-8}
    basis = np.eye(5)
    np.testing.assert_allclose(
        here.gradient, [central(along(e, "loss"), 0.0, step) for e in basis], **close
    )
    np.testing.assert_allclose(
        here.hessian, [central(along(e, "gradient"), 0.0, step) for e in basis], **close
    )
    np.testing.assert_allclose(here.gain, central(widened("loss"), kappa, step), **close)
    np.testing.assert_allclose(
        here.mixed_direction, central(widened("gradient"), kappa, step), **close
    )
    np.testing.assert_allclose(here.scalar(c.S_KK), central(widened("gain"), kappa, step), **close)


@pytest.mark.parametrize("kappa", [0.01, 0.4])
def test_smoothed_value_is_above_and_near(kind, kappa):
    X, y, w = make(kind, 70, 4, weighted=True)
    theta = start(kind, 4)
    hard = sweep(kind, X, y, w).run(theta, ALL, kappa=kappa).loss
    for width in (1e-2, 1e-5, 1e-9):
        smooth = sweep(kind, X, y, w).run(theta, ALL, kappa=kappa, smoothing=width).loss
        assert -1e-14 <= smooth - hard <= width


def test_robust_sums_start_at_the_natural_ones(kind):
    X, y, w = make(kind, 70, 4, weighted=True)
    theta = start(kind, 4)
    natural = sweep(kind, X, y, w).run(theta, ALL)
    robust = sweep(kind, X, y, w).run(theta, ALL, kappa=1e-13)
    for name in ("loss", "gradient", "hessian", "mixed_direction", "gain"):
        found, wanted = getattr(robust, name), getattr(natural, name)
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-11)

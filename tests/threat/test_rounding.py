"""Attacked inputs in short types: as near the worst as the type allows, and never outside."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import fastaif as fa
from fastaif.threat.ball import Ball
from fastaif.threat.rounding import keep_inside, round_towards


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, np.inf])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_no_attack_leaves_the_ball(rng, dtype, offset, p):
    X = (rng.normal(size=(400, 4)) * 10.0 + offset).astype(dtype)
    y = X.astype(float) @ [1.0, -2.0, 0.5, 3.0] + rng.normal(size=400)
    model = fa.LinearRegression().fit(X.astype(float), y)
    scale = np.array([1.0, 0.5, 2.0, 1.0])
    for method in ("exact", "pgd"):
        found = fa.attack(
            model, X, y, 1.0, p=p, radius=0.3, feature_scale=scale, method=method, n_steps=5
        )
        assert found.dtype == dtype
        delta = (found.astype(float) - X.astype(float)) / scale
        assert np.linalg.norm(delta, ord=p, axis=1).max() <= 0.3 * (1.0 + 2e-15)


def test_rounding_goes_towards_the_samples(rng):
    X = (rng.normal(size=(1000, 3)) * 10.0 ** rng.integers(-3, 4, size=3)).astype(np.float32)
    exact = X.astype(float) + rng.normal(size=X.shape)
    found = round_towards(X, exact).astype(float)
    assert np.all(np.abs(found - X) <= np.abs(exact - X))
    assert np.all(np.abs(found - exact) <= np.spacing(np.abs(exact).astype(np.float32)))


def test_rounding_does_not_overflow():
    X = np.array([[6.55e4]], dtype=np.float16)
    assert round_towards(X, np.array([[7e4]])) == np.float16(65504.0)


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_attack_spends_more_than_the_budget_that_samples_share(rng, dtype, order, p):
    """Where δ has few digits beside x, too: about 1e4 in steps of 2e-12."""
    X = (rng.normal(size=(60, 3)) * 1e4).astype(dtype)
    y = X.astype(float) @ [1.0, -2.0, 0.5] + 1e4 * rng.normal(size=60)
    model = fa.LinearRegression().fit(X.astype(float), y)
    for size in (1e-8, 1e-4, 0.1):
        found = fa.attack(model, X, y, 1.0, p=p, order=order, radius=size)
        assert found.dtype == dtype
        delta = found.astype(float) - X.astype(float)
        lengths = np.linalg.norm(delta, ord=p, axis=1) / size
        assert np.mean(lengths**order) ** (1.0 / order) <= 1.0 + 2e-15


@pytest.mark.parametrize("p", [2, np.inf])
def test_what_comes_inside_loses_its_last_digits_alone(rng, p):
    X = rng.normal(size=(200, 6))
    attacked = X + 0.1 * rng.choice([-1.0, 1.0], size=X.shape)
    ball = Ball(p, np.ones(6), np.ones(6), np.zeros(6), False)
    size = 0.1 * (np.sqrt(6) if p == 2 else 1.0)
    found = attacked.copy()
    keep_inside(X, found, ball, size)
    exact = [[Fraction(a) - Fraction(b) for a, b in zip(*rows, strict=True)]
             for rows in zip(found.tolist(), X.tolist(), strict=True)]  # fmt: skip
    for row in exact:
        spent = max(map(abs, row)) ** 2 if p == np.inf else sum(t * t for t in row)
        assert spent <= Fraction(size) ** 2
    np.testing.assert_allclose(found, attacked, rtol=0.0, atol=2e-15)

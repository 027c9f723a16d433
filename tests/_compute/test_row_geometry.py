"""Directions, steps and points of the ball in C against Numba, at hard rows."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both

from fastaif._compute import types as c

pytestmark = pytest.mark.every  # milliseconds each, and a shape of one row tells little

BALLS = [1.0, 1.3, 2.0, 3.7, np.inf]


def hard_rows(rng, n, m):
    """Zeros, ties, extremes: what directions and projections meet."""
    g = rng.normal(size=(n, m))
    g[0] = 0.0
    if n > 4:
        g[1] = np.round(g[1])
        g[2], g[3] = 1.0, 1e-200 * g[3]
        g[4, 0] = 1e200
    return g


@pytest.mark.parametrize("p", BALLS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 3), (37, 12)])
@pytest.mark.parametrize("extreme", [True, False])
def test_attack_directions(extension, rng, p, n, m, extreme):
    g = np.ascontiguousarray((hard_rows(rng, n, m) if extreme else rng.normal(size=(n, m))).T)
    weights = rng.uniform(0.5, 2.0, m) * (np.arange(m) != 1)
    found = []
    for operation in both(extension, "attack_directions"):
        out, gains, ties = np.empty((m, n)), np.empty(n), np.empty(n)
        operation(g, c.Attack(p, weights), out, gains, ties)
        found.append((out, gains, ties))
    (out, gains, ties), (their_out, their_gains, their_ties) = found
    np.testing.assert_array_equal(ties, their_ties)
    np.testing.assert_allclose(gains, their_gains, rtol=1e-13)
    np.testing.assert_allclose(out, their_out, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("steepest", [True, False])
@pytest.mark.parametrize("p", BALLS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (9, 5), (6, 31)])
def test_ascend_rows(extension, rng, p, n, m, steepest):
    t, g, step = 0.1 * rng.normal(size=(n, m)), hard_rows(rng, n, m), rng.normal(size=n)
    found = []
    for operation in both(extension, "ascend_rows"):
        moved = np.empty((n, m))
        largest = operation(t, g, step, (0.7, p), steepest, moved)
        assert largest == pytest.approx(np.abs(moved - t).max(), rel=1e-14)
        found.append(moved)
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("p", BALLS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 4), (3, 9)])
def test_random_points(extension, p, n, m):
    found = []
    for operation in both(extension, "random_points"):
        points = np.empty((n, m))
        operation((5 << 33) + 7, 3, (1 << 32) - 2, 0.3, p, points)
        found.append(points)
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-15)

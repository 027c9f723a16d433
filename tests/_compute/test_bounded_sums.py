"""Sums of first-order attacks within bounds: both versions against what they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both

from fastaif._compute import types as c


def case(rng, n, m, p, dtype):
    """Arguments of the operation, some of whose rows are at bounds, and have no side."""
    x = np.clip(rng.normal(size=(n, m)), -0.7, 0.8).astype(dtype)
    slopes = rng.normal(size=m) * (np.arange(m) % 4 != 2)
    low, high = x.min(axis=0).astype(float), x.max(axis=0).astype(float)
    low[::3] = -np.inf
    sides = rng.choice([-1.0, 0.0, 1.0], size=n)
    ahead = np.where(slopes > 0, high, -low), np.where(slopes > 0, -low, high)
    ends = np.where(slopes != 0.0, ahead, -np.inf)
    reach = 1.0 / np.where(slopes != 0.0, np.abs(slopes) if p == 2 else 1.5, 1.0)
    rates = np.where(sides == 0.0, 0.0, rng.normal(size=(2, n)))
    return c.Rows(x, c.EMPTY, c.EMPTY), sides, rates, ends, slopes, reach, rng.normal(size=m), p


def plain(rows, sides, rates, ends, slopes, reach, origin, p):
    """The same with arrays alone."""
    x = rows.x.astype(float)
    end = np.where(sides[:, None] > 0, ends[0], ends[1])
    left = end - sides[:, None] * np.where(slopes < 0.0, -x, x)
    felt = left > 0.0
    gains = np.sum(felt * (slopes**2 if p == 2 else np.abs(slopes)), axis=1)
    rooms = np.min(np.where(felt, left * reach, np.inf), axis=1, initial=np.inf)
    moves = rates[1] * sides
    if p == 2:
        gains = np.sqrt(gains)
        rooms = np.where(gains > 0.0, rooms * np.where(gains > 0.0, gains, 1.0), rooms)
        moves = np.where(gains > 0.0, moves / np.where(gains > 0.0, gains, 1.0), 0.0)
    return gains, rooms, np.stack([(rates[0] * gains) @ (x - origin), moves @ felt])


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 3), (300, 9), (70, 601)])
def test_both_versions(extension, rng, n, m, p):
    for dtype in (np.float64, np.float32):
        arguments = case(rng, n, m, p, dtype)
        wanted = plain(*arguments)
        for operation in both(extension, "bounded_sums"):
            gains, rooms, sums = np.empty(n), np.empty(n), np.zeros((2, m))
            operation(*arguments, gains, rooms, sums)
            for found, other in zip((gains, rooms, sums), wanted, strict=True):
                np.testing.assert_allclose(found, other, rtol=1e-12, atol=1e-12 * n)

"""The best attacks within bounds: both versions against what is best, and beside each other."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both

from fastaif._compute import types as c
from fastaif.threat.filling import fill


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (9, 3), (40, 17), (6, 200)])
def test_both_versions(extension, rng, n, m, p):
    for dtype in (np.float64, np.float32):
        x = np.clip(rng.normal(size=(n, m)), -0.7, 0.8).astype(dtype)
        scale = rng.uniform(0.5, 2.0, size=m) * (np.arange(m) % 5 != 4)
        units = scale * 1.5
        low, high = np.full(m, float(x.min())), np.full(m, float(x.max()))
        low[::3] = -np.inf
        sizes = rng.uniform(0.0, 2.0, size=n) * (np.arange(n) % 4 != 3)
        for g in (rng.normal(size=(n, m)), np.zeros((n, m))):
            g[:, ::7] *= 1e-200
            slopes = g * units
            ahead = np.where(slopes > 0.0, high - x, x - low)
            room = np.maximum(ahead, 0.0) / np.where(scale > 0.0, scale, 1.0)
            if p == 2.0:  # what is next to nothing gains nothing
                largest = np.abs(slopes).max(axis=1, keepdims=True)
                slopes = np.where(np.abs(slopes) > 1e-140 * largest, slopes, 0.0)
                t = fill(np.abs(slopes), room, sizes, p)
            else:
                t = np.where(slopes != 0.0, np.minimum(room, sizes[:, None]), 0.0)
            for operation in both(extension, "bounded_moves"):
                moves, gains = np.empty((n, m)), np.empty(n)
                rows = c.Rows(x, c.EMPTY, c.EMPTY)
                operation(rows, g, units, scale, np.stack([low, high]), sizes, p, moves, gains)
                wanted = units * np.sign(slopes) * t
                np.testing.assert_allclose(moves, wanted, rtol=1e-12, atol=1e-13)
                np.testing.assert_allclose(gains, np.sum(np.abs(slopes) * t, axis=1), rtol=1e-12)

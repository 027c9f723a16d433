"""Sums of first-order attacks within bounds: both versions against what they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both

from fastaif import losses
from fastaif._compute import types as c

LOSSES = (losses.get("logistic"), losses.get("squared_error"), losses.get("poisson"))


def case(rng, n, m, p, dtype):
    """Arguments of the operation, some of whose rows are at bounds, zeros of either sign among
    them, and weigh nothing."""
    x = np.clip(rng.normal(size=(n, m)), -0.7, 0.8).astype(dtype)
    half = x[:, 1::5]
    half *= (half > 0.0) * rng.choice([-1.0, 1.0], half.shape[1])
    half[half == 0.0] *= rng.choice([-1.0, 1.0], np.count_nonzero(half == 0.0))
    beta = rng.normal(size=m) * (np.arange(m) % 4 != 2) / np.sqrt(m)
    low, high = x.min(axis=0).astype(float), x.max(axis=0).astype(float)
    low[::3] = -np.inf
    ahead = np.where(beta > 0, high, -low), np.where(beta > 0, -low, high)
    ends = np.where(beta != 0.0, ahead, -np.inf)
    reach = 1.0 / np.where(beta != 0.0, np.abs(beta) if p == 2 else 1.5, 1.0)
    weight = rng.uniform(0.5, 2.0, size=n) * (rng.uniform(size=n) < 0.8)
    rows = c.Rows(x, np.where(rng.uniform(size=n) < 0.5, 1.0, -1.0), weight)
    units = (rng.normal(size=m), rng.uniform(0.5, 2.0, size=m)) if m > 3 else (c.EMPTY, c.EMPTY)
    budgets = rng.uniform(0.5, 2.0, size=n) if n % 2 else c.EMPTY
    predictor = c.Predictor(beta, 0.2, *units)
    return rows, predictor, budgets, ends, beta, reach, np.stack([low, high]), p


def plain(loss, rows, predictor, budgets, ends, slopes, reach, bounds, p):
    """The same with arrays alone."""
    x, w = rows.x.astype(float), rows.weight
    v = (x - predictor.shift) * predictor.inverse_scale if predictor.shift.size else x
    f = v @ predictor.beta + predictor.intercept
    first, second = w * loss.slope(f, rows.y), w * loss.curvature(f, rows.y)
    side = np.sign(first)
    end = np.where(side[:, None] > 0, ends[0], ends[1])
    left = end - side[:, None] * np.where(slopes < 0.0, -x, x)
    felt = (left > 0.0) & (side != 0.0)[:, None]
    gains = np.sum(felt * (slopes**2 if p == 2 else np.abs(slopes)), axis=1)
    rooms = np.min(np.where(felt, left * reach, np.inf), axis=1, initial=np.inf)
    unit = np.ones(len(x))
    if p == 2:
        gains = np.sqrt(gains)
        unit = np.where(gains > 0.0, gains, 1.0)
    rooms = rooms * unit / (budgets if budgets.size else 1.0)
    sums = np.stack([(second * side * gains) @ v, (np.abs(first) / unit) @ felt])
    numbers = [(second * side) @ gains, np.abs(first) @ gains, np.sum(gains > 0.0), rooms.min(),
               np.any((x < bounds[0]) | (x > bounds[1]))]  # fmt: skip
    return sums, np.array(numbers, dtype=float)


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 3), (300, 9), (70, 601), (41, 20), (90, 34)])
def test_both_versions(extension, rng, n, m, p):
    for dtype in (np.float64, np.float32):
        for loss in LOSSES:
            rows, predictor, *others = case(rng, n, m, p, dtype)
            wanted = plain(loss, rows, predictor, *others)
            for operation in both(extension, "bounded_sums"):
                sums, numbers = np.zeros((2, m)), np.array([0.0, 0.0, 0.0, np.inf, 0.0])
                operation(rows, predictor, loss.inner(), *others, sums, numbers)
                for found, other in zip((sums, numbers), wanted, strict=True):
                    np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-12 * n)


def test_rows_outside_are_told(extension, rng):
    for n, m in ((1, 1), (50, 9), (64, 16)):
        for place in (0, -1):
            for beyond in (-5.0, 5.0):
                rows, predictor, *others = case(rng, n, m, np.inf, np.float64)
                others[-2][...] = [[-1.0], [1.0]]
                for moved in (False, True):
                    if moved:
                        rows.x[place, place] = beyond
                    for operation in both(extension, "bounded_sums"):
                        sums, numbers = np.zeros((2, m)), np.array([0.0, 0.0, 0.0, np.inf, 0.0])
                        operation(rows, predictor, LOSSES[0].inner(), *others, sums, numbers)
                        assert numbers[4] == moved

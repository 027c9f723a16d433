"""The worst inputs within bounds, and which rows are inside: both versions against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both

from fastaif._compute import types as c


def case(rng, n, m, dtype):
    """Rows some entries of which are at their bounds, and what attacks them."""
    x = np.clip(rng.normal(size=(n, m)) * 10.0, -7.0, 8.0).astype(dtype)
    scale = rng.uniform(0.5, 2.0, size=m) * (np.arange(m) % 5 != 4)
    beta = rng.normal(size=m) * (np.arange(m) % 7 != 3)
    beta[::6] *= 1e-200
    bounds = np.stack([np.full(m, float(x.min())), np.full(m, float(x.max()))])
    bounds[0, ::3] = -np.inf
    sizes = rng.uniform(0.0, 20.0, size=n) * (np.arange(n) % 4 != 3)
    return x, beta, np.where(rng.random(n) < 0.5, 1.0, -1.0), scale, bounds, sizes


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (9, 3), (40, 17), (6, 200)])
def test_attacked_rows_are_samples_and_moves(extension, rng, n, m, p):
    for dtype in (np.float64, np.float32):
        x, beta, sides, scale, bounds, sizes = case(rng, n, m, dtype)
        rows, found = c.Rows(x, c.EMPTY, c.EMPTY), []
        for moving, attacking in zip(
            both(extension, "bounded_moves"), both(extension, "bounded_attacks"), strict=True
        ):
            moves, gains, out = np.empty((n, m)), np.empty(n), np.full((n, m), np.nan)
            slopes = sides[:, None] * beta
            moving(rows, slopes, 1.5 * scale, scale, bounds, sizes, p, moves, gains)
            attacking(rows, beta, sides, 1.5 * scale, scale, bounds, sizes, p, out)
            np.testing.assert_allclose(out, x + moves / 1.5, rtol=1e-13, atol=1e-11)
            assert np.all(np.abs(out - x) <= scale * sizes[:, None] * (1.0 + 2e-15))
            assert np.all((out >= bounds[0]) & (out <= bounds[1]))
            found.append(out)
        np.testing.assert_allclose(found[0], found[1], rtol=1e-14, atol=1e-13)


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6])
def test_rounding_never_leaves_the_cube(extension, rng, offset):
    x = rng.normal(size=(200, 11)) + offset
    bounds = np.stack([np.full(11, -np.inf), np.full(11, np.inf)])
    ones, sizes = np.ones(11), np.full(200, 0.1)
    for attacking in both(extension, "bounded_attacks"):
        out = np.empty(x.shape)
        sides, rows = np.where(np.arange(200) % 2, 1.0, -1.0), c.Rows(x, c.EMPTY, c.EMPTY)
        attacking(rows, rng.normal(size=11), sides, ones, ones, bounds, sizes, np.inf, out)
        lengths = np.abs(out - x)
        assert lengths.max() <= 0.1 * (1.0 + 1e-15)
        assert np.all(lengths >= 0.1 - 2.0 * np.spacing(np.abs(x) + 0.1))


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (60, 3), (50, 17), (40, 200)])
def test_rows_inside(extension, rng, n, m, p):
    for dtypes in np.array(np.meshgrid([0, 1], [0, 1])).reshape(2, -1).T:
        kinds = [(np.float64, np.float32)[k] for k in dtypes]
        x, _, _, scale, bounds, sizes = case(rng, n, m, kinds[0])
        t = rng.normal(size=(n, m))
        t *= (sizes * rng.uniform(0.5, 1.5, n) / np.linalg.norm(t, ord=p, axis=1))[:, None]
        to = (x + t * scale).astype(kinds[1])
        to[::5] = np.clip(to[::5], *bounds)
        to[1::6] = x[1::6]
        to[2::7, 0] = np.nan
        to[3::8, m - 1] += 1.0
        delta = to.astype(float) - x
        spent = np.divide(delta, scale, out=np.zeros((n, m)), where=scale > 0.0)
        still = np.all((scale > 0.0) | (delta == 0.0), axis=1)
        within = np.all((to >= bounds[0]) & (to <= bounds[1]), axis=1)
        wanted = still & within & (np.linalg.norm(spent, ord=p, axis=1) <= sizes)
        for operation in both(extension, "rows_inside"):
            inside = np.full(n, np.nan)
            operation(x, to, scale, bounds, sizes, p, inside)
            np.testing.assert_array_equal(inside, wanted)


def test_lengths_without_squares_are_not_sure(extension):
    x, bounds = np.zeros((2, 3)), np.stack([np.full(3, -np.inf), np.full(3, np.inf)])
    to = np.array([[1e-160, 0.0, 0.0], [0.0, 0.0, 0.0]])
    for operation in both(extension, "rows_inside"):
        inside = np.empty(2)
        operation(x, to, np.ones(3), bounds, np.array([1e-160, 0.0]), 2.0, inside)
        assert inside.tolist() == [0.0, 1.0]

"""The C operations that make numbers a row at a time (random numbers, projections, shares of a
budget, extremes of quadratics) against their Numba versions, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from fastaif import _compute
from fastaif._compute import types as c

SEED = (5 << 33) + 7
BALLS = [1.0, 1.3, 2.0, 3.7, np.inf]


def from_both(extension, name, call):
    """What `call` makes of the operation in C and in Numba."""
    return [call(getattr(extension, name)), call(_compute._numba_operation(name))]


@pytest.mark.parametrize(("first", "k"), [(0, 1), (3, 2), (6, 301), ((1 << 35) + 1, 10)])
def test_bootstrap_weights(extension, first, k):
    def weights(operation):
        out = np.empty(k)
        operation(SEED, 4, first, out)
        return out

    np.testing.assert_allclose(*from_both(extension, "bootstrap_weights", weights), rtol=1e-14)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 4), (3, 9)])
def test_standard_normals(extension, n, m):
    def normals(operation):
        out = np.empty((n, m))
        operation(SEED, 3, (1 << 32) - 2, out)
        return out

    found = from_both(extension, "standard_normals", normals)
    np.testing.assert_allclose(*found, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("n", [1, 7, (1 << 40) + 1])
def test_random_rows(extension, n):
    def rows(operation):
        out = np.empty(500, dtype=np.int64)
        operation(SEED, 2, n, out)
        return out

    mine, theirs = from_both(extension, "random_rows", rows)
    np.testing.assert_array_equal(mine, theirs)
    assert 0 <= mine.min() <= mine.max() < n


@pytest.mark.parametrize("radius", [0.0, 0.3, 1e300])
@pytest.mark.parametrize("p", BALLS)
@pytest.mark.parametrize("m", [1, 6, 17])
def test_project_ball(extension, rng, p, radius, m):
    v = rng.normal(size=m)

    def projected(operation):
        out = np.empty(m)
        operation(v, radius, p, out)
        return out

    found = from_both(extension, "project_ball", projected)
    np.testing.assert_allclose(*found, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("exponent", [0.4, 1.0, 2.5, np.inf])
def test_raised_peaks(extension, rng, exponent):
    vectors, scalars = rng.normal(size=(c.N_VECTORS, 5)), rng.random(c.N_SCALARS)

    def raised(operation, peak):
        sums = c.Sums(np.empty((0, 0)), vectors.copy(), scalars.copy())
        factor = operation(peak, exponent, sums)
        return np.concatenate([[factor], sums.vectors.ravel(), sums.scalars])

    for peak in (0.5 * scalars[c.S_PEAK], 3.0 * scalars[c.S_PEAK]):
        found = from_both(extension, "raise_peak", lambda run, g=peak: raised(run, g))
        np.testing.assert_allclose(*found, rtol=1e-14)


def curvatures(rng, m, kind):
    """Eigenvalues, the largest first."""
    values = np.sort(rng.normal(size=m))[::-1]
    if kind == "concave":
        values = -np.abs(values)[::-1] - 0.1
    if kind == "tied":
        values[: m // 2 + 1] = values[0]
    return np.ascontiguousarray(values * (1e150 if kind == "huge" else 1.0))


@pytest.mark.parametrize("radius", [1e-9, 0.7, 1e6])
@pytest.mark.parametrize("kind", ["mixed", "concave", "tied", "huge"])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (40, 5), (3, 17)])
def test_ball_ascent(extension, rng, n, m, kind, radius):
    h, values = rng.normal(size=(n, m)), curvatures(rng, m, kind)
    h[0] = 0.0
    h[n // 2, 0] = 0.0

    def extremes(operation):
        z, gains = np.full((n, m), np.nan), np.full(n, np.nan)
        operation(h, values, radius, z, gains)
        return np.column_stack([z / radius, gains / (radius * (1.0 + radius * abs(values).max()))])

    found = from_both(extension, "ball_ascent", extremes)
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("nu", [1e-8, 0.3])
@pytest.mark.parametrize("kind", ["mixed", "concave", "tied"])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (40, 5), (3, 17)])
def test_smooth_ball_ascent(extension, rng, n, m, kind, nu):
    h, values = rng.normal(size=(n, m)), curvatures(rng, m, kind)
    h[0] = 0.0

    def extremes(operation):
        t, widths, gains = np.empty((n, m)), np.empty((n, m + 1)), np.empty((n, 2))
        operation(h, values, 0.8, nu, 2.0, t, widths, gains)
        return np.concatenate([t.ravel(), widths.ravel(), gains.ravel()])

    found = from_both(extension, "smooth_ball_ascent", extremes)
    np.testing.assert_allclose(*found, rtol=1e-11, atol=1e-13)

"""Each C operation against its Numba version, on every instruction set and at odd shapes."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import LOGISTIC, LOSSES

from fastaif import _compute
from fastaif._compute import types as c

KERNELS = {
    "rbf": c.Kernel(c.RBF, 1, 0.4, 0.0, 1),
    "matern 3/2": c.Kernel(c.MATERN_3_2, 1, 0.7, 0.0, 1),
    "matern 5/2": c.Kernel(c.MATERN_5_2, 1, 0.7, 0.0, 1),
    "linear": c.Kernel(c.POLYNOMIAL, 1, 0.5, 0.3, 1),
    "polynomial": c.Kernel(c.POLYNOMIAL, 6, 0.5, 0.3, 1),
    "ntk": c.Kernel(c.NTK, 1, 1.0, 0.0, 1),
    "ntk, hidden layer": c.Kernel(c.NTK, 1, 1.0, 0.0, 0),
    "ntk, deep": c.Kernel(c.NTK, 4, 1.0, 0.0, 1),
    "ntk, deep, hidden layers": c.Kernel(c.NTK, 4, 1.0, 0.0, 0),
}
BALLS = [1.0, 1.3, 2.0, 3.7, np.inf]


def both(extension, name):
    """The operation in C and in Numba."""
    return getattr(extension, name), _compute._numba_operation(name)


def assert_close(mine, theirs, rtol=1e-13):
    size = np.abs(theirs[np.isfinite(theirs)]).max(initial=1e-300)
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * size)


@pytest.mark.parametrize("with_slopes", [True, False])
@pytest.mark.parametrize(("k", "n", "m"), [(1, 1, 1), (5, 7, 3), (9, 300, 10), (4, 261, 1)])
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_tiles(extension, rng, name, k, n, m, with_slopes):
    """The same samples, near, far, parallel and opposite ones, in rows that are longer."""
    Z = rng.normal(size=(n, m)) * 10.0 ** rng.uniform(-1, 1, n)[:, None]
    offset = min(2, n - 1)
    X = rng.normal(size=(k, m))
    X[: n - offset] = Z[offset : offset + k]
    if n > 6:
        Z[0], Z[1] = -2.0 * X[0], X[0] * (1 + 1e-9)
    squares = [np.einsum("ij,ij->i", part, part) for part in (X, Z)]
    found = []
    for operation in both(extension, "kernel_tile"):
        values = np.full((k, n + 3), 0.5)
        values[:, :n] = X @ Z.T
        slopes = np.full((k, n + 5), 0.25) if with_slopes else np.empty((0, 0))
        kinks = operation(KERNELS[name], X, Z, *squares, offset, values, slopes)
        found.append((kinks, values, slopes))
    (kinks, values, slopes), (their_kinks, their_values, their_slopes) = found
    assert kinks == their_kinks
    assert_close(values, their_values, 1e-12)
    assert_close(slopes, their_slopes, 1e-9 if KERNELS[name].kind == c.NTK else 1e-12)


@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 17), (8, 40)])
def test_kernel_contractions(extension, rng, k, n):
    slopes, values = rng.normal(size=(k, n + 9)), rng.normal(size=(k, n + 4))
    left, right, shifts = rng.normal(size=(k, 2)), rng.normal(size=(2, n)), rng.normal(size=(k, 2))
    start = rng.normal(size=(k, n))
    weighted, directed, summed = [], [], []
    for operation in both(extension, "weighted_slopes"):
        tile, sums = np.empty((k, n)), np.empty((k, 2))
        operation(slopes, values, 2, left, right, tile, sums)
        weighted.append(np.concatenate([tile.ravel(), sums.ravel()]))
    for operation in both(extension, "directional_tile"):
        tile = start.copy()
        operation(slopes, values, 3, shifts, tile)
        directed.append(tile)
    for operation in both(extension, "directional_sums"):
        rows, columns = np.ones((k, 2)), np.ones((2, n))
        operation(start, right, left, rows, columns)
        summed.append(np.concatenate([rows.ravel(), columns.ravel()]))
    for mine, theirs in (weighted, directed, summed):
        assert_close(mine, theirs)


@pytest.mark.parametrize(("start", "count", "n"), [(0, 5, 5), (30, 41, 90), (64, 1, 65)])
def test_mirror(extension, rng, start, count, n):
    rows, found = rng.normal(size=(count, n)), []
    for operation in both(extension, "mirror"):
        out = np.zeros((n, n + 2))
        operation(rows, start, out)
        found.append(out)
    np.testing.assert_array_equal(*found)


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


@pytest.mark.parametrize("p", BALLS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (12, 6)])
def test_linear_pgd(extension, rng, p, loss, n, m):
    f = rng.normal(size=n)
    y = np.where(f > 0, 1.0, -1.0) if loss == LOGISTIC else np.abs(np.round(f + 1.0))
    inner = c.Inner(loss, 0.8, 0.0, 0.0, c.EMPTY, 0.0)
    steps = c.Steps(p, 0.3, rng.normal(size=m), 7, 0.1, 4, 99, 17)
    found = []
    for operation in both(extension, "linear_pgd"):
        out = np.empty((n, m))
        operation(f, y, inner, steps, out)
        found.append(out)
    np.testing.assert_allclose(*found, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("count", "d"), [(1, 1), (3, 2), (5, 9), (4, 33)])
def test_solve_draws(extension, rng, count, d):
    A = rng.normal(size=(count, d + 2, d)) * 10.0 ** rng.uniform(-3, 3, d)
    H = np.einsum("bij,bik->bjk", A, A)
    if count > 3:
        H[1, 0, 0] = -1.0
        H[2, d - 1] = H[2, d - 2]
    b, found = rng.normal(size=(count, d)), []
    for operation in both(extension, "solve_draws"):
        x, pivots = b.copy(), np.empty(count)
        operation(np.tril(H), x, pivots)
        found.append((x, pivots))
    (x, pivots), (_, their_pivots) = found
    np.testing.assert_allclose(pivots, their_pivots, rtol=1e-6, atol=1e-15)
    for place in np.flatnonzero(pivots > 1e-6):
        np.testing.assert_allclose(H[place] @ x[place], b[place], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("count", [1, 2, 8, 19])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (6, 9), (203, 33)])
def test_linear_products(extension, rng, n, m, count, scaled, dtype):
    x, curvatures = rng.normal(size=(n, m)).astype(dtype), rng.random(n)
    shift, scale = rng.normal(size=(2, m)) if scaled else (c.EMPTY, c.EMPTY)
    U = rng.normal(size=(m + 1, count))
    found = []
    for operation in both(extension, "linear_products"):
        out = np.ones_like(U)
        operation(x, curvatures, shift, scale, U, out)
        found.append(out)
    assert_close(*found)

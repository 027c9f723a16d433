"""Other C operations against their Numba versions, on every instruction set and at odd shapes."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import KINDS, LOGISTIC, LOSSES, both, make_rows, relative_close

from fastaif._compute import types as c

BALLS = [1.0, 1.3, 2.0, 3.7, np.inf]


@pytest.mark.parametrize("p", BALLS)
@pytest.mark.parametrize("loss", KINDS)
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


def test_kink_descent(extension, rng):
    """Both find which entries are at their bounds, in a box, a simplex and both."""
    for n_box, n_simplex, d in [(1, 0, 3), (7, 0, 9), (40, 0, 13), (0, 5, 6), (30, 9, 17)]:
        k = n_box + n_simplex
        W, offsets = rng.normal(size=(k, d)), 2.0 * rng.normal(size=k)
        start = np.append(rng.choice([-1.0, 0.3, 1.0], n_box), np.eye(n_simplex)[:1])
        first, found = 9.0 * rng.normal(size=d), []
        for operation in both(extension, "kink_descent"):
            shares, move = start.copy(), first.copy()
            operation(W, offsets, shares, move, n_box, 1000)
            np.testing.assert_allclose(move, first - (shares - start) @ W, atol=1e-10)
            assert np.abs(shares[:n_box]).max(initial=0.0) <= 1.0, k
            assert shares[n_box:].min(initial=0.0) >= 0.0, k
            assert n_simplex == 0 or shares[n_box:].sum() == pytest.approx(1.0)
            found.append(np.abs(shares) >= np.where(np.arange(k) < n_box, 1.0, np.inf))
            found[-1] |= (shares <= 0.0) & (np.arange(k) >= n_box)
        np.testing.assert_array_equal(*found, err_msg=str(k))


def test_kink_settle(extension, rng):
    """Both come to the minimum from near it, or say that they do not."""
    for n_box, n_simplex, d in [(1, 0, 3), (7, 0, 9), (40, 0, 13), (0, 5, 6), (30, 9, 17)]:
        k = n_box + n_simplex
        W, offsets = rng.normal(size=(k, d)), 2.0 * rng.normal(size=k)
        start = np.append(rng.choice([-1.0, 0.3, 1.0], n_box), np.eye(n_simplex)[:1])
        first = 9.0 * rng.normal(size=d)
        operations = both(extension, "kink_settle")
        for near in (start, _swept(extension, W, offsets, start, first, n_box)):
            found = []
            for operation in operations:
                shares, move = near.copy(), np.empty(d)
                settled = operation(W, offsets, start, first, n_box, 1e-11, shares, move)
                found.append((settled, shares, move) if settled else (0, near, first))
            for mine, theirs in zip(*found, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-7, err_msg=str(k))
        assert found[0][0] == 1, k
        pull = -(W @ found[0][2] + offsets)
        free = np.abs(found[0][1][:n_box]) < 1.0
        assert np.abs(pull[:n_box][free]).max(initial=0.0) <= 1e-7, k


def _swept(extension, W, offsets, start, first, n_box):
    shares = start.copy()
    both(extension, "kink_descent")[0](W, offsets, shares, first.copy(), n_box, 1000)
    return shares


@pytest.mark.parametrize("loss", KINDS)
def test_end_slopes(extension, rng, loss):
    n, kappas = 1031, np.array([0.0, 0.4, 2.0])
    rows = make_rows(rng, loss, n, 1, True, np.float64)
    f = rng.normal(size=(3, n))
    inner, found = LOSSES[loss].inner(), []
    for operation in both(extension, "end_slopes"):
        numbers, scalars = np.empty((6, n)), np.zeros((3, c.N_SCALARS))
        operation(f, rows.y, rows.weight, inner, kappas, numbers, scalars)
        found.append((numbers, scalars))
    for mine, theirs in zip(*found, strict=True):
        relative_close(mine, theirs, 1e-12)


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
    relative_close(*found)

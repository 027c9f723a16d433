"""Other C operations against their Numba versions, on every instruction set and at odd shapes."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import KINDS, LOGISTIC, both, relative_close

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

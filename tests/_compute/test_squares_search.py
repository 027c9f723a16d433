"""The search on squares in C against its Numba version."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both

from fastaif._compute import types as c


def squares(rng, n, d, counted, alpha):
    """Rows, and a quadratic of theirs: with a column that the norm does not count."""
    Z = rng.normal(size=(n, d))
    y = Z @ rng.normal(size=d) + rng.normal(size=n)
    w = rng.random(n) + 0.5
    w /= w.sum()
    push = np.full(d, alpha)
    twice = 2.0 * (Z.T @ (w[:, None] * Z) + np.diag(push))
    theta = np.linalg.solve(twice, 2.0 * Z.T @ (w * y))
    return Z, y, w, twice, push, theta, np.where(np.arange(d) < counted, 1.0, 0.0)


def objective_on_squares(theta, Z, y, w, push, scale, q):
    r, kappa = Z @ theta - y, np.linalg.norm(scale * theta, q)
    return w @ (np.abs(r) + kappa) ** 2 + push @ theta**2


@pytest.mark.parametrize("q", [1.0, 1.4, 2.0, 3.0])
def test_squares_search(extension, rng, q):
    """Both take the same steps, and what they prove is no more than the minimum."""
    for n, d, size, alpha in ((40, 2, 0.05, 0.0), (300, 7, 0.02, 0.1), (200, 17, 0.1, 0.0)):
        Z, y, w, twice, push, start, counted = squares(rng, n, d, max(d - 1, 1), alpha)
        scale, found = size * counted, []
        for tol, operation in (
            (t, o) for t in (1e-3, 1e-9) for o in both(extension, "squares_search")
        ):
            theta, r = start.copy(), y.copy()
            right = Z.T @ (w * (Z @ start - y)) + push * theta
            balance, pull, numbers = np.zeros(n), np.zeros(d), np.zeros(c.N_SQUARES_NUMBERS)
            point = c.SquaresPoint(theta, r, right, balance, pull, numbers)
            operation(Z, w, c.Squares(twice, push, scale, q), tol, 0, point)
            assert numbers[c.Q_PROVEN] or q not in (1.0, 2.0), (n, d, tol)
            value = objective_on_squares(theta, Z, y, w, push, scale, q)
            assert np.isclose(numbers[c.Q_VALUE], value, rtol=1e-12), (n, d, tol)
            near = value - numbers[c.Q_BOUND] <= tol * value * (1.0 + 1e-6)
            assert near == numbers[c.Q_PROVEN], (n, d, tol)
            np.testing.assert_allclose(r, Z @ theta - y, atol=1e-12)
            np.testing.assert_allclose(pull, Z.T @ (w * balance), atol=1e-12)
            found.append((theta, numbers))
        for mine, theirs in (found[:2], found[2:]):
            np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(
                np.delete(mine[1], c.Q_RESIDUAL), np.delete(theirs[1], c.Q_RESIDUAL), rtol=1e-9
            )
        assert max(numbers[c.Q_BOUND] for _, numbers in found) <= found[-1][1][c.Q_VALUE]


def test_products_with_rows_are_counted(extension, rng):
    """Three where no step is made: predictions, what multipliers pull, and a residual; with each
    step two more at most."""
    n, d = 60, 3
    Z, y, w, twice, push, start, counted = squares(rng, n, d, d, 0.0)
    for operation in both(extension, "squares_search"):
        told = []
        for share, tol in ((50.0, 1e-3), (1.0, 1e-3), (1.0, 1e-9)):
            theta, r = share * start, y.copy()
            right = Z.T @ (w * (Z @ theta - y)) + push * theta
            numbers = np.zeros(c.N_SQUARES_NUMBERS)
            point = c.SquaresPoint(theta, r, right, np.zeros(n), np.zeros(d), numbers)
            form = c.Squares(twice, push, 0.05 * counted, 2.0)
            operation(Z, w, form, tol, int(share > 1.0), point)
            told.append(numbers[[c.Q_PROVEN, c.Q_PRODUCTS]])
        assert told[0].tolist() == [-1.0, 3 * n]
        assert 4 * n < told[1][1] < told[2][1]

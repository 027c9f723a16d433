"""Quadratics over a box and a simplex, by their conditions for a minimum."""

from __future__ import annotations

import numpy as np
import pytest

from fastaif.solvers import box_qp


@pytest.mark.parametrize("rank", [2, 5, 30])
@pytest.mark.parametrize(("n_box", "n_simplex"), [(4, 0), (12, 0), (0, 5), (7, 6), (1, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_conditions(seed, n_box, n_simplex, rank):
    rng = np.random.default_rng(seed)
    k = n_box + n_simplex
    A = rng.normal(size=(rank, k))
    G, b = A.T @ A, 3.0 * A.T @ rng.normal(size=rank)
    found = box_qp.minimise(G, b, n_box)
    assert found.converged
    x, gradient = found.x, G @ found.x + b
    slack = 1e-9 * np.abs(b).max()
    box, simplex = x[:n_box], x[n_box:]
    assert np.all(np.abs(box) <= 1.0)
    assert np.all(np.abs(gradient[:n_box][np.abs(box) < 1.0]) <= slack)
    assert np.all(box[np.abs(box) == 1.0] * gradient[:n_box][np.abs(box) == 1.0] <= slack)
    if n_simplex:
        assert simplex.sum() == pytest.approx(1.0, abs=1e-12)
        assert np.all(simplex >= 0.0)
        level = gradient[n_box:][simplex > 0.0]
        assert np.ptp(level) <= slack
        assert np.all(gradient[n_box:] >= level.min() - slack)


@pytest.mark.parametrize("seed", range(4))
def test_starts_and_bounds(seed):
    rng = np.random.default_rng(seed)
    k, n_box = 14, 10
    A = rng.normal(size=(20, k))
    G, b = A.T @ A, 5.0 * A.T @ rng.normal(size=20)
    wanted = box_qp.minimise(G, b, n_box).x
    start = np.append(rng.choice([-1.0, 0.3, 1.0], n_box), [1.0, 0.0, 0.0, 0.0])
    found = box_qp.minimise(G, b, n_box, start=start)
    assert found.converged
    np.testing.assert_allclose(found.x, wanted, atol=1e-10)
    low = rng.choice([-np.inf, 0.0], k)
    high = np.where(low == 0.0, rng.choice([np.inf, 0.0], k), np.inf)
    x = box_qp.minimise(G, b, k, bounds=(low, high)).x
    gradient = G @ x + b
    assert np.all((x >= low) & (x <= high))
    assert np.abs(gradient[(x > low) & (x < high)]).max(initial=0.0) <= 1e-9 * np.abs(b).max()
    assert np.all(gradient[(x == low) & (low < high)] >= -1e-9 * np.abs(b).max())

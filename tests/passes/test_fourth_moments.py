"""The Hessian of quadratic models from fourth moments against the product of features."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import LOSS, make

import fastaif as fa
from fastaif import bases
from fastaif._compute import get
from fastaif._compute import types as c
from fastaif.passes import basis as _basis_sums
from fastaif.passes import fourth_moments as moments


@pytest.mark.parametrize("m", [1, 2, 7, 8, 9, 16, 23])
def test_every_entry_has_its_place(m, rng):
    """The moments of one row of inputs, laid out as the operation does."""
    h = np.concatenate([[1.0], rng.normal(size=m)])
    blocks = []
    for start in range(0, m + 1, 8):
        stop = min(start + 8, m + 1)
        left = [h[p] * h[q] for q in range(stop) for p in range(q + 1)]
        right = [h[r] * h[s] for r in range(start, stop) for s in range(r, m + 1)]
        blocks.append(np.outer(left, right).ravel())
    laid_out = np.concatenate(blocks)
    j, k = np.triu_indices(m)
    v = np.concatenate([h[1:], h[1:][j] * h[1:][k]])
    assert moments.n_moments(m) == len(laid_out)
    np.testing.assert_allclose(moments.expanded(laid_out, len(v)), np.outer(v, v), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 2), (90, 7), (177, 8), (300, 15), (257, 33)])
def test_sums_of_rows(engine, rng, n, m, scaled, dtype):
    """On every backend and instruction set: against the features' product."""
    x, w = rng.normal(size=(n, m)).astype(dtype), rng.random(n)
    w[::7] = 0.0
    shift, scale = rng.normal(size=(2, m)) if scaled else (c.EMPTY, c.EMPTY)
    basis = bases.Quadratic().compiled(m)._replace(shift=shift, inverse_scale=scale)
    found = np.full(moments.n_moments(m), 0.5)  # it is added to
    get("quadratic_moments")(c.Rows(x, w, c.EMPTY), basis, w, found)
    u = (x.astype(float) - shift) * scale if scaled else x.astype(float)
    j, k = np.triu_indices(m)
    v = np.concatenate([u, u[:, j] * u[:, k]], axis=1)
    wanted = (v * w[:, None]).T @ v
    size = np.abs(wanted).max() + 1.0
    np.testing.assert_allclose(
        moments.expanded(found, v.shape[1]), wanted + 0.5, rtol=0, atol=1e-13 * size
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["linear", "logistic", "poisson"])
@pytest.mark.parametrize(("n", "m"), [(90, 3), (700, 9), (1500, 20)])
def test_the_same_sums(monkeypatch, kind, n, m, dtype):
    X, y, w = make(kind, n, m, seed=n, weighted=True)
    X = (0.3 * X).astype(dtype)
    model = fa.BasisRegression(bases.Quadratic(), loss=LOSS[kind], alpha=0.1)
    model.fit(X, y, sample_weight=w)
    found = []
    for fewest in (1, 10**9):
        monkeypatch.setattr(_basis_sums, "_FEWEST_INPUTS", fewest)
        found.append(fa.aif(model, X, y, sample_weight=w))
    mine, other = found
    np.testing.assert_allclose(mine.problem.hessian, other.problem.hessian, rtol=1e-12, atol=1e-14)
    scale = np.abs(other.influence).max()
    np.testing.assert_allclose(mine.influence, other.influence, rtol=0, atol=1e-10 * scale)

"""Quadratics over a box and a simplex by factors, against those by their matrix."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import native_or_skip

from fastaif import _compute
from fastaif.solvers import box_qp, kink_qp

SIZES = [(4, 0), (3, 4), (12, 0), (0, 6), (30, 9), (40, 0), (1, 0), (150, 20)]


def operation(backend, name):
    found = _compute._numba_operation(name)
    return getattr(native_or_skip(), name) if backend == "native" else found


def made(rng, n_box, n_simplex):
    k = n_box + n_simplex
    W = rng.normal(size=(k, 6)) * np.exp(rng.normal(size=k))[:, None]
    start = np.append(rng.choice([-1.0, 0.3, 1.0], n_box), np.eye(n_simplex)[:1])
    move = 4.0 * rng.normal(size=6)
    return kink_qp.Problem(W, W @ rng.normal(size=6), n_box, start, move)


@pytest.mark.parametrize("sweeps", [(50, 500), (0,), ()])
def test_minima(monkeypatch, rng, sweeps):
    """From near and far; by sweeps, from the start's own active set, and by the matrix."""
    monkeypatch.setattr(kink_qp, "_SWEEPS", sweeps)
    for n_box, n_simplex in SIZES:
        problem = made(rng, n_box, n_simplex)
        W, start = problem.columns, problem.start
        G = W @ W.T
        b = -(W @ problem.move) - problem.offsets - G @ start
        wanted = box_qp.minimise(G + 1e-9 * np.diag(G.diagonal()), b, n_box).x
        x, move = kink_qp.minimise(problem)
        np.testing.assert_allclose(move, problem.move - (x - start) @ W, atol=1e-8)
        assert np.abs(x[:n_box]).max(initial=0.0) <= 1.0, (n_box, n_simplex)
        assert x[n_box:].min(initial=0.0) >= 0.0, (n_box, n_simplex)
        assert n_simplex == 0 or x[n_box:].sum() == pytest.approx(1.0, abs=1e-9)
        value, least = (0.5 * one @ G @ one + b @ one for one in (x, wanted))
        size = np.abs(b).sum() + np.abs(G).sum()  # what slopes are small against
        assert value <= least + 1e-9 * size, (n_box, n_simplex)


@pytest.mark.parametrize("backend", ["numba", "native"])
def test_what_is_settled_has_a_simplex_that_sums_to_one(backend, rng):
    """Where others span the simplex's columns what is left of its sum would be lost."""
    settle = operation(backend, "kink_settle")
    settled = 0
    for _ in range(300):
        d = int(rng.integers(1, 4))
        n_simplex, n_box = int(rng.integers(1, d + 1)), int(rng.integers(5, 40))
        W, offsets = rng.normal(size=(n_box + n_simplex, d)), rng.normal(size=n_box + n_simplex)
        start = np.append(rng.uniform(-1.0, 1.0, n_box), np.full(n_simplex, 1.0 / n_simplex))
        first, move, shares = rng.normal(size=d), np.empty(d), start.copy()
        swept = first.copy()
        operation(backend, "kink_descent")(W, offsets, shares, swept, n_box, 50)
        if settle(W, offsets, start, first, n_box, 1e-11, shares, move):
            settled += 1
            assert shares[n_box:].sum() == pytest.approx(1.0, abs=1e-13)
    assert settled > 30


@pytest.mark.parametrize("backend", ["numba", "native"])
@pytest.mark.parametrize("rank", [3, 20])
@pytest.mark.parametrize(("n_box", "n_simplex"), [(300, 0), (250, 40), (0, 40)])
def test_minima_are_settled_from_anywhere(backend, n_box, n_simplex, rank, rng):
    """Of columns that nearly depend on each other, and some that are there twice: the model at u,
    which is never below the dual, is no more than that."""
    settle, d, k = operation(backend, "kink_settle"), 20, n_box + n_simplex
    for size in (10.0, 1e3):
        W = rng.normal(size=(k, d)) @ np.diag(np.logspace(0.0, -4.0, d)) @ rng.normal(size=(d, d))
        W[: k // 3] = W[:1]
        W += rng.normal(size=(k, rank)) @ rng.normal(size=(rank, d))
        offsets = size * rng.normal(size=k)
        start = np.append(rng.choice([-1.0, 0.3, 1.0], n_box), np.eye(max(n_simplex, 1))[0])[:k]
        first, move, shares = 30.0 * size * rng.normal(size=d), np.empty(d), start.copy()
        assert settle(W, offsets, start, first, n_box, 1e-11, shares, move)
        assert np.abs(shares).max() <= 1.0
        assert shares[n_box:].min(initial=0.0) >= 0.0
        problem = kink_qp.Problem(W, offsets, n_box, start, first)
        lack = kink_qp._lack(problem, kink_qp.Minimum(shares, move))
        assert lack <= 1e-8 * (0.5 * first @ first + np.abs(offsets).sum())


def test_nothing_to_move():
    """Entries of no length stay where they are."""
    problem = kink_qp.Problem(
        np.zeros((3, 2)), np.zeros(3), 3, np.array([-1.0, 0.2, 1.0]), np.ones(2)
    )
    x, move = kink_qp.minimise(problem)
    np.testing.assert_array_equal(x, problem.start)
    np.testing.assert_array_equal(move, problem.move)


def test_a_first_step_may_be_rough(monkeypatch, rng):
    """What the model falls by is within a hundredth of the most, and no less than is told."""
    monkeypatch.setattr(kink_qp, "_settled", lambda problem, near: None)
    for n_box, n_simplex in SIZES:
        problem = made(rng, n_box, n_simplex)
        offsets = problem.offsets
        if n_simplex:
            offsets[n_box:] -= offsets[n_box:].max()

        def model(v, problem=problem):
            W, o, n = problem.columns, problem.offsets, problem.n_box
            ends = W @ v + o
            value = 0.5 * v @ v - (problem.move + problem.start @ W) @ v + np.abs(ends[:n]).sum()
            return value + ends[n:].max(initial=-np.inf if n < ends.size else 0.0)

        exact = kink_qp.minimise(problem)
        least = model(np.zeros(6)) - model(exact.move)
        assert kink_qp.decrease(problem, exact) == pytest.approx(least, rel=1e-6)
        rough = kink_qp.minimise(problem, 0.0)
        fall = model(np.zeros(6)) - model(rough.move)
        assert 0.98 * least <= fall <= kink_qp.decrease(problem, rough) * (1.0 + 1e-12)

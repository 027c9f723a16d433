"""The passes of the bootstrap over a range of rows, on every backend and instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import bootstrap as twin
from support.operations import HUBER, LOGISTIC, POISSON, SQUARED_ERROR

from fastaif._compute import get
from fastaif._compute import types as c

SEED, DELTA = (3 << 34) + 11, 0.7
LOSSES = {
    SQUARED_ERROR: lambda f, y: (2.0 * (f - y), 2.0 + 0.0 * f),
    LOGISTIC: lambda f, y: (-y / (1.0 + np.exp(y * f)), 0.25 / np.cosh(0.5 * f) ** 2),
    POISSON: lambda f, y: (np.exp(f) - y, np.exp(f)),
    HUBER: lambda f, y: (
        (f - y) / np.hypot(1.0, (f - y) / DELTA), np.hypot(1.0, (f - y) / DELTA) ** -3
    ),
}  # fmt: skip
# Rows, columns and draws: one of each, ends of panels on either side, Hessians by Gram matrices.
SHAPES = [(1, 1, 1), (7, 3, 5), (40, 39, 9), (333, 20, 13), (130, 50, 17), (515, 8, 40)]


class Case:
    """Hard rows: units, weights of zero, and a theta for each draw."""

    def __init__(self, loss, shape, *, intercept, weighted, kept, dtype):
        self.loss, (self.n, m, self.count) = loss, shape
        rng = np.random.default_rng(sum(shape))
        self.x = rng.normal(size=(self.n, m)).astype(dtype)
        self.shift, self.inverse_scale = rng.normal(size=m), rng.uniform(0.5, 2.0, m)
        v = (self.x - self.shift) * self.inverse_scale
        self.v = np.column_stack([v, np.ones(self.n)]) if intercept else v
        self.d = self.v.shape[1]
        self.thetas = rng.normal(size=(self.count, self.d)) / np.sqrt(self.d)
        counts = rng.poisson(1.0, self.n).astype(float)
        self.y = np.where(counts > 0, 1.0, -1.0) if loss == LOGISTIC else counts
        self.w = rng.exponential(size=self.n) * (np.arange(self.n) % 5 > 0) if weighted else c.EMPTY
        self.norms = rng.random(self.n)
        self.numbers = np.arange(100, 100 + self.count)
        self.factors = np.array([twin.weights(SEED, int(b), self.n) for b in self.numbers])
        whole = -(-self.count // 8) * 8
        self.kept = np.empty((whole, self.n) if kept else (0, 0))

    def found(self, name, places, theta, need=None):
        """The sums by an operation, which sees the rows in two ranges."""
        k, flags = len(places), () if need is None else (need,)
        shape = (k if need != 0 else 0, self.d, self.d)
        sums = c.DrawSums(
            np.zeros(shape), np.zeros((k, self.d)), np.zeros((k, self.d)), np.zeros((k, 4))
        )
        predictor = c.Predictor(c.EMPTY, 0.0, self.shift, self.inverse_scale)
        inner = c.Inner(self.loss, DELTA, 0.0, 0.0, c.EMPTY, 0.0)
        for start, stop in ((0, self.n // 3), (self.n // 3, self.n)):
            if stop > start:
                weight = self.w[start:stop] if self.w.size else self.w
                rows = c.Rows(self.x[start:stop], self.y[start:stop], weight)
                draws = c.Draws(SEED, self.numbers[places], start, places, self.kept)
                norms = self.norms[start:stop]
                get(name)(rows, norms, predictor, inner, draws, theta, *flags, sums)
        return sums

    def wanted(self, place, theta):
        """The sums of one draw: H, gradient, mixed, scalars."""
        w = self.factors[place] * (self.w if self.w.size else 1.0)
        first, second = LOSSES[self.loss](self.v @ theta, self.y)
        size, lengths = w * np.abs(first), np.linalg.norm(self.v, axis=1)
        return (
            (self.v * (w * second)[:, None]).T @ self.v,
            self.v.T @ (w * first),
            self.v.T @ (w * second * np.sign(first)),
            np.array([w.sum(), w @ self.norms, size.sum(), size @ lengths]),
        )


def assert_sums(found, wanted, parts):
    for part in parts:
        mine = getattr(found, part)
        theirs = np.array([w[c.DrawSums._fields.index(part)] for w in wanted])
        if part == "hessian":
            mine, theirs = np.tril(mine), np.tril(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-13 * (1 + np.abs(theirs).max()))


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_of_draws(engine, shape, loss, weighted, kept):
    dtype, intercept = (np.float32, False) if shape[0] == 7 else (np.float64, True)
    case = Case(loss, shape, intercept=intercept, weighted=weighted, kept=kept, dtype=dtype)
    everyone = np.arange(case.count)
    theta = case.thetas[0]
    started = case.found("bootstrap_start", everyone, theta)
    wanted = [case.wanted(b, theta) for b in everyone]
    assert_sums(started, wanted, ("hessian", "gradient", "scalars"))
    assert not started.mixed.any()
    for places in (everyone, np.arange(0, case.count, 3), everyone[-1:]):
        thetas = np.ascontiguousarray(case.thetas[places])
        wanted = [case.wanted(b, case.thetas[b]) for b in places]
        for need in (c.NEED_HESSIAN, 0):
            sums = case.found("bootstrap_sums", places, thetas, need)
            parts = ("hessian",) * (need > 0) + ("gradient", "mixed", "scalars")
            assert_sums(sums, wanted, parts)


def test_rows_of_no_weight_may_overflow(engine):
    case = Case(
        POISSON, (20, 2, 3), intercept=True, weighted=True, kept=True, dtype=np.float64
    )
    calm = case.found("bootstrap_start", np.arange(3), case.thetas[0])
    case.x[case.w == 0.0] = 1e5
    case.thetas = np.abs(case.thetas)
    wild = case.found("bootstrap_start", np.arange(3), case.thetas[0])
    later = case.found("bootstrap_sums", np.arange(3), case.thetas, c.NEED_HESSIAN)
    assert np.isfinite(calm.hessian).all()
    for sums in (wild, later):
        assert all(np.isfinite(part).all() for part in sums)

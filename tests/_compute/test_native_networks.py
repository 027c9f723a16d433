"""The C operations of networks against their Numba versions, on every instruction set."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from support.operations import (
    HUBER,
    KINDS,
    LOGISTIC,
    SQUARED_ERROR,
    assert_sums,
    both,
    empty_sums,
    make_rows,
    parameter_of,
    wide,
)

from fastaif._compute import _numba_operation
from fastaif._compute import types as c

ACTIVATIONS = {"tanh": c.TANH, "softplus": c.SOFTPLUS, "gelu": c.GELU}
NEEDS = {
    "gradient": c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK,
    "hessian": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM,
    "gauss-newton": c.NEED_HESSIAN | c.NEED_GAUSS_NEWTON,
    "influence": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_MIXED | c.NEED_NORM,
    "mixed": c.NEED_GRADIENT | c.NEED_MIXED,
}
PASSES = [
    ("gradient", 0.0), ("hessian", 0.0), ("gauss-newton", 0.0), ("influence", 0.0),
    ("influence", 1.5), ("influence", np.inf), ("mixed", 1.5),
]  # fmt: skip
SHAPES = [(1, 1, 1, False), (77, 5, 3, True), (300, 3, 8, False), (700, 10, 13, True)]


def make_network(rng, activation, m, h, scaled, size=1.0):
    units = [rng.normal(size=m), rng.uniform(0.5, 2.0, m)] if scaled else [c.EMPTY] * 2
    w1, b1, w2 = rng.normal(size=(m, h)), rng.normal(size=h), rng.normal(size=h)
    return c.Network(ACTIVATIONS[activation], size * w1, b1, w2 / np.sqrt(h), 0.3, *units)


def inner_of(loss, exponent=0.0, multiplier=c.EMPTY):
    return c.Inner(loss, parameter_of(loss), 0.0, 0.0, multiplier, exponent)


def steps_of(p, radius, n_steps, draws, step=0.0):
    return c.Steps(p, radius, c.EMPTY, n_steps, step, draws, 5, 3)


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network_sums(extension, rng, activation, loss):
    shapes = list(zip(SHAPES, (2.0, np.inf, 1.5, 1.0), strict=True))
    for ((n, m, h, scaled), p), (need, exponent) in product(shapes, PASSES):
        network = make_network(rng, activation, m, h, scaled)
        rows = make_rows(rng, loss, n, m, scaled, np.float32 if n == 77 else np.float64)
        units = (rng.normal(size=m), rng.uniform(0.5, 2.0, m)) if n == 300 else (c.EMPTY,) * 2
        attack = c.Attack(p, rng.uniform(0.5, 2.0, m) * (np.arange(m) != 1))
        found = []
        operations = both(extension, "network_sums")
        for operation, given in zip(operations, (rows, wide(rows)), strict=True):
            sums = empty_sums(NEEDS[need], n, (m + 2) * h)
            operation(
                given, network, c.NormOf(p, *units), attack, inner_of(loss, exponent),
                NEEDS[need], sums,
            )  # fmt: skip
            found.append(sums)
        assert_sums(*found, f"{n} rows, {need}, exponent {exponent}")


@pytest.mark.long
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_numba_reads_single_precision_as_it_does_double(rng, activation):
    """Above Numba is handed doubles of the same values: another type takes long to compile."""
    network = make_network(rng, activation, 5, 3, True)
    rows = make_rows(rng, SQUARED_ERROR, 77, 5, True, np.float32)
    norm_of, attack = c.NormOf(1.5, c.EMPTY, c.EMPTY), c.Attack(1.5, np.ones(5))
    found = []
    for given in (rows, wide(rows)):
        sums = empty_sums(NEEDS["influence"], 77, 21)
        _numba_operation("network_sums")(
            given, network, norm_of, attack, inner_of(SQUARED_ERROR), NEEDS["influence"], sums
        )
        found.append(sums)
    assert_sums(*found)


@pytest.mark.parametrize(("n", "m", "h", "scaled"), SHAPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rows(extension, rng, activation, n, m, h, scaled):
    network = make_network(rng, activation, m, h, scaled)
    step = make_network(rng, activation, m, h, scaled)
    rows = make_rows(rng, LOGISTIC, n, m, scaled, np.float64)
    attack = c.Attack(2.0, rng.uniform(0.5, 2.0, m))
    found = []
    for which in range(2):
        f, speed, bend = np.empty((3, n))
        slopes, shares = np.empty((2, m, n)), np.empty((n, (m + 2) * h + 1))
        both(extension, "network_predictions")[which](rows.x, network, f)
        move = both(extension, "network_moves")[which]
        move(rows.x, network, step, speed, bend, slopes)
        move(rows.x, network, step, speed, bend, np.empty((2, m, 0)))
        both(extension, "network_shares")[which](
            rows, network, attack, inner_of(LOGISTIC), shares
        )
        found.append((f, speed, bend, slopes, shares))
    for mine, theirs in zip(*found, strict=True):
        size = np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12 * size)


@pytest.mark.parametrize("radius", [1e-6, 0.05, 0.7])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_ascents_reach_the_same_maxima(extension, rng, activation, p, radius):
    for n, m, h, scaled in SHAPES[:3]:
        network = make_network(rng, activation, m, h, scaled, size=0.5)
        rows = make_rows(rng, SQUARED_ERROR, n, m, False, np.float64)
        free = np.arange(m) != 1
        moves = np.ascontiguousarray(network.w1[free])
        found = []
        for operation in both(extension, "network_ascent"):
            t, f = np.empty((n, int(free.sum()))), np.empty(n)
            steps = steps_of(p, radius, 2000, 2)
            operation(rows, network, moves, inner_of(SQUARED_ERROR), steps, t, f)
            found.append((t, f))
        (t, f), (_, theirs) = found
        losses, reference = (f - rows.y) ** 2, (theirs - rows.y) ** 2
        # Where steps crawl along a ridge, rounding decides when they stop: f can tell less.
        np.testing.assert_allclose(losses, reference, rtol=1e-8, atol=1e-12)
        assert np.median(np.abs(f - theirs)) <= 1e-14
        assert np.all(np.linalg.norm(t, p, axis=1) <= radius * (1 + 1e-12))


@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_a_few_steps_are_the_same_steps(extension, rng, p):
    """Random starts, given steps, sides and steps that stop early."""
    n, m, h = 203, 4, 6
    network = make_network(rng, "tanh", m, h, True, size=0.5)
    rows = make_rows(rng, HUBER, n, m, False, np.float64)
    sides = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    for n_steps, draws, step, multiplier in [
        (3, 4, 0.0, c.EMPTY), (7, 2, 0.05, c.EMPTY), (5, 3, 0.0, sides), (0, 1, 0.0, c.EMPTY),
    ]:  # fmt: skip
        found = []
        for operation in both(extension, "network_ascent"):
            t, f = np.empty((n, m)), np.empty(n)
            inner = inner_of(HUBER, multiplier=multiplier)
            steps = steps_of(p, 0.4, n_steps, draws, step)
            operation(rows, network, network.w1, inner, steps, t, f)
            found.append((t, f))
        (t, f), (others, theirs) = found
        np.testing.assert_allclose(t, others, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(f, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("p", [1.5, 2.0, np.inf])
def test_a_row_does_not_depend_on_its_company(extension, rng, p):
    n, m, h = 150, 5, 7
    network = make_network(rng, "gelu", m, h, False)
    rows = make_rows(rng, SQUARED_ERROR, n, m, False, np.float64)
    inner = inner_of(SQUARED_ERROR)

    def run(rows):
        t, f = np.empty((len(rows.y), m)), np.empty(len(rows.y))
        extension.network_ascent(
            rows, network, network.w1, inner, steps_of(p, 0.9, 60, 2), t, f
        )
        return np.column_stack([t, f])

    together = run(rows)
    for part in (slice(0, 1), slice(13, 14), slice(40, 97)):
        alone = run(c.Rows(rows.x[part], rows.y[part], c.EMPTY))
        np.testing.assert_array_equal(alone, together[part])


def test_extreme_slopes_and_arguments(extension):
    """Slopes whose squares underflow, none at all, saturated units, and rows without numbers."""
    w1 = np.array([[1e-170, 0.0, 1.0], [2e-170, 0.0, -1.0]])
    network = c.Network(
        c.TANH, w1, np.zeros(3), np.array([1.0, 1.0, 0.0]), 0.0, c.EMPTY, c.EMPTY
    )
    x = np.array([[0.0, 0.0], [1e3, -1e3], [1e300, 0.0], [np.nan, 0.0]])
    rows = c.Rows(x, np.full(4, -1.0), c.EMPTY)
    for p in (2.0, np.inf):
        found = []
        for operation in both(extension, "network_ascent"):
            t, f = np.empty((4, 2)), np.empty(4)
            operation(
                rows, network, w1, inner_of(SQUARED_ERROR), steps_of(p, 0.5, 20, 2), t, f
            )
            found.append((t, f))
        for mine, theirs in zip(*found, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        assert np.isnan(found[0][1][3])

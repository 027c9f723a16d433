"""The C operations of basis models against their Numba versions, on every instruction set."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from support.operations import (
    BASES,
    KINDS,
    SQUARED_ERROR,
    assert_sums,
    both,
    empty_sums,
    make_basis,
    make_rows,
    parameter_of,
    wide,
)

from fastaif._compute import _numba_operation
from fastaif._compute import types as c

NEEDS = {
    "hessian": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM,
    "influence": c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_MIXED | c.NEED_NORM,
    "yardstick": c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK,
    "moments": c.NEED_HESSIAN | c.NEED_MIXED | c.NEED_MOMENTS,
}


@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("kind", BASES)
def test_basis_sums(extension, rng, kind, loss, need):
    shapes = [(1, 1, 2.0, False), (77, 5, np.inf, True), (300, 3, 1.5, True)]
    for (n, m, p, hard), exponent in product(shapes, [0.0, 1.5, np.inf]):
        basis, d = make_basis(rng, kind, m, hard)
        rows = make_rows(rng, loss, n, m, hard, np.float32 if n == 77 else np.float64)
        beta = 0.3 * rng.normal(size=d)
        predictor = c.Predictor(beta, 0.2, c.EMPTY, c.EMPTY)
        units = (rng.normal(size=m), rng.uniform(0.5, 2.0, m)) if n == 300 else (c.EMPTY,) * 2
        attack = c.Attack(p, rng.uniform(0.5, 2.0, m) * (np.arange(m) != 1))
        inner = c.Inner(loss, parameter_of(loss), 0.0, 0.0, c.EMPTY, exponent)
        found = []
        for operation, given in zip(both(extension, "basis_sums"), (rows, wide(rows)), strict=True):
            sums = empty_sums(NEEDS[need], n, d)
            norm_of = c.NormOf(p, *units)
            operation(given, basis, predictor, norm_of, attack, inner, NEEDS[need], sums)
            found.append(sums)
        assert_sums(*found, f"{n} rows, exponent {exponent}")


@pytest.mark.long
@pytest.mark.parametrize("kind", BASES)
def test_numba_reads_single_precision_as_it_does_double(rng, kind):
    """Above Numba is handed doubles of the same values: another type takes long to compile."""
    basis, d = make_basis(rng, kind, 5, True)
    rows = make_rows(rng, SQUARED_ERROR, 77, 5, True, np.float32)
    predictor = c.Predictor(0.3 * rng.normal(size=d), 0.2, c.EMPTY, c.EMPTY)
    norm_of, attack = c.NormOf(1.5, c.EMPTY, c.EMPTY), c.Attack(1.5, np.ones(5))
    inner, found = c.Inner(SQUARED_ERROR, 0.7, 0.0, 0.0, c.EMPTY, 0.0), []
    U, products = rng.normal(size=(d + 1, 3)), []
    for given in (rows, wide(rows)):
        sums, out = empty_sums(NEEDS["influence"], 77, d), np.ones_like(U)
        _numba_operation("basis_sums")(
            given, basis, predictor, norm_of, attack, inner, NEEDS["influence"], sums
        )
        _numba_operation("basis_products")(given.x, np.abs(rows.y), basis, U, out)
        found.append(sums)
        products.append(out)
    assert_sums(*found)
    np.testing.assert_allclose(*products, rtol=1e-12, atol=1e-12 * np.abs(products[1]).max())


@pytest.mark.parametrize("exponent", [0.0, 0.5])
@pytest.mark.parametrize("need", ["hessian", "influence", "yardstick"])
@pytest.mark.parametrize("loss", KINDS)
def test_block_sums(extension, rng, loss, need, exponent):
    for d, k in [(1, 1), (9, 30), (30, 8)]:
        compare_block_sums(extension, rng, d, k, loss, NEEDS[need], exponent)


def compare_block_sums(extension, rng, d, k, loss, need, exponent):
    v, gains = rng.normal(size=(d, k)), rng.random(k)
    gains[0] = 0.0
    rows = make_rows(rng, loss, k, 1, True, np.float64)
    inner, found = c.Inner(loss, parameter_of(loss), 0.0, 0.0, c.EMPTY, exponent), []
    directions = c.Directions(gains, np.round(2 * rng.random(k)))
    if not need & c.NEED_MIXED:
        directions = c.Directions(c.EMPTY, c.EMPTY)
    block = c.Block(v, rng.normal(size=k), rng.random(k))
    for operation in both(extension, "block_sums"):
        sums, rates = empty_sums(need, k, d), np.empty((2, k))
        sums.scalars[c.S_PEAK] = 0.3
        sums.vectors[:] = 1.0
        again = c.Block(block.v.copy(), block.f.copy(), block.norms)
        factor = operation(again, directions, rows.y, rows.weight, inner, need, rates, sums)
        found.append((c.Sums(*sums), rates, factor))
    (mine, rates, factor), (theirs, their_rates, their_factor) = found
    assert_sums(mine, theirs, f"{d} features, {k} rows")
    np.testing.assert_allclose(rates, their_rates, rtol=1e-12, atol=1e-14)
    assert factor == pytest.approx(their_factor, rel=1e-12)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (90, 4), (301, 7)])
def test_basis_moments(extension, rng, kind, n, m, scaled):
    basis, d = make_basis(rng, kind, m, scaled)
    rows = make_rows(rng, SQUARED_ERROR, n, m, scaled, np.float64)
    origin, found = rng.normal(size=d), []
    for operation in both(extension, "basis_moments"):
        totals = np.full((3, d), 0.5)
        operation(rows, basis, origin, totals)
        found.append(totals)
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12 * np.abs(found[1]).max())


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (6, 9), (703, 5)])
@pytest.mark.parametrize("kind", BASES)
def test_products(extension, rng, kind, n, m, scaled):
    basis, d = make_basis(rng, kind, m, scaled)
    for count, dtype in product([1, 3], [np.float64, np.float32]):
        x, curvatures = rng.normal(size=(n, m)).astype(dtype), rng.random(n)
        U = rng.normal(size=(d + 1, count))
        mine, theirs = np.ones_like(U), np.ones_like(U)
        compiled, twin = both(extension, "basis_products")
        compiled(x, curvatures, basis, U, mine)
        twin(x.astype(np.float64), curvatures, basis, U, theirs)
        np.testing.assert_allclose(
            mine, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max(), err_msg=f"{count}, {dtype}"
        )

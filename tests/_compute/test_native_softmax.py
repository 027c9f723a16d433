"""The sums of softmax models: C beside Numba, over sizes that fill blocks and lanes or do not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support.operations import both

from fastaif import _compute
from fastaif._compute import types as c

ALL = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_MIXED | c.NEED_LOSS
SHAPES = list(itertools.product([2, 3, 9], [1, 4, 17], [1, 9, 700]))


def sums_of(operation, rows, coef, units, norm_of, attack, exponent, need):
    K, size = coef.shape
    shape = (K * (K - 1) // 2, size, size) if need & c.NEED_HESSIAN else (0, 0, 0)
    raw = c.Sums(np.zeros(shape), np.zeros((c.N_VECTORS, coef.size)), np.zeros(c.N_SCALARS))
    operation(rows, coef, *units, norm_of, attack, exponent, need, raw)
    return np.tril(raw.hessian), raw.vectors, raw.scalars


def case(rng, K, m, n, intercept, dtype):
    """Rows, some of no weight, and a model behind a scaler."""
    rows = c.Rows(
        rng.normal(size=(n, m)).astype(dtype), rng.integers(0, K, n).astype(float),
        rng.exponential(size=n) * (np.arange(n) % 5 != 1),
    )  # fmt: skip
    units = rng.normal(size=m), rng.uniform(0.5, 2.0, m)
    return rows, rng.normal(size=(K, m + intercept)), units


@pytest.mark.parametrize(("p", "exponent"), [(1.0, 0.0), (2.0, 0.0), (3.0, 0.5), (np.inf, 1.0)])
@pytest.mark.parametrize("intercept", [0, 1])
def test_both_have_the_same_sums(extension, intercept, p, exponent):
    rng = np.random.default_rng(7)
    mine, theirs = both(extension, "softmax_sums")
    for (K, m, n), dtype in zip(SHAPES, itertools.cycle([np.float64, np.float32]), strict=False):
        rows, coef, units = case(rng, K, m, n, intercept, dtype)
        attack = c.Attack(p, np.linspace(0.5, 1.0, m))
        for need, own in ((ALL | c.NEED_NORM, False), (ALL | c.NEED_YARDSTICK, True)):
            norm_of = c.NormOf(2.0, c.EMPTY, c.EMPTY) if own else c.NormOf(p, *units)
            given = rows, coef, units, norm_of, attack, exponent, need
            for found, wanted in zip(sums_of(mine, *given), sums_of(theirs, *given), strict=True):
                size = 1e-13 * np.abs(wanted).max(initial=1.0)
                np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=size)


@pytest.mark.parametrize("size", [1e3, 1e-3])
def test_sure_rows_keep_their_digits(extension, size):
    """Of a row that is sure of its class 1 − π_y is no difference from 1."""
    rng = np.random.default_rng(3)
    rows, coef, units = case(rng, 4, 3, 40, 1, np.float64)
    given = rows, size * coef, units, c.NormOf(2.0, c.EMPTY, c.EMPTY), c.Attack(2.0, np.ones(3))
    mine, theirs = both(extension, "softmax_sums")
    for found, wanted in zip(
        sums_of(mine, *given, 0.0, ALL), sums_of(theirs, *given, 0.0, ALL), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-13 * np.abs(wanted).max())


@pytest.mark.parametrize("wrong", [-1.0, 3.0, np.nan])
def test_numbers_of_no_class_are_refused(extension, wrong):
    rng = np.random.default_rng(0)
    rows, coef, units = case(rng, 3, 2, 9, 1, np.float64)
    rows.y[4] = wrong
    for operation in both(extension, "softmax_sums"):
        with pytest.raises(ValueError, match="numbers of classes"):
            sums_of(
                operation, rows, coef, units, c.NormOf(2.0, c.EMPTY, c.EMPTY),
                c.Attack(2.0, np.ones(2)), 0.0, ALL,
            )  # fmt: skip


def test_what_is_not_finite_shows(extension):
    rng = np.random.default_rng(1)
    rows, coef, units = case(rng, 3, 2, 9, 1, np.float64)
    rows.x[2, 1] = np.nan
    for operation in both(extension, "softmax_sums"):
        _, vectors, scalars = sums_of(
            operation, rows, coef, units, c.NormOf(2.0, c.EMPTY, c.EMPTY),
            c.Attack(2.0, np.ones(2)), 0.0, c.NEED_LOSS | c.NEED_GRADIENT,
        )  # fmt: skip
        assert np.isnan(vectors[c.V_F]).any()
        assert np.isnan(scalars[c.S_LOSS])


def test_it_is_in_both_backends():
    assert "softmax_sums" not in _compute.NUMBA_ONLY

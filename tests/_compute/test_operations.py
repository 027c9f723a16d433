"""The compiled one-pass sums against NumPy, for every loss, type, shape and thread count."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from oracles import linear as twin
from support.makers import ORDERS, about, make
from support.sums import ALL, assert_same_bits, assert_sums, naive_sums, sweep

from fastaif._compute import get
from fastaif._compute import types as c
from fastaif.bases import Linear
from fastaif.data import parallel, rows
from fastaif.threat.ball import make_ball

pytestmark = pytest.mark.usefixtures("engine")

# In Numba 1024 rows are a block up to 48 columns, 163 rows at 300; in C 512 up to 64, 104 at 300.
SHAPES = [
    (1, 1), (1, 5), (7, 1), (40, 3), (64, 8), (1023, 8), (1025, 13), (2049, 1), (2500, 17),
    (164, 300), (500, 300),
]  # fmt: skip


def parameters(m, intercept=True):
    theta = np.random.default_rng(m).normal(size=m + intercept) / np.sqrt(m)
    return 0.3 * theta


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_sums(kind, n, m, weighted):
    for dtype in (np.float64, np.float32):
        compare_sums(kind, n, m, dtype, weighted)


def compare_sums(kind, n, m, dtype, weighted):
    X, y, w = make(kind, n, m, seed=n + m, weighted=weighted)
    if weighted:
        w[0] = 1.0  # not all of them may be zero
    X, theta = X.astype(dtype), parameters(m)
    found = sweep(kind, X, y, w).run(theta, ALL)
    assert_sums(found, naive_sums(kind, X, y, w, theta))
    total = n if w is None else w.sum()
    assert found.weight == about(total)
    assert found.effective_size == about(total**2 / (n if w is None else w @ w))


@pytest.mark.parametrize("need", [0, c.NEED_GRADIENT, c.NEED_GRADIENT | c.NEED_HESSIAN, ALL])
def test_parts_are_the_same_whatever_else_is_asked_for(kind, need):
    X, y, w = make(kind, 300, 6, weighted=True)
    theta = parameters(6)
    found, whole = (sweep(kind, X, y, w).run(theta, asked) for asked in (need, ALL))
    assert found.gain == about(whole.gain)
    assert found.scalar(c.S_FF) == about(whole.scalar(c.S_FF))
    assert found.scalar(c.S_F2) == about(whole.scalar(c.S_F2))
    if need & c.NEED_GRADIENT:
        np.testing.assert_allclose(found.gradient, whole.gradient, rtol=1e-12, atol=1e-15)
    if need & c.NEED_HESSIAN:
        np.testing.assert_allclose(found.hessian, whole.hessian, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found.mixed_direction, whole.mixed_direction, atol=1e-14)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_shift_and_scale(kind, fit_intercept, rng):
    X, y, w = make(kind, 1100, 9, weighted=True)
    shift, scale = rng.normal(size=9), rng.uniform(0.5, 3.0, size=9)
    theta = parameters(9, fit_intercept)
    options = {"basis": Linear(shift, scale), "fit_intercept": fit_intercept}
    found = sweep(kind, X, y, w, **options).run(theta, ALL)
    assert_sums(found, naive_sums(kind, X, y, w, theta, shift, scale))


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("space", ["scaled", "raw"])
@pytest.mark.parametrize("attackable", [None, np.arange(6) != 2])
@pytest.mark.parametrize("feature_scale", [None, np.array([1.0, 2.0, 0.0, 0.1, 3.0, 1.0])])
def test_mean_norm(p, space, attackable, feature_scale, rng):
    X, y, w = make("linear", 1100, 6, weighted=True)
    shift, scale = rng.normal(size=6), rng.uniform(0.5, 3.0, size=6)
    attack = {"feature_scale": feature_scale, "attackable": attackable, "attack_space": space}
    for basis, units in (
        (Linear(), {}),
        (Linear(shift, scale), {"shift": shift, "scale": scale}),
    ):
        ball = make_ball(basis, 6, p=p, radius=None, **attack)
        found = sweep("linear", X, y, w, basis=basis, ball=ball).run(
            np.zeros(7), c.NEED_GRADIENT | c.NEED_NORM
        )
        _, wanted = twin.attack_scale(X, p=p, sample_weight=w, **units, **attack)
        assert found.mean_norm == about(wanted)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e160, 1e200, 1e300])
def test_norms_of_extreme_rows(p, size):
    X = np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]) * size
    ball = make_ball(Linear(), 3, p=p, radius=None, feature_scale=None, attackable=None,
                     attack_space="scaled")  # fmt: skip
    found = sweep("linear", X, np.zeros(3), ball=ball).run(np.zeros(4), c.NEED_NORM)
    wanted = twin.norm(X / size, p).mean() * size
    assert found.mean_norm == about(wanted)


def test_two_norms_cannot_come_from_one_pass():
    """The yardstick needs the 2-norm of the model's inputs, whatever the attack's norm."""
    X, y, _ = make("linear", 50, 4)
    ball = make_ball(
        Linear(), 4, p=1.0, radius=None, feature_scale=None, attackable=None, attack_space="scaled"
    )
    with pytest.raises(ValueError, match="one pass"):
        sweep("linear", X, y, ball=ball).run(np.zeros(5), c.NEED_NORM | c.NEED_YARDSTICK)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_do_not_change_a_bit(kind, dtype, monkeypatch):
    monkeypatch.setattr(parallel, "_SERIAL_ENTRIES", 0)
    monkeypatch.setattr(rows, "_CHUNK_ENTRIES", 1)
    X, y, w = make(kind, 7001, 5, weighted=True)
    X, theta = X.astype(dtype), parameters(5)
    one = sweep(kind, X, y, w, n_threads=1)
    assert len(one.source.chunks()) == 7
    for _ in range(3):
        assert_same_bits(sweep(kind, X, y, w, n_threads=2).run(theta, ALL), one.run(theta, ALL))
        assert_same_bits(sweep(kind, X, y, w, n_threads=3).run(theta, ALL), one.run(theta, ALL))


def test_threads_do_not_change_a_bit_of_large_data():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(9000, 70)), rng.normal(size=9000)
    theta = parameters(70)
    assert_same_bits(
        sweep("linear", X, y, n_threads=1).run(theta, ALL),
        sweep("linear", X, y, n_threads=2).run(theta, ALL),
    )


def test_single_precision_data_are_summed_in_double(kind):
    X, y, w = make(kind, 500, 6, weighted=True)
    X, theta = X.astype(np.float32), parameters(6)
    single, double = (sweep(kind, x, y, w).run(theta, ALL) for x in (X, X.astype(np.float64)))
    for mine, theirs in zip(single.raw, double.raw, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14, atol=1e-14)


def test_integer_weights_are_repetitions(kind):
    X, y, w = make(kind, 200, 4, weighted=True)
    times, theta = w.astype(int), parameters(4)
    found = sweep(kind, X, y, w).run(theta, ALL)
    repeated = np.repeat(X, times, axis=0), np.repeat(y, times)
    assert_sums(found, naive_sums(kind, *repeated, None, theta))


def test_direct_call_adds_to_what_is_there(kind):
    """The operation adds: two calls on halves make the whole."""
    X, y, _ = make(kind, 90, 4)
    whole = sweep(kind, X, y)
    theta, m = parameters(4), 4
    raw = c.Sums(np.zeros((m, m)), np.zeros((c.N_VECTORS, m)), np.zeros(c.N_SCALARS))
    inner = whole.loss.inner()
    predictor = c.Predictor(theta[:m].copy(), float(theta[m]), c.EMPTY, c.EMPTY)
    for start, stop in ((0, 40), (40, 90)):
        rows = whole.source.rows(start, stop)
        get("linear_sums")(rows, predictor, c.NormOf(2.0, c.EMPTY, c.EMPTY), inner, ALL, raw)
    once = whole.run(theta, ALL).raw
    np.testing.assert_allclose(np.tril(raw.hessian), np.tril(once.hessian), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(raw.vectors, once.vectors, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(raw.scalars, once.scalars, rtol=1e-12)


def test_zero_gradients_are_counted():
    X = np.array([[1.0], [2.0], [3.0], [4.0]])
    y = np.array([1.0, 2.0, 3.5, 4.0])
    found = sweep("linear", X, y, np.array([1.0, 2.0, 1.0, 0.0]), fit_intercept=False).run(
        np.array([1.0]), ALL
    )
    assert found.zero_gradients == 2  # the fourth has no weight


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
def test_nonfinite_rows_show_in_the_sums(kind, p):
    for value, column in product([np.nan, np.inf, -np.inf], [0, 3]):
        X, y, _ = make(kind, 80, 4)
        X[17, column] = value
        ball = make_ball(Linear(), 4, p=p, radius=None, feature_scale=None, attackable=None,
                         attack_space="scaled")  # fmt: skip
        need = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_NORM
        found = sweep(kind, X, y, ball=ball).run(parameters(4), need)
        assert not found.is_finite, (value, column)

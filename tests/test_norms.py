"""Norms and dual directions: against the slow twin, and by what defines them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import norms as twin
from support.makers import ORDERS, about

from fastaif import norms

orders = st.one_of(st.sampled_from(ORDERS), st.floats(1.05, 40.0))
shapes = st.integers(1, 8)


@st.composite
def gradients(draw):
    """Vectors with entries of very unlike magnitudes, zeros among them; not all zero."""
    entry = st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-3.0, 0.0))
    parts = draw(st.lists(entry, min_size=1, max_size=8))
    g = np.array([sign * 10.0**exponent for sign, exponent in parts])
    if not g.any():
        g[0] = 1.0
    return g


@st.composite
def wild_gradients(draw):
    """Entries anywhere between 1e-300 and 1e300."""
    entry = st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(-300.0, 300.0))
    parts = draw(st.lists(entry, min_size=1, max_size=8))
    return np.array([sign * 10.0**exponent for sign, exponent in parts])


@given(gradients(), orders)
def test_norm_agrees_with_the_twin(v, p):
    assert norms.lp_norm(v, p) == about(twin.norm(v, p), rel=1e-14)


@given(gradients(), orders)
def test_direction_agrees_with_the_twin(g, p):
    np.testing.assert_allclose(
        norms.dual_direction(g, p), twin.dual_direction(g, p), rtol=1e-12, atol=1e-300
    )


@given(wild_gradients(), orders)
def test_direction_attains_the_dual_norm(g, p):
    direction = norms.dual_direction(g, p)
    # Divide before multiplying: the products themselves could overflow.
    largest = np.abs(g).max()
    attained = float((g / largest) @ direction)
    wanted = float(norms.lp_norm(g / largest, norms.conjugate(p)))
    assert attained == about(wanted, rel=1e-12)
    assert norms.lp_norm(direction, p) == about(1.0, rel=1e-12)


@given(wild_gradients(), orders)
def test_norm_neither_overflows_nor_vanishes(v, p):
    largest = np.abs(v).max()
    if largest > 1e299:  # m^(1/p) times the largest entry could itself overflow
        v, largest = v / 10, largest / 10
    size = norms.lp_norm(v, p)
    assert largest * (1 - 1e-15) <= size <= v.size * largest * (1 + 1e-15)
    assert size == about(largest * norms.lp_norm(v / largest, p), rel=1e-13)


@given(gradients(), orders, st.integers(-900, 900))
def test_direction_does_not_see_the_scale(g, p, exponent):
    scaled = np.ldexp(g, exponent)
    np.testing.assert_array_equal(norms.dual_direction(scaled, p), norms.dual_direction(g, p))
    np.testing.assert_array_equal(norms.dual_direction(-g, p), -norms.dual_direction(g, p))


@given(gradients(), orders, st.randoms(use_true_random=False))
def test_direction_moves_with_a_permutation(g, p, random):
    order = list(range(g.size))
    random.shuffle(order)
    if p == 1 and np.count_nonzero(np.abs(g) == np.abs(g).max()) > 1:
        return  # the first of several largest entries is another one after a permutation
    there = norms.dual_direction(g[order], p)
    np.testing.assert_allclose(there, norms.dual_direction(g, p)[order], rtol=1e-12)


@given(gradients(), orders)
def test_rows_are_treated_one_by_one(g, p):
    rows = np.stack([g, np.zeros_like(g), -2.0 * g])
    alone = [norms.dual_direction(row, p) for row in rows]
    np.testing.assert_allclose(norms.dual_direction(rows, p), alone, rtol=1e-14)
    alone = [norms.lp_norm(row, p) for row in rows]
    np.testing.assert_allclose(norms.lp_norm(rows, p), alone, rtol=1e-14)


@pytest.mark.parametrize("p", ORDERS)
def test_zero_gradient_has_zero_direction(p):
    np.testing.assert_array_equal(norms.dual_direction(np.zeros(3), p), np.zeros(3))
    assert norms.lp_norm(np.zeros(3), p) == 0.0


@settings(max_examples=50)
@given(gradients(), orders, st.integers(0, 2**32 - 1))
def test_no_other_direction_gains_more(g, p, seed):
    rng = np.random.default_rng(seed)
    rivals = rng.normal(size=(50, g.size))
    rivals /= np.maximum(norms.lp_norm(rivals, p), 1e-300)[:, None]
    best = float(g @ norms.dual_direction(g, p))
    assert np.all(rivals @ g <= best * (1 + 1e-12))


@given(gradients(), orders, st.integers(0, 2**32 - 1))
def test_scaled_direction_obeys_the_feature_scale(g, p, seed):
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.1, 10.0, size=g.size) * rng.integers(0, 2, size=g.size)
    direction = norms.scaled_direction(g, p, scale)
    np.testing.assert_allclose(
        direction, twin.scaled_direction(g, p, scale), rtol=1e-12, atol=1e-300
    )
    assert not direction[scale == 0].any()
    free = scale > 0
    if (scale * g).any():
        assert norms.lp_norm(direction[free] / scale[free], p) == about(1.0, rel=1e-12)
        gain = norms.lp_norm(scale * g, norms.conjugate(p))
        assert g @ direction == about(gain, rel=1e-12)
    else:
        assert not direction.any()


@pytest.mark.parametrize(
    ("g", "p", "ties"),
    [
        ([3.0, -3.0, 1.0], 1.0, 1),
        ([3.0, -2.0, 1.0], 1.0, 0),
        ([2.0, 2.0, -2.0], 1.0, 2),
        ([0.0, 1.0, 0.0], np.inf, 2),
        ([0.5, 1.0, -1.0], np.inf, 0),
        ([0.0, 1.0, 1.0], 2.0, 0),
        ([0.0, 1.0, 1.0], 1.5, 0),
    ],
)
def test_ties(g, p, ties):
    assert norms.count_ties(np.array(g), p) == ties


def test_first_of_tied_entries_is_taken():
    np.testing.assert_array_equal(norms.dual_direction(np.array([1.0, -2.0, 2.0]), 1), [0, -1, 0])


@pytest.mark.parametrize(("p", "q"), [(1, np.inf), (1.5, 3), (2, 2), (3, 1.5), (np.inf, 1)])
def test_conjugate(p, q):
    assert norms.conjugate(p) == about(q)

"""What the influence must not see, and what it must follow: repetitions, orders, units."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import ORDERS, about, assert_close, estimator, make

import fastaif as fa


def run(kind, X, y, w=None, alpha=0.02, **options):
    """The influence of a fresh fit on these data."""
    return fa.aif(estimator(kind, alpha).fit(X, y, w), X, y, sample_weight=w, **options)


@pytest.mark.parametrize("p", ORDERS)
def test_integer_weights_are_repetitions(kind, p):
    X, y, w = make(kind, weighted=True)
    times = w.astype(int)
    weighted = run(kind, X, y, w, p=p)
    repeated = run(kind, np.repeat(X, times, axis=0), np.repeat(y, times), p=p)
    assert_close(weighted.params, repeated.params, 1e-11)
    assert_close(weighted.influence, repeated.influence)
    assert_close(weighted.hessian, repeated.hessian, 1e-11)
    assert weighted.radius == about(repeated.radius)
    assert weighted.value_derivative == about(repeated.value_derivative, 1e-10)
    assert weighted.validity_radius == about(repeated.validity_radius, 1e-8)
    assert weighted.sensitivity_coefficient == about(repeated.sensitivity_coefficient, 1e-9)
    eps = 3 * min(weighted.validity_radius, 0.1)
    assert weighted.flip_fraction(eps) == pytest.approx(repeated.flip_fraction(eps), abs=1e-12)


def test_only_ratios_of_weights_matter(kind):
    X, y, w = make(kind, weighted=True)
    assert_close(run(kind, X, y, 7.3 * w).influence, run(kind, X, y, w).influence, 1e-10)


@pytest.mark.parametrize("p", ORDERS)
def test_order_of_the_rows(kind, p, rng):
    X, y, w = make(kind, weighted=True)
    order = rng.permutation(len(X))
    there, here = run(kind, X[order], y[order], w[order], p=p), run(kind, X, y, w, p=p)
    assert_close(there.influence, here.influence)
    assert_close(there.per_sample(), here.per_sample()[order], 1e-8)


@pytest.mark.parametrize("p", ORDERS)
def test_order_of_the_features(kind, p, rng):
    X, y, w = make(kind, weighted=True)
    order = rng.permutation(X.shape[1])
    there, here = run(kind, X[:, order], y, w, p=p), run(kind, X, y, w, p=p)
    places = np.append(order, X.shape[1])  # the intercept stays
    assert_close(there.influence, here.influence[places])
    assert_close(there.hessian, here.hessian[np.ix_(places, places)], 1e-11)


@pytest.mark.parametrize("p", ORDERS)
def test_units_of_all_features(kind, p):
    """With s = E||x|| the attack scales along: slopes are per unit, all else is the same."""
    X, y, w = make(kind, weighted=True)
    there, here = (run(kind, k * X, y, w, alpha=0.0, p=p) for k in (4.0, 1.0))
    assert_close(there.influence[:-1], here.influence[:-1] / 4.0)
    assert there.influence[-1] == about(here.influence[-1], 1e-7)
    assert there.radius == about(4.0 * here.radius)
    assert there.sensitivity_coefficient == about(here.sensitivity_coefficient, 1e-9)


@pytest.mark.parametrize("p", ORDERS)
def test_units_of_each_feature_are_its_feature_scale(kind, p, rng):
    X, y, w = make(kind, weighted=True)
    units = rng.uniform(0.1, 10.0, size=X.shape[1])
    there = run(kind, X * units, y, w, alpha=0.0, p=p, feature_scale=units)
    here = run(kind, X, y, w, alpha=0.0, p=p)
    assert there.radius == about(here.radius)
    assert_close(there.influence[:-1] * units, here.influence[:-1])


@pytest.mark.parametrize("p", ORDERS)
def test_units_of_the_target(p):
    X, y, w = make("linear", weighted=True)
    there, here = run("linear", X, -5.0 * y, w, p=p), run("linear", X, y, w, p=p)
    assert_close(there.influence, -5.0 * here.influence)
    assert there.sensitivity_coefficient == about(25.0 * here.sensitivity_coefficient, 1e-9)


@pytest.mark.parametrize("p", ORDERS)
def test_names_of_the_labels(p):
    X, y, w = make("logistic", weighted=True)
    here = run("logistic", X, y, w, p=p)
    words = np.where(y > 0, "yes", "no")
    assert_close(run("logistic", X, words, w, p=p).influence, here.influence, 1e-12)
    # The second of the sorted labels is the positive one: here they change places.
    other = np.where(y > 0, "a", "b")
    assert_close(run("logistic", X, other, w, p=p).influence, -here.influence)


def test_influence_is_proportional_to_the_radius(kind):
    X, y, w = make(kind, weighted=True)
    one, three = (run(kind, X, y, w, radius=r) for r in (1.0, 3.0))
    assert_close(three.influence, 3.0 * one.influence, 1e-13)
    mean = run(kind, X, y, w)
    assert_close(mean.influence, mean.radius * one.influence, 1e-13)


def test_threads_do_not_change_a_bit(kind):
    X, y, w = make(kind, n=9000, m=40, weighted=True)
    one, two = (run(kind, X, y, w, n_threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one.influence, two.influence)
    np.testing.assert_array_equal(one.per_sample(), two.per_sample())
    assert one.sensitivity_coefficient == two.sensitivity_coefficient

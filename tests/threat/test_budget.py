"""How samples share a budget: against the maximum that it stands for."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastaif.threat.budget import OWN_BUDGETS, Sharing

ORDERS = [1.0, 1.2, 1.5, 2.0, 3.0, 10.0]
RNG = np.random.default_rng(0)
GAINS = RNG.exponential(size=12)
WEIGHTS = RNG.exponential(size=12) * (np.arange(12) != 4)
WEIGHTS /= WEIGHTS.sum()


def sums(sharing, gains=GAINS, weights=WEIGHTS):
    """What a pass adds up."""
    peak = gains[weights > 0].max()
    ratios = np.where(weights > 0, gains / peak, 0.0)
    shares = 1.0 * (ratios == 1.0) if np.isinf(sharing.exponent) else ratios**sharing.exponent
    return SimpleNamespace(peak=peak, power=float(weights @ (shares * ratios)))


@pytest.mark.parametrize("order", ORDERS)
def test_all_of_the_budget_is_spent(order):
    sharing = Sharing(order)
    shares = sharing.budgets(GAINS, WEIGHTS)
    assert np.all(shares >= 0.0)
    assert np.isclose(sharing.spent(shares, WEIGHTS), 1.0, rtol=1e-13)


@pytest.mark.parametrize("order", ORDERS)
def test_no_other_division_gains_more(order):
    sharing = Sharing(order)
    best = WEIGHTS @ (sharing.budgets(GAINS, WEIGHTS) * GAINS)
    others = np.random.default_rng(1).exponential(size=(2000, 12)) ** 2
    for other in others:
        assert WEIGHTS @ (other / sharing.spent(other, WEIGHTS) * GAINS) <= best * (1 + 1e-13)
    for place in np.flatnonzero(WEIGHTS):
        alone = WEIGHTS[place] * sharing.alone(WEIGHTS[place]) * GAINS[place]
        assert alone <= best * (1 + 1e-13)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("formula", ["exact", "paper"])
def test_the_value_comes_from_the_sums(order, formula):
    sharing = Sharing(order, formula)
    found, wanted = sharing.budgets(GAINS, WEIGHTS), WEIGHTS @ GAINS
    assert np.isclose(sharing.value(wanted, sums(sharing)), WEIGHTS @ (found * GAINS), rtol=1e-13)
    ratios = np.where(WEIGHTS > 0, GAINS, 0.0) / sums(sharing).peak
    scale = sharing.scale(sums(sharing).power)
    if sharing.exponent < np.inf:
        np.testing.assert_allclose(ratios**sharing.exponent * scale, found, rtol=1e-13)
    assert sharing.exactly() == Sharing(order)


@pytest.mark.parametrize("formula", ["exact", "paper"])
def test_own_budgets_are_one_each(formula):
    own = Sharing(formula=formula)
    assert not own.is_shared
    assert own.exponent == 0.0
    np.testing.assert_array_equal(own.budgets(GAINS, WEIGHTS), np.ones(12))
    assert own.scale(0.3) == 1.0
    assert own.value(2.5, SimpleNamespace(peak=7.0, power=0.0)) == 2.5
    assert Sharing() == OWN_BUDGETS


def test_samples_that_tie_share_it_evenly():
    gains, weights = np.array([3.0, 3.0, 1.0]), np.array([0.25, 0.25, 0.5])
    np.testing.assert_allclose(Sharing(1.0).budgets(gains, weights), [2.0, 2.0, 0.0])


@pytest.mark.parametrize("order", ORDERS)
def test_without_gains_there_is_nothing_to_divide(order):
    np.testing.assert_array_equal(Sharing(order).budgets(np.zeros(3), np.ones(3) / 3), np.ones(3))
    assert Sharing(order).scale(0.0) == 0.0

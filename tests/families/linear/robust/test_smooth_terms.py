"""Rows' terms without kinks: their derivatives in predictions and κ are those of their value."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import about

from fastaif.families.linear.robust.lipschitz import _LipschitzTerms
from fastaif.families.linear.robust.order_2 import _RootTerms
from fastaif.families.linear.robust.row_terms import row_terms
from fastaif.losses import Huber, get

STEP = 1e-6
LABELS = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])


def terms(name):
    rng = np.random.default_rng(1)
    w = rng.uniform(0.5, 2.0, size=6)
    w /= w.sum()
    if name.startswith("one end of "):
        return row_terms(get(name.removeprefix("one end of ")), LABELS, w)
    if name == "root":
        return _RootTerms(get("squared_error"), 2.0 * rng.normal(size=6), w)
    loss = Huber(1.3) if name == "lipschitz huber" else get("logistic")
    return _LipschitzTerms(loss, LABELS, w)


NAMES = [
    "one end of logistic", "one end of probit", "one end of squared_hinge", "root",
    "lipschitz huber", "lipschitz logistic",
]  # fmt: skip


def at(found, f, kappa):
    """The value, the slopes in f and κ, and the last two's own in κ."""
    found.refresh(f, kappa)
    along_f, along_kappa = found.slopes
    _, cross, corner, _ = found.curvature()
    return found.value, np.append(along_f, along_kappa), np.append(cross, corner)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name):
    found, f, kappa = terms(name), np.linspace(-1.0, 1.2, 6), 0.4
    _, slopes, turns = at(found, f, kappa)
    moves = [*np.eye(6), np.zeros(6)]
    for j, move in enumerate(moves):
        dk = float(j == 6)
        up = at(found, f + STEP * move, kappa + STEP * dk)[0]
        down = at(found, f - STEP * move, kappa - STEP * dk)[0]
        assert slopes[j] == about((up - down) / (2.0 * STEP), 1e-8)
    change = at(found, f, kappa + STEP)[1] - at(found, f, kappa - STEP)[1]
    np.testing.assert_allclose(turns, change / (2.0 * STEP), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_merit_is_the_value(name):
    found, f = terms(name), np.linspace(-1.0, 1.2, 6)
    found.start(f, 0.3, 1.0)
    assert found.merit(f, 0.3, 0.0, 1.0) == at(found, f, 0.3)[0]

"""Losses by name."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastaif as fa
from fastaif import losses
from fastaif._compute.numba_ops.point_losses import N_LOSSES


def test_names_and_codes_are_unlike():
    assert losses.names()[:4] == ("squared_error", "logistic", "poisson", "huber")
    codes = [losses.get(name).code for name in losses.names()]
    assert codes == sorted(set(codes))
    assert codes[-1] == N_LOSSES - 1


@pytest.mark.parametrize("name", losses.names())
def test_a_loss_is_found_by_its_name_and_equals_its_pickle(name):
    loss = losses.get(name)
    assert loss.name == name
    assert losses.get(loss) is loss
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert pickle.loads(pickle.dumps(loss.encode))(np.array([1, 2])) is not None


@pytest.mark.parametrize("name", ["nonsense", "Huber", "", None, 3])
def test_an_unknown_name_is_refused_with_those_there_are(name):
    known = ", ".join(repr(other) for other in losses.names())
    with pytest.raises(ValueError, match=f"loss must be one of {known}, but is {name!r}"):
        losses.get(name)
    model = fa.BasisRegression(fa.bases.Linear(), loss=name)
    with pytest.raises(ValueError, match=f"loss must be one of {known}, but is {name!r}"):
        model.fit(np.eye(3), np.arange(3.0))


def test_parameters_are_checked():
    assert losses.get("huber", delta=2) == losses.Huber(2.0) != losses.Huber(1.0)
    for delta in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="delta must be a number above 0"):
            losses.Huber(delta)
    with pytest.raises(TypeError, match="delta"):
        losses.get("poisson", delta=1.0)
    assert losses.get("tweedie", power=1.2) == losses.Tweedie(1.2)
    with pytest.raises(ValueError, match=r"power must lie between 1 and 2, but is 2: .*gamma"):
        losses.Tweedie(2.0)
    with pytest.raises(ValueError, match="tau must lie between 0 and 1"):
        losses.Expectile(1.0)
    with pytest.raises(ValueError, match="dispersion must be a number above 0"):
        losses.NegativeBinomial(0.0)

"""Results are frozen, arrays and all: what is written into one would be everybody's."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import numpy as np
import pytest

import fastaif as fa
from fastaif import experiments
from fastaif.utils.arrays import ReadOnlyArrays


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=200)
    return fa.aif(fa.LinearRegression(alpha=0.01).fit(X, y), X, y)


def arrays_of(found):
    named = inspect.getmembers(type(found), lambda part: isinstance(part, property))
    names = [*vars(found), *(name for name, _ in named if not name.startswith("_"))]
    values = {name: getattr(found, name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def made(result):
    batch = np.random.default_rng(1).normal(size=(2, 3, 30, 2))
    curve = fa.complexity_curve(
        [fa.LinearRegression(), fa.LinearRegression(alpha=0.1)],
        batch[0, 0], batch[0, 1, :, 0], [0.01], progress=False,
    )  # fmt: skip
    return {
        "influence": result,
        "verification": result.verify(0.01),
        "robust fit": result.verify(0.01).robust,
        "draws": result.bootstrap(5, 0),
        "fits": fa.fit_batch(fa.LinearRegression(), batch[0], batch[1, :, :, 0]),
        "batch": fa.aif_batch(fa.LinearRegression(), batch[0], batch[1, :, :, 0]),
        "curve": curve,
    }


def test_arrays_cannot_be_written_into(result):
    for name, found in made(result).items():
        for again in (found, copy.copy(found), pickle.loads(pickle.dumps(found))):
            arrays = arrays_of(again)
            assert arrays or name == "verification"
            for field, array in arrays.items():
                if field != "failed":  # made anew each time
                    assert not array.flags.writeable, (name, field)
    with pytest.raises(ValueError, match="read-only"):
        result.influence[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        result.hessian[0, 0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.p = 3.0


def test_the_estimator_of_a_robust_fit_may_be_changed(result):
    robust = result.verify(0.01).robust
    before = robust.params.copy()
    robust.estimator.coef_ += 1.0
    np.testing.assert_array_equal(robust.params, before)


def test_results_of_experiments_take_part():
    found = experiments.figure2a(30, 2, 3, random_state=0, progress=False)
    assert isinstance(found, ReadOnlyArrays)
    assert not any(array.flags.writeable for array in vars(found).values() if np.ndim(array))

"""Calls that are interrupted at random moments: the next call is right, and checkpoints go on."""

from __future__ import annotations

import os
import signal
import threading
import warnings

import numpy as np
import pytest
from support.fuzz import Loader

import fastaif as fa

pytestmark = [
    # Python drops what is raised in a destructor, or in what other libraries add to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers"),
    pytest.mark.skipif(
        threading.current_thread() is not threading.main_thread(), reason="no signals here"
    ),
]
FEW, MANY = range(4), range(4, int(os.environ.get("FASTAIF_TEST_INTERRUPTS", "50")))
SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.long) for seed in MANY)]


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60_000, 6))
    y = X.sum(axis=1) + rng.standard_t(3, size=60_000)
    model = fa.HuberRegression().fit(X, y)
    robust = fa.robust_fit(model, X, y, 0.1)
    return model, X, y, fa.aif(model, X, y).influence, robust.params


def interrupted(call, seconds):
    """Whether Ctrl-C came before the call's end."""

    def raise_it(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            call()
            return False
        except KeyboardInterrupt:
            return True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    except KeyboardInterrupt:  # after the end
        return False
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_interrupts_at_any_moment(seed, case, tmp_path):
    model, X, y, influence, robust = case
    rng = np.random.default_rng(seed)
    path = tmp_path / "fit.checkpoint"
    blocks = Loader(lambda _: [(X[i : i + 900], y[i : i + 900]) for i in range(0, len(y), 900)])
    calls = [
        lambda: fa.aif(model, X, y).per_sample(),
        lambda: fa.aif(model, blocks, None),
        lambda: fa.aif(model, iter(blocks), None),
        lambda: fa.HuberRegression().fit(X, y),
        lambda: fa.aif(model, X, y).bootstrap(50, 0),
        lambda: fa.robust_fit(model, X, y, 0.1, checkpoint=path),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls:
            interrupted(call, float(np.exp(rng.uniform(np.log(1e-3), np.log(0.3)))))
        np.testing.assert_array_equal(fa.aif(model, X, y).influence, influence)
        np.testing.assert_allclose(fa.aif(model, blocks, None).influence, influence, rtol=1e-9)
        found = fa.robust_fit(model, X, y, 0.1, checkpoint=path)
    np.testing.assert_allclose(found.params, robust, rtol=1e-12)
    assert not list(tmp_path.iterdir())

"""Sums on Dask's workers: the same numbers as in memory, whoever is lost on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError
from support.source_makers import data

import fastaif as fa

CHUNK = 1100


pytestmark = pytest.mark.long  # a cluster of processes


@pytest.fixture(scope="module")
def client():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        )
    with cluster, Client(cluster) as found:
        yield found


def rows(X, y, w):
    return da.from_array(X, chunks=(CHUNK, X.shape[1])), da.from_array(y, chunks=CHUNK), w


def close(mine, theirs, rtol=1e-12):
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


@pytest.mark.parametrize("order", [np.inf, 2, 1])
@pytest.mark.parametrize("kind", ["linear", "logistic", "quadratic", "network"])
def test_influences(client, kind, order):
    X, y, w = data("logistic" if kind == "logistic" else "squared_error")
    model = {
        "linear": fa.LinearRegression(alpha=0.01), "logistic": fa.LogisticRegression(),
        "quadratic": fa.QuadraticRegression(),
        "network": fa.MLPRegression(hidden=2, alpha=0.1, random_state=0, max_iter=400),
    }[kind]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, w)
        remote, target, weight = rows(X, y, w)
        options = {"order": order, "damping": "auto"}
        mine = fa.aif(model, remote, target, sample_weight=weight, **options)
        theirs = fa.aif(model, X, y, sample_weight=w, **options)
    close(mine.influence, theirs.influence)
    close(mine.sensitivity_coefficient, theirs.sensitivity_coefficient)


def test_fits_and_robust_fits(client):
    X, y, w = data()
    remote, target, weight = rows(X, y, w)
    model = fa.LinearRegression(alpha=0.01).fit(remote, target, weight)
    theirs = fa.LinearRegression(alpha=0.01).fit(X, y, w)
    close(model.coef_, theirs.coef_)
    mine = fa.robust_fit(model, remote, target, 0.1, sample_weight=weight)
    close(mine.params, fa.robust_fit(theirs, X, y, 0.1, sample_weight=w).params, 1e-9)
    loss = fa.adversarial_loss(model, remote, target, 0.1, sample_weight=weight)
    close(loss, fa.adversarial_loss(model, X, y, 0.1, sample_weight=w))


def test_paths(client):
    X, y, w = data()
    remote, target, weight = rows(X, y, w)
    model = theirs = fa.LinearRegression(alpha=0.01).fit(X, y, w)
    # The clean loss is as near as the root of the tolerance, which the objective meets.
    options = {"tol": 1e-12}
    path = fa.robust_path(model, remote, target, [0.03, 0.1], sample_weight=weight, **options)
    there = fa.robust_path(theirs, X, y, [0.03, 0.1], sample_weight=w, **options)
    close(path.objective(path.eps), there.objective(path.eps), 1e-9)
    close(path.cost(path.eps), there.cost(path.eps), 1e-5)


def test_the_same_bits_on_one_worker(client):
    X, y, w = data()
    remote, target, weight = rows(X, y, w)
    model = fa.LinearRegression().fit(X, y, w)
    both = fa.aif(model, remote, target, sample_weight=weight).influence
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as alone,
        Client(alone),
    ):
        one = fa.aif(model, remote, target, sample_weight=weight).influence
    np.testing.assert_array_equal(one, both)


def test_a_worker_that_is_killed_costs_time_alone(client):
    def slowly(block):  # inside: what lies in a module of tests, workers would have to import
        time.sleep(0.2)
        return block

    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    theirs = fa.aif(model, X, y, sample_weight=w)
    remote, target, weight = rows(X, y, w)
    slow = remote.map_blocks(slowly, dtype=float)
    pids = client.run(os.getpid)
    victim = next(iter(pids.values()))
    killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
    killer.start()
    mine = fa.aif(model, slow, target, sample_weight=weight)
    killer.join()
    close(mine.influence, theirs.influence)
    client.wait_for_workers(2)
    assert victim not in client.run(os.getpid).values()


def test_numbers_that_are_missing_are_located(client):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    X[4321, 2] = np.nan
    remote, target, weight = rows(X, y, w)
    with pytest.raises(ValueError, match="first at row 4321, column 2"):
        fa.aif(model, remote, target, sample_weight=weight)


BARE = """
import asyncio, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "fastaif":
            raise ModuleNotFoundError("No module named 'fastaif'")

sys.meta_path.insert(0, Missing())
from distributed import Worker

async def main():
    async with Worker(sys.argv[1], nthreads=1) as worker:
        await worker.finished()

asyncio.run(main())
"""


def test_a_worker_without_fastaif_is_refused(tmp_path):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    remote, target, weight = rows(X, y, w)
    with (
        LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as alone,
        subprocess.Popen([sys.executable, "-c", BARE, cluster.scheduler_address]) as bare,
    ):
        try:
            alone.wait_for_workers(1, timeout=60)
            with pytest.raises(RuntimeError, match=r"cannot import fastaif.*install fastaif"):
                fa.aif(model, remote, target, sample_weight=weight)
        finally:
            bare.kill()


def test_a_worker_that_is_lost_while_it_is_asked_is_not_refused(client, monkeypatch):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    remote, target, weight = rows(X, y, w)
    asked = client.run

    def run(*arguments, **options):
        lost, *others = asked(*arguments, **options).items()
        return {lost[0]: CommClosedError("reset by peer"), **dict(others)}

    monkeypatch.setattr(client, "run", run)
    found = fa.aif(model, remote, target, sample_weight=weight).influence
    monkeypatch.undo()
    close(found, fa.aif(model, X, y, sample_weight=w).influence)


def test_a_worker_of_another_version_is_refused(client, monkeypatch):
    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    remote, target, weight = rows(X, y, w)
    monkeypatch.setattr(fa, "__version__", "9.9")
    with pytest.raises(RuntimeError, match=r"but this process has 9\.9"):
        fa.aif(model, remote, target, sample_weight=weight)


def test_chunks_of_another_shape_are_refused_on_workers(client):
    def shortened(block, block_info=None):
        return block[:50] if block_info[0]["chunk-location"][0] == 1 else block

    X, y, w = data()
    model = fa.LinearRegression().fit(X, y, w)
    remote, target, weight = rows(X, y, w)
    lying = remote.map_blocks(shortened, dtype=float, meta=X[:0])
    with pytest.raises(ValueError, match=r"chunk 1 of X has shape \(50, 4\)"):
        fa.aif(model, lying, target, sample_weight=weight)
    fa.aif(model, remote, target, sample_weight=weight)

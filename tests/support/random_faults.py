"""Processes killed, forked, short of disk space or of workers, at random moments of a call.

    PYTHONPATH=.:tests python -m support.random_faults WHAT [--rounds N] [--seed SEED]

Each round does it once. Afterwards the call's answer is right or an error of its own, and the next
call's is right. What is printed counts how the rounds ended; what is wrong raises.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import fastaif as fa

Array = npt.NDArray[Any]
Counts = Counter[str]

_HANGS = 120.0  # seconds, after which a child hangs
_COMES_BACK = 40.0  # within which a nanny has a new worker


class Case(NamedTuple):
    """A model, its data, and what is right of it."""

    model: Any
    X: Array
    y: Array
    influence: Array
    robust: Array


@cache
def case() -> Case:
    """Rows enough for several blocks and chunks."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(12_000, 6))
    y = X.sum(axis=1) + rng.standard_t(3, size=12_000)
    model = fa.HuberRegression().fit(X, y)
    robust = fa.robust_fit(model, X, y, 0.1)
    return Case(model, X, y, fa.aif(model, X, y).influence, robust.params)


def blocks() -> list[tuple[Array, Array]]:
    """The rows in blocks: what makes passes long."""
    _, X, y, *_ = case()
    return [(X[i : i + 900], y[i : i + 900]) for i in range(0, len(y), 900)]


def right() -> None:
    """A call of each kind gives what it gave."""
    found = case()
    np.testing.assert_array_equal(fa.aif(found.model, found.X, found.y).influence, found.influence)


def robust(path: Path | None) -> Array:
    """The robust optimum, by way of a checkpoint."""
    return np.asarray(fa.robust_fit(case().model, blocks(), None, 0.1, checkpoint=path).params)


# --- kill ------------------------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> int:
    """The number of a forked process that does the work, and ends with 0 if it did.

    One that hangs prints where.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            faulthandler.dump_traceback_later(0.9 * _HANGS)
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """The exit code of a child; one that hangs is killed, and an error."""
    deadline = time.monotonic() + _HANGS
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("a child hung")


def kill(rounds: int, rng: np.random.Generator) -> Counts:
    """A fit with a checkpoint is killed, and goes on in another process."""
    counts = Counts()
    expected = robust(None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fit.checkpoint")
        began = time.monotonic()
        assert ended(in_child(lambda: robust(path))) == 0
        whole = time.monotonic() - began
        for _ in range(rounds):
            pid = in_child(lambda: robust(path))
            time.sleep(float(rng.uniform(0.0, 1.1)) * whole)
            os.kill(pid, signal.SIGKILL)
            counts["ended before" if ended(pid) == 0 else "killed"] += 1
            counts["went on from a checkpoint"] += path.exists()
            np.testing.assert_allclose(robust(path), expected, rtol=1e-12)
            for left in Path(folder).iterdir():  # killed before the new file had its name
                assert left.name.startswith(".fit.checkpoint.")
                assert left.stat().st_size < 100
                counts["left a file without a name"] += 1
                left.unlink()
    return counts


# --- fork ------------------------------------------------------------------------------------


def fork(rounds: int, rng: np.random.Generator) -> Counts:
    """The process forks while other threads of it compute."""
    counts, stop = Counts(), threading.Event()
    expected = robust(None)

    def compute(work: Callable[[], Any]) -> None:
        while not stop.is_set():
            work()

    def child() -> None:
        right()
        np.testing.assert_array_equal(robust(None), expected)

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(compute, work) for work in (right, lambda: robust(None))]
        try:
            for _ in range(rounds):
                time.sleep(float(rng.uniform(0.0, 0.1)))
                assert ended(in_child(child)) == 0
                counts["right"] += 1
        finally:
            stop.set()
        for other in others:
            other.result()
    return counts


# --- threads ---------------------------------------------------------------------------------


def threads(rounds: int, rng: np.random.Generator) -> Counts:
    """Several threads call at any time, on any number of threads of ours."""
    counts, found = Counts(), case()
    result = fa.aif(found.model, found.X, found.y)
    shares, spread = result.per_sample(), result.bootstrap(20, 0).params
    expected = robust(None)
    total = fa.InfluenceAccumulator(found.model)

    def same(mine: Any, theirs: Any) -> None:
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))

    def one(kind: int, wait: float, cores: int) -> None:
        time.sleep(wait)
        again = fa.aif(found.model, found.X, found.y, n_threads=cores)
        if kind == 0:
            same(again.influence, found.influence)
        elif kind == 1:
            same(again.per_sample(), shares)
        elif kind == 2:
            same(again.bootstrap(20, 0).params, spread)
        elif kind == 3:
            same(robust(None), expected)
        else:
            total.update(found.X[:1000], found.y[:1000])

    updates = 0
    with ThreadPoolExecutor(4) as pool:
        for _ in range(rounds):
            kinds = rng.integers(0, 5, size=4)
            updates += int(np.count_nonzero(kinds == 4))
            calls = [
                pool.submit(one, int(kind), float(rng.uniform(0.0, 0.03)), int(rng.integers(1, 4)))
                for kind in kinds
            ]
            for call in calls:
                call.result()
            counts["right"] += 1
    assert updates == 0 or total.n_rows == 1000 * updates
    return counts


# --- a full disk -----------------------------------------------------------------------------


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """Files may not grow beyond a size: writing fails as it does on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def disk(rounds: int, rng: np.random.Generator) -> Counts:
    """Checkpoints and files of sums do not fit on the disk."""
    counts, found, expected = Counts(), case(), robust(None)
    total = fa.InfluenceAccumulator(found.model).update(found.X, found.y)
    with tempfile.TemporaryDirectory() as folder:
        path, sums = Path(folder, "fit.checkpoint"), Path(folder, "sums")
        for _ in range(rounds):
            total.save(sums)
            before, size = sums.read_bytes(), int(np.exp(rng.uniform(0.0, np.log(40_000.0))))
            with little_room(size), warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                np.testing.assert_allclose(robust(path), expected, rtol=1e-12)
            counts["fits that told of it" if told else "fits that had room"] += 1
            try:
                with little_room(size):
                    total.save(sums)
                counts["files that had room"] += 1
            except OSError:
                counts["files that told of it"] += 1
            assert sums.read_bytes() == before
            assert [each.name for each in Path(folder).iterdir()] == ["sums"]
            again = fa.InfluenceAccumulator.load(sums, found.model)
            np.testing.assert_array_equal(again.result().influence, total.result().influence)
            np.testing.assert_allclose(robust(path), expected, rtol=1e-12)
    return counts


# --- workers ---------------------------------------------------------------------------------


def worker(rounds: int, rng: np.random.Generator) -> Counts:
    """One of Dask's workers is killed, and comes back."""
    _fork_workers()
    counts = Counts()
    while (left := rounds - counts["right"] - counts["told"]) > 0:
        _with_workers(left, rng, counts)
    return counts


def _fork_workers() -> None:
    """Workers are forks of a process that has imported what they need: they are back at once."""
    import dask
    from distributed.utils import get_mp_context

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["distributed", "dask.array", "fastaif"])


def _with_workers(rounds: int, rng: np.random.Generator, counts: Counts) -> None:
    """Rounds with one cluster, as long as its own nannies bring killed workers back."""
    from distributed import Client, LocalCluster

    calls = _remote_calls()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        lengths = [_took(call) for call in calls]
        for _ in range(rounds):
            processes = _processes(client)
            if not processes:
                counts["clusters without a nanny"] += 1
                return
            watch = _Watch(cluster, client)
            victim = int(rng.choice(processes))
            kind = int(rng.choice(3, p=[0.45, 0.45, 0.1]))
            wait = float(rng.uniform(0.0, 1.0)) * lengths[kind]
            killer = threading.Timer(wait, os.kill, (victim, signal.SIGKILL))
            killer.start()
            try:
                ending = _ending(calls[kind])
                killer.join()
                calls[0]()
            except BaseException:
                if watch.stalled:
                    counts["stalls of Dask"] += 1
                    return
                raise
            finally:
                watch.end()
            counts[ending] += 1


class _Watch:
    """Ends a round that hangs: with its stacks where we hang, and else with the cluster.

    Rarely Dask itself, of which a worker was killed, leaves a task that no worker works on.
    """

    def __init__(self, cluster: Any, client: Any) -> None:
        self.stalled = False
        self._cluster, self._client = cluster, client
        faulthandler.dump_traceback_later(2.0 * _HANGS, exit=True)
        self._timer = threading.Timer(_HANGS, self._look)
        self._timer.start()

    def end(self) -> None:
        """The round is over."""
        self._timer.cancel()
        faulthandler.cancel_dump_traceback_later()

    def _look(self) -> None:
        working = {worker: stacks for worker, stacks in self._client.call_stack().items() if stacks}
        states = {key: task.state for key, task in self._cluster.scheduler.tasks.items()}
        print(f"hangs; at work: {working}; tasks: {states}", file=sys.stderr)
        if working:
            faulthandler.dump_traceback(all_threads=True)
            os._exit(1)
        self.stalled = True
        self._cluster.close()


def _processes(client: Any) -> list[int]:
    """The numbers of both workers' processes; none where a nanny does not bring hers back.

    Dask counts a killed worker until it notices: one that no longer answers is waited for.
    """
    deadline = time.monotonic() + _COMES_BACK
    while time.monotonic() < deadline:
        answers = client.run(os.getpid, on_error="return").values()
        numbers = [int(answer) for answer in answers if not isinstance(answer, BaseException)]
        if len(numbers) == 2:
            return numbers
        time.sleep(0.05)
    return []


def _ending(call: Callable[[], Any]) -> str:
    """Whether a call was right, or said what is wrong with the cluster."""
    try:
        call()
    except (RuntimeError, OSError) as error:
        return "told" if str(error) else "wrong"
    return "right"


def _remote_calls() -> list[Callable[[], None]]:
    """Calls on rows that workers have, each compared with what is right."""
    import dask.array as da

    X, y = case().X[:8_000], case().y[:8_000]
    model = fa.LinearRegression(0.1).fit(X, y)
    influence, best = fa.aif(model, X, y).influence, fa.robust_fit(model, X, y, 0.01).params
    rows = da.from_array(X, chunks=(2_000, 6)).map_blocks(_slowly, dtype=float, meta=X[:0])
    return [
        lambda: close(fa.aif(model, rows, y).influence, influence, 1e-9),
        lambda: close(fa.LinearRegression(0.1).fit(rows, y).coef_, model.coef_, 1e-9),
        lambda: close(fa.robust_fit(model, rows, y, 0.01).params, best, 1e-9),
    ]


def _slowly(block: Array) -> Array:
    import time  # where it runs

    time.sleep(0.01)
    return block


def close(mine: Array, theirs: Array, rtol: float) -> None:
    """Nearly equal, relative to the largest entry."""
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * float(np.abs(theirs).max()))


def _took(call: Callable[[], Any]) -> float:
    call()
    began = time.monotonic()
    call()
    return time.monotonic() - began


KINDS = {
    "kill": kill,
    "fork": fork,
    "threads": threads,
    "disk": disk,
    "worker": worker,
}


def main() -> None:
    """Run as asked on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=KINDS)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng([asked.seed, list(KINDS).index(asked.what)])
    print(json.dumps(KINDS[asked.what](asked.rounds, rng)))


if __name__ == "__main__":
    main()

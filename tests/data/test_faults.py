"""Forks, interrupts, concurrent callers, cold and unwritable caches, fresh processes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fastaif as fa
from fastaif import _compute
from fastaif._compute.operations import TABLE
from fastaif._compute.signatures import sealer
from fastaif.api.config import _warm_up_networks

SOURCE = Path(fa.__file__).parent
ANSWER = """
    import numpy as np
    import fastaif as fa
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40000, 4))
    y = X @ np.ones(4) + rng.normal(size=40000)
    model = fa.LinearRegression().fit(X, y)
    print(repr(fa.aif(model, X, y).influence.tolist()))
"""


def _run(code, **environment):
    env = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "PYTHONSAFEPATH": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, env=env, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def answer():
    """That of a process to which nothing happens."""
    return _run(ANSWER)


def test_importing_loads_neither_numba_nor_scikit_learn():
    code = """
        import sys, fastaif
        print(sorted({"numba", "sklearn", "scipy", "pandas"} & set(sys.modules)))
    """
    assert _run(code) == "[]"


@pytest.mark.long
def test_importing_leaves_the_floating_point_environment_alone():
    code = """
        import numpy as np
        before, tiny = np.geterr(), np.array([5e-324])
        import fastaif as fa
        fa.warmup()
        assert np.geterr() == before
        print((tiny * 0.5 == 0.0).all(), (tiny * 1.0 == tiny).all())
    """
    assert _run(code) == "True True"  # subnormal numbers are still there


@pytest.mark.long
def test_the_second_process_compiles_nothing():
    """The first one may have found what an earlier test compiled."""
    code = (
        "    import fastaif as fa; fa.set_backend('numba')\n"
        + ANSWER
        + """
    from fastaif._compute.numba_ops.linear_sums import linear_sums
    stats = linear_sums.stats
    print(*[sum(counts.values()) for counts in (stats.cache_hits, stats.cache_misses)])
    """
    )
    first, second = (_run(code).split("\n") for _ in range(2))
    assert first[-1] in ("0 1", "1 0")
    assert second[-1] == "1 0"
    assert first[0] == second[0]


@pytest.mark.long
def test_two_processes_on_a_cold_cache(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(_run, ANSWER, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
        answers = {job.result() for job in jobs}
    assert len(answers) == 1


@pytest.mark.long
def test_without_any_writable_cache(answer):
    """A read-only install and no home: operations compile in every process."""
    code = """
        from numba.core import caching
        def nowhere(*args, **kwargs):
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        caching.CacheImpl.__init__ = nowhere
    """
    assert _run(textwrap.dedent(code) + textwrap.dedent(ANSWER)) == answer


@pytest.mark.long
def test_one_thread_gives_the_same_bits(answer):
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot pin a process to a core")
    pinned = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert _run(pinned + textwrap.dedent(ANSWER)) == answer


@pytest.mark.long
def test_outside_the_checkout(answer, tmp_path):
    """The package works from wherever it is installed."""
    shutil.copytree(SOURCE, tmp_path / "fastaif", ignore=shutil.ignore_patterns("__pycache__"))
    assert _run(ANSWER, PYTHONPATH=str(tmp_path)) == answer


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40_000, 5))
    y = X @ np.arange(1.0, 6.0) + rng.normal(size=40_000)
    return fa.LinearRegression().fit(X, y), X, y


def test_concurrent_python_threads(problem):
    expected = fa.aif(*problem).influence
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda k: fa.aif(*problem, n_threads=1 + k % 3), range(12)))
    for result in results:
        np.testing.assert_array_equal(result.influence, expected)


FORK = """
    import os, signal, time
    expected = fa.aif(model, X, y).influence
    pid = os.fork()
    if pid == 0:
        os._exit(0 if np.array_equal(fa.aif(model, X, y).influence, expected) else 1)
    for _ in range(600):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            print(os.waitstatus_to_exitcode(status))
            break
        time.sleep(0.1)
    else:
        os.kill(pid, signal.SIGKILL)
        print("the child hung")
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_after_use():
    code = textwrap.dedent(ANSWER) + textwrap.dedent(FORK)
    assert _run(code).split("\n")[-1] == "0"


FORKS_DURING_PASSES = """
    import os, signal, threading, time
    expected, stop = fa.aif(model, X, y).influence, threading.Event()

    def compute():
        while not stop.is_set():
            fa.aif(model, X, y)

    others = [threading.Thread(target=compute) for _ in range(2)]
    for other in others:
        other.start()
    codes = []
    for k in range(25):
        time.sleep(0.001 * (k % 7))
        pid = os.fork()
        if pid == 0:
            os._exit(0 if np.array_equal(fa.aif(model, X, y).influence, expected) else 1)
        deadline = time.monotonic() + 30
        while not (ended := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < deadline:
            time.sleep(0.005)
        if not ended[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        codes.append(os.waitstatus_to_exitcode(ended[1]) if ended[0] else "hung")
    stop.set()
    for other in others:
        other.join()
    print(set(codes))
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_while_other_threads_compute():
    code = textwrap.dedent(ANSWER) + textwrap.dedent(FORKS_DURING_PASSES)
    assert _run(code).split("\n")[-1] == "{0}"


def test_calls_do_not_wait_for_one_another():
    """Each of two calls gets into its pass while the other is in its own."""
    meeting = threading.Barrier(2)

    def features(X):
        if threading.current_thread().name.startswith("met"):
            meeting.wait(timeout=30)
        return X

    basis = fa.bases.Custom(features, lambda X, P: P, lambda X, theta: np.tile(theta, (len(X), 1)))
    X = np.random.default_rng(0).normal(size=(50, 2))
    y = X @ [1.0, 2.0] + np.sin(9.0 * X[:, 0])
    model = fa.BasisRegression(basis).fit(X, y)
    expected = fa.aif(model, X, y).influence
    with ThreadPoolExecutor(2, thread_name_prefix="met") as pool:
        calls = [pool.submit(fa.aif, model, X, y, n_threads=1) for _ in range(2)]
        for call in calls:
            np.testing.assert_array_equal(call.result().influence, expected)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one core")
def test_compiled_passes_of_two_calls_overlap(problem, monkeypatch):
    """However busy the machine: one begins before the other's is over, so that no lock is held."""
    passes = {}

    def timed(name):
        operation = _compute.get(name)

        def run(*arguments):
            began = time.perf_counter()
            operation(*arguments)
            passes.setdefault(threading.get_ident(), []).append((began, time.perf_counter()))

        return run

    monkeypatch.setattr("fastaif.passes.linear.get", timed)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: fa.aif(*problem, n_threads=1), range(400)))
    first, second = (np.array(each) for each in passes.values())
    overlaps = (first[:, :1] < second[:, 1]) & (second[:, 0] < first[:, 1:])
    assert overlaps.any(axis=1).mean() > 0.05


def test_two_calls_at_once_take_the_time_of_one():
    """On two cores at least as nearly as two hashes do, which wait for nobody.

    What other processes leave of the cores is in both; they only add to a time, so that the least
    of some attempts counts. Calls that wait for one another take twice as long where hashes do not.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 10))
    y = np.where(X.sum(axis=1) + rng.logistic(size=200_000) > 0, 1, 0)
    model, some = fa.LogisticRegression().fit(X, y), bytes(10_000_000)

    def calls():
        for _ in range(3):
            fa.aif(model, X, y, n_threads=1)

    def took(*jobs):
        began = time.perf_counter()
        for job in [pool.submit(job) for job in jobs]:
            job.result()
        return time.perf_counter() - began

    def hashed():
        hashlib.sha256(some).digest()

    with ThreadPoolExecutor(2) as pool:
        took(calls, calls)  # threads are started
        least = np.full(4, np.inf)
        for attempt in range(300):
            times = took(calls), took(calls, calls), took(hashed), took(hashed, hashed)
            least = np.minimum(least, times)
            slower, hashes = least[1] / least[0], least[3] / least[2]
            if attempt >= 4 and slower < 1.4 * hashes:
                break
    assert slower < 1.4 * hashes


@pytest.mark.long
def test_an_interrupt_ends_a_long_run(tmp_path):
    code = """
        import threading, time
        import numpy as np
        import fastaif as fa
        rng = np.random.default_rng(0)
        X = rng.normal(size=(200_000, 5))
        y = X.sum(axis=1) + rng.normal(size=200_000)
        model = fa.LinearRegression().fit(X, y)
        fa.attack(model, X[:10], y[:10], 0.1, p=1.5, method="pgd")
        print("ready", flush=True)
        try:
            fa.attack(model, X, y, 0.1, p=1.5, method="pgd", n_steps=3000, step=1e-4)
        except KeyboardInterrupt:
            fa.aif(model, X, y)  # the threads are free again
            print("interrupted", flush=True)
    """
    env = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, env=env
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert said.strip() == "interrupted"
    assert time.monotonic() - began < 2.0
    assert process.returncode == 0


INTERRUPTED = {
    "an iterator that waits": """
        def blocks():
            yield X, y
            print("ready", flush=True)
            time.sleep(30)

        call = lambda: fa.aif(model, blocks(), None)
    """,
    "a block that waits in a later pass": """
        class Blocks:
            passes = 0

            def __iter__(self):
                self.passes += 1
                yield X, y
                if self.passes > 1:
                    print("ready", flush=True)
                    time.sleep(30)

        call = lambda: fa.aif(model, Blocks(), None)
    """,
    "draws of the bootstrap": """
        result = fa.aif(model, X, y)
        result.bootstrap(4, 0)
        print("ready", flush=True)
        call = lambda: result.bootstrap(20_000, 0)
    """,
    # The last: the process ends when the chunk does.
    "a chunk of Dask's": """
        import os
        import dask.array as da

        def slowly(block):
            os.write(1, b"ready\\n")  # whole, where two chunks say so together
            time.sleep(6)
            return block

        rows = da.from_array(X, chunks=(50_000, 20)).map_blocks(slowly, dtype=float, meta=X[:0])
        call = lambda: fa.aif(model, rows, y)
    """,
}
CALLED = """
try:
    call()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    assert fa.aif(model, X, y).influence.shape == (21,)
print("over", flush=True)
"""


def _interrupt(process, what):
    """Once it is ready; it says so, and what it says next is read up to its end."""
    assert process.stdout.readline().strip() == "ready", what
    time.sleep(0.7)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    while (said := process.stdout.readline().strip()) == "ready":
        pass
    assert said == "interrupted", what
    # One second, and what a busy machine adds.
    assert time.monotonic() - began < 2.0, what
    assert process.stdout.readline().strip() == "over", what


@pytest.mark.long
def test_interrupts_are_answered_at_once():
    """One after the other in one process, which goes on after each."""
    code = """
        import time
        import numpy as np
        import fastaif as fa
        rng = np.random.default_rng(0)
        X = rng.normal(size=(200_000, 20))
        y = X.sum(axis=1) + rng.logistic(size=200_000)
        model = fa.HuberRegression().fit(X, y)
    """
    for what in INTERRUPTED.values():
        code = textwrap.dedent(code) + textwrap.dedent(what) + CALLED
    env = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        for what in INTERRUPTED:
            _interrupt(process, what)
        assert process.wait(60) == 0


def test_no_thread_is_left_computing(problem):
    fa.aif(*problem)
    for thread in threading.enumerate():
        if thread.name.startswith("fastaif"):
            assert thread.is_alive()  # idle in the pool, waiting for work


def test_results_can_be_pickled(problem):
    import pickle

    result = fa.aif(*problem)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.influence, result.influence)
    assert again.sensitivity_coefficient == result.sensitivity_coefficient


def test_networks_are_warmed_up_with_the_types_they_meet(monkeypatch):
    """Numba compiles by types: no call has any that warming up has not had."""
    numba = pytest.importorskip("numba")
    if not _compute.native_available():
        pytest.skip("the C extension was not built")
    extension, met = _compute.native(), set()

    class Noted:
        def __getattr__(self, name):
            seal = sealer(TABLE[name])

            def run(*arguments):
                met.add((name, *map(numba.typeof, seal(*arguments))))
                return getattr(extension, name)(*arguments)

            return run

    monkeypatch.setattr(_compute, "native", Noted)
    X = np.random.default_rng(0).normal(size=(40, 2))
    _warm_up_networks(X, X[:, 0])
    warm = {types for types in met if types[0].startswith("network")}
    assert {name for name, *_ in warm} == {name for name in TABLE if name.startswith("network")}
    met.clear()
    for inputs in (X, X.astype(np.float32)):
        model = fa.MLPClassification(hidden=2, alpha=0.1, random_state=0)
        model.fit(inputs, X[:, 0] > 0)
        result = fa.aif(model, inputs, X[:, 0] > 0, damping="auto", sample_weight=np.ones(40))
        assert len(result.per_sample()) == 40
        assert result.validity_radius >= 0.0
        fa.attack(model, inputs, X[:, 0] > 0, 0.1)
    assert {types for types in met if types[0].startswith("network")} <= warm


@pytest.mark.long
@pytest.mark.parametrize("warm_up", ["_warm_up_networks(X, X[:, 0])", "fa.warmup()"])
def test_warming_up_leaves_nothing_of_networks_to_compile(warm_up):
    code = """
        import importlib
        import numpy as np
        import fastaif as fa
        from fastaif._compute import OPERATIONS
        from fastaif.api.config import _warm_up_networks

        def compiled():
            parts = {n: importlib.import_module(f"fastaif._compute.numba_ops.{m}")
                     for n, m in OPERATIONS.items() if n.startswith("network")}
            return {n: len(getattr(part, n).signatures) for n, part in parts.items()}

        fa.set_backend("numba")
        X = np.random.default_rng(0).normal(size=(40, 2))
        WARM_UP
        before = compiled()
        X = X.astype(np.float32)
        model = fa.MLPClassification(hidden=2, alpha=0.1, random_state=0).fit(X, X[:, 0] > 0)
        result = fa.aif(model, X, X[:, 0] > 0, damping="auto", sample_weight=np.ones(40))
        result.per_sample(), result.validity_radius
        fa.attack(model, X, X[:, 0] > 0, 0.1)
        print(min(before.values()) > 0, compiled() == before)
    """
    assert _run(code.replace("WARM_UP", warm_up)) == "True True"

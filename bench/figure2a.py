"""Figure 2(a)'s 10,000 small fits beside NumPy's loops (`python -m bench.figure2a`)."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench import machine, ours, report, timing
from bench.peers import numpy_figure2a

Array = NDArray[np.float64]

SAMPLES, FEATURES, NOISE = 5000, 10, 0.1
REPETITIONS, QUICK_REPETITIONS = 1000, 40
PEER_REPETITIONS = 20  # in each process; their times are scaled
OURS = "fastaif"
METHODS = {
    "NumPy, all models at once": numpy_figure2a.at_once,
    "NumPy, an expert's loop": numpy_figure2a.loop,
    "NumPy, naive": numpy_figure2a.naive,
}
TOLERANCE = 1e-8
HEADER = (
    "contestant",
    "threads",
    "ms a repetition",
    "fits a second",
    "1,000 repetitions, s",
    "ratio",
)


def disagreement(n: int = SAMPLES, repetitions: int = 3) -> dict[str, float]:
    """The largest relative difference of each method from fastaif, on fastaif's samples."""
    wanted = ours.figure2a(n, repetitions)
    samples = [ours.figure2a_sample(n, k) for k in range(repetitions)]
    return {
        name: float(np.max(np.abs(np.array([method(*s) for s in samples]) / wanted - 1.0)))
        for name, method in METHODS.items()
    }


def peer(method: numpy_figure2a.Method, seed: int = 0, n: int = SAMPLES) -> Array:
    """What one process of a peer does in one run."""
    return numpy_figure2a.repetitions(method, PEER_REPETITIONS, n, FEATURES, NOISE, seed)


def rows(threads: int, repetitions: int, repeat: int) -> list[list[str]]:
    """The lines of one number of threads; a peer uses as many processes instead."""
    with _workers(threads) as pool:
        runs: dict[str, Callable[[], Any]] = {
            OURS: lambda: ours.figure2a(SAMPLES, repetitions, threads),
            **{name: partial(_spread, pool, threads, method) for name, method in METHODS.items()},
        }
        for run in runs.values():
            run()
        times = timing.interleaved(runs, repeat)
    each = {name: time / (PEER_REPETITIONS * threads) for name, time in times.items()}
    each[OURS] = times[OURS] / repetitions
    return [_line(name, threads, time, time / each[OURS]) for name, time in each.items()]


def _line(name: str, threads: int, seconds: float, ratio: float) -> list[str]:
    return [
        name,
        str(threads),
        report.milliseconds(seconds),
        f"{FEATURES / seconds:,.0f}",
        f"{1000 * seconds:.2f}",
        f"{ratio:.2f}",
    ]


def _workers(count: int) -> ProcessPoolExecutor:
    """Processes with BLAS on one thread: products this small gain nothing from more."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, threadpool_limits, (1, "blas"))


def _spread(pool: ProcessPoolExecutor, processes: int, method: numpy_figure2a.Method) -> None:
    for _ in pool.map(partial(peer, method), range(processes)):
        pass


def _check() -> None:
    for name, error in disagreement().items():
        if not error <= TOLERANCE:  # NaN fails as well
            raise SystemExit(f"{name} differs from fastaif by {error:.1e} (relative)")


def main() -> None:
    options = _options()
    repetitions = QUICK_REPETITIONS if options.quick else REPETITIONS
    _check()
    found: list[list[str]] = []
    for threads in sorted({1, machine.threads()}):
        found += rows(threads, repetitions, options.repeat)
    lines = [
        *machine.preamble(),
        f"Figure 2(a), n = {SAMPLES:,}, {FEATURES} fits a repetition: medians of "
        f"{options.repeat} interleaved runs",
        "",
        *report.table(HEADER, found),
        "",
        f"fastaif: {repetitions:,} repetitions a run; NumPy: {PEER_REPETITIONS} in each process, "
        f"with its own random numbers. On the same samples all agree to {TOLERANCE:.0e}.",
    ]
    report.publish(lines, options.markdown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.figure2a", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it work?")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    main()

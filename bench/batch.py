"""Fits and influences of many small problems beside a NumPy loop (`python -m bench.batch`)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

import fastaif as fa
from bench import machine, report, timing
from bench.peers import numpy_batch

Array = npt.NDArray[np.float64]

PROBLEMS, QUICK, SAMPLES, FEATURES = 10_000, 500, 500, 10
ONE_BY_ONE = 200  # problems for which `fit` and `aif` are called
TOLERANCE = 1e-11
HEADER = ("problems", "fastaif", "on Numba", "NumPy loop", "fit and aif, each", "ratio",
          "us a problem", "differ by")  # fmt: skip


def data(k: int) -> tuple[Array, Array]:
    """Normal inputs, and targets that depend on all of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((k, SAMPLES, FEATURES))
    return X, X @ np.linspace(1.0, -1.0, FEATURES) + rng.standard_normal((k, SAMPLES))


def on(backend: str, X: Array, y: Array) -> fa.BatchInfluence:
    """The batch on that backend."""
    fa.set_backend(backend)
    found = fa.aif_batch(fa.LinearRegression(), X, y, p=2)
    fa.set_backend("auto")
    return found


def line(k: int, repeat: int) -> list[str]:
    """Check, then time."""
    X, y = data(k)
    found, (wanted, coefficients) = on("auto", X, y), numpy_batch.influences(X, y)
    error = max(
        float(np.abs(found.influence - wanted).max() / np.abs(wanted).max()),
        float(np.abs(found.sensitivity_coefficient / coefficients - 1.0).max()),
    )
    if not error <= TOLERANCE:  # NaN fails as well
        raise SystemExit(f"NumPy's loop differs from fastaif by {error:.1e} (relative)")

    def loop() -> None:
        with threadpool_limits(1, "blas"):
            numpy_batch.influences(X, y)

    runs = {"fastaif": lambda: on("auto", X, y), "Numba": lambda: on("numba", X, y), "loop": loop}
    for run in runs.values():
        run()
    times = timing.interleaved(runs, repeat)
    return [
        f"{k:,}", *(report.milliseconds(times[name]) for name in runs),
        report.milliseconds(_each(X, y) * k), f"{times['loop'] / times['fastaif']:.1f}",
        f"{1e6 * times['fastaif'] / k:.1f}", f"{error:.0e}",
    ]  # fmt: skip


def _each(X: Array, y: Array) -> float:
    """Seconds of `fit` and `aif`, one problem after the other."""
    few = min(ONE_BY_ONE, len(X))
    start = time.perf_counter()
    for b in range(few):
        fa.aif(fa.LinearRegression().fit(X[b], y[b]), X[b], y[b], p=2)
    return (time.perf_counter() - start) / few


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few problems: does it work?")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args()
    k = QUICK if options.quick else PROBLEMS
    lines = [
        *machine.preamble(),
        f"Least squares and its influence, n = {SAMPLES}, m = {FEATURES}, p = 2: medians of "
        f"{options.repeat} interleaved runs, ms",
        "",
        *report.table(HEADER, [line(k, options.repeat)]),
        "",
        f"fit and aif, each: {ONE_BY_ONE} problems one after the other, once, in proportion.",
    ]
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()

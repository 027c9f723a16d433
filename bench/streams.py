"""The influence on rows from a file and from a sparse matrix (`python -m bench.streams`).

The file is memory-mapped, with 64 columns of float32. A bare reader reads it through once, block by
block, into the same buffer; each contestant has a fresh process, in which its anonymous memory
(RssAnon) is sampled.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

import fastaif as fa
from bench import machine, report

Array = npt.NDArray[np.float32]

ROWS, QUICK, COLUMNS, BLOCK = 10_000_000, 200_000, 64, 100_000
DENSITY = 0.01
STATUS = Path("/proc/self/status")
FILE_HEADER = ("rows", "file, MB", "contestant", "ms", "anonymous memory, MB", "S/eps^2")
DASK_HEADER = ("rows", "contestant", "ms", "S/eps^2")
SPARSE_HEADER = ("rows", "density", "contestant", "ms", "S/eps^2")


def write(folder: Path, rows: int) -> None:
    """X and y, a block at a time."""
    rng = np.random.default_rng(0)
    beta = np.linspace(1.0, -1.0, COLUMNS, dtype=np.float32)
    X = np.memmap(folder / "X", np.float32, "w+", shape=(rows, COLUMNS))
    y = np.empty(rows)
    for start in range(0, rows, BLOCK):
        part = rng.standard_normal((min(BLOCK, rows - start), COLUMNS), dtype=np.float32)
        X[start : start + BLOCK] = part
        y[start : start + BLOCK] = part @ beta + rng.standard_normal(len(part))
    X.flush()
    np.save(folder / "y.npy", y)


def anonymous() -> int:
    """Bytes of memory that are no file's."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return 1024 * int(line.split()[1])


class Watch:
    """The most anonymous memory while it is open."""

    def __enter__(self) -> Watch:
        self.most, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            self.most = max(self.most, anonymous())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def contestant(name: str, folder: Path, rows: int, repeat: int) -> str:
    """What a fresh process prints: median ms, memory, S/ε²."""
    y = np.load(folder / "y.npy")
    X = np.memmap(folder / "X", np.float32, "r", shape=(rows, COLUMNS))
    few = min(rows, 20_000)
    model = fa.LinearRegression().fit(np.array(X[:few]), y[:few])
    inputs = np.array(X) if name == "array" else X
    coefficient, times = 0.0, []
    with Watch() as watch:
        for _ in range(repeat):
            start = time.perf_counter()
            if name == "reader":
                _read(folder / "X")
            else:
                result = fa.aif(model, inputs, y, p=2, refine=False)
                coefficient = result.sensitivity_coefficient
            times.append(time.perf_counter() - start)
    return f"{1e3 * median(times):.1f} {watch.most / 1e6:.0f} {coefficient!r}"


def _read(path: Path) -> None:
    """The whole file through one buffer."""
    buffer = memoryview(bytearray(1 << 22))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def file_rows(rows: int, repeat: int) -> list[list[str]]:
    """Reader, array and memory map, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="fastaif-streams-") as name:
        folder, lines = Path(name), []
        write(folder, rows)
        size = f"{(folder / 'X').stat().st_size / 1e6:,.0f}"
        for who in ("reader", "array", "memmap"):
            command = [sys.executable, "-W", "ignore", "-m", "bench.streams", "--contestant", who,
                       "--folder", name, "--rows", str(rows), "--repeat", str(repeat)]  # fmt: skip
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            milliseconds, memory, coefficient = done.stdout.split()
            value = "" if who == "reader" else repr(float(coefficient))
            lines.append([f"{rows:,}", size, who, milliseconds, memory, value])
    return lines


def sparse_rows(rows: int, repeat: int) -> list[list[str]]:
    """A sparse matrix of many columns beside the same rows as an array."""
    rng = np.random.default_rng(0)
    matrix: Any = sp.random(rows, 4 * COLUMNS, DENSITY, format="csr", random_state=0)
    y = matrix @ np.linspace(1.0, -1.0, 4 * COLUMNS) + rng.standard_normal(rows)
    model = fa.LinearRegression(alpha=1e-3).fit(matrix, y)
    lines = []
    for name, X in (("CSR", matrix), ("array", matrix.toarray())):
        for solver in ("cholesky", "cg"):
            run = partial(fa.aif, model, X, y, solver=solver)
            size, *cells = _timed(f"{rows:,}", f"{name}, {solver}", run, repeat)
            lines.append([size, f"{DENSITY:.0%}", *cells])
    return lines


def dask_rows(rows: int, repeat: int) -> list[list[str]]:
    """Chunks that two worker processes hold, beside the same rows in this process."""
    import dask.array as da
    from distributed import Client, LocalCluster, wait

    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, COLUMNS))
    y = X @ np.linspace(1.0, -1.0, COLUMNS) + rng.standard_normal(rows)
    model = fa.LinearRegression().fit(X, y)
    lines = [_timed(f"{rows:,}", "array, two threads", lambda: fa.aif(model, X, y), repeat)]
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with cluster, Client(cluster) as client:
        held = client.persist(da.from_array(X, chunks=(BLOCK, COLUMNS)))
        wait(held)
        lines.append(
            _timed(f"{rows:,}", "Dask, two processes", lambda: fa.aif(model, held, y), repeat)
        )
    return lines


def _timed(rows: str, name: str, run: Callable[[], Any], repeat: int) -> list[str]:
    times, coefficient = [], 0.0
    for _ in range(repeat + 1):
        start = time.perf_counter()
        coefficient = run().sensitivity_coefficient
        times.append(time.perf_counter() - start)
    return [rows, name, f"{1e3 * median(times[1:]):.1f}", repr(coefficient)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small file: does it work?")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        print(contestant(options.contestant, options.folder, options.rows, options.repeat))
        return
    rows = options.rows or (QUICK if options.quick else ROWS)
    lines = [
        *machine.preamble(),
        f"Influence on a memory-mapped file of {COLUMNS} columns, float32: medians of "
        f"{options.repeat} runs",
        "",
        *report.table(FILE_HEADER, file_rows(rows, options.repeat)),
        "",
        f"Influence on {4 * COLUMNS} columns, of which {DENSITY:.0%} are not zero",
        "",
        *report.table(SPARSE_HEADER, sparse_rows(min(rows, 200_000), options.repeat)),
        "",
        f"Influence on {COLUMNS} columns, chunks of {BLOCK:,} rows",
        "",
        *report.table(DASK_HEADER, dask_rows(min(rows, 2_000_000), options.repeat)),
    ]
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()

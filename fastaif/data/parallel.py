"""Rows by the block, and the thread driver.

`RowSource` hands out contiguous, read-only blocks of one floating-point type from
arrays of any layout, so that compiled operations meet one signature per type and
data are never copied whole. `reduce_chunks` runs operations over chunks of rows and
merges their partial sums along a fixed binary tree: the result does not depend on
the number of threads.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._compute.types import EMPTY, Rows
from ..utils import progress

Array = NDArray[Any]
Encoder = Callable[[Array], Array]
T = TypeVar("T")

_MAX_CHUNKS = 1024
_CHUNK_ENTRIES = 1 << 18
_LARGEST_CHUNK = 1 << 20  # entries: enough for Python's part to be small beside the operation's
_PLENTY = 64  # chunks that keep the threads of a small machine busy to the end
_PIECE = 1 << 20  # rows for which vectors of numbers are held at a time
_SERIAL_ENTRIES = 1 << 16  # below this a thread costs more than it brings


class RowSource(NamedTuple):
    """Inputs (n, m), targets (n,) and weights (n,) or None, read by the block.

    `encode` turns raw targets into the numbers that the loss expects (±1 for labels).
    """

    x: Array
    y: Array
    weight: Array | None
    encode: Encoder

    @property
    def n_rows(self) -> int:
        return int(self.x.shape[0])

    @property
    def n_columns(self) -> int:
        return int(self.x.shape[1])

    def targets(self, start: int = 0, stop: int | None = None) -> Array:
        """Encoded targets of a range of rows, float64."""
        return self.encode(self.y[start:stop])

    def weights(self, start: int = 0, stop: int | None = None) -> Array:
        """Weights of a range of rows, float64; empty where all are one."""
        if self.weight is None:
            return EMPTY
        return frozen(np.ascontiguousarray(self.weight[start:stop], dtype=np.float64))

    def mean(self, values: Array) -> float:
        """The weighted mean of one value a row; rows of no weight may be infinite."""
        w = self.weights()
        if not w.size:
            return float(np.mean(values))
        return float(np.average(values[w > 0], weights=w[w > 0]))

    def means(self, values: Callable[[RowSource], tuple[Array, ...]]) -> tuple[float, ...]:
        """Weighted means of numbers that each row has, which exist for a part of the rows only.

        `values` takes a part of the rows to arrays with an entry a row.
        """
        if self.n_rows <= _PIECE or not isinstance(self.x, np.ndarray):
            return tuple(self.mean(part) for part in values(self))
        weights: list[float] = []
        found: list[list[float]] = []
        for start in range(0, self.n_rows, _PIECE):
            rows = slice(start, min(start + _PIECE, self.n_rows))
            w = self.weights(rows.start, rows.stop)
            weight = float(w.sum()) if w.size else float(rows.stop - rows.start)
            if weight > 0.0:
                part = self._replace(
                    x=self.x[rows], y=self.y[rows], weight=w if w.size else None
                )
                weights.append(weight)
                found.append([part.mean(array) for array in values(part)])
        return tuple(float(np.average(part, weights=weights)) for part in zip(*found, strict=True))

    def inputs(self, start: int = 0, stop: int | None = None) -> Array:
        """Inputs of a range of rows: C-contiguous, float32 or float64, read-only."""
        block = np.asarray(self.x[start:stop])
        dtype = block.dtype if block.dtype in (np.float32, np.float64) else np.float64
        if not (block.flags.c_contiguous and block.flags.aligned and block.dtype.isnative):
            block = np.ascontiguousarray(block, dtype=dtype)
        return frozen(block.astype(dtype, copy=False))

    def rows(self, start: int, stop: int) -> Rows:
        """A range of rows as compiled operations take it."""
        return Rows(self.inputs(start, stop), *self.rows_without_inputs(start, stop))

    def rows_without_inputs(self, start: int, stop: int) -> tuple[Array, Array]:
        """Targets and weights of a range of rows as compiled operations take them."""
        targets = frozen(np.ascontiguousarray(self.targets(start, stop), dtype=np.float64))
        return targets, self.weights(start, stop)

    def chunks(self, cost: int = 1, columns: int | None = None) -> list[tuple[int, int]]:
        """Ranges of rows; they depend on the shape (and the cost) alone.

        `columns` is the number of columns that the work sees, where it is not the inputs'.
        `LazyRows` that are best read by blocks of their own are read by those.
        """
        n, m = self.n_rows, max(self.n_columns if columns is None else columns, 1)
        entries = max(_CHUNK_ENTRIES, min(n * m // _PLENTY, _LARGEST_CHUNK))
        natural = getattr(self.x, "edges", None)
        if natural is not None:
            return _whole_blocks(natural, max(entries // m, 1024))
        size = max(entries // m, 8 * m, 1024) // cost
        size = max(size, 1, -(-n // _MAX_CHUNKS))
        count = max(1, -(-n // size))
        edges = [n * i // count for i in range(count + 1)]
        return list(itertools.pairwise(edges))


def _whole_blocks(natural: Array, size: int) -> list[tuple[int, int]]:
    """Ranges of whole blocks of about `size` rows or more; the last may be shorter."""
    edges = [0]
    for edge in np.unique(natural)[1:]:  # empty blocks have no edges of their own
        if edge - edges[-1] >= size or edge == natural[-1]:
            edges.append(int(edge))
    return list(itertools.pairwise(edges))


def frozen(array: Array) -> Array:
    """A read-only view: read-only and writable input then share one compiled signature."""
    view = array.view()
    view.setflags(write=False)
    return view


# --- threads -------------------------------------------------------------------------

_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_pool_lock = threading.Lock()


def _forget_threads() -> None:
    """After a fork the child has the parent's pool and locks but none of its threads."""
    global _pool, _pool_lock, _blas_lock, _blas_users
    _pool, _pool_lock = None, threading.Lock()
    if _blas_users:
        _blas_limiter.restore_original_limits()
    _blas_lock, _blas_users = threading.Lock(), 0


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_threads)


def default_threads() -> int:
    """As many threads as this process may use cores."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _executor(n_threads: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    with _pool_lock:
        if _pool is None or _pool_size < n_threads:
            # The old pool may still be in use; its threads end when nothing refers to it.
            _pool = ThreadPoolExecutor(n_threads, thread_name_prefix="fastaif")
            _pool_size = n_threads
        return _pool


def resolve_threads(n_threads: int | None, entries: int) -> int:
    """The number of threads to use for work on that many matrix entries."""
    if entries < _SERIAL_ENTRIES:
        return 1
    return default_threads() if n_threads is None else n_threads


_blas_lock = threading.Lock()
_blas_users = 0
_blas_limiter: Any = None
_blas_controller: Any = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS on one thread: our own threads call it, and its bits must not depend on theirs.

    Counted, because Python threads may nest and overlap; the controller is made once
    (looking for the libraries costs milliseconds).
    """
    global _blas_users, _blas_limiter, _blas_controller
    with _blas_lock:
        if _blas_controller is None:
            import scipy.linalg.cython_blas  # noqa: F401  (so that its BLAS is loaded)
            from threadpoolctl import ThreadpoolController

            _blas_controller = ThreadpoolController()
        if _blas_users == 0:
            _blas_limiter = _blas_controller.limit(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0:
                _blas_limiter.restore_original_limits()


_SMALL_SOLVE = 1024


def blas_for_solves(d: int) -> AbstractContextManager[None]:
    """BLAS on one thread for small systems: its bits then depend on nothing else, and waking
    threads would cost more than they bring."""
    return single_threaded_blas() if d <= _SMALL_SOLVE else nullcontext()


def for_each(n_tasks: int, work: Callable[[int], None], n_threads: int) -> None:
    """Run `work(0) … work(n_tasks - 1)`; on an error or Ctrl-C the rest is not started."""
    if n_threads <= 1 or n_tasks <= 1:
        for task in range(n_tasks):
            work(task)
        return
    tickets = iter(range(n_tasks))
    ticket_lock = threading.Lock()
    stop = threading.Event()

    def worker() -> None:
        try:
            while not stop.is_set():
                with ticket_lock:
                    task = next(tickets, None)
                if task is None:
                    return
                work(task)
        except BaseException:
            stop.set()
            raise

    # The calling thread works too: another one is then woken on another core at once, and a
    # call from within a task never waits for threads that are all busy.
    pool = _executor(n_threads - 1)
    futures = [pool.submit(worker) for _ in range(min(n_threads, n_tasks) - 1)]
    try:
        worker()
    finally:
        stop.set()
        started = [future for future in futures if not future.cancel()]
        wait(started)
    for future in started:
        future.result()


class _Tree:
    """Merges partial results along a fixed binary tree as they arrive."""

    def __init__(self, n_leaves: int, merge: Callable[[Any, Any], Any]) -> None:
        self._n_leaves = n_leaves
        self._merge = merge
        self._waiting: dict[tuple[int, int], Any] = {}
        self._lock = threading.Lock()

    def add(self, leaf: int, part: Any) -> None:
        level, place, width = 0, leaf, self._n_leaves
        while width > 1:
            if not (place % 2 == 0 and place + 1 == width):  # an odd one out moves up alone
                sibling = place ^ 1
                with self._lock:
                    other = self._waiting.pop((level, sibling), None)
                    if other is None:
                        self._waiting[level, place] = part
                        return
                part = self._merge(part, other) if place < sibling else self._merge(other, part)
            level, place, width = level + 1, place // 2, (width + 1) // 2
        with self._lock:
            self._waiting[level, 0] = part

    def root(self) -> Any:
        (part,) = self._waiting.values()
        return part


def reduce_chunks(
    chunks: list[tuple[int, int]],
    work: Callable[[int, int], T],
    merge: Callable[[T, T], T],
    n_threads: int,
) -> T:
    """Merge ``work(start, stop)`` over all chunks: the same bits on any number of threads."""
    tree = _Tree(len(chunks), merge)

    def task(index: int) -> None:
        tree.add(index, work(*chunks[index]))

    with single_threaded_blas():
        for_each(len(chunks), task, n_threads)
    return tree.root()


def map_rows(
    source: RowSource,
    work: Callable[[int, int], None],
    n_threads: int | None = None,
    *,
    cost: int = 1,
) -> None:
    """Run ``work(start, stop)`` over chunks of rows, for results of one row each.

    `cost` says how many sweeps of the rows the work is worth: dearer work is cut finer.
    """
    chunks = source.chunks(cost)
    threads = resolve_threads(n_threads, cost * source.n_rows * source.n_columns)
    progress.tick()
    with single_threaded_blas():
        for_each(len(chunks), lambda i: work(*chunks[i]), threads)

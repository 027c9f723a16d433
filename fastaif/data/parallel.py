"""The thread driver.

`reduce_chunks` runs operations over chunks of rows and merges their partial sums along a fixed
binary tree: the result does not depend on the number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

T = TypeVar("T")

_SERIAL_ENTRIES = 1 << 16  # below this a thread costs more than it brings


_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_pool_lock = threading.Lock()


def _forget_threads() -> None:
    """After a fork the child has the parent's pool and locks but none of its threads."""
    global _pool, _pool_lock, _blas_lock, _blas_users
    _pool, _pool_lock = None, threading.Lock()
    if _blas_users:
        _restore_blas()
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
_blas_libraries: list[Any] = []
_blas_threads: list[int] = []  # what each library had before


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS on one thread: our own threads call it, and its bits must not depend on theirs.

    Counted, because Python threads may nest and overlap; the libraries are looked for once
    (that costs milliseconds).
    """
    global _blas_users, _blas_threads
    with _blas_lock:
        if _blas_users == 0:
            libraries = _blas_libraries or _loaded_blas()
            _blas_threads = [library.get_num_threads() for library in libraries]
            for library in libraries:
                library.set_num_threads(1)
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0:
                _restore_blas()


def _restore_blas() -> None:
    for library, threads in zip(_blas_libraries, _blas_threads, strict=True):
        library.set_num_threads(threads)


def _loaded_blas() -> list[Any]:
    """The BLAS libraries of this process, NumPy's and SciPy's."""
    import scipy.linalg.cython_blas  # noqa: F401  (so that its BLAS is loaded)
    from threadpoolctl import ThreadpoolController

    _blas_libraries.extend(ThreadpoolController().select(user_api="blas").lib_controllers)
    return _blas_libraries


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

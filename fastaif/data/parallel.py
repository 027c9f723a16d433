"""The thread driver.

`reduce_chunks` runs operations over chunks of rows and merges their partial sums along a fixed
binary tree: the result does not depend on the number of threads.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple, TypeVar

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


class _Blas(NamedTuple):
    """How a library's number of threads is read and set."""

    get: Callable[[], int]
    set: Callable[[int], Any]


_blas_lock = threading.Lock()
_blas_users = 0
_blas_libraries: list[_Blas] = []
_blas_threads: list[int] = []  # what each library had before


class _SingleThreadedBlas:
    """What `single_threaded_blas` enters; a class, for small problems notice a generator."""

    __slots__ = ()

    def __enter__(self) -> None:
        global _blas_users, _blas_threads
        with _blas_lock:
            if _blas_users == 0:
                libraries = _blas_libraries or _loaded_blas()
                _blas_threads = [library.get() for library in libraries]
                for library, threads in zip(libraries, _blas_threads, strict=True):
                    if threads != 1:
                        library.set(1)
            _blas_users += 1

    def __exit__(self, *_: object) -> None:
        global _blas_users
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0:
                _restore_blas()


def single_threaded_blas() -> AbstractContextManager[None]:
    """BLAS on one thread: our own threads call it, and its bits must not depend on theirs.

    Counted, because Python threads may nest and overlap; the libraries are looked for once
    (that costs milliseconds).
    """
    return _SingleThreadedBlas()


def _restore_blas() -> None:
    for library, threads in zip(_blas_libraries, _blas_threads, strict=True):
        if threads != 1:
            library.set(threads)


def _blas_of(library: Any) -> _Blas:
    """OpenBLAS's own functions where it has threads of its own, else threadpoolctl's.

    These cost a tenth, which small problems notice, and heed whoever calls: since 3.8 threadpoolctl
    heeds only the thread that set the number first, as long as that lives, but ours come in first
    and go out last in any order, and keep count themselves.
    """
    if library.internal_api == "openblas" and library.threading_layer == "pthreads":
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if hasattr(library.dynlib, names[1]):
                return _Blas(*(getattr(library.dynlib, name) for name in names))
    return _Blas(library.get_num_threads, library.set_num_threads)


def _loaded_blas() -> list[_Blas]:
    """The BLAS libraries of this process, NumPy's and SciPy's."""
    import scipy.linalg.cython_blas  # noqa: F401  (so that its BLAS is loaded)
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    _blas_libraries.extend(map(_blas_of, found))
    return _blas_libraries


_SMALL_SOLVE = 1024


def blas_for_solves(d: int) -> AbstractContextManager[None]:
    """BLAS on one thread for small systems: its bits then depend on nothing else, and waking
    threads would cost more than they bring."""
    return single_threaded_blas() if d <= _SMALL_SOLVE else nullcontext()


_PATIENCE = 0.5  # seconds that Ctrl-C waits for tasks to see that they should stop
_asked = threading.local()  # .stops: the events of the drivers within which a thread works


class _StoppedError(BaseException):
    """A task that gave up because its driver had."""


def stop_if_asked() -> None:
    """Give up a task that nobody waits for any more; long ones ask now and then."""
    if any(stop.is_set() for stop in getattr(_asked, "stops", ())):
        raise _StoppedError


class _Driver:
    """Runs tasks on the calling thread and on others of the pool, until done or stopped."""

    def __init__(self, n_threads: int) -> None:
        self.stop = threading.Event()
        self._outer: tuple[threading.Event, ...] = getattr(_asked, "stops", ())
        self._n_others = n_threads - 1

    def run(self, worker: Callable[[], None], mine: Callable[[], None]) -> None:
        """`mine` on this thread and `worker` on others; the first error stops them all."""
        # The calling thread works too: another one is then woken on another core at once, and a
        # call from within a task never waits for threads that are all busy.
        pool = _executor(self._n_others)
        futures = [pool.submit(self.guarded, worker) for _ in range(self._n_others)]
        patience = None
        try:
            done = self.guarded(mine)
        except BaseException as error:
            self.stop.set()
            self.wake()
            if isinstance(error, KeyboardInterrupt):
                patience = _PATIENCE  # what a thread still does is lost, and it ends by itself
            raise
        finally:
            started = [future for future in futures if not future.cancel()]
            wait(started, patience)
        for future in started:
            future.result()
        if not done:
            raise _StoppedError

    def wake(self) -> None:
        """Let threads that wait see that they should stop."""

    def guarded(self, worker: Callable[[], None]) -> bool:
        """Whether the worker came to its end, rather than being stopped by another's error."""
        before = getattr(_asked, "stops", ())
        _asked.stops = (*self._outer, self.stop)
        try:
            worker()
        except _StoppedError:
            if not self.stop.is_set():  # it is a driver around this one that stops
                raise
            return False
        except BaseException:
            self.stop.set()
            self.wake()
            raise
        else:
            return True
        finally:
            _asked.stops = before


def for_each(n_tasks: int, work: Callable[[int], None], n_threads: int) -> None:
    """Run `work(0) … work(n_tasks - 1)`; on an error or Ctrl-C the rest is not started."""
    if n_threads <= 1 or n_tasks <= 1:
        for task in range(n_tasks):
            stop_if_asked()
            work(task)
        return
    tickets = iter(range(n_tasks))
    ticket_lock = threading.Lock()

    def worker() -> None:
        while True:
            stop_if_asked()
            with ticket_lock:
                task = next(tickets, None)
            if task is None:
                return
            work(task)

    _Driver(min(n_threads, n_tasks)).run(worker, worker)


class _Queue(_Driver):
    """Tasks that the calling thread makes ready in their order, and all threads work on."""

    def __init__(
        self,
        n_tasks: int,
        read: Callable[[int], None],
        work: Callable[[int], None],
        n_threads: int,
    ) -> None:
        super().__init__(n_threads)
        self._n_tasks, self._read, self._work = n_tasks, read, work
        self._most = 2 * n_threads
        self._ready: deque[int] = deque()
        self._is_read = False
        self._changed = threading.Condition()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def read_and_work(self) -> None:
        """What the calling thread does: it reads, and works when enough has been read."""
        for task in range(self._n_tasks):
            stop_if_asked()
            self._read(task)
            with self._changed:
                self._ready.append(task)
                self._changed.notify()
                busy = len(self._ready) > self._most
            if busy:
                self._work_on_next()
        self._is_read = True
        self.wake()
        while self._work_on_next():
            pass

    def work_on_all(self) -> None:
        """What the others do."""
        while True:
            with self._changed:
                while not (self._ready or self._is_read or self.stop.is_set()):
                    self._changed.wait()
            stop_if_asked()
            if not self._work_on_next() and self._is_read:
                return

    def _work_on_next(self) -> bool:
        try:
            task = self._ready.popleft()
        except IndexError:
            return False
        stop_if_asked()
        self._work(task)
        return True


def for_each_in_order(
    n_tasks: int, read: Callable[[int], None], work: Callable[[int], None], n_threads: int
) -> None:
    """`for_each` of tasks that `read(0) … read(n_tasks - 1)` make ready.

    These run on the calling thread, one after the other, and are a few tasks ahead at most.
    """
    if n_threads <= 1 or n_tasks <= 1:
        for task in range(n_tasks):
            stop_if_asked()
            read(task)
            work(task)
        return
    queue = _Queue(n_tasks, read, work, min(n_threads, n_tasks))
    queue.run(queue.work_on_all, queue.read_and_work)


def overlapped(items: Iterable[T], work: Callable[[T], None]) -> None:
    """Run `work` on each item in their order, on another thread, while this one takes the next.

    Iterators run on the calling thread, and Ctrl-C does not wait for the work.
    """
    driver, working = _Driver(1), None
    with ThreadPoolExecutor(1, thread_name_prefix="fastaif-rows") as pool:
        try:
            for item in items:
                if working is not None:
                    working.result()
                working = pool.submit(driver.guarded, partial(work, item))
            if working is not None:
                working.result()
        finally:
            driver.stop.set()


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
    read: Callable[[int, int], None] | None = None,
) -> T:
    """Merge ``work(start, stop)`` over all chunks: the same bits on any number of threads."""
    if len(chunks) == 1:
        with single_threaded_blas():
            return work(*chunks[0])
    tree = _Tree(len(chunks), merge)
    map_chunks(chunks, lambda index, *rows: tree.add(index, work(*rows)), n_threads, read)
    return tree.root()


def map_chunks(
    chunks: list[tuple[int, int]],
    work: Callable[[int, int, int], None],
    n_threads: int,
    read: Callable[[int, int], None] | None = None,
) -> None:
    """Run ``work(index, start, stop)`` over all chunks, with BLAS on one thread.

    ``read(start, stop)`` is called on the calling thread alone, in the chunks' order, before.
    """
    count = len(chunks)
    with single_threaded_blas():
        if read is None:
            for_each(count, lambda i: work(i, *chunks[i]), n_threads)
        else:
            for_each_in_order(
                count, lambda i: read(*chunks[i]), lambda i: work(i, *chunks[i]), n_threads
            )

"""The thread driver.

`reduce_chunks` runs operations over chunks of rows and merges their partial sums along a fixed
binary tree: the result does not depend on the number of threads.

Ctrl-C raises on the calling thread, between any two calls of Python code, that of `threading` and
`concurrent.futures` as well: a condition that was being entered would stay locked, and every later
call wait for it. What the calling thread shares with the others is therefore changed by single
calls of C alone (`SimpleQueue`, `deque.popleft`, `dict.setdefault`, a bare lock), and the others,
where they wait, look now and then whether anybody still waits for them.
"""

from __future__ import annotations

import _thread
import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from .blas import single_threaded_blas

T = TypeVar("T")

_SERIAL_ENTRIES = 1 << 16  # below this a thread costs more than it brings
_LOOK_UP = 0.2  # seconds after which a thread that waits looks whether it should stop
_PATIENCE = 0.5  # seconds that Ctrl-C waits for tasks to see that they should stop
_GOODBYE = 10.0  # seconds that the end of the process waits for them


_VARIABLE = "FASTAIF_NUM_THREADS"


def default_threads() -> int:
    """As many threads as FASTAIF_NUM_THREADS says, else as this process may use cores."""
    if said := os.environ.get(_VARIABLE, "").strip():
        if not said.isdecimal() or int(said) < 1:
            raise ValueError(f"{_VARIABLE} must be a positive whole number, got {said!r}: unset it")
        return int(said)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def resolve_threads(n_threads: int | None, entries: int) -> int:
    """The number of threads to use for work on that many matrix entries."""
    if entries < _SERIAL_ENTRIES:
        return 1
    return default_threads() if n_threads is None else n_threads


# --- threads that wait for work ---------------------------------------------------------------


class _Job:
    """Work for another thread, which may be called off as long as none has begun it."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run: Callable[[], Any] | None = run
        self._begun, self._ended = _thread.allocate_lock(), _thread.allocate_lock()
        self._ended.acquire()
        self._is_over = False
        self._error: BaseException | None = None

    def __call__(self) -> None:
        """Do it, unless another thread does, or it was called off."""
        if not self._begun.acquire(blocking=False):
            return
        run, self._run = self._run, None
        assert run is not None
        _running[self] = None
        try:
            run()
        except BaseException as error:
            self._error = error
        finally:
            _running.pop(self, None)
            self._is_over = True
            self._ended.release()

    def call_off(self) -> bool:
        """Whether no thread had begun; none will."""
        if not self._begun.acquire(blocking=False):
            return False
        self._run = None
        return True

    def wait(self, patience: float | None = None) -> None:
        """Until it has ended, or for some seconds at most."""
        if self._is_over:
            return
        if self._ended.acquire(timeout=-1 if patience is None else max(patience, 0.0)):
            self._ended.release()

    def raise_error(self) -> None:
        """The error with which it ended, if it did."""
        error, self._error = self._error, None
        if error is not None:
            raise error


_jobs: SimpleQueue[_Job] = SimpleQueue()
_running: dict[_Job, None] = {}
_n_waiting = 0  # threads that there are


def _serve(jobs: SimpleQueue[_Job]) -> None:
    """What a thread does as long as the process lives."""
    while True:
        jobs.get()()


def _hand_out(jobs: list[_Job]) -> None:
    """Have other threads begin; as many are made as one call asks for."""
    global _n_waiting
    while _n_waiting < len(jobs):
        _thread.start_new_thread(_serve, (_jobs,))
        _n_waiting += 1
    for job in jobs:
        _jobs.put(job)


def _wait_for_the_last() -> None:
    """What Ctrl-C left behind ends before what it works with is taken down."""
    deadline = time.monotonic() + _GOODBYE
    for job in list(_running):
        job.wait(deadline - time.monotonic())


def _forget_threads() -> None:
    """After a fork the child has none of the parent's threads."""
    global _jobs, _running, _n_waiting
    _jobs, _running, _n_waiting = SimpleQueue(), {}, 0


atexit.register(_wait_for_the_last)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_threads)


# --- drivers ------------------------------------------------------------------------------------

_asked = threading.local()  # .drivers: those within which a thread works


class _StoppedError(BaseException):
    """A task that gave up because its driver had."""


def stop_if_asked() -> None:
    """Give up a task that nobody waits for any more; long ones ask now and then."""
    if any(driver.stopped for driver in getattr(_asked, "drivers", ())):
        raise _StoppedError


class _Driver:
    """Runs tasks on the calling thread and on others, until done or stopped."""

    def __init__(self, n_threads: int) -> None:
        self.stopped = False
        self._outer: tuple[_Driver, ...] = getattr(_asked, "drivers", ())
        self._n_others = n_threads - 1

    def run(self, worker: Callable[[], None], mine: Callable[[], None]) -> None:
        """`mine` on this thread and `worker` on others; the first error stops them all."""
        # The calling thread works too: another one is then woken on another core at once, and a
        # call from within a task never waits for threads that are all busy.
        jobs = [_Job(partial(self.guarded, worker)) for _ in range(self._n_others)]
        patience = None
        try:
            _hand_out(jobs)
            done = self.guarded(mine)
        except BaseException as error:
            self.stopped = True
            self.wake()
            if isinstance(error, KeyboardInterrupt):
                patience = _PATIENCE  # what a thread still does is lost, and it ends by itself
            raise
        finally:
            deadline = None if patience is None else time.monotonic() + patience
            begun = [job for job in jobs if not job.call_off()]
            for job in begun:
                job.wait(None if deadline is None else deadline - time.monotonic())
        for job in begun:
            job.raise_error()
        if not done:
            raise _StoppedError

    def wake(self) -> None:
        """Let threads that wait see that they should stop."""

    def guarded(self, worker: Callable[[], None]) -> bool:
        """Whether the worker came to its end, rather than being stopped by another's error."""
        before = getattr(_asked, "drivers", ())
        # No call between this and `try`, nor in `finally`: Ctrl-C cannot come between.
        _asked.drivers = (*self._outer, self)
        try:
            worker()
        except _StoppedError:
            if not self.stopped:  # it is a driver around this one that stops
                raise
            return False
        except BaseException:
            self.stopped = True
            self.wake()
            raise
        else:
            return True
        finally:
            _asked.drivers = before


def for_each(n_tasks: int, work: Callable[[int], None], n_threads: int) -> None:
    """Run `work(0) … work(n_tasks - 1)`; on an error or Ctrl-C the rest is not started."""
    if n_threads <= 1 or n_tasks <= 1:
        for task in range(n_tasks):
            stop_if_asked()
            work(task)
        return
    tasks = deque(range(n_tasks))

    def worker() -> None:
        while True:
            stop_if_asked()
            try:
                task = tasks.popleft()
            except IndexError:
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
        self._ready: SimpleQueue[int | None] = SimpleQueue()  # None: no more will come

    def read_and_work(self) -> None:
        """What the calling thread does: it reads, and works when enough has been read."""
        for task in range(self._n_tasks):
            stop_if_asked()
            self._read(task)
            self._ready.put(task)
            if self._ready.qsize() > self._most:
                self._work_on_one()
        self._ready.put(None)
        self.work_on_all()

    def work_on_all(self) -> None:
        """What the others do, and the calling thread when all has been read."""
        while (task := self._next()) is not None:
            stop_if_asked()
            self._work(task)

    def _next(self) -> int | None:
        """The number of a task that is ready; None when there will be none."""
        while True:
            stop_if_asked()
            try:
                task = self._ready.get(timeout=_LOOK_UP)
            except Empty:
                continue
            if task is None:
                self._ready.put(None)  # for the others
            return task

    def _work_on_one(self) -> None:
        """A task, if one is ready."""
        try:
            task = self._ready.get_nowait()
        except Empty:
            return
        assert task is not None
        self._work(task)

    def wake(self) -> None:
        self._ready.put(None)


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
    driver, job = _Driver(2), None
    try:
        for item in items:
            _finish(job)
            job = _Job(partial(driver.guarded, partial(work, item)))
            _hand_out([job])
        _finish(job)
    finally:
        driver.stopped = True
        if job is not None and not job.call_off():
            job.wait(_PATIENCE)


def _finish(job: _Job | None) -> None:
    """Wait for a job, or do it here if the other threads are busy."""
    if job is None:
        return
    job()
    job.wait()
    job.raise_error()


class _Tree:
    """Merges partial results along a fixed binary tree as they arrive."""

    def __init__(self, n_leaves: int, merge: Callable[[Any, Any], Any]) -> None:
        self._n_leaves = n_leaves
        self._merge = merge
        self._waiting: dict[tuple[int, int], tuple[int, Any]] = {}  # by level and pair

    def add(self, leaf: int, part: Any) -> None:
        level, place, width = 0, leaf, self._n_leaves
        while width > 1:
            if not (place % 2 == 0 and place + 1 == width):  # an odd one out moves up alone
                mine, pair = (place, part), (level, place // 2)
                other = self._waiting.setdefault(pair, mine)  # of two threads one comes first
                if other is mine:
                    return
                del self._waiting[pair]
                sibling = other[1]
                part = (
                    self._merge(part, sibling) if place < other[0] else self._merge(sibling, part)
                )
            level, place, width = level + 1, place // 2, (width + 1) // 2
        self._waiting[level, 0] = (0, part)

    def root(self) -> Any:
        ((_, part),) = self._waiting.values()
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

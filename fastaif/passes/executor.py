"""Where a pass over the rows runs, and what is told of it on the way.

One `Executor` is made for each public call and handed in to the sums: it has the threads of this
process, the workers of Dask where they hold the rows, the file in which passes are kept, and the
bar that counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data import parallel
from ..data.rows import RowSource
from ..data.sources.files import Stamps
from ..utils.progress import Progress
from . import distributed
from .checkpoint import Checkpoint
from .sums import InfluenceSums

Array = NDArray[Any]
T = TypeVar("T")


class Executor:
    """What runs where.

    Parameters
    ----------
    n_threads : int, optional
        Of this process; as many as it may use cores by default. Small work stays on one.

    Notes
    -----
    The same numbers come from any number of threads: chunks of rows depend on the shape alone, and
    partial sums merge along a fixed tree. Of what an executor has only the number of threads is
    pickled or copied: bars and files stay with the call that opened them.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads
        self._progress = Progress()
        self._stamps = Stamps()
        self._prepared: Any = None  # the client whose workers have been asked
        self._checkpoint: Checkpoint | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.n_threads,)

    def __deepcopy__(self, memo: Any) -> Executor:
        return Executor(self.n_threads)

    # --- what is told of passes -------------------------------------------------------

    def watching(self, what: str) -> AbstractContextManager[None]:
        """A bar of the passes that are made within, on terminals."""
        return self._progress.passes(what)

    def tick(self) -> None:
        """One pass more."""
        self._progress.tick()

    def keeping(
        self, path: Any, source: RowSource, identity: str
    ) -> AbstractContextManager[None]:
        """Keep the sums of the passes that are made within in a file, which goes when all is done.

        Parameters
        ----------
        path : path or None
            None: they are not kept.
        source : RowSource
        identity : str
            Of the solve.
        """
        return nullcontext() if path is None else self._keeping(path, source, identity)

    @contextmanager
    def _keeping(self, path: Any, source: RowSource, identity: str) -> Iterator[None]:
        self._checkpoint = checkpoint = Checkpoint(path, source, identity)
        try:
            yield
        except BaseException:
            checkpoint.close()
            raise
        else:
            checkpoint.remove()
        finally:
            self._checkpoint = None

    # --- passes ---------------------------------------------------------------------------

    def is_remote(self, source: RowSource) -> bool:
        """Whether Dask's workers sum these rows, so that numbers of each would have to travel."""
        return distributed.client_for(source) is not None

    def run(self, sweep: Any, theta: Array, need: int, options: dict[str, Any]) -> Any:
        """The sums of a sweep: from the file where they are on it, else from where the rows are."""
        if self._checkpoint is None:
            self.tick()
            return self._anywhere(sweep, theta, need, options)
        return self.kept(
            sweep.source,
            lambda: sweep.asked(theta, need, options),
            lambda: self._anywhere(sweep, theta, need, options),
        )

    def kept(
        self,
        source: RowSource,
        asked: Callable[[], tuple[Any, ...]],
        make: Callable[[], InfluenceSums],
    ) -> InfluenceSums:
        """A pass: its sums from the file where they are on it, by what was asked for."""
        self.tick()
        if self._checkpoint is None:
            return make()
        return self._checkpoint.recall(source, asked(), make)

    def _anywhere(
        self, sweep: Any, theta: Array, need: int, options: dict[str, Any]
    ) -> Any:
        client = distributed.client_for(sweep.source)
        if client is None:
            return sweep.run_here(theta, need, **options)
        if client is not self._prepared:
            distributed.refuse_unprepared_workers(client)
            self._prepared = client
        return distributed.run(client, sweep, Executor(1), theta, need, options)

    def _reading(self, source: RowSource) -> AbstractContextManager[tuple[Any, Any]]:
        """How the chunks of a pass are read, and a wrapper of the work on one.

        Rows that come in an order are read on the calling thread alone, which then also runs the
        user's generator, and held for the thread that works on them.
        """
        self._stamps.refuse_changed(source)
        return _held(source.x) if _in_order(source) else nullcontext((None, _as_it_is))

    def reduce(
        self,
        source: RowSource,
        chunks: list[tuple[int, int]],
        work: Callable[[int, int], T],
        merge: Callable[[T, T], T],
        entries: int,
    ) -> T:
        """Merge ``work(start, stop)`` over chunks of rows.

        `entries` is what the work amounts to, as a number of matrix entries that are gone through.
        """
        if len(chunks) == 1 and type(source.x) is np.ndarray:  # small problems notice the rest
            self._stamps.refuse_changed(source)
            return parallel.reduce_chunks(chunks, work, merge, 1)
        threads = parallel.resolve_threads(self.n_threads, entries)
        with self._reading(source) as (read, release):
            return parallel.reduce_chunks(chunks, release(work), merge, threads, read)

    def map_rows(
        self, source: RowSource, work: Callable[[int, int], None], *, cost: int = 1
    ) -> None:
        """Run ``work(start, stop)`` over chunks of rows, for results of one row each.

        `cost` says how many sweeps of the rows the work is worth: dearer work is cut finer.
        """
        self.tick()
        entries = cost * source.n_rows * source.n_columns
        threads = parallel.resolve_threads(self.n_threads, entries)
        with self._reading(source) as (read, release):
            done = release(work)
            parallel.map_chunks(source.chunks(cost), lambda _, *rows: done(*rows), threads, read)

    def threads_for(self, source: RowSource, entries: int) -> int:
        """How many threads may read the rows for themselves: one, if they come in an order."""
        return 1 if _in_order(source) else parallel.resolve_threads(self.n_threads, entries)


@contextmanager
def _held(x: Any) -> Iterator[tuple[Any, Any]]:
    try:
        yield x.hold, x.released_after
    finally:
        x.release_all()


def _as_it_is(work: Callable[[int, int], T]) -> Callable[[int, int], T]:
    return work


def _in_order(source: RowSource) -> bool:
    return type(source.x) is not np.ndarray and getattr(source.x, "in_order", False)

"""Rows from an iterable of (X, y) or (X, y, sample_weight) blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...utils.locks import Lock
from ...utils.validation import refuse_unreal
from .lazy import LazyRows, dense, floating

Array = NDArray[Any]
T = TypeVar("T")

_SWAPPED = 1e-4  # relative: rows that differ by more are other rows, not the same computed anew


class Block(NamedTuple):
    """Rows, their targets and weights; None for weights of one."""

    X: Any
    y: Any
    sample_weight: Any


def is_blocks(X: Any) -> bool:
    """Whether X, given without y, is an iterable of blocks rather than a table of numbers."""
    if hasattr(X, "shape") or hasattr(X, "__array__") or hasattr(X, "columns"):
        return False
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(_looks_like_a_block(part) for part in X)
    return isinstance(X, Iterable) and not isinstance(X, (str, bytes, dict))


def _looks_like_a_block(part: Any) -> bool:
    return isinstance(part, (list, tuple)) and len(part) in (2, 3) and np.ndim(part[0]) == 2


def refuse_weights(sample_weight: Any) -> None:
    """Weights of blocks come with them."""
    if sample_weight is not None:
        raise ValueError(
            "sample_weight of blocks belongs to them: give (X, y, sample_weight) blocks"
        )


def is_one_shot(X: Any) -> bool:
    """Whether X can be gone through once only, as iterators and generators can."""
    return isinstance(X, Iterator)


def as_block(part: Any, number: int) -> Block:
    """A block as it comes from the iterable.

    Raises
    ------
    TypeError
        It is no (X, y) or (X, y, sample_weight).
    """
    if not isinstance(part, (list, tuple)) or len(part) not in (2, 3):
        raise TypeError(
            f"block {number} of X must be (X, y) or (X, y, sample_weight), but is "
            f"{type(part).__name__}"
        )
    return Block(part[0], part[1], part[2] if len(part) == 3 else None)


class _Cursor(threading.local):
    """Where a thread is in its pass over the blocks.

    Ctrl-C may come anywhere in between: what it leaves is the end of the pass.
    """

    def __init__(self) -> None:
        self.end_pass()

    def end_pass(self) -> None:
        """The next block is the first one."""
        self._iterator: Iterator[Any] = iter(())
        self._position = 0  # number of the block that comes next
        self._last: Block | None = None  # the one that came last

    def block(self, blocks: Any, number: int, count: int) -> Block:
        """A block of this pass or, where that is beyond it, of the next one."""
        if number == self._position - 1 and self._last is not None:
            return self._last
        if number < self._position or self._position == 0:
            self.end_pass()
            self._iterator = iter(blocks)
        last = None
        while self._position <= number:
            last = self._next(count)
        assert last is not None
        return last

    def _next(self, count: int) -> Block:
        try:
            part = next(self._iterator, None)
            if part is None:
                raise _other_count(self._position, count)
            self._last = as_block(part, self._position)
            self._position += 1
        except BaseException:
            self.end_pass()
            raise
        return self._last

    def refuse_more(self, count: int) -> None:
        """The last block was the last one."""
        iterator, self._iterator = self._iterator, iter(())
        if next(iterator, None) is not None:
            raise _other_count(count + 1, count)


class BlockRows(LazyRows):
    """The rows of blocks that can be gone through again and again.

    The first time their targets and weights are kept, which is all that is ever held of the data
    besides the blocks at work; later passes must bring the same. Lists and tuples are read by
    number, from any thread. Anything else is read from its beginning, anew for each pass, on the
    calling thread alone, which holds what it has read for the threads that work on it.
    """

    def __init__(self, blocks: Any) -> None:
        self._blocks = blocks
        self._by_number = isinstance(blocks, Sequence)
        self._cursor, self._lock = _Cursor(), Lock()
        self._held: dict[tuple[int, int], list[Any]] = {}
        self._first_pass()
        self.in_order = not isinstance(blocks, (list, tuple))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._blocks,)

    def _first_pass(self) -> None:
        width, names = None, None
        sizes: list[int] = []
        targets: list[Array] = []
        weights: list[Any] = []
        samples: list[Array] = []
        for number, part in enumerate(self._blocks):
            block = as_block(part, number)
            k, width = _shape(block.X, width, number)
            for values, what in ((block.X, "X"), (block.y, "y")):
                refuse_unreal(values, f"{what} of block {number}")
            names = _same_names(names, block.X, number)
            samples.append(_sample(block.X, k))
            sizes.append(k)
            targets.append(_targets(block.y, k, targets, number))
            weights.append(block.sample_weight)
        if width is None:
            raise ValueError("X is an iterable without blocks")
        self.y = np.concatenate(targets)
        self.sample_weight = _weights(weights, sizes)
        self._samples = samples
        edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        dtype = np.result_type(*(floating(sample.dtype) for sample in samples))
        super().__init__((int(edges[-1]), width), dtype, names, edges)

    # --- rows that are held for other threads -----------------------------------------------

    def hold(self, start: int, stop: int) -> None:
        """Read rows now, and keep them until they are released."""
        rows = self._read(start, stop)
        with self._lock.section:
            self._held.setdefault((start, stop), [rows, 0])[1] += 1

    def released_after(self, work: Callable[[int, int], T]) -> Callable[[int, int], T]:
        """The work on held rows, after which they are released."""

        def done(start: int, stop: int) -> T:
            try:
                return work(start, stop)
            finally:
                self._release(start, stop)

        return done

    def _release(self, start: int, stop: int) -> None:
        with self._lock.section:
            held = self._held.get((start, stop))
            if held is not None:
                held[1] -= 1
                if held[1] == 0:
                    del self._held[start, stop]

    def release_all(self) -> None:
        """Release what a pass that was stopped has left."""
        with self._lock.section:
            self._held.clear()

    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop, held or out of the blocks that they are in."""
        with self._lock.section:
            for (low, high), (rows, _) in self._held.items():
                if low <= start and stop <= high:
                    return rows[start - low : stop - low]
        return self._read(start, stop)

    # --- the blocks ------------------------------------------------------------------------

    def _read(self, start: int, stop: int) -> Array:
        assert self.edges is not None
        edges, out = self.edges, np.empty((stop - start, self.shape[1]), self.dtype)
        first = int(np.searchsorted(edges, start, side="right")) - 1
        for number in range(first, len(edges) - 1):
            low, high = int(edges[number]), int(edges[number + 1])
            if low >= stop:
                break
            X = self._checked(number)
            begin, end = max(start, low), min(stop, high)
            out[begin - start : end - start] = X[begin - low : end - low]
        return out

    def _checked(self, number: int) -> Array:
        """The inputs of a block, which must be the one that came in the first pass."""
        assert self.edges is not None
        block = self._block(number)
        low, high = int(self.edges[number]), int(self.edges[number + 1])
        _same_names(self.columns, block.X, number)
        X = dense(block.X)
        if X.ndim != 2 or X.shape[1] != self.shape[1]:
            raise _changed(number, f"its X has shape {X.shape}", f"{self.shape[1]} columns")
        if X.shape[0] != high - low:
            raise _changed(number, f"it has {X.shape[0]} rows", f"{high - low}")
        if not _equal(_targets(block.y, high - low, [self.y], number), self.y[low:high]):
            raise _changed(number, "its y has other targets", "its own")
        weight = block.sample_weight
        if (weight is None) != (self.sample_weight is None):
            raise _changed(number, "it has" + " no" * (weight is None) + " sample_weight", "not so")
        if weight is not None and self.sample_weight is not None:
            given = _vector(weight, high - low, "sample_weight", number)
            if not _equal(given, self.sample_weight[low:high]):
                raise _changed(number, "its sample_weight has other weights", "its own")
        if not _alike(_ends_of(X), self._samples[number]):
            raise _changed(number, "its X has other rows", "its own")
        return X

    def _block(self, number: int) -> Block:
        assert self.edges is not None
        count = len(self.edges) - 1
        if self._by_number:
            if len(self._blocks) != count:
                raise _other_count(len(self._blocks), count)
            return as_block(self._blocks[number], number)
        block = self._cursor.block(self._blocks, number, count)
        if number == count - 1:
            self._cursor.refuse_more(count)
        return block


def _changed(number: int, now: str, before: str) -> ValueError:
    return ValueError(
        f"block {number} of X is not the one of the first pass: {now}, but had {before} before. "
        "Blocks must be the same in every pass: give a loader that does not shuffle or draw anew"
    )


def _other_count(now: int, before: int) -> ValueError:
    more = "more than " * (now > before)
    return ValueError(
        f"X has {more}{min(now, before)} blocks, but had {before} before: blocks must be the same "
        "each time"
    )


def _same_names(known: tuple[str, ...] | None, X: Any, number: int) -> tuple[str, ...] | None:
    """The columns' names so far; those of a frame must be the same, in the same order."""
    names = _names(X)
    if names is None or known is None or names == known:
        return known or names
    missing = [name for name in known if name not in names]
    added = [name for name in names if name not in known]
    what = [f"lack {missing[:5]}"] * bool(missing) + [f"add {added[:5]}"] * bool(added)
    how = " and ".join(what) or f"are in another order ({list(names[:5])})"
    raise ValueError(f"the columns of block {number} of X are not those of the first: they {how}")


def _ends_of(X: Array) -> Array:
    """The first and the last row."""
    return X[:: max(len(X) - 1, 1)][:2]


def _sample(X: Any, k: int) -> Array:
    """The first and the last row of a block of k, without making the rest of it an array."""
    ends = [dense(X[:1]), dense(X[k - 1 : k])]
    return np.concatenate(ends[: min(max(k, 1), 2)])


def _alike(rows: Array, known: Array) -> bool:
    """Whether these are the same rows, but for what a computation may change."""
    with np.errstate(invalid="ignore", over="ignore"):
        a, b = (np.asarray(part, dtype=np.float64) for part in (rows, known))
        size = np.abs(b[np.isfinite(b)]).max(initial=0.0)
        return a.shape == b.shape and np.allclose(
            a, b, rtol=_SWAPPED, atol=_SWAPPED * float(size), equal_nan=True
        )


def _equal(values: Array, known: Array) -> bool:
    """Whether all are equal, NaN to NaN."""
    same = np.asarray(values == known)
    return bool(np.all(same | ((values != values) & (known != known))))


def _shape(X: Any, width: int | None, number: int) -> tuple[int, int]:
    shape = np.shape(X)
    if len(shape) != 2 or (width is not None and shape[1] != width):
        expected = "two-dimensional" if width is None else f"(k, {width})"
        raise ValueError(f"X of block {number} must be {expected}, but has shape {shape}")
    return shape


def _names(X: Any) -> tuple[str, ...] | None:
    columns = getattr(X, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return tuple(columns)


def _targets(values: Any, n: int, known: list[Array], number: int) -> Array:
    """The targets of a block, (n,), or (n, t) with as many columns as those that are known."""
    array = np.asarray(values)
    several = array.ndim == 2 and array.shape[1] > 1
    if not several or len(array) != n:
        array = _vector(values, n, "y", number)
    columns = array.shape[1:]
    if known and known[0].shape[1:] != columns:
        had, now = (shape[0] if shape else 1 for shape in (known[0].shape[1:], columns))
        raise ValueError(f"y of block {number} has {now} columns, but that of block 0 has {had}")
    return array


def _vector(values: Any, n: int, what: str, number: int) -> Array:
    array = np.asarray(values)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.shape != (n,):
        raise ValueError(
            f"{what} of block {number} has shape {array.shape}, but its X has {n} rows"
        )
    return array


def _weights(weights: list[Any], sizes: list[int]) -> Array | None:
    given = [w is not None for w in weights]
    if not any(given):
        return None
    if not all(given):
        raise ValueError(f"block {given.index(False)} has no sample_weight, but others have one")
    parts = zip(weights, sizes, strict=True)
    return np.concatenate([_vector(w, n, "sample_weight", i) for i, (w, n) in enumerate(parts)])

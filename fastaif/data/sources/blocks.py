"""Rows from an iterable of (X, y) or (X, y, sample_weight) blocks."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lazy import LazyRows, dense, floating

Array = NDArray[Any]

_KEPT = 8  # blocks that a thread may have been ahead


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


def ahead(blocks: Iterable[Any]) -> Iterator[Any]:
    """The same blocks, of which the next is read while one is at work."""
    iterator, end = iter(blocks), object()
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, iterator, end)
        while (part := coming.result()) is not end:
            coming = reader.submit(next, iterator, end)
            yield part


class BlockRows(LazyRows):
    """The rows of blocks that can be gone through again and again.

    The first time their targets and weights are kept, which is all that is ever held of the data
    besides the blocks at work. A sequence is read by its numbers; anything else from its beginning,
    anew for each pass.
    """

    def __init__(self, blocks: Any) -> None:
        self._blocks, self._lock = blocks, threading.Lock()
        self._iterator: Iterator[tuple[int, Any]] = iter(())
        self._position = 0
        self._kept: dict[int, Block] = {}
        width, names = None, None
        sizes: list[int] = []
        targets: list[Array] = []
        weights: list[Any] = []
        kinds: list[Any] = []
        for number, part in enumerate(blocks):
            block = as_block(part, number)
            k, width = _shape(block.X, width, number)
            names = names or _names(block.X)
            kinds.append(floating(dense(block.X[:1]).dtype))
            sizes.append(k)
            targets.append(_vector(block.y, k, "y", number))
            weights.append(block.sample_weight)
        if width is None:
            raise ValueError("X is an iterable without blocks")
        self.y = np.concatenate(targets)
        self.sample_weight = _weights(weights, sizes)
        edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        super().__init__((int(edges[-1]), width), np.result_type(*kinds), names, edges)

    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop, out of the blocks that they are in."""
        assert self.edges is not None
        edges, out = self.edges, np.empty((stop - start, self.shape[1]), self.dtype)
        first = int(np.searchsorted(edges, start, side="right")) - 1
        for number in range(first, len(edges) - 1):
            low, high = int(edges[number]), int(edges[number + 1])
            if low >= stop:
                break
            X = dense(self._block(number).X)
            if X.shape[0] != high - low:
                raise ValueError(
                    f"block {number} of X has {X.shape[0]} rows, but had {high - low} before: "
                    "blocks must be the same each time"
                )
            begin, end = max(start, low), min(stop, high)
            out[begin - start : end - start] = X[begin - low : end - low]
        return out

    def _block(self, number: int) -> Block:
        if isinstance(self._blocks, Sequence):
            return as_block(self._blocks[number], number)
        with self._lock:
            if number in self._kept:
                return self._kept.pop(number)
            if number < self._position:  # another pass
                self._position = 0
                self._kept.clear()
            if self._position == 0:
                self._iterator = iter(enumerate(self._blocks))
            for place, part in self._iterator:
                self._position = place + 1
                if place == number:
                    return as_block(part, number)
                # Another thread is about to ask for it.
                self._kept[place] = as_block(part, place)
                for old in list(itertools.islice(self._kept, max(len(self._kept) - _KEPT, 0))):
                    del self._kept[old]
        raise ValueError(
            f"X has {self._position} blocks, but had more before: blocks must be the same each time"
        )


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

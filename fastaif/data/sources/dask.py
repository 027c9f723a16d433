"""Rows of a Dask array or dataframe, computed chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lazy import LazyRows, floating, refuse_columns

Array = NDArray[Any]


def is_dask(data: Any) -> bool:
    """Whether these are Dask's, told without importing Dask."""
    module = type(data).__module__.split(".")[0]
    return module in ("dask", "dask_expr") and hasattr(data, "compute")


def computed(data: Any) -> Any:
    """A Dask vector as an array; anything else as it is."""
    return np.asarray(data.compute()) if is_dask(data) else data


def _numbers(frame: Any) -> Any:
    """The frame, with its columns of one type, as they must be to be an array of numbers."""
    types = dict(zip(frame.columns, frame.dtypes, strict=True))
    refuse_columns(types)
    plain = all(isinstance(kind, np.dtype) and kind.kind in "uif" for kind in types.values())
    return frame if plain else frame.astype(np.float64)


class DaskRows(LazyRows):
    """A Dask array (n, m), or a dataframe of numbers; its chunks of rows are the natural blocks.

    Lengths of chunks that Dask does not know are counted, which is a pass of its own.
    """

    def __init__(self, data: Any) -> None:
        columns = getattr(data, "columns", None)
        names = None if columns is None else tuple(columns)
        array = data if columns is None else _numbers(data).to_dask_array(lengths=True)
        if array.ndim != 2:
            raise ValueError(
                f"X must be two-dimensional (rows are samples), but has {array.ndim} dimensions"
            )
        counted = columns is not None
        if any(np.isnan(size) for size in array.chunks[0]):
            array, counted = array.compute_chunk_sizes(), True
        if not counted:
            _refuse_filled(array)
        self.array = array.rechunk({1: -1}) if len(array.chunks[1]) > 1 else array
        sizes = [size for size in self.array.chunks[0] if size > 0]
        self._places = np.flatnonzero(np.asarray(self.array.chunks[0]) > 0)
        edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if names is not None and not all(isinstance(name, str) for name in names):
            names = None
        super().__init__(self.array.shape, floating(array.dtype), names, edges)

    def delayed_blocks(self) -> Iterator[tuple[int, int, Any]]:
        """Where each chunk of rows begins and ends, and the chunk as a Delayed."""
        assert self.edges is not None
        for (start, stop), block in zip(pairwise(self.edges), self._blocks(), strict=True):
            yield int(start), int(stop), block

    def _blocks(self) -> list[Any]:
        """Chunks that have rows, as Delayed."""
        sized = zip(self.array.to_delayed().ravel(), self.array.chunks[0], strict=True)
        return [block for block, size in sized if size > 0]

    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop, computed by Dask's scheduler."""
        import dask

        assert self.edges is not None
        first, last = np.searchsorted(self.edges, [start, stop - 1], side="right")
        numbers = range(int(first) - 1, int(last))
        blocks = self.array.blocks
        compute: Any = dask.compute  # type: ignore[attr-defined]
        chunks = compute(*(blocks[int(self._places[number]), 0] for number in numbers))
        out = np.empty((stop - start, self.shape[1]), self.dtype)
        for number, chunk in zip(numbers, chunks, strict=True):
            low, high = int(self.edges[number]), int(self.edges[number + 1])
            place = int(self._places[number])
            refuse_other_shape(chunk, (high - low, self.shape[1]), place)
            begin, end = max(start, low), min(stop, high)
            out[begin - start : end - start] = np.asarray(chunk)[begin - low : end - low]
        return out


def _refuse_filled(array: Any) -> None:
    """Refuse chunks that were declared to be empty, and are not: no pass would read them."""
    import dask

    empty = [place for place, size in enumerate(array.chunks[0]) if size == 0]
    if not empty:
        return
    lazy: Any = dask
    shapes = [lazy.delayed(np.shape)(array.blocks[place, 0]) for place in empty]
    for place, shape in zip(empty, lazy.compute(*shapes), strict=True):
        if shape[0] > 0:
            declared = (0, array.chunks[1][0])
            raise ValueError(_other_shape(place, tuple(map(int, shape)), declared))


def refuse_other_shape(chunk: Any, declared: tuple[int, int], number: int) -> None:
    """Refuse a chunk that is not of the shape that Dask was told.

    Raises
    ------
    ValueError
        It is not; the message has its number.
    """
    if np.shape(chunk) != declared:
        raise ValueError(_other_shape(number, np.shape(chunk), declared))


def _other_shape(number: int, found: tuple[int, ...], declared: tuple[int, ...]) -> str:
    return (
        f"chunk {number} of X has shape {found}, but was declared to have {declared}: tell Dask "
        "the true shapes (map_blocks(..., chunks=...)), or call X.compute_chunk_sizes()"
    )

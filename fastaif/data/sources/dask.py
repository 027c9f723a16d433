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
        if any(np.isnan(size) for size in array.chunks[0]):
            array = array.compute_chunk_sizes()
        self.array = array.rechunk({1: -1}) if len(array.chunks[1]) > 1 else array
        sizes = [size for size in self.array.chunks[0] if size > 0]
        edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if names is not None and not all(isinstance(name, str) for name in names):
            names = None
        super().__init__(self.array.shape, floating(array.dtype), names, edges)

    def delayed_blocks(self) -> Iterator[tuple[int, int, Any]]:
        """Where each chunk of rows begins and ends, and the chunk as a Delayed."""
        assert self.edges is not None
        blocks = [
            block
            for block, size in zip(
                self.array.to_delayed().ravel(), self.array.chunks[0], strict=True
            )
            if size > 0
        ]
        for (start, stop), block in zip(pairwise(self.edges), blocks, strict=True):
            yield int(start), int(stop), block

    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop, computed by Dask's scheduler."""
        block = np.asarray(self.array[start:stop].compute())
        return np.ascontiguousarray(block, dtype=self.dtype)

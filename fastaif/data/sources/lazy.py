"""Rows that are read block by block, and never exist as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
T = TypeVar("T")

_BLOCK = 4096  # rows that are read at once where a few of them are asked for by number


class LazyRows(ABC):
    """An array (n, m) of which only slices and selections of rows exist.

    Attributes
    ----------
    shape : tuple
        (n, m).
    dtype : numpy.dtype
    columns : tuple of str or None
        Names of the columns.
    edges : array (n_blocks + 1,) or None
        Where natural blocks begin and end, of which each is best read whole; None if any range
        of rows will do.
    """

    ndim = 2
    is_lazy = True  # for those who may not import this module
    in_order = False  # whether rows come in an order, for the calling thread alone to read

    def __init__(
        self,
        shape: tuple[int, int],
        dtype: Any,
        columns: tuple[str, ...] | None = None,
        edges: Array | None = None,
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.columns, self.edges = columns, edges

    @abstractmethod
    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop as an array; any thread may call."""

    def hold(self, start: int, stop: int) -> None:  # noqa: B027  (nothing, where any thread reads)
        """Read rows that come in an order, and keep them for the thread that works on them."""

    def released_after(self, work: Callable[[int, int], T]) -> Callable[[int, int], T]:
        """The work on rows that are held, after which they are no longer."""
        return work

    def release_all(self) -> None:  # noqa: B027
        """Release what a pass that was stopped has left."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise TypeError(
            "these rows are read block by block, but this needs all of them at once: give an array"
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.shape[0])
            if step == 1:
                return self.read(start, stop) if stop > start else self._nothing()
            return self._take(np.arange(start, stop, step))
        rows = np.asarray(rows)
        return self._take(np.flatnonzero(rows) if rows.dtype == bool else rows)

    def _nothing(self) -> Array:
        return np.empty((0, self.shape[1]), self.dtype)

    def _take(self, numbers: Array) -> Array:
        """Rows by number, a natural block after the other."""
        edges = np.arange(0, self.shape[0] + _BLOCK, _BLOCK) if self.edges is None else self.edges
        block = np.searchsorted(edges, numbers, side="right")
        out = np.empty((numbers.size, self.shape[1]), self.dtype)
        for one in np.unique(block):
            chosen = np.flatnonzero(block == one)
            first, last = int(numbers[chosen].min()), int(numbers[chosen].max())
            out[chosen] = self.read(first, last + 1)[numbers[chosen] - first]
        return out


def dense(X: Any) -> Array:
    """A block of rows, a frame or a sparse matrix as an array; NaN where a frame has nothing."""
    if hasattr(X, "tocsr"):
        return np.asarray(X.toarray())
    array = np.asarray(X)
    if array.dtype == object and hasattr(X, "dtypes"):
        # A pandas frame whose columns have several types, such as numbers and booleans.
        refuse_columns(dict(zip(X.columns, X.dtypes, strict=True)))
        return np.asarray(X.to_numpy(dtype=np.float64, na_value=np.nan))
    return array


def refuse_columns(types: dict[Any, Any]) -> None:
    """Columns must hold real numbers or booleans.

    Raises
    ------
    TypeError
        One does not; it is named.
    """
    for name, kind in types.items():
        if getattr(kind, "kind", "O") not in "buif":
            raise TypeError(f"X has a column {name!r} of type {kind}: encode it first")


def floating(dtype: Any) -> np.dtype[Any]:
    """float32 as it is, any other type of numbers as float64.

    Raises
    ------
    TypeError
        It is no type of real numbers.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "buif":
        raise TypeError(f"X must hold real numbers, but its type is {dtype}")
    return dtype if dtype == np.float32 else np.dtype(np.float64)

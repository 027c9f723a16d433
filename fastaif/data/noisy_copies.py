"""Noisy copies of rows, drawn when they are asked for and never stored all at once.

Row r is copy r // n of sample r % n. Its noise is keyed by (seed, copy, sample): the same
whatever the blocks and threads, in every pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .rows import RowSource

Array = NDArray[Any]


class NoisyCopies:
    """x_i + σ z_ic as an array (n · n_copies, m) of which only slices exist."""

    def __init__(self, x: Array, sigma: float, n_copies: int, seed: int) -> None:
        self._x, self._sigma, self._seed = x, sigma, seed
        self.shape = (x.shape[0] * n_copies, x.shape[1])
        self.dtype = np.dtype(np.float64)
        self.ndim = 2

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Array) -> Array:
        if not isinstance(rows, slice):  # a few rows by number or mask
            each = [self[r : r + 1] for r in _numbers(rows)]
            return np.concatenate([np.empty((0, self.shape[1])), *each])
        start, stop, _ = rows.indices(self.shape[0])
        out = np.empty((max(stop - start, 0), self.shape[1]))
        n, done = self._x.shape[0], start
        while done < stop:
            copy, first = divmod(done, n)
            k = min(n - first, stop - done)
            block = out[done - start : done - start + k]
            get("standard_normals")(self._seed, copy, first, block)
            block *= self._sigma
            block += self._x[first : first + k]
            done += k
        return out


class Repeated:
    """An array (n, …) one time after the other, of which only slices exist."""

    def __init__(self, values: Array, times: int) -> None:
        self._values = values
        self.shape = (values.shape[0] * times, *values.shape[1:])
        self.dtype = values.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Array) -> Array:
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.shape[0])
            numbers = np.arange(start, max(start, stop))
        else:
            numbers = _numbers(rows)
        return self._values[numbers % self._values.shape[0]]


def _numbers(rows: Array) -> Array:
    """Row numbers of an index array or a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def noisy_rows(source: RowSource, sigma: float, n_copies: int, seed: int) -> RowSource:
    """The rows of all noisy copies; targets and weights are those of the samples."""
    weight: Any = None if source.weight is None else Repeated(source.weight, n_copies)
    x: Any = NoisyCopies(source.x, sigma, n_copies, seed)
    y: Any = Repeated(source.y, n_copies)
    return RowSource(x, y, weight, source.encode)

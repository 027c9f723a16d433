"""Rows by the block.

`RowSource` hands out contiguous, read-only blocks of one floating-point type from arrays of any
layout, so that compiled operations meet one signature per type and data are never copied whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._compute.types import EMPTY, Rows
from ..utils.arrays import frozen, ordered

Array = NDArray[Any]
Encoder = Callable[[Array], Array]

_MAX_CHUNKS = 1024
_CHUNK_ENTRIES = 1 << 18
_LARGEST_CHUNK = 1 << 20  # entries: enough for Python's part to be small beside the operation's
_PLENTY = 64  # chunks that keep the threads of a small machine busy to the end
_HEAVY = 1 << 26  # products of two inputs
_PIECE = 1 << 20  # rows for which vectors of numbers are held at a time


class RowSource(NamedTuple):
    """Inputs (n, m), targets (n,) and weights (n,) or None, read by the block.

    `encode` turns raw targets into the numbers that the loss expects (±1 for labels); `columns`
    names the inputs in messages, where they have names. `budget` (n,) multiplies the attack's size,
    a number a row, where rows have such.
    """

    x: Array
    y: Array
    weight: Array | None
    encode: Encoder
    columns: tuple[str, ...] | None = None
    budget: Array | None = None

    @property
    def n_rows(self) -> int:
        return int(self.x.shape[0])

    @property
    def n_columns(self) -> int:
        return int(self.x.shape[1])

    def targets(self, start: int = 0, stop: int | None = None) -> Array:
        """Encoded targets of a range of rows, in C order, as y may be a column.

        They are float64, unless the model's own `encode` leaves them as they are.
        """
        encoded = self.encode(self.y[start:stop])
        return ordered(encoded, encoded.dtype)

    def weights(self, start: int = 0, stop: int | None = None) -> Array:
        """Weights of a range of rows, float64; empty where all are one."""
        if self.weight is None:
            return EMPTY
        return frozen(ordered(self.weight[start:stop]))

    def budgets(self, start: int, stop: int) -> Array:
        """What multiplies the attack's size, of a range of rows."""
        if self.budget is None:
            return np.ones(stop - start)
        return np.asarray(self.budget[start:stop])

    def shares(self) -> Array:
        """The rows' shares of the total weight, (n,), which sum to 1."""
        w = self.weights()
        return w / w.sum() if w.size else np.full(self.n_rows, 1.0 / self.n_rows)

    def mean(self, values: Array) -> float:
        """The weighted mean of one value a row; rows of no weight may be infinite."""
        w = self.weights()
        if not w.size:
            return float(np.mean(values))
        return float(np.average(values[w > 0], weights=w[w > 0]))

    def means(self, values: Callable[[RowSource], tuple[Array, ...]]) -> tuple[float, ...]:
        """Weighted means of numbers that each row has, which exist for a part of the rows only.

        `values` takes a part of the rows to arrays with an entry a row.
        """
        if self.n_rows <= _PIECE or not isinstance(self.x, np.ndarray):
            return tuple(self.mean(part) for part in values(self))
        weights: list[float] = []
        found: list[list[float]] = []
        for start in range(0, self.n_rows, _PIECE):
            rows = slice(start, min(start + _PIECE, self.n_rows))
            w = self.weights(rows.start, rows.stop)
            weight = float(w.sum()) if w.size else float(rows.stop - rows.start)
            if weight > 0.0:
                part = self._replace(
                    x=self.x[rows], y=self.y[rows], weight=w if w.size else None
                )
                weights.append(weight)
                found.append([part.mean(array) for array in values(part)])
        return tuple(float(np.average(part, weights=weights)) for part in zip(*found, strict=True))

    def inputs(self, start: int = 0, stop: int | None = None) -> Array:
        """Inputs of a range of rows: C-contiguous, float32 or float64, read-only."""
        block = np.asarray(self.x[start:stop])
        if block.dtype.char not in "fd":
            block = block.astype(np.float64)
        flags = block.flags
        if not (flags.c_contiguous and flags.aligned and block.dtype.isnative):
            block = ordered(block, block.dtype.newbyteorder("="))
        return frozen(block)

    def rows(self, start: int, stop: int) -> Rows:
        """A range of rows as compiled operations take it."""
        return Rows(self.inputs(start, stop), *self.rows_without_inputs(start, stop))

    def rows_without_inputs(self, start: int, stop: int) -> tuple[Array, Array]:
        """Targets and weights of a range of rows as compiled operations take them."""
        return frozen(ordered(self.targets(start, stop))), self.weights(start, stop)

    def chunks(
        self, cost: int = 1, columns: int | None = None, squares: int = 1
    ) -> list[tuple[int, int]]:
        """Ranges of rows; they depend on the shape (and the cost) alone.

        `columns` is the number of columns that the work sees, where it is not the inputs', and
        `squares` how many matrices of such a size it may sum.
        `LazyRows` that are best read by blocks of their own are read by those.
        """
        n, m = self.n_rows, max(self.n_columns if columns is None else columns, 1)
        entries = max(_CHUNK_ENTRIES, min(n * m // _PLENTY, _LARGEST_CHUNK))
        natural = getattr(self.x, "edges", None)
        if natural is not None:
            return _whole_blocks(natural, max(entries // m, 1024))
        if n * cost <= 1024:
            return [(0, n)]
        size = max(entries // m, 8 * m, 1024) // cost
        size = max(size, 1, -(-n // _MAX_CHUNKS))
        count = max(1, -(-n // size))
        # Work for two, if a pass is squares.
        if count == 1 and n >= 4 * m and squares * n * m * m >= _HEAVY:
            count = 2
        edges = [n * i // count for i in range(count + 1)]
        return list(itertools.pairwise(edges))


def _whole_blocks(natural: Array, size: int) -> list[tuple[int, int]]:
    """Ranges of whole blocks of about `size` rows or more; the last may be shorter."""
    edges = [0]
    for edge in np.unique(natural)[1:]:  # empty blocks have no edges of their own
        if edge - edges[-1] >= size or edge == natural[-1]:
            edges.append(int(edge))
    return list(itertools.pairwise(edges))

"""Rows of a sparse matrix: dense by the block only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lazy import LazyRows, floating

Array = NDArray[Any]


class SparseRows(LazyRows):
    """A SciPy sparse matrix or array, as CSR."""

    def __init__(self, matrix: Any) -> None:
        csr = matrix.tocsr()
        dtype = floating(csr.dtype)
        if not csr.has_canonical_format:
            csr = csr.copy() if csr is matrix else csr
            csr.sum_duplicates()
        self.matrix = csr.astype(dtype, copy=False)
        super().__init__(self.matrix.shape, dtype)

    @property
    def density(self) -> float:
        """The share of entries that are there."""
        return float(self.matrix.nnz) / (self.shape[0] * self.shape[1])

    def block(self, start: int, stop: int) -> tuple[Array, Array, Array]:
        """Values, columns (int32) and starts (int64) of rows start ≤ i < stop."""
        starts = self.matrix.indptr[start : stop + 1].astype(np.int64)
        entries = slice(int(starts[0]), int(starts[-1]))
        columns = self.matrix.indices[entries].astype(np.int32, copy=False)
        return self.matrix.data[entries], columns, starts - starts[0]

    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop, dense."""
        return np.asarray(self.matrix[start:stop].toarray(order="C"), dtype=self.dtype)

    def _take(self, numbers: Array) -> Array:
        return np.asarray(self.matrix[numbers].toarray(order="C"), dtype=self.dtype)

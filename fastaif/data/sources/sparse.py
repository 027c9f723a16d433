"""Rows of a sparse matrix: dense by the block only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lazy import LazyRows, floating

Array = NDArray[Any]


def _refuse_wrong_indices(matrix: Any) -> None:
    """Before anything is converted: SciPy, too, writes where indices point to."""
    try:
        if hasattr(matrix, "check_format"):
            matrix.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"X is no valid sparse matrix ({error}); make it anew") from None
    for places, size in zip(getattr(matrix, "coords", ()), matrix.shape, strict=False):
        if len(places) and not (places.min() >= 0 and places.max() < size):
            raise ValueError(
                "X is no valid sparse matrix (indices beyond its shape); make it anew"
            )


def _ascends(csr: Any) -> bool:
    """Whether columns ascend in every row, each at most once; the matrix's own flag may be old."""
    rises = csr.indices[1:] > csr.indices[:-1]
    starts = csr.indptr[1:-1]
    rises[starts[(starts > 0) & (starts <= len(rises))] - 1] = True
    return bool(rises.all())


class SparseRows(LazyRows):
    """A SciPy sparse matrix or array, as CSR."""

    def __init__(self, matrix: Any) -> None:
        _refuse_wrong_indices(matrix)
        csr = matrix.tocsr()
        dtype = floating(csr.dtype)
        if not _ascends(csr):
            csr = csr.copy()
            csr.has_canonical_format = csr.has_sorted_indices = False  # whatever was said of it
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

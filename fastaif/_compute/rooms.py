"""Large arrays of memory that earlier calls have left."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import native, native_available

Array = NDArray[Any]

_PAGED, _LARGE = 1 << 16, 1 << 19  # doubles: half a MB, and what NumPy asks large pages for


def empty_matrix(rows: int, columns: int, order: Literal["C", "F"] = "C") -> Array:
    """An array that is not filled, of memory that was used before where it takes hundreds of pages.

    The system hands out memory page by page, as it is first touched; for a matrix of 500 columns
    that takes as long as its product with thousands of rows. From 4 MB on NumPy asks for large
    pages; a smaller array is cut out of what earlier calls have left.
    """
    size = rows * columns
    if not _PAGED < size < _LARGE:
        return np.empty((rows, columns), order=order)
    return np.asarray(room(size).reshape((rows, columns), order=order))


def zero_matrices(count: int, rows: int, columns: int) -> Array:
    """Zeros (count, rows, columns), of such memory."""
    out = empty_matrix(count * rows, columns)
    out.fill(0.0)
    return out.reshape(count, rows, columns)


def room(doubles: int) -> Array:
    """A flat float64 array that holds anything, of memory kept from call to call if there is C.

    Without C it is the part of a larger one that has large pages, of which the rest is not touched.
    """
    if native_available():
        return np.frombuffer(native().Room(doubles))
    return np.empty(max(doubles, _LARGE))[:doubles]

"""Arrays in the layouts that operations expect."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def ordered(values: Any, dtype: Any = np.float64) -> Array:
    """As an array in C order and aligned, which `np.ascontiguousarray` alone does not promise.

    Nothing is copied that is so already.
    """
    array = np.ascontiguousarray(values, dtype=dtype)
    return array if array.flags.aligned else array.copy()


def read_only(array: Array) -> Array:
    """A contiguous read-only float64 view, so that one compiled signature serves."""
    view = ordered(array).view()
    view.setflags(write=False)
    return view


def frozen(array: Array) -> Array:
    """A read-only view: read-only and writable input then share one compiled signature."""
    view = array.view()
    view.setflags(write=False)
    return view


def columns_of(X: Any, name: str = "X") -> Array:
    """Rows X (n, m) feature by feature, (m, n), as the operations take them."""
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, but has shape {rows.shape}")
    return read_only(rows.T)


def shaped(values: Any, shape: tuple[int, ...], what: str) -> Array:
    """What a callable returned, as finite contiguous float64 of the right shape."""
    if np.asarray(values).dtype.kind not in "buif":
        kind = np.asarray(values).dtype
        raise TypeError(f"{what} of the Custom basis must hold real numbers, but gives {kind}")
    array = ordered(values)
    if array.shape != shape:
        raise ValueError(
            f"{what} of the Custom basis must have shape {shape}, but has {array.shape}"
        )
    if not np.isfinite(array).all():
        # The caller looks first whether the inputs are to blame.
        raise FloatingPointError(f"{what} of the Custom basis holds NaN or infinity")
    return array


_BLOCK = 64  # rows of a block that is turned round within the first-level cache


def fill_upper(matrix: Array) -> Array:
    """Copy a square matrix's lower triangle above its diagonal, in place."""
    if len(matrix) <= _BLOCK and matrix.flags.c_contiguous:  # small problems notice
        below, above = _mirrored(len(matrix))
        flat = matrix.reshape(-1)
        flat[above] = flat[below]
        return matrix
    for start in range(0, len(matrix), _BLOCK):
        stop = min(start + _BLOCK, len(matrix))
        block = matrix[start:stop, start:stop]
        i, j = _below_diagonal(stop - start)
        block[j, i] = block[i, j]
        matrix[:start, start:stop] = matrix[start:stop, :start].T
    return matrix


@functools.lru_cache(maxsize=_BLOCK)
def _mirrored(d: int) -> tuple[Array, Array]:
    """Places in a flat d × d matrix below the diagonal, and of their mirror images."""
    i, j = np.tril_indices(d, -1)
    return i * d + j, j * d + i


@functools.lru_cache(maxsize=_BLOCK)
def _below_diagonal(d: int) -> tuple[Array, Array]:
    return np.tril_indices(d, -1)


def unwritable(array: Array) -> Array:
    """A view that cannot be written into."""
    view = array.view()
    view.setflags(write=False)
    return view


class ReadOnlyArrays:
    """What frozen dataclasses of results share: their arrays cannot be written into either."""

    def __post_init__(self) -> None:
        fields = vars(self)
        for name in [k for k, v in fields.items() if isinstance(v, np.ndarray)]:
            fields[name] = unwritable(fields[name])

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        ReadOnlyArrays.__post_init__(self)  # a pickle does not say that arrays are read-only

"""The rows of many small problems, in one array with the places where each begins and ends."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..data.rows import Encoder
from ..utils import validation
from ..utils.arrays import ordered, read_only

Array = NDArray[Any]


class BatchRows(NamedTuple):
    """Rows of all problems, and spans (k, 2) of the rows of each."""

    rows: c.Rows
    spans: Array


def batch_rows(X: Any, y: Any, sample_weight: Any, encode: Encoder) -> BatchRows:
    """Checked rows of X (k, n, m), or of k arrays (n_i, m); y and weights alike.

    Raises
    ------
    TypeError, ValueError
        For what is wrong with them; a NaN is not: it fails its problem alone.
    """
    x, lengths = _stacked(X)
    targets = encode(_flat(y, lengths, "y"))
    weight = c.EMPTY
    if sample_weight is not None:
        weight = _flat(sample_weight, lengths, "sample_weight").astype(np.float64)
        if not (weight >= 0.0).all() or not np.isfinite(weight).all():
            raise ValueError("sample_weight must be finite and not negative")
    ends = np.cumsum(lengths)
    spans = np.column_stack([ends - lengths, ends]).astype(np.int64)
    x = x.view()
    x.setflags(write=False)
    return BatchRows(c.Rows(x, read_only(targets), read_only(weight)), spans)


def _stacked(X: Any) -> tuple[Array, Array]:
    """All rows (N, m), float32 or float64, and the problems' numbers of rows."""
    if hasattr(X, "shape") or (len(X) > 0 and np.ndim(X[0]) != 2):
        array = np.asarray(X)
        if array.ndim != 3 or 0 in array.shape:
            raise ValueError(
                "X must be three-dimensional (problems, samples, features) or a list of arrays, "
                f"but has shape {array.shape}"
            )
        k, n, m = array.shape
        return _floats(array.reshape(k * n, m)), np.full(k, n)
    if len(X) == 0:
        raise ValueError("X is empty: it has no problems")
    parts = [validation.matrix(part, f"X[{b}]")[0] for b, part in enumerate(X)]
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise ValueError(
            f"the problems of X must have the same features, but have {sorted(widths)} of them"
        )
    return _floats(np.concatenate(parts)), np.array([len(part) for part in parts])


def _floats(x: Array) -> Array:
    if x.dtype.kind not in "buif":
        raise TypeError(f"X must hold real numbers, but its type is {x.dtype}")
    dtype = np.float32 if x.dtype == np.float32 else np.float64
    return ordered(x, dtype)


def _flat(values: Any, lengths: Array, name: str) -> Array:
    """One number for each row of each problem."""
    if values is None:
        raise TypeError(f"{name} is None; give one target for each row of X")
    if hasattr(values, "shape") or np.ndim(values[0]) != 1:
        array = np.asarray(values)
        expected = (len(lengths), int(lengths[0]))
        if array.shape != expected or (lengths != lengths[0]).any():
            shape = expected if (lengths == lengths[0]).all() else "a list of arrays as X is"
            raise ValueError(f"{name} must be {shape}, but has shape {array.shape}")
        return array.reshape(-1)
    parts = [np.asarray(part) for part in values]
    for b, (part, n) in enumerate(zip(parts, lengths, strict=False)):
        if part.shape != (n,):
            raise ValueError(f"{name}[{b}] has shape {part.shape}, but X[{b}] has {n} rows")
    if len(parts) != len(lengths):
        raise ValueError(f"{name} has {len(parts)} problems, but X has {len(lengths)}")
    return np.concatenate(parts)

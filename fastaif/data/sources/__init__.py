"""Where rows come from besides arrays: sparse matrices, Dask, parquet files, iterables of blocks.

`opened` turns them into `LazyRows`, which everything reads block by block as it reads arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...utils.warnings import InfluenceWarning, warn
from .blocks import BlockRows, is_blocks, is_one_shot, refuse_weights
from .dask import DaskRows, computed, is_dask
from .lazy import LazyRows
from .parquet import ParquetTable, is_parquet
from .sparse import SparseRows

__all__ = ["Given", "LazyRows", "is_blocks", "lazily", "opened"]


class Given(NamedTuple):
    """The rows of a call, however they were given; arrays and frames are left as they are."""

    X: Any
    y: Any
    sample_weight: Any


def opened(
    X: Any, y: Any, sample_weight: Any = None, columns: tuple[str, ...] | None = None
) -> Given:
    """What was given, with anything that is read block by block as `LazyRows`.

    Parameters
    ----------
    X : array, frame, or
        a SciPy sparse matrix; a Dask array or dataframe; the path of a parquet file (or of a folder
        of them, or a list of pathlib.Path); an iterable of (X, y) or (X, y, sample_weight) blocks.
    y : array (n,), or
        a Dask vector; of parquet files, the target column's name; of blocks, None.
    sample_weight : array (n,), optional
        A Dask vector, or a column's name, likewise.
    columns : tuple of str, optional
        The columns that the model was fitted to: of parquet files these are read, else all that
        are neither targets nor weights.

    Raises
    ------
    TypeError, ValueError
        For what cannot be read, or not several times; the message names it.
    """
    if type(X) is np.ndarray and type(y) is np.ndarray and sample_weight is None:
        return Given(X, y, None)
    if is_parquet(X):
        return _from_parquet(X, y, sample_weight, columns)
    if y is None and is_blocks(X):
        return _from_blocks(X, sample_weight)
    return Given(lazily(X), computed(y), computed(sample_weight))


def lazily(X: Any, columns: tuple[str, ...] | None = None) -> Any:
    """Inputs by themselves, as `opened` takes them; blocks are left as they are."""
    if hasattr(X, "tocsr"):
        return SparseRows(X)
    if is_dask(X):
        return DaskRows(X)
    return _from_parquet(X, None, None, columns).X if is_parquet(X) else X


def _from_parquet(
    X: Any, y: Any, sample_weight: Any, columns: tuple[str, ...] | None
) -> Given:
    table = ParquetTable(X)
    used = []
    for name, argument in ((y, "y"), (sample_weight, "sample_weight")):
        if isinstance(name, str):
            table.refuse_unknown(name, argument)
            used.append(name)
    if columns is None:
        indices = tuple(name for name in table.indices if name not in used)
        if indices:
            warn(
                f"X is a parquet file in which pandas has stored an index, {', '.join(indices)}, "
                "which is left out of the features (reset_index() before to_parquet makes it one)",
                InfluenceWarning,
            )
        columns = tuple(name for name in table.schema.names if name not in (*used, *indices))
    for name in columns:
        table.refuse_unknown(name, "the fit")
    targets, weights = (
        table.column(values) if isinstance(values, str) else computed(values)
        for values in (y, sample_weight)
    )
    return Given(table.rows(columns), targets, weights)


def _from_blocks(X: Any, sample_weight: Any) -> Given:
    refuse_weights(sample_weight)
    if is_one_shot(X):
        raise ValueError(
            "X is an iterator, which can be gone through only once, but this takes several passes: "
            "give something that can be iterated anew (a list of blocks, or an object whose "
            "__iter__ starts again); aif alone takes an iterator"
        )
    rows = BlockRows(X)
    return Given(rows, rows.y, rows.sample_weight)


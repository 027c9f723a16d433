"""Data of fits and predictions that are not arrays: sparse, or read block by block."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from ..data.rows import RowSource
from ..data.sources import Given, LazyRows, is_blocks, lazily, opened
from ..losses.targets import as_float
from ..utils import validation

Array = NDArray[Any]

_TYPES = [np.float64, np.float32]


def data_of_fit(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, numbers: bool, several: bool = False
) -> Given:
    """Checked X and y of a fit, whose columns the estimator takes note of.

    `numbers` says whether targets are numbers rather than labels, `several` whether y may have
    several columns. Sample weights of arrays are not checked here; those of blocks and files come
    with them.
    """
    given = opened(X, y, sample_weight)
    _refuse_no_numbers(X, y, sample_weight)
    if hasattr(X, "dtypes") and not isinstance(given.X, LazyRows):
        _refuse_by_column(X)
    if several and (hasattr(y, "tocsr") or (hasattr(y, "columns") and not hasattr(y, "dask"))):
        y, _ = validation.matrix(y, "y")
    if not isinstance(given.X, LazyRows) or hasattr(X, "tocsr"):
        X, y = validate_data(
            estimator, X, y, dtype=_TYPES, accept_sparse="csr", y_numeric=numbers,
            multi_output=several,
        )  # fmt: skip
        return Given(lazily(X), y, sample_weight)
    rows, columns = validation.matrix(given.X)
    read = validation.targets if several else validation.column
    targets = read(given.y, rows.shape[0])
    if numbers:
        targets = as_float(targets)
        if not np.isfinite(targets).all():
            raise ValueError("y contains NaN or infinity")
    estimator.n_features_in_ = rows.shape[1]
    if columns is not None:
        estimator.feature_names_in_ = np.array(columns, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return Given(rows, targets, given.sample_weight)


def _refuse_by_column(frame: Any) -> None:
    """Refuse text and what is not finite by the names of columns, as `aif` does."""
    if 0 in frame.shape:
        return  # which says more of itself
    array, names = validation.matrix(frame)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        validation.locate_nonfinite(array, np.empty(0), columns=names)


def rows_at_once(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Array, Array]:
    """Checked X and y of a fit that needs all of its rows in memory.

    Raises
    ------
    TypeError
        X is an iterable of blocks, or a path.
    """
    if is_blocks(X) or isinstance(X, (str, os.PathLike)):
        what = "an iterable of blocks" if is_blocks(X) else f"the path {os.fspath(X)!r}"
        raise TypeError(
            f"{type(estimator).__name__} is fitted to all of its rows at once, but X is {what}: "
            "give an array"
        )
    X, y = (part.compute() if hasattr(part, "compute") else part for part in (X, y))  # Dask's
    _refuse_no_numbers(X, y, sample_weight)
    if hasattr(X, "dtypes"):
        _refuse_by_column(X)
    X, y = validate_data(estimator, X, y, dtype=_TYPES, y_numeric=True)
    return X, y


def _refuse_no_numbers(X: Any, y: Any, sample_weight: Any) -> None:
    """What scikit-learn would take for numbers or columns though it is neither."""
    for values, name in ((X, "X"), (y, "y"), (sample_weight, "sample_weight")):
        validation.refuse_unreal(values, name)
    validation.refuse_repeated(_names_of(X), "X")
    validation.warn_of_indices(_names_of(X), "X")


def _names_of(X: Any) -> tuple[Any, ...] | None:
    """The columns' names of a frame."""
    columns = getattr(X, "columns", None)
    return None if columns is None else tuple(columns)


def dense_inputs(estimator: Any, X: Any) -> Array:
    """Checked inputs of a prediction."""
    validation.refuse_unreal(X, "X")
    return np.asarray(validate_data(estimator, X, reset=False, dtype=_TYPES))


def by_blocks(decide: Callable[[Any, Any], Array]) -> Callable[[Any, Any], Array]:
    """Let a method of X take rows that are read block by block."""

    def decided(estimator: Any, X: Any) -> Array:
        _refuse_blocks(X)
        rows = lazily(X, columns_of_fit(estimator))
        if not isinstance(rows, LazyRows):
            return decide(estimator, X)
        source = RowSource(rows, np.empty(0), None, as_float)  # type: ignore[arg-type]
        return np.concatenate(
            [decide(estimator, _named(rows[i:j], rows.columns)) for i, j in source.chunks()]
        )

    return decided


def _refuse_blocks(X: Any) -> None:
    """Predictions are of inputs alone, which blocks of a fit are not."""
    if is_blocks(X):
        raise TypeError(
            "predictions are of inputs, but X is an iterable of blocks: ask for each by itself, "
            "[model.predict(X) for X, y in blocks]"
        )


def columns_of_fit(estimator: Any) -> tuple[str, ...] | None:
    """The names of the columns that an estimator was fitted to, if it knows any."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(names)


def _named(block: Array, columns: tuple[str, ...] | None) -> Any:
    """The block, as a frame where its columns have names."""
    if columns is None:
        return block
    import pandas as pd

    return pd.DataFrame(block, columns=list(columns))

"""The data of `fastaif analyze`: files and embedded sets, read and checked."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

EMBEDDED = ("diabetes", "breast_cancer")
_TARGETS = ("y", "target")
_TWO_LABELS = "; a target of two labels takes --model logistic"
_NUMBERED = "the nameless first column only numbers the rows and was left out"


@dataclass(frozen=True)
class Table:
    """Checked data.

    Attributes
    ----------
    title : str
        Where they are from.
    X : frame (n, m) of float64
    y : array (n,), numbers or labels
    weights : array (n,) or None
    notes : tuple of str
        What its user should know.
    """

    title: str
    X: pd.DataFrame
    y: Array
    weights: Array | None
    notes: tuple[str, ...]


def load_table(data: str | None, target: str | None, weights: str | None, labels: bool) -> Table:
    """Read and check a table.

    Parameters
    ----------
    data : str or None
        "diabetes" (None), "breast_cancer", or a path to .csv, .parquet or .npz (arrays X,
        the target, optionally names and the weights).
    target : str or None
        The target column; None: the one named "y" or "target".
    weights : str or None
        The column of sample weights; it is no feature.
    labels : bool
        Whether a target that is no number will do.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        The file cannot be read, a column is missing, not numeric, or not finite.
    ImportError
        Nothing that reads parquet is installed.
    """
    frame = _read(data or EMBEDDED[0], target, weights)
    names = [str(name) for name in frame.columns]
    stored = _stored_index(frame)
    frame = frame.set_axis(names, axis=1).reset_index(drop=True)
    # What to_csv() writes of a default index is no feature.
    numbered = names[:1] == ["Unnamed: 0"] and list(frame["Unnamed: 0"]) == list(range(len(frame)))
    for place, name in enumerate(names[int(numbered) :], int(numbered)):
        if re.fullmatch(r"Unnamed: \d+", name):
            raise ValueError(
                f"column {place + 1} has no name in the header: name it, or leave it out"
            )
    target = _target_name(names, target, weights)
    _require(weights, names)
    if weights == target:
        raise ValueError(f"{target!r} cannot be both the target and the weights")
    features = [name for name in names[int(numbered) :] if name not in (target, weights)]
    if not features or frame.empty:
        raise ValueError(f"the data have {len(frame)} rows and {len(features)} feature columns")
    for name in features:
        _numbers(frame[name])
    w = None if weights is None else _numbers(frame[weights])
    if w is not None and (w.min() < 0 or not w.any()):
        raise ValueError(f"the weights {weights!r} must not be negative, nor all zero")
    return Table(
        title=data or EMBEDDED[0],
        X=frame[features].astype(np.float64),
        y=_labels(frame[target]) if labels else _numbers(frame[target], _TWO_LABELS),
        weights=w,
        notes=(*[_NUMBERED] * numbered, *stored),
    )


def _stored_index(frame: pd.DataFrame) -> list[str]:
    """A note on the index that a frame was stored with, unless it only numbers the rows."""
    import pandas as pd

    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return []
    given = enumerate(frame.index.names)
    names = [f"__index_level_{k}__" if name is None else str(name) for k, name in given]
    return [
        f"the index that pandas stored with the frame, {_listing(names)}, was left out; "
        "reset_index() before to_parquet() makes it a feature"
    ]


def _read(data: str, target: str | None, weights: str | None) -> pd.DataFrame:
    if data in EMBEDDED:
        from sklearn import datasets

        frame: pd.DataFrame = getattr(datasets, f"load_{data}")(as_frame=True).frame
        return frame
    path, suffix = Path(data), Path(data).suffix.lower()
    # A device, as /dev/stdin of a shell's `< file`, has no suffix that could say what it holds.
    if data == "-" or path.is_fifo() or (path.parts[:2] == ("/", "dev") and path.exists()):
        return _read_pipe(sys.stdin.buffer.read() if data == "-" else path.read_bytes())
    if not path.is_file():
        raise ValueError(f"no such file: {data} (embedded data: {', '.join(EMBEDDED)})")
    if suffix not in (".csv", ".parquet", ".npz"):
        raise ValueError(f"{data} is no .csv, .parquet or .npz file")
    try:
        if suffix == ".npz":
            return _read_npz(path, target, weights)
        return _read_csv(path.read_bytes()) if suffix == ".csv" else _read_parquet(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {data}: {error}") from error


def _read_pipe(contents: bytes) -> pd.DataFrame:
    """What comes through a pipe, a table of comma-separated values."""
    try:
        return _read_csv(contents)
    except ValueError as error:
        raise ValueError(f"cannot read comma-separated values from the pipe: {error}") from error


def _read_csv(contents: bytes) -> pd.DataFrame:
    import pandas as pd

    header = pd.read_csv(io.BytesIO(contents), header=None, nrows=1, dtype=str).iloc[0].tolist()
    for name in header:
        if header.count(name) > 1 and isinstance(name, str):  # pandas would number them
            raise ValueError(f"its header has several columns {name!r}: name each differently")
    frame = pd.read_csv(io.BytesIO(contents), low_memory=False)
    # pandas makes an index of what the header does not name, without a word.
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError("its rows have more cells than its header")
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        pass
    try:
        import polars as pl
    except ImportError as error:
        raise ImportError("reading parquet needs pyarrow: pip install pyarrow") from error
    try:
        table = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error
    frame = pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
    index = [name for name in table.columns if re.fullmatch(r"__index_level_\d+__", name)]
    return frame.set_index(index) if index else frame  # as pandas does


def _read_npz(path: Path, target: str | None, weights: str | None) -> pd.DataFrame:
    import pandas as pd

    if not zipfile.is_zipfile(path):
        raise ValueError("it is no archive of arrays (numpy.savez)")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    _require("X", list(arrays))
    X = arrays.pop("X")
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional, but has shape {X.shape}")
    names = [str(n) for n in arrays.pop("names", [f"x{k}" for k in range(X.shape[1])])]
    if len(names) != X.shape[1] or len(set(names)) != len(names):
        raise ValueError(f"names must hold {X.shape[1]} different names, one a column of X")
    _require(weights, list(arrays))
    columns = [_target_name(list(arrays), target, weights), *filter(None, [weights])]
    for name in columns:
        if name in names:
            raise ValueError(f"{name!r} names both an array and a column of X")
        if arrays[name].shape != X.shape[:1]:
            raise ValueError(f"{name!r} has shape {arrays[name].shape}, but X has {len(X)} rows")
    return pd.DataFrame(X, columns=names).assign(**{name: arrays[name] for name in columns})


def _target_name(known: list[str], target: str | None, weights: str | None) -> str:
    if target is not None:
        _require(target, known)
        return target
    found = [name for name in _TARGETS if name in known and name != weights]
    if len(found) == 1:
        return found[0]
    what = "are columns 'y' and 'target'" if found else "is no column 'y' or 'target'"
    raise ValueError(f"there {what}: name the target with --target, of {_listing(known)}")


def _require(name: str | None, known: list[str]) -> None:
    if name is not None and name not in known:
        raise ValueError(f"there is no column {name!r}; there are {_listing(known)}")


def _listing(names: list[str], shown: int = 12) -> str:
    text = ", ".join(repr(name) for name in names[:shown])
    return f"{text} and {len(names) - shown} more" if len(names) > shown else text


def _numbers(column: pd.Series, advice: str = "") -> Array:
    """A column as float64; refused unless it holds finite numbers only."""
    from pandas.api import types

    if not types.is_numeric_dtype(column.dtype) or types.is_complex_dtype(column.dtype):
        values = _labels(column)
        first = str(values[0])
        raise ValueError(
            f"column {column.name!r} is not numeric (it begins with {first!r}){advice}"
        )
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(column, ~np.isfinite(numbers))
    return numbers


def _labels(column: pd.Series) -> Array:
    """A column as it is; refused where cells are empty."""
    _refuse(column, column.isna().to_numpy())
    return column.to_numpy()


def _refuse(column: pd.Series, bad: Array) -> None:
    if bad.any():
        what = f"has {int(bad.sum())} empty, NaN or infinite cells"
        first = int(np.argmax(bad)) + 1
        raise ValueError(f"column {column.name!r} {what} (the first in row {first})")

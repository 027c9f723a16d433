"""Tables of data for the command line: files, and scikit-learn's embedded sets."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

EMBEDDED = ("diabetes", "breast_cancer")
TARGETS = ("y", "target")
_LISTED = 12
_NUMBERED = "the nameless first column only numbers the rows and was left out"


@dataclass(frozen=True)
class Table:
    """Checked data.

    Attributes
    ----------
    title : str
        Where they are from.
    X : frame (n, m) of float64
    y : array (n,)
        Numbers, or labels.
    weights : array (n,) or None
    notes : tuple of str
        What was decided for the reader of the data.
    """

    title: str
    X: pd.DataFrame
    y: Array
    weights: Array | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Columns:
    features: pd.DataFrame
    target: pd.Series
    weights: pd.Series | None
    notes: tuple[str, ...] = ()


def load_table(
    data: str | None, target: str | None = None, weights: str | None = None, labels: bool = False
) -> Table:
    """Read and check a table.

    Parameters
    ----------
    data : str or None
        "diabetes" (None), "breast_cancer", or a path to .csv, .parquet or .npz (arrays X,
        the target, optionally names and the weights).
    target : str, optional
        The target column; by default the one named "y" or "target".
    weights : str, optional
        The column of sample weights; it is no feature.
    labels : bool, default False
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
    import pandas as pd

    columns = _read(data or EMBEDDED[0], target, weights)
    if columns.features.shape[1] == 0:
        raise ValueError("the data have no feature column beside the target")
    if len(columns.features) == 0:
        raise ValueError("the data have no rows")
    features = {name: _numbers(columns.features[name], "column") for name in columns.features}
    w = None if columns.weights is None else _numbers(columns.weights, "weights column")
    if w is not None and (w.min() < 0 or not w.any()):
        raise ValueError(f"weights column {weights!r} must hold non-negative numbers, not all zero")
    return Table(
        title=data or EMBEDDED[0],
        X=pd.DataFrame(features),
        y=_target(columns.target, labels),
        weights=w,
        notes=columns.notes,
    )


def _read(data: str, target: str | None, weights: str | None) -> _Columns:
    if data in EMBEDDED:
        from sklearn import datasets

        frame = getattr(datasets, f"load_{data}")(as_frame=True).frame
        return _from_frame(frame, target, weights)
    path = Path(data)
    if not path.is_file():
        raise ValueError(f"no such file: {data} (embedded data: {', '.join(EMBEDDED)})")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{data} is no {', '.join(_READERS)} file")
    try:
        content = reader(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {data}: {error}") from error
    if isinstance(content, dict):
        return _from_arrays(content, target, weights)
    return _from_frame(content, target, weights)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_csv(path, low_memory=False)
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
    # The columns in which pandas saves an index.
    kept = [name for name in table.columns if not re.fullmatch(r"__index_level_\d+__", name)]
    return pd.DataFrame({name: table[name].to_numpy() for name in kept})


def _read_npz(path: Path) -> dict[str, Array]:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no archive of arrays (numpy.savez)")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


_READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
}


def _from_frame(frame: pd.DataFrame, target: str | None, weights: str | None) -> _Columns:
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    names, notes = list(frame.columns), ()
    numbered = names[:1] == ["Unnamed: 0"] and np.array_equal(
        frame.iloc[:, 0].to_numpy(), np.arange(len(frame))
    )
    if numbered and names[0] not in (target, weights):
        # What to_csv() writes of a default index is no feature.
        names, notes = names[1:], (_NUMBERED,)
    target = _target_name(names, target, "column")
    _require(weights, names, "weights column")
    if weights == target:
        raise ValueError(f"column {target!r} cannot be both the target and the weights")
    others = [name for name in names if name not in (target, weights)]
    return _Columns(frame[others], frame[target], frame[weights] if weights else None, notes)


def _from_arrays(
    arrays: dict[str, Array], target: str | None, weights: str | None
) -> _Columns:
    import pandas as pd

    known = list(arrays)
    _require("X", known, "array")
    X = arrays["X"]
    if X.ndim != 2:
        raise ValueError(f"array 'X' must be two-dimensional, but has shape {X.shape}")
    candidates = [name for name in known if name not in ("X", "names", weights)]
    target = _target_name(candidates, target, "array")
    _require(weights, known, "weights array")
    for name in filter(None, (target, weights)):
        if arrays[name].shape != X.shape[:1]:
            raise ValueError(
                f"array {name!r} has shape {arrays[name].shape}, but X has {len(X)} rows"
            )
    names = [str(n) for n in arrays.get("names", [f"x{k}" for k in range(X.shape[1])])]
    if len(set(names)) != X.shape[1] or len(names) != X.shape[1]:
        raise ValueError(f"array 'names' must hold {X.shape[1]} different names, one a column of X")
    w = None if weights is None else pd.Series(arrays[weights], name=weights)
    return _Columns(pd.DataFrame(X, columns=names), pd.Series(arrays[target], name=target), w)


def _target_name(known: list[str], target: str | None, kind: str) -> str:
    if target is not None:
        _require(target, known, f"target {kind}")
        return target
    found = [name for name in TARGETS if name in known]
    if len(found) == 1:
        return found[0]
    what = f"are {kind}s 'y' and 'target'" if found else f"is no {kind} 'y' or 'target'"
    raise ValueError(
        f"there {what}: name the target with --target; there are {_listing(known)}"
    )


def _require(name: str | None, known: list[str], kind: str) -> None:
    if name is not None and name not in known:
        raise ValueError(f"there is no {kind} {name!r}; there are {_listing(known)}")


def _listing(names: list[str]) -> str:
    hidden = len(names) - _LISTED
    text = ", ".join(repr(name) for name in names[:_LISTED])
    return f"{text} and {hidden} more" if hidden > 0 else text


def _numbers(column: pd.Series, kind: str) -> Array:
    """A column as float64; refused unless it holds finite numbers only."""
    from pandas.api import types

    name = column.name
    real = types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype)
    if not real:
        _refuse_missing(column, kind)
        raise ValueError(
            f"{kind} {name!r} is not numeric (its first value is {column.iloc[0]!r}): encode it "
            "or leave it out"
        )
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse_missing(column, kind, ~np.isfinite(values))
    return values


def _target(column: pd.Series, labels: bool) -> Array:
    from pandas.api import types

    if not labels or types.is_numeric_dtype(column.dtype):
        return _numbers(column, "target column")
    _refuse_missing(column, "target column")
    return column.to_numpy(dtype=object)


def _refuse_missing(column: pd.Series, kind: str, bad: Array | None = None) -> None:
    bad = column.isna().to_numpy() if bad is None else bad
    if bad.any():
        raise ValueError(
            f"{kind} {column.name!r} has {int(bad.sum())} empty, NaN or infinite cells "
            f"(the first in row {int(np.argmax(bad)) + 1})"
        )

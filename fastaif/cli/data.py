"""The data of `fastaif analyze`: a table that is checked, and all that is wrong with it at once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .files import EMBEDDED, read_frame
from .names import listing, require, target_name

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_TWO_LABELS = "; a target of two labels takes --model logistic"
_NUMBERED = "the nameless first column only numbers the rows and was left out"
_LEAST_OF_A_CLASS = 5  # rows on average: labels of fewer are names of the rows
_FEW = 10  # texts that are categories however few rows there are


class Reading(NamedTuple):
    """How a table is to be read.

    Attributes
    ----------
    target, weights : str or None
        Columns; None: the one named "y" or "target"; none.
    labels : bool or None
        Whether the target is of labels; None: as it looks.
    drop : list of str or None
        Columns to leave out.
    gaps : {"refuse", "drop", "impute"}
        What becomes of empty cells.
    one_hot : bool
        Whether text is taken for categories.
    sep : str or None
        Between cells; None: what the file's suffix says.
    """

    target: str | None = None
    weights: str | None = None
    labels: bool | None = None
    drop: list[str] | None = None
    gaps: str = "refuse"
    one_hot: bool = True
    sep: str | None = None


@dataclass(frozen=True)
class Table:
    """Checked data.

    Attributes
    ----------
    title : str
        Where they are from.
    X : frame (n, m)
        Numbers as float64, with gaps if they are to be imputed, and categories as text.
    y : array (n,), numbers or labels
    weights : array (n,) or None
    notes : tuple of str
        What its user should know.
    labels : bool
        Whether y is of labels.
    categories : tuple of str
        Columns of text.
    has_gaps : bool
    """

    title: str
    X: pd.DataFrame
    y: Array
    weights: Array | None
    notes: tuple[str, ...]
    labels: bool
    categories: tuple[str, ...] = ()
    has_gaps: bool = False


class _Problems:
    """What is wrong with a table, told all at once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def trying(self, check: Callable[..., Any], *arguments: Any) -> Any:
        """What a check returns, or None where it finds something wrong."""
        try:
            return check(*arguments)
        except ValueError as error:
            self.found.append(str(error))
            return None

    def tell(self) -> None:
        """Raise what was found."""
        if len(self.found) == 1:
            raise ValueError(self.found[0])
        if self.found:
            told = "; ".join(f"({k}) {problem}" for k, problem in enumerate(self.found, 1))
            raise ValueError(f"{len(self.found)} problems: {told}")


def load_table(data: str | None, how: Reading) -> Table:
    """Read and check a table.

    Parameters
    ----------
    data : str or None
        "diabetes" (None), "breast_cancer", or a path (see `files.SUFFIXES`; .npz of arrays X,
        the target, optionally names and the weights).
    how : Reading

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        The file cannot be read, or columns are missing, no numbers nor categories, or not finite:
        all that is wrong with it.
    ImportError
        Nothing that reads parquet or .xlsx is installed.
    """
    frame = read_frame(data or EMBEDDED[0], how.target, how.weights, how.sep)
    notes = _stored_index(frame)
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
    frame, numbered = _without_index(frame)
    names = list(frame.columns)
    target = target_name(names, how.target, how.weights)
    for name in (how.weights, *(how.drop or ())):
        require(name, names)
    if how.weights == target:
        raise ValueError(f"{target!r} cannot be both the target and the weights")
    features = [name for name in names if name not in (target, how.weights, *(how.drop or ()))]
    if not features or frame.empty:
        raise ValueError(f"the data have {len(frame)} rows and {len(features)} feature columns")
    if how.gaps == "drop":
        frame, dropped = _without_gaps(frame, [*features, target, *filter(None, [how.weights])])
        notes += dropped
    return _checked(data or EMBEDDED[0], frame, features, target, how, [*numbered, *notes])


def _checked(
    title: str, frame: pd.DataFrame, features: list[str], target: str, how: Reading,
    notes: list[str],
) -> Table:  # fmt: skip
    """The table, if nothing is wrong with any of its columns."""
    problems = _Problems()
    columns = {name: problems.trying(_feature, frame[name], how) for name in features}
    labels = _looks_like_labels(frame[target]) if how.labels is None else how.labels
    read = (_labels, frame[target]) if labels else (_numbers, frame[target], _TWO_LABELS)
    y = problems.trying(*read)
    if labels and y is not None:
        problems.trying(_refuse_classes, target, y)
    if labels and how.labels is None and y is not None:
        count = frame[target].nunique()
        notes.append(
            f"the target {target!r} has {count} values, and the model is logistic"
            + "; --model linear takes it for numbers" * (not _is_text(frame[target]))
        )
    w = None if how.weights is None else problems.trying(_weights, frame[how.weights])
    problems.tell()
    categories = tuple(name for name in features if columns[name].dtype == object)
    # Numbers alone stay in the order in which the file has them in memory.
    X = frame[features].assign(**columns) if categories else frame[features].astype(np.float64)
    if categories:
        notes.append(
            f"categories, one column each value but the first, are held fixed and not attacked: "
            f"{listing(list(categories))}"
        )
    has_gaps = bool(X.isna().to_numpy().any())
    return Table(title, X, y, w, tuple(notes), labels, categories, has_gaps)


def _without_index(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Without what to_csv() writes of an index, which is no feature."""
    names = list(frame.columns)
    notes = []
    if names[:1] == ["Unnamed: 0"]:
        index = frame["Unnamed: 0"]
        if index.dtype.kind in "iu" and index.is_unique and len(names) > 1:
            notes, frame = [_NUMBERED], frame.iloc[:, 1:]
    first = len(names) - len(frame.columns)
    for place, name in enumerate(frame.columns, first):
        if re.fullmatch(r"Unnamed: \d+", name):
            raise ValueError(
                f"column {place + 1} has no name in the header: name it, or leave it out"
            )
    return frame, notes


def _without_gaps(frame: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Without the rows that have empty cells in some columns."""
    kept = frame.dropna(subset=names)
    lost = len(frame) - len(kept)
    if kept.empty:
        raise ValueError("--dropna leaves no row: every one has an empty cell; try --impute")
    note = [f"{lost} of {len(frame)} rows have empty cells and were left out"] * bool(lost)
    return kept.reset_index(drop=True), note


def _stored_index(frame: pd.DataFrame) -> list[str]:
    """A note on the index that a frame was stored with, unless it only numbers the rows."""
    import pandas as pd

    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return []
    given = enumerate(frame.index.names)
    names = [f"__index_level_{k}__" if name is None else str(name) for k, name in given]
    return [
        f"the index that pandas stored with the frame, {listing(names)}, was left out; "
        "reset_index() before to_parquet() makes it a feature"
    ]


# --- columns ----------------------------------------------------------------------------------


def _feature(column: pd.Series, how: Reading) -> pd.Series:
    """A feature: numbers, or text that is taken for categories."""
    import pandas as pd

    if not _is_text(column):
        return pd.Series(_numbers(column, gaps=how.gaps == "impute"), column.index)
    _refuse_dates(column)
    if not how.one_hot:
        return pd.Series(_numbers(column, "; --one-hot takes it for categories"), column.index)
    present = column.dropna()
    different = present.nunique()
    if different > _FEW and different > len(present) / 2:
        raise ValueError(
            f"column {column.name!r} has {different} different texts in {len(present)} rows, too "
            f"many for categories: leave it out, --drop {column.name}"
        )
    if how.gaps != "impute":
        _refuse(column, column.isna().to_numpy())
    return column.astype(object).where(column.notna(), np.nan)


def _is_text(column: pd.Series) -> bool:
    from pandas.api import types

    dtype: Any = column.dtype
    if str(dtype) == "category":
        return not types.is_numeric_dtype(dtype.categories.dtype)
    return bool(types.is_object_dtype(dtype) or types.is_string_dtype(dtype))


def _refuse_dates(column: pd.Series) -> None:
    """Refuse text of which all that begins the column are dates."""
    import pandas as pd

    some = column.dropna().head(20).astype(str)
    if not len(some) or not some.str.contains(r"\d{1,4}[-/.:]\d{1,2}", regex=True).all():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of formats that it guesses
        dates = pd.to_datetime(some, errors="coerce")
    if dates.notna().all():
        raise ValueError(_dates(column, some.iloc[0]))


def _dates(column: pd.Series, first: Any) -> str:
    return (
        f"column {column.name!r} holds dates or times (it begins with {str(first)!r}): give "
        f"numbers, such as days since a date, or leave it out, --drop {column.name}"
    )


def _numbers(column: pd.Series, advice: str = "", gaps: bool = False) -> Array:
    """A column as float64; refused unless it holds finite numbers only, or gaps beside them."""
    from pandas.api import types

    if types.is_datetime64_any_dtype(column.dtype) or types.is_timedelta64_dtype(column.dtype):
        raise ValueError(_dates(column, column.iloc[0]))
    dtype: Any = column.dtype
    if str(dtype) == "category":
        column = column.astype(dtype.categories.dtype)
    if not types.is_numeric_dtype(column.dtype) or types.is_complex_dtype(column.dtype):
        values = _labels(column)
        first = str(values[0])
        raise ValueError(
            f"column {column.name!r} is not numeric (it begins with {first!r}){advice}"
        )
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(column, np.isinf(numbers) if gaps else ~np.isfinite(numbers))
    return numbers


def _weights(column: pd.Series) -> Array:
    w = _numbers(column)
    if w.min() < 0 or not w.any():
        raise ValueError(f"the weights {column.name!r} must not be negative, nor all zero")
    return w


def _looks_like_labels(column: pd.Series) -> bool:
    """Whether a target is text, booleans, or 0 and 1."""
    if _is_text(column) or str(column.dtype) in ("bool", "boolean"):
        return True
    present = column.dropna()
    return present.nunique() == 2 and bool(present.isin([0, 1]).all())


def _refuse_classes(target: str, y: Array) -> None:
    """Refuse labels of one kind, and those that look like names of the rows."""
    classes = sorted({str(label) for label in y})
    few, found = len(classes) < 2, f"the target {target!r} has {len(classes)} classes"
    if few or len(classes) > max(2, len(y) // _LEAST_OF_A_CLASS):
        why = "at least two are needed" if few else "too many for as many rows"
        raise ValueError(f"{found} ({listing(classes, 4)}), but {why}: name another --target")


def _labels(column: pd.Series) -> Array:
    """A column as it is; refused where cells are empty."""
    _refuse(column, column.isna().to_numpy())
    return column.to_numpy()


def _refuse(column: pd.Series, bad: Array) -> None:
    if bad.any():
        what = f"has {int(bad.sum())} empty, NaN or infinite cells"
        first = int(np.argmax(bad)) + 1
        empty = bool(column.isna().any())
        advice = ": --dropna leaves such rows out, --impute fills them" if empty else ""
        raise ValueError(f"column {column.name!r} {what} (the first in row {first}){advice}")

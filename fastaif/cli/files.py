"""Files of `fastaif analyze`: from a path to a frame, as it is in the file."""

from __future__ import annotations

import gzip
import io
import re
import sys
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .names import require, target_name

if TYPE_CHECKING:
    import pandas as pd

EMBEDDED = ("diabetes", "breast_cancer")
SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".xlsx", ".parquet", ".npz")
_BY_LENGTH = sorted(SUFFIXES, key=len, reverse=True)


def read_frame(
    data: str, target: str | None, weights: str | None, sep: str | None = None
) -> pd.DataFrame:
    """The frame of a file, a pipe or an embedded set.

    Parameters
    ----------
    data : str
        A path, "-" or one of EMBEDDED.
    target, weights : str or None
        Names of arrays of an .npz file.
    sep : str or None
        Between the cells of a text file; None: what its suffix says.

    Raises
    ------
    ValueError
        It cannot be read.
    ImportError
        Nothing that reads parquet or .xlsx is installed.
    """
    if data in EMBEDDED:
        from sklearn import datasets

        frame: pd.DataFrame = getattr(datasets, f"load_{data}")(as_frame=True).frame
        return frame
    path = Path(data)
    # A device, as /dev/stdin of a shell's `< file`, has no suffix that could say what it holds.
    if data == "-" or path.is_fifo() or (path.parts[:2] == ("/", "dev") and path.exists()):
        contents = sys.stdin.buffer.read() if data == "-" else path.read_bytes()
        return _read_pipe(contents, sep or ",")
    if not path.is_file():
        raise ValueError(f"no such file: {data} (embedded data: {', '.join(EMBEDDED)})")
    suffix = next((end for end in _BY_LENGTH if path.name.lower().endswith(end)), "")
    if not suffix:
        raise ValueError(f"{data} is no {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")
    try:
        if suffix == ".npz":
            return _read_npz(path, target, weights)
        if suffix in (".parquet", ".xlsx"):
            return _read_parquet(path) if suffix == ".parquet" else _read_excel(path)
        contents = path.read_bytes()
        if suffix.endswith(".gz"):
            contents = gzip.decompress(contents)
        return _read_csv(contents, sep or ("\t" if suffix.startswith(".tsv") else ","))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"cannot read {data}: {error}") from error


def _read_pipe(contents: bytes, sep: str) -> pd.DataFrame:
    """What comes through a pipe, a table of comma-separated values."""
    try:
        return _read_csv(contents, sep)
    except ValueError as error:
        raise ValueError(f"cannot read comma-separated values from the pipe: {error}") from error


def _read_csv(contents: bytes, sep: str) -> pd.DataFrame:
    import pandas as pd

    first = pd.read_csv(io.BytesIO(contents), sep=sep, header=None, nrows=1, dtype=str)
    header = first.iloc[0].tolist()
    for name in header:
        if header.count(name) > 1 and isinstance(name, str):  # pandas would number them
            raise ValueError(f"its header has several columns {name!r}: name each differently")
    frame = pd.read_csv(io.BytesIO(contents), sep=sep, low_memory=False)
    # pandas makes an index of what the header does not name, without a word.
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError("its rows have more cells than its header")
    return frame


def _read_excel(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_excel(path)
    except ImportError as error:
        raise ImportError("reading .xlsx needs openpyxl: pip install openpyxl") from error


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
    require("X", list(arrays))
    X = arrays.pop("X")
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional, but has shape {X.shape}")
    names = [str(n) for n in arrays.pop("names", [f"x{k}" for k in range(X.shape[1])])]
    if len(names) != X.shape[1] or len(set(names)) != len(names):
        raise ValueError(f"names must hold {X.shape[1]} different names, one a column of X")
    require(weights, list(arrays))
    columns = [target_name(list(arrays), target, weights), *filter(None, [weights])]
    for name in columns:
        if name in names:
            raise ValueError(f"{name!r} names both an array and a column of X")
        if arrays[name].shape != X.shape[:1]:
            raise ValueError(f"{name!r} has shape {arrays[name].shape}, but X has {len(X)} rows")
    return pd.DataFrame(X, columns=names).assign(**{name: arrays[name] for name in columns})



"""Rows of parquet files, a row group at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import Stamp
from .lazy import LazyRows, floating, refuse_columns

Array = NDArray[Any]

_SUFFIXES = (".parquet", ".pq")


def is_parquet(X: Any) -> bool:
    """Whether X is a path, several of them, or an open parquet file."""
    if isinstance(X, str):
        return X.endswith(_SUFFIXES) or Path(X).exists()
    if isinstance(X, Path) or type(X).__name__ == "ParquetFile":
        return True
    return isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(x, Path) for x in X)


class ParquetTable:
    """One or several parquet files of the same columns; row groups are the natural blocks.

    Parameters
    ----------
    X : path, sequence of pathlib.Path, or pyarrow.parquet.ParquetFile
        A path of a folder stands for the parquet files in it, by name.
    """

    def __init__(self, X: Any) -> None:
        from pyarrow import parquet

        self.files = _files(X)
        self._stamps = [Stamp.of(file) for file in self.files]
        self._metadata = [parquet.read_metadata(file) for file in self.files]
        schemas = [parquet.read_schema(file) for file in self.files]
        self.indices = _indices_of(schemas[0])
        self.schema = schemas[0].remove_metadata()
        for file, schema in zip(self.files, schemas, strict=True):
            if not schema.remove_metadata().equals(self.schema):
                raise ValueError(f"{file} has other columns than {self.files[0]}")
        self._refuse_repeated()
        self.groups = [
            (place, group)
            for place, metadata in enumerate(self._metadata)
            for group in range(metadata.num_row_groups)
            if metadata.row_group(group).num_rows > 0
        ]
        sizes = [self._metadata[p].row_group(g).num_rows for p, g in self.groups]
        self.edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def _refuse_repeated(self) -> None:
        names = self.schema.names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{self.files[0]} has several columns named {name!r}")

    def refuse_unknown(self, name: str, argument: str) -> None:
        """A column that is named must be there."""
        if name not in self.schema.names:
            known = ", ".join(self.schema.names)
            raise ValueError(f"{argument} names a column {name!r}, but the file has {known}")

    def group(self, number: int, columns: Sequence[str]) -> Any:
        """Those columns of a row group, a pyarrow table."""
        from pyarrow import parquet

        place, group = self.groups[number]
        self._refuse_changed(place)
        # A file of its own for each read: they are not for several threads at once.
        with parquet.ParquetFile(self.files[place], metadata=self._metadata[place]) as file:
            found = file.read_row_group(group, columns=list(columns), use_threads=False)
        self._refuse_changed(place)
        return found

    def _refuse_changed(self, place: int) -> None:
        """What was written to since the table was opened is another table."""
        path = self.files[place]
        if not Path(path).exists() or Stamp.of(path) != self._stamps[place]:
            raise ValueError(
                f"the file {path} was written to, or replaced, between two passes over it: let no "
                "one write to it during a call, or give a copy"
            )

    def column(self, name: str) -> Array:
        """One whole column."""
        parts = [
            self.group(number, [name]).column(0).to_numpy() for number in range(len(self.groups))
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def rows(self, columns: Sequence[str]) -> ParquetRows:
        """The rows of those columns."""
        return ParquetRows(self, tuple(columns))


class ParquetRows(LazyRows):
    """The numbers of some columns of a table; missing ones are NaN."""

    def __init__(self, table: ParquetTable, columns: tuple[str, ...]) -> None:
        types = [_type_of(table.schema.field(name).type) for name in columns]
        refuse_columns(dict(zip(columns, types, strict=True)))
        self._table = table
        dtype = floating(np.result_type(*types)) if types else np.dtype(np.float64)
        super().__init__((int(table.edges[-1]), len(columns)), dtype, columns, table.edges)

    def read(self, start: int, stop: int) -> Array:
        """Rows start ≤ i < stop, out of the row groups that they are in."""
        edges, out = self._table.edges, np.empty((stop - start, self.shape[1]), self.dtype)
        first = int(np.searchsorted(edges, start, side="right")) - 1
        for number in range(first, len(edges) - 1):
            low, high = int(edges[number]), int(edges[number + 1])
            if low >= stop:
                break
            table = self._table.group(number, self.columns or ())
            begin, end = max(start, low), min(stop, high)
            for j, column in enumerate(table.columns):
                out[begin - start : end - start, j] = column.to_numpy()[begin - low : end - low]
        return out


def _indices_of(schema: Any) -> tuple[str, ...]:
    """Columns in which pandas has stored the index of a frame."""
    said = (schema.pandas_metadata or {}).get("index_columns", [])
    found = [name for name in said if isinstance(name, str)]
    found += [name for name in schema.names if re.fullmatch(r"__index_level_\d+__", name)]
    return tuple(name for name in schema.names if name in found)


def _type_of(kind: Any) -> Any:
    """NumPy's type of a column, or Arrow's own where NumPy has none."""
    try:
        return np.dtype(kind.to_pandas_dtype())
    except NotImplementedError:
        return kind


def _files(X: Any) -> list[str]:
    if type(X).__name__ == "ParquetFile":
        raise TypeError("X is an open ParquetFile, which threads cannot share: give its path")
    paths = [Path(x) for x in X] if isinstance(X, (list, tuple)) else [Path(X)]
    if len(paths) == 1 and paths[0].is_dir():
        paths = sorted(paths[0].glob("*.parquet"))
        if not paths:
            raise FileNotFoundError(f"the folder {X} has no parquet files")
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"X is the path {str(path)!r}, but there is no such file")
        if path.suffix not in _SUFFIXES:
            raise ValueError(f"X is the path of {path.name}, but only parquet files are read")
    return [str(path) for path in paths]

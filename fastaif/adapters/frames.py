"""X as a pipeline was fitted to it, strings and gaps included, to the columns that are attacked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.intake import Intake
from ..utils import validation

Array = NDArray[Any]


class Program(ABC):
    """What comes out of a part of a fitted preprocessing."""

    @abstractmethod
    def run(self, X: Any) -> Any:
        """The values for inputs X."""


@dataclass(frozen=True, eq=False)
class Given(Program):
    """The inputs themselves."""

    def run(self, X: Any) -> Any:
        return X


@dataclass(frozen=True, eq=False)
class Part(Program):
    """Some columns of what comes before, by number; `is_vector`: one, as a vector."""

    inner: Program
    places: Array
    is_vector: bool = False

    def run(self, X: Any) -> Any:
        values = self.inner.run(X)
        if hasattr(values, "iloc"):
            return values.iloc[:, int(self.places[0]) if self.is_vector else self.places]
        if hasattr(values, "to_numpy"):  # a polars frame
            names = [values.columns[k] for k in self.places]
            return values[names[0]] if self.is_vector else values[names]
        array = values if hasattr(values, "tocsr") else np.asarray(values)
        return array[:, int(self.places[0])] if self.is_vector else array[:, self.places]


@dataclass(frozen=True, eq=False)
class Applied(Program):
    """A fitted transformer behind what comes before."""

    inner: Program
    transformer: Any

    def run(self, X: Any) -> Any:
        return self.transformer.transform(self.inner.run(X))


class Fixed(NamedTuple):
    """A column that no attack moves: one of a program's."""

    program: Program
    place: int


class Gaps(NamedTuple):
    """Which inputs have missing cells, and where attacks are measured.

    Attributes
    ----------
    inputs : tuple of int
    is_scaled : bool
        Whether a missing cell is put where a scaler has its zero, so that it adds nothing to s.
    are_marked : bool
        Whether the attack set may be told which cells are missing.
    """

    inputs: tuple[int, ...] = ()
    is_scaled: bool = True
    are_marked: bool = True


NO_GAPS = Gaps()


@dataclass(frozen=True, eq=False)
class FrameIntake(Intake):
    """An Intake of inputs of any kind.

    Attributes
    ----------
    sources : tuple
        Of each column of the model's its input (an int), a `Fixed`, or a `Missing`.
    fills : dict
        What an imputer puts in an input's missing cells.
    rest : dict
        What stands in for that in inputs of which gaps are told apart by a column.
    marked : tuple of int
        Inputs of which no other cell has the value that an imputer fills in: one that does is
        moved by a rounding unit.
    """

    sources: tuple[Any, ...]
    fills: dict[int, float]
    rest: dict[int, float]
    marked: tuple[int, ...] = ()

    def read(self, X: Any, name: str = "X") -> Array:
        """The model's columns (n, m), float64.

        Raises
        ------
        TypeError, ValueError
            A column is not numeric, has dates, or missing cells that nothing fills.
        """
        self.refuse_others(X, name)
        out = np.empty((np.shape(X)[0], len(self.sources)))
        ready: dict[int, Array] = {}
        for k, source in enumerate(self.sources):
            out[:, k] = self._column(X, source, ready, name)
        return out

    def _column(self, X: Any, source: Any, ready: dict[int, Array], name: str) -> Array:
        if isinstance(source, Missing):
            return np.isnan(self._numbers(X, source.place, name)).astype(float)
        if isinstance(source, Fixed):
            key = id(source.program)
            if key not in ready:
                ready[key] = dense(source.program.run(X))
            return ready[key][:, source.place]
        values = self._numbers(X, source, name)
        gaps = np.isnan(values)
        if gaps.any():
            if source not in self.fills:
                raise ValueError(
                    f"{name} has {int(gaps.sum())} missing or NaN cells in column "
                    f"{self.inputs[source]!r} (the first in row {int(np.argmax(gaps))}), which "
                    "nothing fills: put a SimpleImputer before the model, or leave these rows out"
                )
            values = np.where(gaps, self.rest.get(source, self.fills[source]), values)
        if source in self.marked:
            mark = self.fills[source]
            values = np.where(~gaps & (values == mark), np.nextafter(mark, np.inf), values)
        return values

    def _numbers(self, X: Any, place: int, name: str) -> Array:
        values, label = column_of(X, place), self.inputs[place]
        validation.refuse_unreal(_titled(values, label), name)
        try:
            array = _as_numbers(values)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} has a column {label!r} of type {getattr(values, 'dtype', 'object')}, "
                "which is not numeric: encode it before the model, with a OneHotEncoder for example"
            ) from None
        if np.isinf(array).any():
            raise ValueError(
                f"{name} has an infinity in column {label!r} (the first in row "
                f"{int(np.argmax(np.isinf(array)))})"
            )
        return array

    @property
    def marks(self) -> Array | None:
        """What stands in missing cells, and in no other, (m,); NaN where nothing is missing."""
        if not self.marked:
            return None
        return np.array([self.fills[k] if k in self.marked else np.nan for k in self.sources])

    def gaps(self, X: Any) -> tuple[int, ...]:
        """The inputs that have missing cells which an imputer fills."""
        if not self.fills or np.ndim(X) != 2:
            return ()
        self.refuse_others(X, "X")
        filled = [place for place in self.sources if isinstance(place, int) and place in self.fills]
        return tuple(k for k in filled if np.isnan(_as_numbers(column_of(X, k))).any())

    def write(self, X: Any, attacked: Array) -> Any:
        """X with its attackable inputs as in `attacked`; missing cells stay so."""
        if hasattr(X, "iloc"):
            frame = X.copy()
            for k, place in self._moved():
                old = _as_numbers(column_of(X, place))
                frame[frame.columns[place]] = np.where(np.isnan(old), np.nan, attacked[:, k])
            return frame
        if hasattr(X, "with_columns"):  # a polars frame
            import polars as pl

            return X.with_columns(
                [pl.Series(X.columns[place], attacked[:, k]) for k, place in self._moved()]
            )
        old = np.asarray(X)
        out = old.astype(object if old.dtype.kind == "O" else np.float64)
        for k, place in self._moved():
            missing = np.isnan(_as_numbers(old[:, place]))
            out[~missing, place] = attacked[~missing, k]
        return out

    def _moved(self) -> list[tuple[int, int]]:
        return [(k, source) for k, source in enumerate(self.sources) if isinstance(source, int)]


class Missing(NamedTuple):
    """A column that is 1 where an input is missing."""

    place: int


def column_of(X: Any, place: int) -> Any:
    """A column of an array or a frame, by number."""
    if hasattr(X, "iloc"):
        return X.iloc[:, place]
    if hasattr(X, "to_numpy"):
        return X[X.columns[place]]
    return np.asarray(X)[:, place]


def _titled(values: Any, label: str) -> Any:
    """A frame's column, so that messages name it."""
    return values.to_frame(label) if hasattr(values, "to_frame") and hasattr(values, "iloc") else (
        values
    )


def _as_numbers(values: Any) -> Array:
    """A column as float64, NaN where it is missing; text and categories are none."""
    kind = getattr(values, "dtype", None)
    if hasattr(kind, "categories") or str(kind) in ("string", "str", "String"):
        raise TypeError("not numeric")
    if hasattr(values, "iloc"):
        array = values.to_numpy(dtype=np.float64, na_value=np.nan)
    elif hasattr(values, "to_numpy"):
        array = values.to_numpy().astype(np.float64)
    else:
        if any(isinstance(value, str) for value in values[:1]):
            raise TypeError("not numeric")
        array = np.asarray(values, dtype=np.float64)
    return np.asarray(array)


def dense(values: Any) -> Array:
    """What a transformer returns, as a matrix of numbers."""
    array = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    array = np.asarray(array, dtype=np.float64)
    return array if array.ndim == 2 else array[:, None]

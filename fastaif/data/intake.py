"""From inputs as users have them to the rows of numbers that a model is attacked in.

Most models take X as it is. Others see a part of its columns (a result of statsmodels has a
constant among them), or what fixed encoders make of them (a category's indicators): an `Intake`
makes that matrix once, remembers of which input each of its columns is, and puts attacked ones
back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils import validation

Array = NDArray[Any]

FIXED = -1  # the origin of a column that no attack moves


@dataclass(frozen=True, eq=False)
class Intake(ABC):
    """What becomes of X (n, k) on its way to the model's own columns (n, m).

    Attributes
    ----------
    inputs : tuple of str
        The inputs' names, or x0, x1, … where the fit had none.
    has_names : bool
        Whether these are the fit's.
    columns : tuple of str
        The names of the model's columns.
    origin : array (m,) of int
        Of which input each of these is; FIXED: of none that can be attacked.
    """

    inputs: tuple[str, ...]
    has_names: bool
    columns: tuple[str, ...]
    origin: Array

    @abstractmethod
    def read(self, X: Any, name: str = "X") -> Array:
        """The model's columns (n, m) of inputs X; `name` is what messages call them.

        Raises
        ------
        TypeError, ValueError
            X is not what the model was fitted to.
        """

    def gaps(self, X: Any) -> tuple[int, ...]:
        """The inputs that have missing cells which an imputer fills."""
        return ()

    @property
    def marks(self) -> Array | None:
        """What stands in missing cells, and in no other, of each of the model's columns (m,), NaN
        where nothing is; None where nothing is missing at all."""
        return None

    def write(self, X: Any, attacked: Array) -> Any:
        """X with its attackable inputs as in `attacked` (n, m), in X's own form."""
        places = np.flatnonzero(self.origin != FIXED)
        if hasattr(X, "iloc"):
            frame = X.copy()
            for k in places:
                frame[frame.columns[self.origin[k]]] = attacked[:, k]
            return frame
        out = np.array(X, dtype=np.result_type(np.asarray(X).dtype, attacked.dtype))
        out[:, self.origin[places]] = attacked[:, places]
        return out

    @property
    def attackable(self) -> Array:
        """Which inputs can be attacked at all, booleans (k,)."""
        return self.back(np.ones(len(self.origin), dtype=bool))

    @property
    def fixed(self) -> tuple[str, ...]:
        """The names of the inputs that no attack can move."""
        free = self.attackable
        return tuple(name for name, moves in zip(self.inputs, free, strict=True) if not moves)

    def back(self, free: Array) -> Array:
        """Which inputs are among some of the model's columns, booleans (k,)."""
        out = np.zeros(len(self.inputs), dtype=bool)
        out[self.origin[free & (self.origin != FIXED)]] = True
        return out

    def longest(self, lengths: Array) -> Array:
        """Lengths a column of the model's (m,) as those of the inputs (k,), 0 where none moves."""
        out, free = np.zeros(len(self.inputs)), self.origin != FIXED
        np.maximum.at(out, self.origin[free], lengths[free])
        return out

    def spread(
        self, scale: Array | None, mask: Array | None
    ) -> tuple[Array | None, Array | None]:
        """Scales and a mask of the inputs (k,), or None, as those of the model's columns (m,)."""
        free = self.origin != FIXED
        if scale is not None:
            scale = np.where(free, scale[self.origin], 0.0)
        if mask is not None:
            return scale, free & mask[self.origin]
        return scale, None if free.all() else free

    def refuse_others(self, X: Any, name: str) -> None:
        """Refuse inputs of another shape or of other names than those of the fit."""
        if getattr(X, "is_lazy", False):
            raise TypeError(
                f"{name} is read block by block, but this model takes all of its inputs at once: "
                "give an array or a frame"
            )
        shape = np.shape(X)
        if len(shape) != 2:
            raise ValueError(
                f"{name} must be two-dimensional (rows are samples), but has shape {shape}"
            )
        if 0 in shape:
            raise ValueError(f"{name} is empty: its shape is {shape}")
        found = getattr(X, "columns", None)
        if self.has_names and found is not None:
            refuse_other_columns(tuple(str(column) for column in found), self.inputs, name)
        if shape[1] != len(self.inputs):
            raise ValueError(
                f"{name} has {shape[1]} features, but the model was fitted to {len(self.inputs)}"
            )


@dataclass(frozen=True, eq=False)
class KeptColumns(Intake):
    """An Intake that leaves columns out, and is otherwise the inputs themselves."""

    def read(self, X: Any, name: str = "X") -> Array:
        """The columns that are kept: a view where they are neighbours."""
        self.refuse_others(X, name)
        array, _ = validation.matrix(X, name)
        first, last = int(self.origin[0]), int(self.origin[-1])
        if np.array_equal(self.origin, np.arange(first, last + 1)):
            return array[:, first : last + 1]
        return array[:, self.origin]


def refuse_other_columns(
    columns: tuple[str, ...] | None, fitted: tuple[str, ...] | None, name: str = "X"
) -> None:
    """Refuse named columns that are not those of the fit, in its order."""
    if fitted is not None and columns is not None and fitted != columns:
        missing = [name for name in fitted if name not in columns]
        extra = [name for name in columns if name not in fitted]
        what = [f"lack {missing[:5]}"] * bool(missing) + [f"add {extra[:5]}"] * bool(extra)
        how = " and ".join(what) or "are in another order"
        raise ValueError(f"the columns of {name} are not those of the fit: they {how}")


def columns_read(
    intake: Intake | None, X: Any, name: str = "X"
) -> tuple[Array, tuple[str, ...] | None]:
    """The model's columns of X and their names; without an intake those of X itself."""
    if intake is None:
        return validation.matrix(X, name)
    return intake.read(X, name), intake.columns


@dataclass(frozen=True, eq=False)
class WithConstant(Intake):
    """An Intake that adds a last column of ones, which is not attacked, to another's.

    It is for intercepts that a penalty shrinks: they are the coefficient of that column.
    """

    inner: Intake | None = None

    @classmethod
    def beside(
        cls, inner: Intake | None, inputs: tuple[str, ...], has_names: bool
    ) -> WithConstant:
        """The constant beside the columns of `inner`, or beside the inputs themselves."""
        if inner is not None:
            inputs, has_names = inner.inputs, inner.has_names
        columns = inputs if inner is None else inner.columns
        origin = np.arange(len(inputs)) if inner is None else inner.origin
        return cls(
            inputs, has_names, (*columns, "intercept"), np.append(origin, FIXED), inner=inner
        )

    def read(self, X: Any, name: str = "X") -> Array:
        """The columns, and the constant."""
        self.refuse_others(X, name)
        array, _ = columns_read(self.inner, X, name)
        kind = array.dtype if array.dtype.char in "fd" else np.dtype(np.float64)
        out = np.empty((array.shape[0], array.shape[1] + 1), dtype=kind)
        out[:, :-1], out[:, -1] = array, 1.0
        return out

    def gaps(self, X: Any) -> tuple[int, ...]:
        """Those of the columns' intake."""
        return () if self.inner is None else self.inner.gaps(X)

    @property
    def marks(self) -> Array | None:
        """Those of the columns' intake: the constant is never missing."""
        marks = None if self.inner is None else self.inner.marks
        return None if marks is None else np.append(marks, np.nan)

    def write(self, X: Any, attacked: Array) -> Any:
        """X with its attackable inputs as in `attacked`."""
        if self.inner is not None:
            return self.inner.write(X, attacked[:, :-1])
        return super().write(X, attacked)

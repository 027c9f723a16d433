"""Rows that have been checked against a fitted model, and where they are not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..utils import validation
from .intake import Intake, columns_read, refuse_other_columns
from .rows import Encoder, RowSource
from .sources import opened

Array = NDArray[Any]


class Reader(Protocol):
    """What rows have to suit: the part of a fitted model that reads its data."""

    @property
    def n_features(self) -> int:
        """m, the number of inputs."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The inputs' names, where the fit or its data had any."""

    @property
    def n_targets(self) -> int:
        """The number of columns of y."""

    @property
    def encode(self) -> Encoder:
        """Raw targets to numbers."""

    @property
    def intake(self) -> Intake | None:
        """What makes the model's columns of X; None where X is these."""

    @property
    def weigh(self) -> Callable[[Array, Array | None], Array | None] | None:
        """From targets and the weights given to those that the fit took."""


def evaluation_rows(model: Reader, X: Any, y: Any, name: str = "X") -> RowSource:
    """Checked, unweighted rows on which a fitted model is evaluated."""
    given = opened(X, y, columns=None if model.intake else model.columns)
    array, columns = columns_read(model.intake, given.X, name)
    refuse_other_columns(columns, model.columns)
    return rows_of(
        model, array, given.y, given.sample_weight if y is None else None,
        name=name.replace("X", "y"),
    )  # fmt: skip


def rows_of(
    model: Reader,
    X: Array,
    y: Any,
    sample_weight: Any = None,
    name: str = "y",
    *,
    weightless: bool = False,
    weighed: bool = False,
) -> RowSource:
    """Checked rows for a model; X has passed `validation.matrix`, `name` is that of y.

    `weightless` rows may all have a weight of zero; of `weighed` ones the weights are those of the
    fit, class weights for example included.
    """
    m = model.n_features
    if X.shape[1] != m:
        raise ValueError(
            f"X has {X.shape[1]} features, but the model was fitted to {m}{_named_columns(X)}"
        )
    targets = validation.targets(y, X.shape[0], name, model.n_targets)
    weight = validation.weights(sample_weight, X.shape[0], weightless=weightless)
    if weighed and model.weigh is not None:
        weight = model.weigh(targets, weight)
    return RowSource(X, targets, weight, model.encode, model.columns)


def _named_columns(X: Any) -> str:
    """Of a file all columns are features that nobody says are something else."""
    columns = getattr(X, "columns", None)
    if not getattr(X, "is_lazy", False) or columns is None:
        return ""
    names = ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")
    return f": of the columns {names} name the target's, y=, and the weights', sample_weight="


def evened(source: RowSource) -> tuple[RowSource, float]:
    """The rows with weights of about 1, and what they were divided by.

    That is 1 but for extreme weights, whose sums would overflow.
    """
    factor = validation.weight_factor(source.weight)
    if factor != 1.0:
        source = source._replace(weight=np.asarray(source.weight) / factor)
    return source, factor


class locating:  # noqa: N801  (used as a function; small problems notice a generator)
    """Turn "some sum is not finite" into a message that says where the data are not."""

    __slots__ = ("_source",)

    def __init__(self, source: RowSource) -> None:
        self._source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, FloatingPointError):
            source = self._source
            validation.locate_nonfinite(source.x, source.y, columns=source.columns)

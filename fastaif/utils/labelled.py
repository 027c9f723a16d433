"""Values with a label a feature: put in the features' order by name, never by position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

_MOST = 3  # names in a message


def in_order(value: Any, names: Sequence[str], what: str, default: Any = None) -> Any:
    """Values a feature in the order of `names`; what has no labels as it stands.

    Parameters
    ----------
    value
        A mapping or a pandas Series by names of features, a frame by names of both its sides, or
        anything else, which is returned as it is. A Series of labels 0, 1, … has none.
    names : sequence of str
        The features.
    what : str
        What the values are, for messages.
    default : optional
        Of features that a mapping or a Series does not name; without one it has to name all.

    Raises
    ------
    ValueError
        The labels are not the features' names, or one comes twice.
    """
    if isinstance(value, Mapping):
        return _by_name(value, value.values(), names, what, default)
    index = getattr(value, "index", None)
    if index is None or not hasattr(value, "iloc") or _counts(index):
        return value
    if value.ndim == 1:
        return _by_name(index, value, names, what, default)
    rows, columns = (_places(labels, names, what) for labels in (index, value.columns))
    return value.iloc[rows, columns].to_numpy()


def _counts(index: Any) -> bool:
    """Whether labels only count the rows."""
    return getattr(index, "start", None) == 0 and getattr(index, "step", None) == 1


def _by_name(
    given: Iterable[Any], values: Iterable[Any], names: Sequence[str], what: str, default: Any
) -> np.ndarray[Any, Any]:
    labels = [str(label) for label in given]
    _check_known(labels, names, what)
    _check(labels, names if default is None else labels, what)
    told = dict(zip(labels, values, strict=True))
    return np.array([told.get(name, default) for name in names])


def _places(given: Iterable[Any], names: Sequence[str], what: str) -> list[int]:
    labels = [str(label) for label in given]
    _check_known(labels, names, what)
    _check(labels, names, what)
    return [labels.index(name) for name in names]


def _check(labels: list[str], names: Sequence[str], what: str) -> None:
    missing = [name for name in names if name not in set(labels)]
    if missing:
        raise ValueError(f"{what} says nothing of {_listed(missing)}: give one for each feature")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"{what} has two values for {twice!r}: give one for each feature")


def _check_known(labels: list[str], names: Sequence[str], what: str) -> None:
    unknown = [label for label in labels if label not in set(names)]
    if unknown:
        raise ValueError(
            f"{what} names unknown features: {_listed(unknown)}; the features are "
            f"{_listed(list(names))}. Give an array, in their order, to go without names"
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(map(repr, names[:_MOST])) + more

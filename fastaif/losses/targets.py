"""From raw targets to the numbers that a loss expects, a block at a time.

Encoders are small picklable objects: fitted estimators keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def as_float(y: Array) -> Array:
    """Real targets as float64."""
    if y.dtype.kind not in "buif":
        raise TypeError(f"y must hold numbers, but its type is {y.dtype}")
    return y.astype(np.float64, copy=False)


def check_classes(y: Array) -> Array:
    """The labels of a classification target, two or more, sorted."""
    from sklearn.utils.multiclass import check_classification_targets

    if y.dtype.kind == "O" and not isinstance(y.flat[0], str):  # numbers in an array of objects
        y = np.asarray(y.tolist())
    check_classification_targets(y)
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"y has one class only: {classes.tolist()[0]!r}")
    return classes


def check_two_classes(y: Array) -> Array:
    """The two labels of a classification target, sorted."""
    from sklearn.utils.multiclass import type_of_target

    classes = check_classes(y)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}: y has {len(classes)} classes"
        )
    return classes


@dataclass(frozen=True)
class class_encoder:  # noqa: N801 - called like a function
    """Labels as the numbers of their classes, from 0 on; anything else is refused by value."""

    classes: Array

    def __call__(self, y: Array) -> Array:
        """0.0, 1.0, … for each label."""
        out = np.full(len(y), -1.0)
        for number, label in enumerate(self.classes):
            out[np.asarray(y == label, dtype=bool)] = number
        if out.size and out.min() < 0.0:
            stranger = y[np.argmin(out)]
            shown = [getattr(v, "item", lambda v=v: v)() for v in (stranger, *self.classes[:8])]
            known = ", ".join(repr(v) for v in shown[1:]) + ", …" * (len(self.classes) > 8)
            raise ValueError(f"y contains {shown[0]!r}, but the model's classes are {known}")
        return out


@dataclass(frozen=True)
class named_classes:  # noqa: N801 - called like a function
    """Labels as the numbers of classes that are known by their names, numbers as text among them.

    Attributes
    ----------
    names : tuple of str
    """

    names: tuple[str, ...]

    def __call__(self, y: Array) -> Array:
        """0.0, 1.0, … for each label."""
        if y.dtype.kind not in "buif":
            return class_encoder(np.array(self.names, dtype=object))(y.astype(str).astype(object))
        try:
            classes = np.array([float(name) for name in self.names])
        except ValueError:
            classes = np.array(self.names, dtype=object)
        return class_encoder(classes)(y.astype(float).astype(object))


@dataclass(frozen=True)
class sign_encoder:  # noqa: N801 - called like a function
    """Two labels as −1 and +1; anything else is refused by value."""

    classes: Array

    def __call__(self, y: Array) -> Array:
        """±1 for each label."""
        negative, positive = (np.asarray(y == label, dtype=bool) for label in self.classes)
        if np.count_nonzero(positive) + np.count_nonzero(negative) < y.size:
            stranger = y[~(positive | negative)][0]
            shown = [getattr(v, "item", lambda v=v: v)() for v in (stranger, *self.classes)]
            raise ValueError(
                f"y contains {shown[0]!r}, but the model's two classes are {shown[1]!r} and "
                f"{shown[2]!r}"
            )
        # As bytes first: NumPy subtracts truth values as float64 at half the speed.
        return (positive.view(np.int8) - negative.view(np.int8)).astype(np.float64)

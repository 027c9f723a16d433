"""Class weights of classifiers, as the sample weights that they amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class ClassWeights:
    """A factor for each class.

    Attributes
    ----------
    classes : array (k,)
    factors : tuple or None
        One a class; None: "balanced", in inverse proportion to what the class counts.
    counts_weights : bool
        Whether samples count by their weight there.
    """

    classes: Array
    factors: tuple[float, ...] | None
    counts_weights: bool = True

    @property
    def needs_all_rows(self) -> bool:
        """Whether the factors depend on all of the rows together."""
        return self.factors is None

    def __call__(self, y: Array, given: Array | None) -> Array:
        """The weights given (n,), or ones, times the factor of each row's class."""
        weight = np.ones(len(y)) if given is None else np.asarray(given, dtype=float)
        members = [np.asarray(y == label, dtype=bool) for label in self.classes]
        factors = self.factors
        if factors is None:
            counted = weight if self.counts_weights else np.ones(len(y))
            sizes = [float(counted[of].sum()) for of in members]
            factors = tuple(sum(sizes) / (len(sizes) * size) if size else 0.0 for size in sizes)
        out = np.zeros(len(y))
        for of, factor in zip(members, factors, strict=True):
            out[of] = factor
        return np.asarray(weight * out)


def class_weights_of(model: Any, *, counts_weights: bool = True) -> ClassWeights | None:
    """The class weights of a fitted classifier; None where it has none."""
    given, classes = model.class_weight, np.asarray(model.classes_)
    if given is None:
        return None
    if isinstance(given, str):
        return ClassWeights(classes, None, counts_weights)
    factors = tuple(float(given.get(label, 1.0)) for label in classes.tolist())
    return ClassWeights(classes, factors)

"""The model inside pipelines and transformed targets: where it is, and another in its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from ..data.rows import Encoder
from ..losses.targets import as_float

Array = NDArray[Any]


def last_step(estimator: Any) -> Any:
    """The fitted model at the end of pipelines, and inside TransformedTargetRegressors."""
    inner = _within(estimator)
    while inner is not None:
        estimator, inner = inner, _within(inner)
    return estimator


def with_last_step(estimator: Any, change: Callable[[Any], Any]) -> Any:
    """A copy of the estimator with what `change` makes of a copy of its last step."""
    fitted = copy.deepcopy(estimator)
    outer, inner = None, fitted
    while (following := _within(inner)) is not None:
        outer, inner = inner, following
    new = change(inner)
    if outer is None:
        return new
    if isinstance(outer, Pipeline):
        outer.steps[-1] = (outer.steps[-1][0], new)
    else:
        outer.regressor_ = new
    return fitted


def _within(estimator: Any) -> Any:
    if isinstance(estimator, Pipeline):
        return estimator.steps[-1][1]
    if isinstance(estimator, TransformedTargetRegressor):
        return getattr(estimator, "regressor_", None)
    return None


@dataclass(frozen=True)
class TransformedTargets:
    """Raw targets as the regressor inside a TransformedTargetRegressor was fitted to them."""

    transformer: Any
    encode: Encoder

    def __call__(self, y: Array) -> Array:
        """The transformed targets, encoded."""
        if not len(y):
            return self.encode(as_float(y))
        found = np.asarray(self.transformer.transform(as_float(y).reshape(len(y), -1)))
        return self.encode(found.reshape(y.shape))

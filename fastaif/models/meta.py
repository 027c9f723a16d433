"""What meta-estimators share that predict as the fitted estimator inside them does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ..utils.inputs import MatrixLike, TargetsLike, WeightsLike

Array = NDArray[Any]


def _inner_has(method: str) -> Callable[[Any], bool]:
    """Whether the wrapped estimator has a method; its own error says that it has not."""

    def check(self: Any) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class Delegating(MetaEstimatorMixin, BaseEstimator):
    """A meta-estimator with `estimator`, and once fitted `estimator_`."""

    estimator: Any
    estimator_: Any

    instead: ClassVar[str] = "its estimator_"  # to hand to functions that take the model inside

    @property
    def n_features_in_(self) -> int:
        return int(self.estimator_.n_features_in_)

    @property
    def feature_names_in_(self) -> Array:
        return np.asarray(self.estimator_.feature_names_in_)

    @property
    def classes_(self) -> Array:
        return np.asarray(self.estimator_.classes_)

    @available_if(_inner_has("predict"))
    def predict(self, X: MatrixLike) -> Array:
        """The estimator's predictions, shape (n,)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: MatrixLike) -> Array:
        """The classifier's probabilities, shape (n, K) of K classes."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: MatrixLike) -> Array:
        """The classifier's f(X), shape (n,), of several classes (n, K)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.decision_function(X))

    @available_if(_inner_has("score"))
    def score(self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None) -> float:
        """The estimator's own score: R² or accuracy, without any sensitivity."""
        check_is_fitted(self)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self.estimator_.score(X, y, **weights))

    def __sklearn_tags__(self) -> Any:
        tags = copy.deepcopy(get_tags(self.estimator))
        # What `aif` refuses, whatever the estimator takes by itself.
        tags.array_api_support = False
        return tags


def weights_for(estimator: Any, sample_weight: WeightsLike) -> dict[str, Any]:
    """The arguments by which an estimator's fit takes weights."""
    if sample_weight is None:
        return {}
    if not isinstance(estimator, Pipeline):
        return {"sample_weight": sample_weight}
    steps = [s for s in estimator.steps[:-1] if has_fit_parameter(s[1], "sample_weight")]
    return {
        f"{name}__{key}": sample_weight
        for name, step in [*steps, estimator.steps[-1]]
        for key in weights_for(step, sample_weight)
    }

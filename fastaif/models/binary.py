"""What the classifiers of two labels share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from ..utils.inputs import MatrixLike

Array = NDArray[Any]


def has_probabilities(model: Any) -> bool:
    """Whether a classifier's loss is a likelihood."""
    return bool(model.loss_description().has_probabilities)


def both_probabilities(model: Any, f: Array) -> Array:
    """Those of both labels at predictions f (n,), shape (n, 2)."""
    return np.column_stack(model.loss_description().probabilities(f))


def beyond_boundary(model: Any, f: Array) -> Array:
    """Predictions f (n,) from where both labels are as likely."""
    boundary = model.loss_description().boundary
    return f - boundary if boundary else f


def likelier_labels(model: Any, f: Array) -> Array:
    """The likelier label at predictions f (n,)."""
    return np.asarray(model.classes_[(beyond_boundary(model, f) > 0).astype(int)])


class BinaryClassifier(ClassifierMixin):
    """Two labels, encoded as ±1, and predictions by the sign of f.

    For estimators with a `_decision`; it comes before them among a class's bases.
    """

    classes_: Array
    _decision: Any

    def decision_function(self, X: MatrixLike) -> Array:
        """f(X) less the f at which both labels are as likely, shape (n,).

        That is f itself but for a complementary log-log link; with a logistic loss it is the
        log-odds of the second class.
        """
        return beyond_boundary(self, self._decision(X))

    @available_if(has_probabilities)
    def predict_proba(self, X: MatrixLike) -> Array:
        """The probabilities of both classes, shape (n, 2)."""
        return both_probabilities(self, self._decision(X))

    def predict(self, X: MatrixLike) -> Array:
        """The likelier label of each row, shape (n,)."""
        f = self._decision(X)
        return likelier_labels(self, f)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

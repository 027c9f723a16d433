"""What the classifiers of two labels share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

Array = NDArray[Any]


class BinaryClassifier(ClassifierMixin):
    """Two labels, encoded as ±1, and predictions by the sign of f.

    For estimators with a `_decision`; it comes before them among a class's bases.
    """

    classes_: Array
    _decision: Any

    def decision_function(self, X: Any) -> Array:
        """f(X), the log-odds of the second class, shape (n,)."""
        return self._decision(X)

    def predict_proba(self, X: Any) -> Array:
        """The probabilities of both classes, shape (n, 2)."""
        from scipy.special import expit

        f = self._decision(X)
        return np.column_stack([expit(-f), expit(f)])

    def predict(self, X: Any) -> Array:
        """The likelier label of each row, shape (n,)."""
        f = self._decision(X)
        return np.asarray(self.classes_[(f > 0).astype(int)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

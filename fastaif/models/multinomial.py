"""What a logistic regression of three classes or more does: a prediction a class."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ..bases.builtin import Linear
from ..data.rows import RowSource
from ..families.softmax.fit import fit_softmax
from ..losses.softmax import Softmax
from ..losses.targets import check_classes, class_encoder
from ..passes.softmax import SoftmaxSweep
from ..utils.inputs import MatrixLike
from .base import LinearPredictor
from .binary import BinaryClassifier

Array = NDArray[Any]


class Multinomial(BinaryClassifier, LinearPredictor):
    """A classifier of two labels by one prediction, and of more by one a class.

    A subclass's own loss is that of two labels. It is the same model: of two classes f is the
    difference of their predictions.
    """

    def _prepare_targets(self, y: Array) -> Array:
        self.classes_ = check_classes(y)
        if not self.is_multinomial:
            return super()._prepare_targets(y)
        self._encode = class_encoder(self.classes_)
        return y

    @property
    def is_multinomial(self) -> bool:
        """Whether there are three classes or more."""
        return len(self.classes_) > 2

    def fit_rows(self, source: RowSource) -> None:
        """Fit to checked rows, which need not exist all at once."""
        if not self.is_multinomial:
            super().fit_rows(source)
            return
        alpha, l1 = self.penalties()
        if l1 > 0.0:
            raise ValueError(
                f"{type(self).__name__} with l1_ratio > 0 is for two classes, but there are "
                f"{len(self.classes_)}: use l1_ratio=0, or fit one class against the rest"
            )
        intercept = bool(self.fit_intercept)
        sweep = SoftmaxSweep(source, Linear(), len(self.classes_), intercept)
        with sweep.executor.watching("fit"):
            found, theta = fit_softmax(sweep, alpha)
        self._keep_rows(source, found, theta)
        self._report(found.converged, found.singular, found.local.residual)
        if intercept:
            self._tell_empty_classes(source)

    def _tell_empty_classes(self, source: RowSource) -> None:
        """Warn of classes without weight, which a fit only gets rid of at infinity."""
        w = source.weights()
        if not w.size:
            return
        numbers = source.targets().astype(int)
        held = np.bincount(numbers, weights=w, minlength=len(self.classes_))
        for label in self.classes_[held == 0.0].tolist():
            warnings.warn(
                f"{type(self).__name__}: the samples of class {label!r} have no weight, so that "
                "its intercept has no finite optimum; leave them out of the fit",
                ConvergenceWarning,
                stacklevel=4,
            )

    def decision_function(self, X: MatrixLike) -> Array:
        """The log-odds of the second of two classes (n,); of more a prediction each, (n, K)."""
        check_is_fitted(self)
        return self._decision(X) if self.is_multinomial else super().decision_function(X)

    def predict_proba(self, X: MatrixLike) -> Array:
        """The probabilities of all classes, shape (n, K)."""
        check_is_fitted(self)
        if self.is_multinomial:
            return Softmax().probabilities(self._decision(X))
        return np.asarray(super().predict_proba(X))

    def predict(self, X: MatrixLike) -> Array:
        """The likeliest label of each row, shape (n,)."""
        check_is_fitted(self)
        if self.is_multinomial:
            return np.asarray(self.classes_[np.argmax(self._decision(X), axis=1)])
        return super().predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags

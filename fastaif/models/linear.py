"""Estimators with a linear predictor f = βᵀx + b, fitted by Newton's method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .. import _validate
from .._sums import Sweep
from ..bases import Linear
from ..losses import Loss
from ..objectives import natural_fit
from ..streaming import RowSource
from .base import LinearPredictor
from .labels import as_nonnegative, sign_encoder

Array = NDArray[Any]


class LinearRegression(RegressorMixin, LinearPredictor):
    """Least squares, with an optional ridge penalty.

    Minimises ``E (f − y)² + alpha ‖β‖²``: no factor ½, and the mean rather than the sum
    (scikit-learn's ``Ridge(alpha=a)`` is ``alpha = a / Σw`` here).

    Parameters
    ----------
    alpha : float, default 0.0
    fit_intercept : bool, default True
        The intercept is not penalised.

    Attributes
    ----------
    coef_ : array (m,)
    intercept_ : float
    n_iter_ : int
        Newton steps taken.
    n_features_in_ : int
    """

    _loss_name = "squared_error"

    def __init__(self, alpha: float = 0.0, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def predict(self, X: Any) -> Array:
        """f(X), shape (n,)."""
        return self._decision(X)


class HuberRegression(RegressorMixin, LinearPredictor):
    """Regression with the pseudo-Huber loss ``δ²(√(1 + (r/δ)²) − 1)``, smooth everywhere.

    For small residuals this is r²/2, half of LinearRegression's loss: sensitivities
    carry that factor.

    Parameters
    ----------
    delta : float, default 1.0
        δ, in units of y.
    alpha : float, default 0.0
        α in ``E ℓ + α ‖β‖²``.
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : array (m,)
    intercept_ : float
    n_iter_ : int
    n_features_in_ : int
    """

    _loss_name = "huber"

    def __init__(self, delta: float = 1.0, alpha: float = 0.0, fit_intercept: bool = True) -> None:
        self.delta = delta
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def _loss(self) -> Loss:
        return Loss("huber", _validate.number(self.delta, "delta", low=0.0, strict=True))

    def _start(self, source: RowSource) -> Array | None:
        """The fit of a δ ten times larger, and so on up to the scale of the targets.

        Where most residuals are beyond δ the loss is nearly flat in curvature, and Newton
        needs to start close.
        """
        y = source.targets()
        delta, start = float(np.mean(np.abs(y - np.median(y)))), None
        while delta > 3.0 * self.delta:
            sweep = Sweep(source, Loss("huber", delta), Linear(), bool(self.fit_intercept))
            start = natural_fit(sweep, float(self.alpha), start).x
            delta *= 0.1
        return start

    def predict(self, X: Any) -> Array:
        """f(X), shape (n,)."""
        return self._decision(X)


class PoissonRegression(RegressorMixin, LinearPredictor):
    """Poisson regression with a log link: ``E [exp(f) − y f] + alpha ‖β‖²``.

    Half of scikit-learn's deviance: ``PoissonRegressor(alpha=a)`` is ``alpha = a / 2``.

    Parameters
    ----------
    alpha : float, default 0.0
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : array (m,)
    intercept_ : float
    n_iter_ : int
    n_features_in_ : int
    """

    _loss_name = "poisson"
    _encode = staticmethod(as_nonnegative)

    def __init__(self, alpha: float = 0.0, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def _prepare_targets(self, y: Array) -> Array:
        return as_nonnegative(y)

    def _start(self, source: RowSource) -> Array | None:
        """log of the mean count: from zero the first step could overflow."""
        if not self.fit_intercept:
            return None
        w = source.weights()
        mean = float(np.average(source.targets(), weights=w if w.size else None))
        start = np.zeros(source.n_columns + 1)
        start[-1] = np.log(mean) if mean > 0 else 0.0
        return start

    def predict(self, X: Any) -> Array:
        """The expected count exp(f(X)), shape (n,)."""
        return np.exp(self._decision(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """D²: the fraction of the Poisson deviance explained."""
        from sklearn.metrics import d2_tweedie_score

        mean = np.maximum(self.predict(X), np.finfo(float).tiny)
        return float(d2_tweedie_score(y, mean, sample_weight=sample_weight, power=1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


class LogisticRegression(ClassifierMixin, LinearPredictor):
    """Binary logistic regression: ``E log(1 + exp(−y f)) + alpha ‖β‖²``, y = ±1.

    scikit-learn's ``LogisticRegression(C=c)`` is ``alpha = 1 / (2 c Σw)`` here.

    Parameters
    ----------
    alpha : float, default 1e-3
        With alpha = 0, separable classes have no finite optimum: the fit then stops with
        a ConvergenceWarning.
    fit_intercept : bool, default True

    Attributes
    ----------
    classes_ : array (2,)
        The labels; f > 0 means the second.
    coef_ : array (m,)
    intercept_ : float
    n_iter_ : int
    n_features_in_ : int
    """

    _loss_name = "logistic"
    _y_numeric = False

    def __init__(self, alpha: float = 1e-3, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def _prepare_targets(self, y: Array) -> Array:
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}: y has {len(self.classes_)} classes"
            )
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only: {self.classes_.tolist()[0]!r}")
        self._encode = sign_encoder(self.classes_)
        return y

    def _why_not(self) -> str:
        return (
            ": the classes look linearly separable, so that there is no finite optimum; "
            "use alpha > 0"
        )

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

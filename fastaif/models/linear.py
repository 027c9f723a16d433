"""Estimators with a linear predictor f = βᵀx + b, fitted by Newton's method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from ..losses import Loss
from ..utils import validation
from .base import LinearPredictor
from .binary import BinaryClassifier
from .labels import as_nonnegative

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
        return Loss("huber", validation.number(self.delta, "delta", low=0.0, strict=True))

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


class LogisticRegression(BinaryClassifier, LinearPredictor):
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

    def __init__(self, alpha: float = 1e-3, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def _why_not(self) -> str:
        return (
            ": the classes look linearly separable, so that there is no finite optimum; "
            "use alpha > 0"
        )

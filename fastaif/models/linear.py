"""Estimators with a linear predictor f = βᵀx + b, fitted by Newton's method."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from ..losses import Huber, Logistic, Poisson, SquaredError
from .base import LinearPredictor
from .binary import BinaryClassifier

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

    kind = "linear"
    _loss = SquaredError()

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

    kind = "huber"

    def __init__(self, delta: float = 1.0, alpha: float = 0.0, fit_intercept: bool = True) -> None:
        self.delta = delta
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def loss_description(self) -> Huber:
        """ℓ."""
        return Huber(self.delta)

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

    kind = "poisson"
    _loss = Poisson()

    def __init__(self, alpha: float = 0.0, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def predict(self, X: Any) -> Array:
        """The expected count exp(f(X)), shape (n,)."""
        return self._loss.response(self._decision(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """D²: the fraction of the Poisson deviance explained."""
        return self._loss.score(y, self.predict(X), sample_weight)

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

    kind = "logistic"
    _loss = Logistic()

    def __init__(self, alpha: float = 1e-3, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def _why_not(self) -> str:
        if self.alpha > 0.0:
            return (
                ": there is one class only, or features are so large that this alpha hardly holds "
                "their coefficients; divide them by a power of ten"
            )
        return (
            ": the classes look linearly separable, so that there is no finite optimum; "
            "use alpha > 0"
        )

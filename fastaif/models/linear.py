"""Estimators with a linear predictor f = βᵀx + b, fitted by Newton's method."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from ..losses import Expectile, Huber, SquaredError
from .base import ElasticPredictor
from .outputs import SeveralOutputs

Array = NDArray[Any]


class LinearRegression(RegressorMixin, SeveralOutputs, ElasticPredictor):
    """Least squares, with an optional ridge penalty.

    Minimises ``E (f − y)² + alpha ‖β‖²``: no factor ½, and the mean rather than the sum
    (scikit-learn's ``Ridge(alpha=a)`` is ``alpha = a / Σw`` here). Of t outputs, y (n, t), it
    minimises ``E ‖W x + b − y‖² + alpha ‖W‖²``, a row of W and an entry of b an output: the same
    fits, but attacks on x are then on all of them at once. θ is all of W by rows, then b.

    Parameters
    ----------
    alpha : float, default 0.0
    fit_intercept : bool, default True
        The intercept is not penalised.
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's. Above 0 for one output.

    Attributes
    ----------
    coef_ : array (m,), or (t, m)
    intercept_ : float, or array (t,)
    n_iter_ : int
        Newton steps taken.
    n_features_in_ : int
    """

    kind = "linear"
    _loss = SquaredError()


class HuberRegression(RegressorMixin, ElasticPredictor):
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
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "huber"

    def __init__(
        self,
        delta: float = 1.0,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        l1_ratio: float = 0.0,
    ) -> None:
        self.delta = delta
        super().__init__(alpha, fit_intercept, l1_ratio)

    def loss_description(self) -> Huber:
        """ℓ."""
        return Huber(self.delta)


class ExpectileRegression(RegressorMixin, ElasticPredictor):
    """Regression on an expectile: ``E |τ − 1(y < f)| (y − f)² + alpha ‖β‖²``.

    The asymmetric twin of least squares, as the quantile is that of the absolute error. At
    τ = ½ its loss is half of LinearRegression's.

    Parameters
    ----------
    tau : float, default 0.5
        0 < τ < 1; above a half, values that f falls short of weigh more.
    alpha : float, default 0.0
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "expectile"

    def __init__(
        self,
        tau: float = 0.5,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        l1_ratio: float = 0.0,
    ) -> None:
        self.tau = tau
        super().__init__(alpha, fit_intercept, l1_ratio)

    def loss_description(self) -> Expectile:
        """ℓ."""
        return Expectile(self.tau)

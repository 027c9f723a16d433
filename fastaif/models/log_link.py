"""Estimators of a positive mean exp(f), fitted by Newton's method."""

from __future__ import annotations

from typing import Any

from sklearn.base import RegressorMixin

from ..losses import Gamma, NegativeBinomial, Poisson, Tweedie
from ..utils.inputs import MatrixLike, TargetsLike, WeightsLike
from .base import ElasticPredictor


class LogLinkPredictor(RegressorMixin, ElasticPredictor):
    """What they share: predictions are means, and scores shares of the deviance."""

    def score(self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None) -> float:
        """D²: the fraction of the deviance explained."""
        return self.loss_description().score(y, self.predict(X), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


class PoissonRegression(LogLinkPredictor):
    """Poisson regression with a log link: ``E [exp(f) − y f] + alpha ‖β‖²``.

    Half of scikit-learn's deviance: ``PoissonRegressor(alpha=a)`` is ``alpha = a / 2``.

    Parameters
    ----------
    alpha : float, default 0.0
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "poisson"
    _loss = Poisson()


class GammaRegression(LogLinkPredictor):
    """Gamma regression with a log link: ``E [y exp(−f) + f] + alpha ‖β‖²``, y > 0.

    Half of scikit-learn's deviance: ``GammaRegressor(alpha=a)`` is ``alpha = a / 2``.

    Parameters
    ----------
    alpha : float, default 0.0
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "gamma"
    _loss = Gamma()


class TweedieRegression(LogLinkPredictor):
    """Tweedie regression with a log link, for y ≥ 0 that is often exactly zero.

    Minimises ``E [exp((2 − π) f)/(2 − π) + y exp((1 − π) f)/(π − 1)] + alpha ‖β‖²``, half of
    scikit-learn's deviance: ``TweedieRegressor(power=π, alpha=a)`` is ``alpha = a / 2``.

    Parameters
    ----------
    power : float, default 1.5
        π, 1 < π < 2. For 1 and 2 there are PoissonRegression and GammaRegression.
    alpha : float, default 0.0
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "tweedie"

    def __init__(
        self,
        power: float = 1.5,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        l1_ratio: float = 0.0,
    ) -> None:
        self.power = power
        super().__init__(alpha, fit_intercept, l1_ratio)

    def loss_description(self) -> Tweedie:
        """ℓ."""
        return Tweedie(self.power)


class NegativeBinomialRegression(LogLinkPredictor):
    """Regression of counts that scatter more than Poisson's, with a log link.

    Minimises ``E [(y + 1/a) log(1 + a exp(f)) − y f] + alpha ‖β‖²``.

    Parameters
    ----------
    dispersion : float, default 1.0
        a, given rather than estimated: the variance is μ + a μ².
    alpha : float, default 0.0
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "negative_binomial"

    def __init__(
        self,
        dispersion: float = 1.0,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        l1_ratio: float = 0.0,
    ) -> None:
        self.dispersion = dispersion
        super().__init__(alpha, fit_intercept, l1_ratio)

    def loss_description(self) -> NegativeBinomial:
        """ℓ."""
        return NegativeBinomial(self.dispersion)

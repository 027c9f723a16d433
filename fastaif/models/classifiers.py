"""Classifiers with a linear predictor, or one a class, fitted by Newton's method."""

from __future__ import annotations

from ..losses import Cloglog, Logistic, Probit, SquaredHinge
from .base import FITTED, ElasticPredictor
from .binary import BinaryClassifier
from .multinomial import Multinomial


class LinearClassifier(BinaryClassifier, ElasticPredictor):
    """What they share: two labels as ±1, and what may have kept a fit from its end."""

    _fitted = FITTED.replace(
        "coef_", "classes_ : array (2,)\n        The labels; f > 0 means the second.\n    coef_"
    )

    def __init__(
        self, alpha: float = 1e-3, fit_intercept: bool = True, l1_ratio: float = 0.0
    ) -> None:
        super().__init__(alpha, fit_intercept, l1_ratio)

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


class LogisticRegression(Multinomial, LinearClassifier):
    """Logistic regression, binary or multinomial.

    Of two labels, y = ±1, it minimises ``E log(1 + exp(−y f)) + alpha ‖β‖²``; of K ≥ 3
    ``E [−log softmax(W x + b)_y] + alpha ‖W‖²``, a row of W and an entry of b a class. Adding one
    vector to all rows changes no prediction: the fit is the one whose rows, and intercepts, sum to
    zero. θ is then all of W by rows, then b. (K = 2 is that model with β = w₁ − w₀, at half the
    alpha.) scikit-learn's ``LogisticRegression(C=c)`` is ``alpha = 1 / (2 c Σw)`` here.

    Parameters
    ----------
    alpha : float, default 1e-3
        With alpha = 0, separable classes have no finite optimum: the fit then stops with
        a ConvergenceWarning.
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.

    Attributes
    ----------
    classes_ : array (K,)
        The labels; of two f > 0 means the second.
    coef_ : array (m,), or (K, m)
    intercept_ : float, or array (K,)
    n_iter_ : int
    n_features_in_ : int
    """

    kind = "logistic"
    _loss = Logistic()


class ProbitRegression(LinearClassifier):
    """Binary probit regression: ``E [−log Φ(y f)] + alpha ‖β‖²``, y = ±1.

    Parameters
    ----------
    alpha : float, default 1e-3
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "probit"
    _loss = Probit()


class CloglogRegression(LinearClassifier):
    """Binary regression with a complementary log-log link: P(y = +1) = 1 − exp(−exp(f)).

    Minimises the negative log likelihood plus ``alpha ‖β‖²``; labels are not alike: the second
    is "something happened", which it does exp(f) times on average.

    Parameters
    ----------
    alpha : float, default 1e-3
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.

    Attributes
    ----------
    classes_ : array (2,)
        The labels; f > log log 2 (`decision_function` > 0) means the second.
    coef_ : array (m,)
    intercept_ : float
    n_iter_ : int
    n_features_in_ : int
    """

    kind = "cloglog"
    _loss = Cloglog()


class SquaredHingeClassification(LinearClassifier):
    """A linear support vector machine: ``E max(0, 1 − y f)² + alpha ‖β‖²``, y = ±1.

    scikit-learn's ``LinearSVC(C=c)`` minimises ½ ‖β‖² + c Σ …, its intercept in the penalty.

    Parameters
    ----------
    alpha : float, default 1e-3
    fit_intercept : bool, default True
    l1_ratio : float, default 0.0
        From 0 to 1: the penalty is ``alpha ((1 − l1_ratio) ‖β‖² + l1_ratio ‖β‖₁)``, the elastic
        net's; at 1 the lasso's.
    """

    kind = "squared_hinge"
    _loss = SquaredHinge()

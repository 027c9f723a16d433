"""Estimators with a linear predictor f = βᵀx + b, fitted by Newton's method."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import _validate
from .._sums import Sweep
from ..bases import Linear
from ..losses import Loss
from ..objectives import natural_fit
from ..streaming import Encoder, RowSource
from .labels import as_float, as_nonnegative, sign_encoder

Array = NDArray[Any]


class _LinearPredictor(BaseEstimator):
    """What the four estimators share; a subclass names its loss."""

    _loss_name: ClassVar[str]
    _encode: Encoder = staticmethod(as_float)

    alpha: float
    fit_intercept: bool

    def _loss(self) -> Loss:
        return Loss(self._loss_name)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : array (n, m)
        y : array (n,)
        sample_weight : array (n,), optional

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            The minimum is not attained (separable classes), not unique (the
            minimum-norm one is taken), or not reached.
        """
        alpha = _validate.number(self.alpha, "alpha", low=0.0)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], y_numeric=self._y_numeric)
        y = self._prepare_targets(y)
        w = None
        if sample_weight is not None:
            w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            _validate.weights(w, X.shape[0])
            w = w / _validate.weight_factor(w)
        source = RowSource(X, y, w, self._encode)
        start = self._start(source)
        sweep = Sweep(source, self._loss(), Linear(), bool(self.fit_intercept))
        found = natural_fit(sweep, alpha, start)
        self.n_iter_ = found.n_iter
        m = X.shape[1]
        self.coef_ = found.x[:m].copy()
        self.intercept_ = float(found.x[m]) if self.fit_intercept else 0.0
        self._report(found.converged, found.singular, found.local.residual)
        return self

    _y_numeric = True

    def _prepare_targets(self, y: Array) -> Array:
        return y

    def _start(self, source: RowSource) -> Array | None:
        return None

    def _report(self, converged: bool, singular: bool, residual: float) -> None:
        name = type(self).__name__
        if singular and converged:
            warnings.warn(
                f"{name}: the Hessian is singular; of the many minimisers the one of least norm "
                "was taken (alpha > 0 makes it unique)",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif not converged:
            warnings.warn(
                f"{name} stopped after {self.n_iter_} Newton steps at a relative gradient of "
                f"{residual:.1e}{self._why_not()}",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _why_not(self) -> str:
        return ": the features may be badly scaled, or the minimum not attained; try alpha > 0"

    def _decision(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return np.asarray(X.astype(np.float64, copy=False) @ self.coef_ + self.intercept_)


class LinearRegression(RegressorMixin, _LinearPredictor):
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


class HuberRegression(RegressorMixin, _LinearPredictor):
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


class PoissonRegression(RegressorMixin, _LinearPredictor):
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


class LogisticRegression(ClassifierMixin, _LinearPredictor):
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

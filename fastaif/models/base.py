"""What the estimators with a linear predictor share: fitting by Newton's method."""

from __future__ import annotations

import copy
import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..bases.builtin import Linear
from ..data.rows import Encoder, RowSource
from ..families.finite_sum.l1_fit import l1_fit
from ..families.finite_sum.natural_fit import natural_fit
from ..losses import Loss
from ..losses.targets import as_float, check_two_classes, sign_encoder
from ..passes.linear import Sweep
from ..solvers.newton import NewtonResult
from ..utils import validation
from ..utils.inputs import MatrixLike, TargetsLike, WeightsLike
from .initial_points import starting_point
from .inputs import by_blocks, columns_of_fit, data_of_fit, dense_inputs

Array = NDArray[Any]
_ATOMS = (bool, int, float, str, type(None))  # which a copy may share
_NOTHING = 1e-250  # a mean square that may have lost digits by underflow
FITTED = """
    Attributes
    ----------
    coef_ : array (m,)
    intercept_ : float
    n_iter_ : int
        Newton steps taken.
    n_features_in_ : int
    """


class LinearPredictor(BaseEstimator):
    """What the estimators share; a subclass says its loss, and its basis if it has one.

    Where its docstring stops at the parameters, those that fits set are told after them.

    Attributes
    ----------
    kind : str
        What reports call the model.
    """

    kind: ClassVar[str]
    _loss: ClassVar[Loss]
    _fitted: ClassVar[str] = FITTED
    _encode: Encoder = staticmethod(as_float)
    _takes_several: ClassVar[bool] = False  # outputs

    l1_ratio: float = 0.0  # of families whose penalties have no l1 term
    intercept_: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        text = cls.__doc__ or ""
        if "Parameters\n" in text and "Attributes\n" not in text:
            cls.__doc__ = text.rstrip() + "\n" + cls._fitted

    def __init__(self, alpha: float = 0.0, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy without the protocol of pickles, which fits of small problems notice."""
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        own: dict[str, Any] = new.__dict__
        for name, value in vars(self).items():
            own[name] = value if type(value) in _ATOMS else copy.deepcopy(value, memo)
        return new

    def loss_description(self) -> Loss:
        """ℓ."""
        return self._loss

    def encoder(self) -> Encoder:
        """From raw targets to the numbers that the loss takes, once fitted."""
        return self._encode

    def fit(self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None) -> Any:
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
        self.fit_rows(self.rows_of_fit(X, y, sample_weight))
        return self

    def rows_of_fit(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> RowSource:
        """Checked data of a fit."""
        given = data_of_fit(
            self, X, y, sample_weight, numbers=self._has_numbers(), several=self._takes_several
        )
        y = self._prepare_targets(given.y)
        w = given.sample_weight
        if w is not None:
            n = given.X.shape[0]
            w = _check_sample_weight(
                w, np.empty((n, 0)), dtype=np.float64, ensure_non_negative=True
            )
            validation.weights(w, n)
            w = w / validation.weight_factor(w)
        return RowSource(given.X, y, w, self._encode)

    def fit_rows(self, source: RowSource) -> None:
        """Fit to checked rows, which need not exist all at once."""
        squares, l1 = self.penalties()
        sweep = self._sweep(source, self.loss_description())
        d = sweep.n_coefs
        tail = np.zeros(int(bool(self.fit_intercept)))
        penalized = np.append(self._penalized(source.n_columns), tail)
        with sweep.executor.watching("fit"):
            start = starting_point(sweep, squares, penalized)
            if l1 > 0.0:
                found = l1_fit(sweep, squares, penalized, l1 * penalized, start)
            else:
                found = natural_fit(sweep, squares, start, penalized=penalized)
        self.n_iter_ = found.n_iter
        self.set_coefficients(found.x[:d])
        self.intercept_ = float(found.x[d]) if self.fit_intercept else 0.0
        self._refuse_extremes(source, found.local.value)
        self._report(found.converged, found.singular, found.local.residual)

    def _keep_rows(self, source: RowSource, found: NewtonResult, theta: Array) -> None:
        """Take over Θ (K, c), a row a prediction."""
        m = source.n_columns
        self.n_iter_ = found.n_iter
        self.coef_ = np.array(theta[:, :m])
        self.intercept_ = theta[:, m].copy() if self.fit_intercept else np.zeros(len(theta))
        self._refuse_extremes(source, found.local.value)

    def penalties(self) -> tuple[float, float]:
        """What ‖β‖² and ‖β‖₁ are multiplied by: α(1 − l1_ratio) and α l1_ratio."""
        alpha = validation.number(self.alpha, "alpha", low=0.0)
        ratio = validation.number(self.l1_ratio, "l1_ratio", low=0.0)
        if ratio > 1.0:
            raise ValueError(f"l1_ratio must be a number from 0 to 1, but is {self.l1_ratio!r}")
        return alpha * (1.0 - ratio), alpha * ratio

    def _refuse_extremes(self, source: RowSource, value: float) -> None:
        """Refuse data that made of the objective no number, or nothing."""
        if not np.isfinite(value):
            validation.locate_nonfinite(source.x, source.y, columns=columns_of_fit(self))
        if abs(value) < _NOTHING and self.loss_description().is_of_residuals:
            validation.refuse_tiny_targets(float(np.abs(source.targets()).max()))

    def _sweep(self, source: RowSource, loss: Loss) -> Sweep:
        return Sweep(source, loss, Linear(), bool(self.fit_intercept))

    def _penalized(self, m: int) -> Array:
        """1 for the coefficients that α shrinks."""
        return np.ones(m)

    def set_coefficients(self, beta: Array) -> None:
        """Take over β (d,)."""
        self.coef_ = np.array(beta)

    def _has_numbers(self) -> bool:
        """Whether the targets are numbers rather than labels."""
        return not self.loss_description().has_labels

    def _prepare_targets(self, y: Array) -> Array:
        """Find out how targets are encoded; numbers are at once, labels block by block."""
        loss = self.loss_description()
        if loss.has_labels:
            self.classes_ = check_two_classes(y)
            self._encode = sign_encoder(self.classes_)
            return y
        self._encode = loss.encode
        return self._encode(y)

    def _report(self, converged: bool, singular: bool, residual: float) -> None:
        name = type(self).__name__
        if singular and converged:
            which = "the one of least norm was taken (alpha > 0 makes it unique)"
            if self.penalties()[1] > 0.0:
                which = "one was taken (l1_ratio < 1 makes it unique)"
            warnings.warn(
                f"{name}: the Hessian is singular; of the many minimisers {which}",
                ConvergenceWarning,
                stacklevel=4,
            )
        elif not converged:
            warnings.warn(
                f"{name} stopped after {self.n_iter_} Newton steps at a relative gradient of "
                f"{residual:.1e}{self._why_not()}",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _why_not(self) -> str:
        return ": the features may be badly scaled, or the minimum not attained; try alpha > 0"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def predict(self, X: MatrixLike) -> Array:
        """The expected target of each row, shape (n,): f(X), or exp(f(X)) with a log link."""
        return self.loss_description().response(self._decision(X))

    @by_blocks
    def _decision(self, X: Any) -> Array:
        check_is_fitted(self)
        X = dense_inputs(self, X)
        return np.asarray(X.astype(np.float64, copy=False) @ self.coef_.T + self.intercept_)


class ElasticPredictor(LinearPredictor):
    """A linear predictor whose penalty may have an l1 term, the elastic net's."""

    def __init__(
        self, alpha: float = 0.0, fit_intercept: bool = True, l1_ratio: float = 0.0
    ) -> None:
        super().__init__(alpha, fit_intercept)
        self.l1_ratio = l1_ratio

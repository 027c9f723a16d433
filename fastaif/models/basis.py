"""Estimators f = βᵀv(x) + b on a basis, whose features are formed block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .. import bases, losses
from ..bases.builtin import Quadratic
from ..bases.expansion import make_expansion
from ..data.rows import RowSource
from ..losses import Loss, SquaredError
from ..passes.basis import make_sweep
from ..passes.linear import Sweep
from ..utils.inputs import MatrixLike, TargetsLike, WeightsLike
from .base import LinearPredictor
from .binary import beyond_boundary, both_probabilities, has_probabilities, likelier_labels
from .inputs import by_blocks, dense_inputs

Array = NDArray[Any]
_BASES = tuple(getattr(bases, name) for name in bases.__all__)
_BLOCK_DOUBLES = 1 << 17


class BasisModel(LinearPredictor):
    """What models on a basis share beyond linear predictors."""

    def _sweep(self, source: RowSource, loss: Loss) -> Sweep:
        m = source.n_columns
        self.basis_ = self._basis().bind(m, source.x[:8])
        basis = make_expansion(self.basis_, None, None, m)
        return make_sweep(source, loss, basis, bool(self.fit_intercept))

    def _penalized(self, m: int) -> Array:
        return self.basis_.penalized(m)

    def _report(self, converged: bool, singular: bool, residual: float) -> None:
        if not np.isfinite(residual):
            raise OverflowError(
                f"{type(self).__name__}: features v(x) of these inputs are beyond floating-point "
                "numbers; scale the inputs"
            )
        super()._report(converged, singular, residual)

    def _basis(self) -> Any:
        raise NotImplementedError

    def theta_coefficients(self) -> Array:
        """β, shape (d,)."""
        return np.asarray(self.coef_)

    def set_coefficients(self, beta: Array) -> None:
        """Take over β (d,)."""
        self.coef_ = np.array(beta)

    @by_blocks
    def _decision(self, X: Any) -> Array:
        check_is_fitted(self)
        X = dense_inputs(self, X)
        expansion = make_expansion(self.basis_, None, None, X.shape[1])
        beta = self.theta_coefficients()
        out = np.empty(len(X))
        size = max(64, _BLOCK_DOUBLES // max(beta.size, 1))
        for start in range(0, len(X), size):
            out[start : start + size] = expansion.transform(X[start : start + size]) @ beta
        return out + self.intercept_


class QuadraticRegression(RegressorMixin, BasisModel):
    """Least squares on x and all products x_j x_k.

    Minimises ``E (f − y)² + alpha Σ β_jk²`` with f = coefᵀx + xᵀ quadratic x + intercept;
    the penalty is on the coefficients β_jk of the products x_j x_k, j ≤ k (twice the entry
    of ``quadratic_`` off the diagonal), and neither on ``coef_`` nor on the intercept.

    Parameters
    ----------
    alpha : float, default 1e-3
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : array (m,)
    quadratic_ : array (m, m)
        Symmetric.
    intercept_ : float
    basis_ : Quadratic
    n_iter_ : int
        Newton steps taken.
    n_features_in_ : int
    """

    kind = "quadratic"
    _loss = SquaredError()

    def __init__(self, alpha: float = 1e-3, fit_intercept: bool = True) -> None:
        super().__init__(alpha, fit_intercept)

    def _basis(self) -> Quadratic:
        return Quadratic()

    def theta_coefficients(self) -> Array:
        """β: the coefficients of x, then of x_j x_k for j ≤ k."""
        return Quadratic.coefficients(np.asarray(self.coef_), np.asarray(self.quadratic_))

    def set_coefficients(self, beta: Array) -> None:
        """Take over β (d,)."""
        m = self.n_features_in_
        self.coef_ = np.array(beta[:m])
        self.quadratic_ = Quadratic.matrix(beta, m)


def _is_binary(model: BasisRegression) -> bool:
    return model.loss_description().has_labels


class BasisRegression(BasisModel):
    """A model on any basis with any of the losses.

    Minimises ``E ℓ(βᵀv(x) + b, y) + alpha ‖β‖²`` (with the quadratic basis only the products'
    coefficients are in the penalty).

    Parameters
    ----------
    basis : fastaif.bases.Linear, Quadratic, Powers, Fourier or Custom
    loss : str or fastaif.losses.Loss
        One of ``fastaif.losses.names()``, or an instance where it has a parameter:
        ``fastaif.losses.Huber(delta)`` for a δ other than 1. With a loss of labels ("logistic",
        "probit", "cloglog", "squared_hinge") this is a classifier of two.
    alpha : float, default 0.0
    fit_intercept : bool, default True

    Attributes
    ----------
    coef_ : array (d,)
    intercept_ : float
    basis_
        The basis, bound to the number of inputs.
    classes_ : array (2,)
        With a loss of labels: the two; f > 0 ("cloglog": log log 2) means the second.
    n_iter_ : int
    n_features_in_ : int
    """

    kind = "basis"

    def __init__(
        self,
        basis: Any,
        loss: str | Loss = "squared_error",
        alpha: float = 0.0,
        fit_intercept: bool = True,
    ) -> None:
        self.basis = basis
        self.loss = loss
        super().__init__(alpha, fit_intercept)

    def _basis(self) -> Any:
        if not isinstance(self.basis, _BASES):
            names = ", ".join(kind.__name__ for kind in _BASES)
            raise TypeError(
                f"basis must be an instance of one of fastaif.bases' {names}, but is {self.basis!r}"
            )
        return self.basis

    def loss_description(self) -> Loss:
        """ℓ."""
        return losses.get(self.loss)

    @available_if(_is_binary)
    def decision_function(self, X: MatrixLike) -> Array:
        """f(X) of a classifier, less its boundary between the labels, shape (n,)."""
        return beyond_boundary(self, self._decision(X))

    @available_if(has_probabilities)
    def predict_proba(self, X: MatrixLike) -> Array:
        """The probabilities of both classes, shape (n, 2)."""
        return both_probabilities(self, self._decision(X))

    def predict(self, X: MatrixLike) -> Array:
        """f(X); with a log link the expected target, with labels the likelier one. (n,)."""
        return likelier_labels(self, self._decision(X)) if _is_binary(self) else super().predict(X)

    def score(self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None) -> float:
        """Accuracy of labels, D² with a log link, else R²."""
        return self.loss_description().score(y, self.predict(X), sample_weight)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if _is_binary(self):
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_class=False)
        else:
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
            tags.target_tags.positive_only = self.loss_description().has_positive_targets
        return tags

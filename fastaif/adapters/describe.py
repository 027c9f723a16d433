"""From fitted estimators, ours and scikit-learn's, to model descriptions."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..bases.expansion import Expansion, make_expansion
from ..data.checked_rows import refuse_other_columns
from ..families.basis.model import ExpansionModel
from ..families.finite_sum.model import SumModel
from ..families.finite_sum.natural_fit import penalized_entries
from ..families.kernel.model import KernelModel
from ..families.linear.model import LinearModel
from ..families.model import Model, names_of_inputs
from ..models.basis import BasisModel
from ..models.differentiable import DifferentiableModel
from ..models.meta import Delegating
from ..models.network import Network
from ..models.smoothing import RandomizedSmoothing, rebuild_around
from .kernel import describe_kernel, is_kernel_model
from .linear import Parts, reader_of
from .network import describe_network
from .pipelines import Preprocessing, require_fitted, split
from .refusals import refused

Array = NDArray[Any]

ACCEPTED = (
    "fastaif's LinearRegression, LogisticRegression, PoissonRegression, HuberRegression, "
    "QuadraticRegression, BasisRegression, KernelRegression, MLPRegression and MLPClassification; "
    "scikit-learn's LinearRegression, Ridge, RidgeCV, RidgeClassifier, BayesianRidge, "
    "LogisticRegression and LogisticRegressionCV (binary), PoissonRegressor, TweedieRegressor "
    "(power 0 and 1), SGDRegressor and SGDClassifier (squared_error and log_loss), and "
    "KernelRidge; and a Pipeline of scalers (Standard, MinMax, MaxAbs, Robust) and/or "
    "PolynomialFeatures(2) before one of these; RandomizedSmoothing around one (and a "
    "DifferentiableModel, with torch or JAX)"
)


class Described(NamedTuple):
    """A fitted model, and the randomized smoothing around it if there is one."""

    model: Model
    smoothing: RandomizedSmoothing | None = None


def describe(
    estimator: Any, n_features: int, column_names: tuple[str, ...] | None = None
) -> Described:
    """What `aif` takes: a fitted estimator, smoothed or not, or a DifferentiableModel.

    Parameters
    ----------
    estimator
    n_features : int
        m, the number of columns of its data.
    column_names : tuple of str, optional
        Their names, where the estimator was fitted without.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As of `describe_fitted`.
    """
    if isinstance(estimator, DifferentiableModel):
        return Described(estimator.describe(n_features, column_names))
    if not isinstance(estimator, RandomizedSmoothing):
        return Described(describe_fitted(estimator, column_names))
    check_is_fitted(estimator, "estimator_")
    model = describe_fitted(estimator.estimator_, column_names)
    if isinstance(model, KernelModel):
        raise TypeError(
            "RandomizedSmoothing around a kernel regression is not supported: the noisy copies "
            "would be its centres"
        )
    around = dataclasses.replace(model, rebuild=rebuild_around(estimator, model.rebuild))
    return Described(around, estimator)


def judge(estimator: Any) -> None:
    """Refuse what is wrong with an estimator whatever its data: the errors of `describe`."""
    inner = estimator
    if isinstance(estimator, RandomizedSmoothing):
        check_is_fitted(estimator, "estimator_")
        inner = estimator.estimator_
    if not isinstance(inner, DifferentiableModel):
        describe_fitted(inner)


def describe_for_sums(
    estimator: Any, column_names: tuple[str, ...] | None = None
) -> SumModel | KernelModel:
    """The model of an estimator whose influence may be made of sums over blocks of rows.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As of `describe_fitted`.
    """
    if isinstance(estimator, (RandomizedSmoothing, DifferentiableModel)):
        raise TypeError(
            f"an InfluenceAccumulator does not take a {type(estimator).__name__}: call "
            "aif(estimator, X, y) with all of the data"
        )
    return describe_fitted(estimator, column_names)


def describe_fitted(
    estimator: Any, column_names: tuple[str, ...] | None = None
) -> SumModel | KernelModel:
    """The model description of a fitted estimator of ours or of scikit-learn's.

    Parameters
    ----------
    estimator
        See `ACCEPTED`.
    column_names : tuple of str, optional
        Names of the inputs, where the estimator was fitted without.

    Raises
    ------
    NotFittedError
    TypeError
        An estimator that is not supported; the message lists what is.
    ValueError
        An option whose objective is not ours.
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"{estimator.__name__} is a class: make an estimator of it and fit that, "
            f"{estimator.__name__}().fit(X, y)"
        )
    before, step = split(estimator, ACCEPTED)
    if isinstance(step, Delegating):
        check_is_fitted(step, "estimator_")
        raise TypeError(f"a {type(step).__name__} is not taken as it is: give {step.instead}")
    if is_kernel_model(step):
        require_fitted(step, "dual_coef_")
        columns = _columns(estimator, column_names, np.shape(step.X_fit_)[1])
        return describe_kernel(estimator, before, step, columns)
    if isinstance(step, Network):
        require_fitted(step, "coefs_")
        columns = _columns(estimator, column_names, len(step.coefs_[0]))
        return describe_network(estimator, before, step, columns)
    reader = reader_of(step)
    if reader is None:
        raise refused(step, ACCEPTED)
    require_fitted(step, "coef_")
    return _describe_sum(estimator, before, step, reader(step), column_names)


def _describe_sum(
    estimator: Any, before: Preprocessing, step: Any, read: Parts, names: tuple[str, ...] | None
) -> SumModel:
    """The description of a model f = βᵀv(x) + b, given what its reader says of it."""
    kind, loss, alpha, encode = read
    if isinstance(step, BasisModel):
        layout, basis, coefs = _on_basis(before, step)
        penalized = np.append(coefs, np.zeros(int(layout.has_intercept)))
    else:
        layout = _layout(step, before, penalty=alpha(1.0) > 0.0)
        basis = before.basis()
        penalized = penalized_entries(layout.n_coefs(step), layout.has_intercept)
    tail = int(layout.has_intercept)
    expands = isinstance(basis, Expansion)
    m = basis.m if expands else penalized.size - tail
    columns = _columns(estimator, names, m)
    inputs = names_of_inputs(columns, m)
    family: type[SumModel] = ExpansionModel if expands else LinearModel
    return family(
        kind=kind, loss=loss, basis=basis, theta=layout.theta(step), alpha=alpha,
        names=(*(basis.basis.names(inputs) if expands else inputs), *["intercept"] * tail),
        encode=encode, rebuild=_Rebuild(estimator, layout), n_features=m,
        penalized=penalized, fit_intercept=layout.has_intercept, columns=columns,
    )  # fmt: skip


def _on_basis(before: Preprocessing, step: BasisModel) -> tuple[_Layout, Any, Array]:
    """Where θ sits, v, and which of its coefficients α shrinks, of one of our basis models."""
    if before.polynomial:
        raise TypeError(
            f"PolynomialFeatures before a {type(step).__name__} is not supported: its basis "
            "forms the features"
        )
    m = step.n_features_in_
    shift, scale = before.before or (None, None)
    basis = make_expansion(step.basis_, shift, scale, m)
    return _Layout(bool(step.fit_intercept)), basis, step.basis_.penalized(m)


@dataclass(frozen=True)
class _Layout:
    """Where θ sits in a step's attributes.

    A bias column of constant value `bias` comes first in `coef_`; its share of the
    prediction belongs to the intercept.
    """

    fit_intercept: bool
    bias: float | None = None

    @property
    def has_bias(self) -> bool:
        return self.bias is not None

    @property
    def has_intercept(self) -> bool:
        return self.fit_intercept or bool(self.bias)

    def n_coefs(self, step: Any) -> int:
        """The number of coefficients, without that of a bias column."""
        return int(np.asarray(step.coef_).size) - self.has_bias

    def theta(self, step: Any) -> Array:
        """The coefficients, then the intercept if there is one."""
        found = step.theta_coefficients() if isinstance(step, BasisModel) else step.coef_
        coef = np.asarray(found, dtype=float).ravel()
        intercept = float(np.asarray(step.intercept_).flat[0]) if self.fit_intercept else 0.0
        if self.bias is not None:
            intercept, coef = intercept + self.bias * coef[0], coef[1:]
        theta = np.empty(coef.size + self.has_intercept)
        theta[: coef.size] = coef
        theta[coef.size :] = intercept
        return theta

    def put(self, step: Any, theta: Array) -> None:
        """Set a step's attributes."""
        coef = theta[: theta.size - self.has_intercept]
        if isinstance(step, BasisModel):
            step.set_coefficients(coef)
        else:
            if self.bias is not None:
                inside = theta[-1] / self.bias if self.bias and not self.fit_intercept else 0.0
                coef = np.append(inside, coef)
            step.coef_ = np.array(coef).reshape(np.shape(step.coef_))
        if self.fit_intercept:
            shape = np.shape(step.intercept_)
            step.intercept_ = np.full(shape, theta[-1]) if shape else float(theta[-1])


def _layout(step: Any, before: Preprocessing, penalty: bool) -> _Layout:
    coef = np.asarray(step.coef_, dtype=float)
    if coef.ndim == 2 and coef.shape[0] > 1:
        raise ValueError(
            f"the fitted {type(step).__name__} has {coef.shape[0]} outputs, but only one is "
            "supported"
        )
    if before.bias and penalty and not step.fit_intercept:
        raise ValueError(
            f"{type(step).__name__}(fit_intercept=False) behind PolynomialFeatures("
            "include_bias=True) penalises the intercept; use fit_intercept=True"
        )
    return _Layout(bool(step.fit_intercept), before.bias)


def _columns(
    estimator: Any, columns: tuple[str, ...] | None, m: int
) -> tuple[str, ...] | None:
    """The inputs' names: those of the fit, which the data must not contradict, or the data's."""
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is None:
        return columns if columns is not None and len(columns) == m else None
    fitted = tuple(str(name) for name in fitted)
    refuse_other_columns(columns, fitted)
    return fitted


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other coefficients."""

    estimator: Any
    layout: _Layout

    def __call__(self, theta: Array) -> Any:
        fitted = copy.deepcopy(self.estimator)
        self.layout.put(fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted, theta)
        return fitted

"""From fitted estimators, ours and scikit-learn's, to model descriptions.

Whatever an option makes unlike our objectives is refused by name.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import linear_model as sk
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ..bases import Linear
from ..linear_model import LinearModel
from ..losses import Loss
from ..streaming import Encoder
from . import linear as ours
from .labels import as_float, as_nonnegative, sign_encoder

Array = NDArray[Any]

ACCEPTED = (
    "fastaif's LinearRegression, LogisticRegression, PoissonRegression and HuberRegression; "
    "scikit-learn's LinearRegression, Ridge, LogisticRegression (binary) and PoissonRegressor; "
    "and a Pipeline of StandardScaler and one of these"
)


def describe(estimator: Any, column_names: tuple[str, ...] | None = None) -> LinearModel:
    """The model description of a fitted estimator.

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
    if isinstance(estimator, Pipeline):
        scalers, last = _split(estimator)
        return _describe_step(last, _scaling(scalers), estimator, column_names)
    return _describe_step(estimator, Linear(), estimator, column_names)


def _split(pipeline: Pipeline) -> tuple[list[StandardScaler], Any]:
    steps = [step for _, step in pipeline.steps if step is not None and step != "passthrough"]
    for step in steps[:-1]:
        if type(step) is not StandardScaler:
            raise TypeError(
                f"a Pipeline with a {type(step).__name__} before the model is not supported: "
                f"fastaif takes {ACCEPTED}"
            )
    return steps[:-1], steps[-1]


def _scaling(scalers: list[StandardScaler]) -> Linear:
    """The composition of fitted scalers, held fixed under attack."""
    shift: Array | None = None
    scale: Array | None = None
    for scaler in scalers:
        _require_fitted(scaler, "n_features_in_")
        m = scaler.n_features_in_
        mean = np.zeros(m) if scaler.mean_ is None or not scaler.with_mean else scaler.mean_
        sd = np.ones(m) if scaler.scale_ is None else scaler.scale_
        if shift is None or scale is None:
            shift, scale = np.array(mean, dtype=float), np.array(sd, dtype=float)
        else:
            shift, scale = shift + scale * mean, scale * sd
    return Linear(shift, scale)


def _require_fitted(estimator: Any, attribute: str) -> None:
    if not hasattr(estimator, attribute):
        raise NotFittedError(
            f"This {type(estimator).__name__} instance is not fitted yet: call fit first"
        )


def _describe_step(
    step: Any, basis: Linear, whole: Any, column_names: tuple[str, ...] | None
) -> LinearModel:
    reader = _READERS.get(type(step))
    if reader is None:
        raise TypeError(
            f"{type(step).__name__} is not supported: fastaif takes {ACCEPTED}"
        )
    _require_fitted(step, "coef_")
    kind, loss, alpha, encode = reader(step)
    coef = np.asarray(step.coef_, dtype=float)
    if coef.ndim == 2 and coef.shape[0] > 1:
        raise ValueError(
            f"the fitted {type(step).__name__} has {coef.shape[0]} outputs, but only one is "
            "supported"
        )
    coef = coef.ravel()
    intercept = float(np.ravel(step.intercept_)[0]) if step.fit_intercept else 0.0
    theta = np.append(coef, intercept) if step.fit_intercept else coef.copy()
    columns = _columns(whole, column_names, coef.size)
    names = columns or tuple(f"x{k}" for k in range(coef.size))
    if step.fit_intercept:
        names = (*names, "intercept")
    return LinearModel(
        kind, loss, basis, theta, bool(step.fit_intercept), alpha, names, encode,
        _Rebuild(whole), columns,
    )  # fmt: skip


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


def refuse_other_columns(
    columns: tuple[str, ...] | None, fitted: tuple[str, ...] | None
) -> None:
    """Refuse named columns that are not those of the fit, in its order."""
    if fitted is not None and columns is not None and fitted != columns:
        missing = [name for name in fitted if name not in columns]
        extra = [name for name in columns if name not in fitted]
        what = [f"lack {missing[:5]}"] * bool(missing) + [f"add {extra[:5]}"] * bool(extra)
        how = " and ".join(what) or "are in another order"
        raise ValueError(f"the columns of X are not those of the fit: they {how}")


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other coefficients."""

    estimator: Any

    def __call__(self, theta: Array) -> Any:
        fitted = copy.deepcopy(self.estimator)
        last = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
        m = np.size(last.coef_)
        last.coef_ = np.array(theta[:m]).reshape(np.shape(last.coef_))
        if last.fit_intercept:
            shape = np.shape(last.intercept_)
            last.intercept_ = np.full(shape, theta[m]) if shape else float(theta[m])
        return fitted


_Parts = tuple[str, Loss, Callable[[float], float], Encoder]


def _same(alpha: float, weight: float) -> float:
    return alpha


def _over_weight(alpha: float, weight: float) -> float:
    return alpha / weight


def _fixed(alpha: float) -> Callable[[float], float]:
    """α whatever the weight; a partial, so that results can be pickled."""
    return partial(_same, float(alpha))


def _read_linear(model: ours.LinearRegression) -> _Parts:
    return "linear", Loss("squared_error"), _fixed(model.alpha), as_float


def _read_huber(model: ours.HuberRegression) -> _Parts:
    return "huber", Loss("huber", float(model.delta)), _fixed(model.alpha), as_float


def _read_poisson(model: ours.PoissonRegression) -> _Parts:
    return "poisson", Loss("poisson"), _fixed(model.alpha), as_nonnegative


def _read_logistic(model: ours.LogisticRegression) -> _Parts:
    return "logistic", Loss("logistic"), _fixed(model.alpha), sign_encoder(model.classes_)


def _read_sk_linear(model: sk.LinearRegression) -> _Parts:
    if model.positive:
        raise ValueError("LinearRegression(positive=True) is not supported")
    return "linear", Loss("squared_error"), _fixed(0.0), as_float


def _read_sk_ridge(model: sk.Ridge) -> _Parts:
    if model.positive:
        raise ValueError("Ridge(positive=True) is not supported")
    if np.ndim(model.alpha) > 0 and np.size(model.alpha) != 1:
        raise ValueError("Ridge with one alpha per output is not supported")
    a = float(np.ravel(model.alpha)[0])
    return "linear", Loss("squared_error"), partial(_over_weight, a), as_float


def _read_sk_poisson(model: sk.PoissonRegressor) -> _Parts:
    return "poisson", Loss("poisson"), _fixed(model.alpha / 2.0), as_nonnegative


def _read_sk_logistic(model: sk.LogisticRegression) -> _Parts:
    if model.class_weight is not None:
        raise ValueError(
            "LogisticRegression(class_weight=...) is not supported; pass sample_weight instead"
        )
    if model.solver == "liblinear" and model.fit_intercept:
        raise ValueError(
            'LogisticRegression(solver="liblinear") penalises the intercept; use another solver, '
            "or fit_intercept=False"
        )
    if len(model.classes_) != 2:
        raise ValueError(
            f"LogisticRegression was fitted to {len(model.classes_)} classes, "
            "but only two are supported"
        )
    if getattr(model, "multi_class", None) == "multinomial":
        raise ValueError('LogisticRegression(multi_class="multinomial") is not supported')
    penalty, ratio = model.penalty, model.l1_ratio
    # Since 1.8 the penalty is "deprecated" and l1_ratio alone says which one it is.
    mixed = penalty in ("elasticnet", "deprecated") and ratio not in (None, 0)
    if penalty == "l1" or mixed:
        raise ValueError("LogisticRegression with an l1 or elastic-net penalty is not supported")
    encode = sign_encoder(np.asarray(model.classes_))
    if penalty is None or np.isinf(model.C):
        return "logistic", Loss("logistic"), _fixed(0.0), encode
    return "logistic", Loss("logistic"), partial(_over_weight, 0.5 / float(model.C)), encode


_READERS: dict[type, Callable[[Any], _Parts]] = {
    ours.LinearRegression: _read_linear,
    ours.HuberRegression: _read_huber,
    ours.PoissonRegression: _read_poisson,
    ours.LogisticRegression: _read_logistic,
    sk.LinearRegression: _read_sk_linear,
    sk.Ridge: _read_sk_ridge,
    sk.PoissonRegressor: _read_sk_poisson,
    sk.LogisticRegression: _read_sk_logistic,
}

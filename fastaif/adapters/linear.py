"""What a fitted step says of its model: kind, loss, α, and how its targets are encoded.

Whatever an option makes unlike our objectives is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn import linear_model as sk

from ..data.rows import Encoder
from ..losses import Logistic, Loss, Poisson, SquaredError
from ..losses.targets import as_float, sign_encoder
from ..models.base import LinearPredictor

Parts = tuple[str, Loss, Callable[[float], float], Encoder]


def _same(alpha: float, weight: float) -> float:
    return alpha


def _over_weight(alpha: float, weight: float) -> float:
    return alpha / weight


def _fixed(alpha: float) -> Callable[[float], float]:
    """α whatever the weight; a partial, so that results can be pickled."""
    return partial(_same, float(alpha))


def _read_ours(model: LinearPredictor) -> Parts:
    return model.kind, model.loss_description(), _fixed(model.alpha), model.encoder()


def _read_sk_linear(model: sk.LinearRegression) -> Parts:
    if model.positive:
        raise ValueError("LinearRegression(positive=True) is not supported")
    return "linear", SquaredError(), _fixed(0.0), as_float


def _read_sk_ridge(model: sk.Ridge) -> Parts:
    if model.positive:
        raise ValueError("Ridge(positive=True) is not supported")
    return "linear", SquaredError(), partial(_over_weight, _one_alpha(model)), as_float


def _read_sk_ridge_cv(model: sk.RidgeCV) -> Parts:
    return "linear", SquaredError(), partial(_over_weight, _one_alpha(model)), as_float


def _read_sk_ridge_classifier(model: sk.RidgeClassifier | sk.RidgeClassifierCV) -> Parts:
    _refuse_class_weight(model)
    if getattr(model, "positive", False):
        raise ValueError("RidgeClassifier(positive=True) is not supported")
    alpha = partial(_over_weight, _one_alpha(model))
    return "linear", SquaredError(), alpha, _two_labels(model)


def _read_sk_bayesian_ridge(model: sk.BayesianRidge) -> Parts:
    """The ridge regression at its precisions, which are held fixed under attack."""
    alpha = float(model.lambda_) / float(model.alpha_)
    return "linear", SquaredError(), partial(_over_weight, alpha), as_float


def _read_sk_tweedie(model: sk.TweedieRegressor) -> Parts:
    link = model.link if model.link != "auto" else ("log" if model.power > 0 else "identity")
    if model.power == 0 and link == "identity":
        return "linear", SquaredError(), _fixed(model.alpha), as_float
    if model.power == 1 and link == "log":
        return _read_sk_poisson(model)
    raise ValueError(
        f"TweedieRegressor(power={model.power:g}, link={link!r}) is not supported: only power=0 "
        "with the identity and power=1 with the logarithm are"
    )


def _read_sk_sgd_regressor(model: sk.SGDRegressor) -> Parts:
    if model.loss != "squared_error":
        raise ValueError(_other_loss(model, "squared_error"))
    return "linear", SquaredError(), _fixed(_of_sgd(model)), as_float


def _read_sk_sgd_classifier(model: sk.SGDClassifier) -> Parts:
    if model.loss != "log_loss":
        raise ValueError(_other_loss(model, "log_loss"))
    _refuse_class_weight(model)
    return "logistic", Logistic(), _fixed(_of_sgd(model) / 2.0), _two_labels(model)


def _other_loss(model: Any, wanted: str) -> str:
    name = type(model).__name__
    return f"{name}(loss={model.loss!r}) is not supported: fit it with loss={wanted!r}"


def _of_sgd(model: sk.SGDRegressor | sk.SGDClassifier) -> float:
    if model.penalty not in ("l2", None):
        raise ValueError(
            f"{type(model).__name__}(penalty={model.penalty!r}) is not supported: an l1 penalty "
            "has kinks at zero; fit it with penalty='l2'"
        )
    return 0.0 if model.penalty is None else float(model.alpha)


def _one_alpha(model: Any) -> float:
    """α_ or α of the fit."""
    alpha = model.alpha_ if hasattr(model, "alpha_") else model.alpha
    if np.size(alpha) != 1:
        raise ValueError(f"{type(model).__name__} with one alpha per output is not supported")
    return float(np.ravel(alpha)[0])


def _refuse_class_weight(model: Any) -> None:
    if model.class_weight is not None:
        raise ValueError(
            f"{type(model).__name__}(class_weight=...) is not supported; pass sample_weight instead"
        )


def _two_labels(model: Any) -> Encoder:
    classes = np.asarray(model.classes_)
    if len(classes) != 2:
        raise ValueError(
            f"{type(model).__name__} was fitted to {len(classes)} classes, but only two are "
            "supported"
        )
    return sign_encoder(classes)


def _read_sk_poisson(model: sk.PoissonRegressor) -> Parts:
    loss = Poisson()
    return "poisson", loss, _fixed(model.alpha / 2.0), loss.encode


def _read_sk_logistic(model: sk.LogisticRegression) -> Parts:
    _refuse_class_weight(model)
    if model.solver == "liblinear" and model.fit_intercept:
        raise ValueError(
            'LogisticRegression(solver="liblinear") penalises the intercept; use another solver, '
            "or fit_intercept=False"
        )
    encode = _two_labels(model)
    if getattr(model, "multi_class", None) == "multinomial":
        raise ValueError('LogisticRegression(multi_class="multinomial") is not supported')
    penalty, ratio = model.penalty, model.l1_ratio
    # Since 1.8 the penalty is "deprecated" and l1_ratio alone says which one it is.
    mixed = penalty in ("elasticnet", "deprecated") and ratio not in (None, 0)
    if penalty == "l1" or mixed:
        raise ValueError("LogisticRegression with an l1 or elastic-net penalty is not supported")
    if penalty is None or np.isinf(model.C):
        return "logistic", Logistic(), _fixed(0.0), encode
    return "logistic", Logistic(), partial(_over_weight, 0.5 / float(model.C)), encode


def _read_sk_logistic_cv(model: sk.LogisticRegressionCV) -> Parts:
    """The logistic regression at the C that was chosen."""
    _refuse_class_weight(model)
    encode = _two_labels(model)
    if model.solver == "liblinear" and model.fit_intercept:
        raise ValueError(
            'LogisticRegressionCV(solver="liblinear") penalises the intercept; use another solver'
        )
    chosen = np.ravel(getattr(model, "l1_ratio_", 0.0))[:1]
    if model.penalty == "l1" or any(ratio not in (None, 0.0) for ratio in chosen):
        raise ValueError("LogisticRegressionCV with an l1 or elastic-net penalty is not supported")
    return "logistic", Logistic(), partial(_over_weight, 0.5 / float(np.ravel(model.C_)[0])), encode


_READERS: dict[type, Callable[[Any], Parts]] = {
    sk.LinearRegression: _read_sk_linear,
    sk.Ridge: _read_sk_ridge,
    sk.RidgeCV: _read_sk_ridge_cv,
    sk.RidgeClassifier: _read_sk_ridge_classifier,
    sk.RidgeClassifierCV: _read_sk_ridge_classifier,
    sk.BayesianRidge: _read_sk_bayesian_ridge,
    sk.TweedieRegressor: _read_sk_tweedie,
    sk.SGDRegressor: _read_sk_sgd_regressor,
    sk.SGDClassifier: _read_sk_sgd_classifier,
    sk.PoissonRegressor: _read_sk_poisson,
    sk.LogisticRegression: _read_sk_logistic,
    sk.LogisticRegressionCV: _read_sk_logistic_cv,
}


def reader_of(step: Any) -> Callable[[Any], Parts] | None:
    """What reads a step; None where it is none of those that are known."""
    return _read_ours if isinstance(step, LinearPredictor) else _READERS.get(type(step))

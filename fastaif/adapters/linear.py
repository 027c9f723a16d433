"""What a fitted linear predictor says of its model: loss, α, targets, weights.

Whatever an option makes unlike our objectives is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import linear_model as sk
from sklearn.svm import LinearSVC, LinearSVR

from ..data.rows import Encoder
from ..losses import Gamma, Logistic, Poisson, SquaredError, SquaredHinge, Tweedie
from ..losses.outputs import SquaredErrors
from ..losses.softmax import Softmax
from ..losses.targets import as_float, class_encoder, sign_encoder
from ..models.base import LinearPredictor
from ..models.basis import BasisModel
from ..models.multinomial import Multinomial
from ..models.outputs import SeveralOutputs
from .class_weights import class_weights_of
from .parts import ATTRIBUTES, OUR_BASIS, Parts, PerRow, fixed, over_weight, unpenalized

Alpha = Callable[[float], float]


def _squares(alpha: Alpha, encode: Encoder = as_float, l1: Alpha | None = None) -> Parts:
    return Parts("linear", SquaredError(), alpha, encode, l1=l1)


def _squares_of(model: Any, alpha: Alpha, l1: Alpha | None = None) -> Parts:
    """Least squares with an output, or several."""
    if np.asarray(model.coef_).ndim == 2 and len(model.coef_) > 1:
        return Parts("multi-output", SquaredErrors(), alpha, as_float, l1=l1)
    return _squares(alpha, l1=l1)


def _read_ours(model: LinearPredictor) -> Parts:
    squares, level = model.penalties()
    alpha, l1 = fixed(squares), fixed(level) if level > 0.0 else None
    if isinstance(model, Multinomial) and model.is_multinomial:
        return Parts("softmax", Softmax(), alpha, model.encoder(), l1=l1)
    if isinstance(model, SeveralOutputs):
        return _squares_of(model, alpha, l1)
    holder = OUR_BASIS if isinstance(model, BasisModel) else ATTRIBUTES
    return Parts(
        model.kind, model.loss_description(), alpha, model.encoder(), holder=holder, l1=l1
    )


# --- least squares ----------------------------------------------------------------------------


def _read_linear(model: sk.LinearRegression) -> Parts:
    _refuse_positive(model)
    return _squares_of(model, unpenalized)


def _read_ridge(model: sk.Ridge | sk.RidgeCV) -> Parts:
    _refuse_positive(model)
    return _squares_of(model, over_weight(_one_alpha(model)))


def _read_ridge_classifier(model: sk.RidgeClassifier | sk.RidgeClassifierCV) -> Parts:
    _refuse_positive(model)
    found = _squares(over_weight(_one_alpha(model)), _two_labels(model))
    return found._replace(weigh=class_weights_of(model, counts_weights=False))


def _read_bayesian_ridge(model: sk.BayesianRidge) -> Parts:
    """The ridge regression at its precisions, which are held fixed under attack."""
    return _squares(over_weight(float(model.lambda_) / float(model.alpha_)))


def _read_ard(model: sk.ARDRegression) -> Parts:
    """A ridge regression with a penalty for each coefficient, those it has pruned left out."""
    lambdas, coef = np.asarray(model.lambda_), np.asarray(model.coef_)
    pruned = tuple(np.flatnonzero((lambdas >= model.threshold_lambda) & (coef == 0.0)).tolist())
    if len(pruned) == len(coef):
        raise ValueError("ARDRegression has pruned all of its coefficients: there is no model left")
    shrunk = np.delete(lambdas, pruned) / float(model.alpha_)
    found = _squares(over_weight(1.0))
    return found._replace(penalized=shrunk, pruned=pruned)


def _read_svr(model: LinearSVR) -> Parts:
    """½‖w‖² + C Σ r² at ε = 0; its intercept is shrunk like the coefficient of a constant."""
    if model.loss != "squared_epsilon_insensitive" or model.epsilon != 0.0:
        raise ValueError(
            f"LinearSVR(loss={model.loss!r}, epsilon={model.epsilon:g}) is not supported: its loss "
            "has no second derivative at the margin; fit it with "
            "loss='squared_epsilon_insensitive', epsilon=0"
        )
    found = _squares(over_weight(0.5 / float(model.C)))
    return found._replace(intercept_penalty=_of_liblinear(model))


def _read_elastic_net(model: sk.ElasticNet | sk.ElasticNetCV | sk.LassoCV | sk.LassoLars) -> Parts:
    """½ E r² + α (ρ ‖w‖₁ + ½(1 − ρ) ‖w‖²); of the lasso ρ is 1."""
    _refuse_positive(model)
    ratio = getattr(model, "l1_ratio_", getattr(model, "l1_ratio", 1.0))
    return _mixed(_squares_of(model, unpenalized), _one_alpha(model), float(ratio), fixed)


def _mixed(parts: Parts, size: float, ratio: float, over: Callable[[float], Alpha]) -> Parts:
    """With size (2ρ ‖w‖₁ + (1 − ρ) ‖w‖²), `over` the total weight or not."""
    level = 2.0 * size * ratio
    return parts._replace(
        alpha=over(size * (1.0 - ratio)), l1=over(level) if level > 0.0 else None
    )


def _refuse_positive(model: Any) -> None:
    if getattr(model, "positive", False):
        raise ValueError(
            f"{type(model).__name__}(positive=True) is not supported: at a bound its coefficients "
            "do not follow the loss; fit it with positive=False"
        )


def _one_alpha(model: Any) -> float:
    """α_ or α of the fit."""
    alpha = model.alpha_ if hasattr(model, "alpha_") else model.alpha
    if np.ptp(alpha) > 0.0:
        raise ValueError(
            f"{type(model).__name__} with one alpha per output is not supported: fit all of them "
            "with one, or each by itself"
        )
    return float(np.ravel(alpha)[0])


def _of_liblinear(model: Any) -> float:
    """How much it shrinks the intercept: (b / intercept_scaling)² beside ‖β‖²."""
    return float(model.intercept_scaling) ** -2 if model.fit_intercept else 0.0


# --- generalised linear models ----------------------------------------------------------------


def _read_poisson(model: sk.PoissonRegressor | sk.TweedieRegressor) -> Parts:
    loss = Poisson()
    return Parts("poisson", loss, fixed(model.alpha / 2.0), loss.encode)


def _read_gamma(model: sk.GammaRegressor | sk.TweedieRegressor) -> Parts:
    loss = Gamma()
    return Parts("gamma", loss, fixed(model.alpha / 2.0), loss.encode)


def _read_tweedie(model: sk.TweedieRegressor) -> Parts:
    link = model.link if model.link != "auto" else ("log" if model.power > 0 else "identity")
    if model.power == 0 and link == "identity":
        return _squares(fixed(model.alpha))
    if model.power == 1 and link == "log":
        return _read_poisson(model)
    if model.power == 2 and link == "log":
        return _read_gamma(model)
    if 1 < model.power < 2 and link == "log":
        loss = Tweedie(float(model.power))
        return Parts("tweedie", loss, fixed(model.alpha / 2.0), loss.encode)
    raise ValueError(
        f"TweedieRegressor(power={model.power:g}, link={link!r}) is not supported: only power=0 "
        "with the identity, and powers from 1 to 2 with the logarithm are"
    )


# --- classifiers ------------------------------------------------------------------------------


def _logistic(model: Any, alpha: Alpha) -> Parts:
    return Parts("logistic", Logistic(), alpha, _two_labels(model), class_weights_of(model))


def _of_any_classes(model: Any, alpha: Alpha) -> Parts:
    """A logistic regression, multinomial where there are three classes or more."""
    classes = np.asarray(model.classes_)
    if len(classes) == 2:
        return _logistic(model, alpha)
    return Parts("softmax", Softmax(), alpha, class_encoder(classes), class_weights_of(model))


def _read_linear_svc(model: LinearSVC) -> Parts:
    """½‖w‖² + C Σ max(0, 1 − yf)²; its intercept is shrunk like a constant's coefficient."""
    if model.loss != "squared_hinge":
        raise ValueError(
            f"LinearSVC(loss={model.loss!r}) is not supported: the hinge loss has no second "
            "derivative; fit it with loss='squared_hinge'"
        )
    found = Parts(
        "squared_hinge", SquaredHinge(), unpenalized, _two_labels(model), class_weights_of(model)
    )
    ratio = 1.0 if model.penalty == "l1" else 0.0
    found = _mixed(found, 0.5 / float(model.C), ratio, over_weight)
    return found._replace(intercept_penalty=_of_liblinear(model))


def _read_logistic(model: sk.LogisticRegression) -> Parts:
    shrunk = _of_liblinear(model) if model.solver == "liblinear" else 0.0
    _refuse_other_classes(model)
    found = _of_any_classes(model, unpenalized)
    if model.penalty is None or np.isinf(model.C):
        return found
    ratio = _l1_share(model.penalty, model.l1_ratio)
    found = _mixed(found, 0.5 / float(model.C), ratio, over_weight)
    return found._replace(intercept_penalty=shrunk)


def _l1_share(penalty: Any, ratio: Any) -> float:
    """ρ of ρ ‖w‖₁ + ½(1 − ρ) ‖w‖²."""
    if penalty in ("l1", "l2"):
        return 1.0 if penalty == "l1" else 0.0
    # Since 1.8 the penalty is "deprecated" and l1_ratio alone says which one it is.
    return float(ratio or 0.0)


def _refuse_other_classes(model: Any) -> None:
    """Refuse what two and more classes have been made of otherwise than by one softmax."""
    name, how = type(model).__name__, getattr(model, "multi_class", None)
    if len(model.classes_) == 2:
        if how == "multinomial":
            raise ValueError(f'{name}(multi_class="multinomial") of two classes is not supported')
        return
    if how == "ovr" or model.solver == "liblinear":
        raise ValueError(
            f"{name} was fitted to {len(model.classes_)} classes one by one, which are as many "
            "models: fit one softmax, by another solver and without multi_class"
        )


def _read_logistic_cv(model: sk.LogisticRegressionCV) -> Parts:
    """The logistic regression at the C that was chosen."""
    _refuse_other_classes(model)
    if not model.refit:
        raise ValueError(
            "LogisticRegressionCV(refit=False) has averaged its coefficients over folds, and so "
            "minimises nothing: fit it with refit=True"
        )
    ratio = _l1_share(model.penalty, np.ravel(getattr(model, "l1_ratio_", 0.0))[0])
    found = _of_any_classes(model, unpenalized)
    found = _mixed(found, 0.5 / float(np.ravel(model.C_)[0]), ratio, over_weight)
    shrunk = _of_liblinear(model) if model.solver == "liblinear" else 0.0
    return found._replace(intercept_penalty=shrunk)


def _two_labels(model: Any) -> Encoder:
    classes = np.asarray(model.classes_)
    if len(classes) != 2:
        raise ValueError(
            f"{type(model).__name__} was fitted to {len(classes)} classes, but only two are "
            "supported"
        )
    return sign_encoder(classes)


# --- stochastic gradients -----------------------------------------------------------------------


def _read_sgd_regressor(model: sk.SGDRegressor) -> Parts:
    if model.loss != "squared_error":
        raise ValueError(_other_loss(model, "squared_error"))
    return _mixed(_squares(unpenalized), *_of_sgd(model), PerRow)


def _read_sgd_classifier(model: sk.SGDClassifier) -> Parts:
    if model.loss not in ("log_loss", "squared_hinge"):
        raise ValueError(_other_loss(model, "log_loss"))
    size, ratio = _of_sgd(model)
    found = _mixed(_logistic(model, unpenalized), size / 2.0, ratio, PerRow)
    if model.loss == "squared_hinge":
        found = found._replace(kind="squared_hinge", loss=SquaredHinge())
    return found._replace(weigh=class_weights_of(model, counts_weights=False))


def _other_loss(model: Any, wanted: str) -> str:
    name = type(model).__name__
    return f"{name}(loss={model.loss!r}) is not supported: fit it with loss={wanted!r}"


def _of_sgd(model: sk.SGDRegressor | sk.SGDClassifier) -> tuple[float, float]:
    """α and ρ of α (ρ ‖w‖₁ + ½(1 − ρ) ‖w‖²)."""
    if model.penalty is None:
        return 0.0, 0.0
    return float(model.alpha), _l1_share(model.penalty, model.l1_ratio)


READERS: dict[type, Callable[[Any], Parts]] = {
    sk.LinearRegression: _read_linear,
    sk.Ridge: _read_ridge,
    sk.RidgeCV: _read_ridge,
    sk.RidgeClassifier: _read_ridge_classifier,
    sk.RidgeClassifierCV: _read_ridge_classifier,
    sk.BayesianRidge: _read_bayesian_ridge,
    sk.ARDRegression: _read_ard,
    sk.Lasso: _read_elastic_net,
    sk.LassoCV: _read_elastic_net,
    sk.LassoLars: _read_elastic_net,
    sk.ElasticNet: _read_elastic_net,
    sk.ElasticNetCV: _read_elastic_net,
    sk.TweedieRegressor: _read_tweedie,
    sk.SGDRegressor: _read_sgd_regressor,
    sk.SGDClassifier: _read_sgd_classifier,
    sk.PoissonRegressor: _read_poisson,
    sk.LogisticRegression: _read_logistic,
    sk.LogisticRegressionCV: _read_logistic_cv,
    LinearSVC: _read_linear_svc,
    LinearSVR: _read_svr,
    sk.GammaRegressor: _read_gamma,
}


def reader_of(step: Any) -> Callable[[Any], Parts] | None:
    """What reads a step; None where it is none of those that are known."""
    return _read_ours if isinstance(step, LinearPredictor) else READERS.get(type(step))

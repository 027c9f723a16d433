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
from ..losses import Loss
from ..models import linear as ours
from ..models.basis import BasisModel, BasisRegression, QuadraticRegression
from ..models.labels import as_float, as_nonnegative, sign_encoder

Parts = tuple[str, Loss, Callable[[float], float], Encoder]


def _same(alpha: float, weight: float) -> float:
    return alpha


def _over_weight(alpha: float, weight: float) -> float:
    return alpha / weight


def _fixed(alpha: float) -> Callable[[float], float]:
    """α whatever the weight; a partial, so that results can be pickled."""
    return partial(_same, float(alpha))


def _read_linear(model: ours.LinearRegression) -> Parts:
    return "linear", Loss("squared_error"), _fixed(model.alpha), as_float


def _read_huber(model: ours.HuberRegression) -> Parts:
    return "huber", Loss("huber", float(model.delta)), _fixed(model.alpha), as_float


def _read_poisson(model: ours.PoissonRegression) -> Parts:
    return "poisson", Loss("poisson"), _fixed(model.alpha), as_nonnegative


def _read_logistic(model: ours.LogisticRegression) -> Parts:
    return "logistic", Loss("logistic"), _fixed(model.alpha), sign_encoder(model.classes_)


def _read_basis(model: BasisModel) -> Parts:
    return model.kind, model.loss_description(), _fixed(model.alpha), model.encoder()


def _read_sk_linear(model: sk.LinearRegression) -> Parts:
    if model.positive:
        raise ValueError("LinearRegression(positive=True) is not supported")
    return "linear", Loss("squared_error"), _fixed(0.0), as_float


def _read_sk_ridge(model: sk.Ridge) -> Parts:
    if model.positive:
        raise ValueError("Ridge(positive=True) is not supported")
    if np.ndim(model.alpha) > 0 and np.size(model.alpha) != 1:
        raise ValueError("Ridge with one alpha per output is not supported")
    a = float(np.ravel(model.alpha)[0])
    return "linear", Loss("squared_error"), partial(_over_weight, a), as_float


def _read_sk_poisson(model: sk.PoissonRegressor) -> Parts:
    return "poisson", Loss("poisson"), _fixed(model.alpha / 2.0), as_nonnegative


def _read_sk_logistic(model: sk.LogisticRegression) -> Parts:
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


READERS: dict[type, Callable[[Any], Parts]] = {
    QuadraticRegression: _read_basis,
    BasisRegression: _read_basis,
    ours.LinearRegression: _read_linear,
    ours.HuberRegression: _read_huber,
    ours.PoissonRegression: _read_poisson,
    ours.LogisticRegression: _read_logistic,
    sk.LinearRegression: _read_sk_linear,
    sk.Ridge: _read_sk_ridge,
    sk.PoissonRegressor: _read_sk_poisson,
    sk.LogisticRegression: _read_sk_logistic,
}

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
    if np.ndim(model.alpha) > 0 and np.size(model.alpha) != 1:
        raise ValueError("Ridge with one alpha per output is not supported")
    a = float(np.ravel(model.alpha)[0])
    return "linear", SquaredError(), partial(_over_weight, a), as_float


def _read_sk_poisson(model: sk.PoissonRegressor) -> Parts:
    loss = Poisson()
    return "poisson", loss, _fixed(model.alpha / 2.0), loss.encode


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
        return "logistic", Logistic(), _fixed(0.0), encode
    return "logistic", Logistic(), partial(_over_weight, 0.5 / float(model.C)), encode


_READERS: dict[type, Callable[[Any], Parts]] = {
    sk.LinearRegression: _read_sk_linear,
    sk.Ridge: _read_sk_ridge,
    sk.PoissonRegressor: _read_sk_poisson,
    sk.LogisticRegression: _read_sk_logistic,
}


def reader_of(step: Any) -> Callable[[Any], Parts] | None:
    """What reads a step; None where it is none of those that are known."""
    return _read_ours if isinstance(step, LinearPredictor) else _READERS.get(type(step))

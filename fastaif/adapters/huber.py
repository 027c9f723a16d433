"""From a fitted HuberRegressor of scikit-learn to a model description: σ is part of θ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import HuberRegressor

from ..families.scale.derivatives import ScaleDerivatives
from ..families.scale.model import ScaleModel
from ..losses.huber_scale import HuberWithScale
from ..losses.targets import as_float
from .nesting import with_last_step
from .parts import over_weight
from .pipelines import Preprocessing

Array = NDArray[Any]

_TOGETHER = 1 << 16  # rows that are read at once


def is_huber(step: Any) -> bool:
    """Whether a step is a HuberRegressor."""
    return type(step) is HuberRegressor


def describe_huber(
    estimator: Any, before: Preprocessing, step: HuberRegressor, columns: tuple[str, ...] | None
) -> ScaleModel:
    """The description of a fitted HuberRegressor, which minimises Σ w ℓ + alpha ‖β‖²."""
    if before.expands or before.constants:
        what = before.expands or "a column that never changes"
        raise TypeError(
            f"{what} before a HuberRegressor is not supported: leave it out, or fit a "
            "fastaif.HuberRegression behind it"
        )
    m, basis = len(step.coef_), before.linear_basis()
    loss = HuberWithScale(float(step.epsilon))
    inputs = before.names or columns or tuple(f"x{k}" for k in range(m))
    intercept = bool(step.fit_intercept)
    return ScaleModel(
        derivatives=ScaleDerivatives(loss, basis, intercept), theta=_theta(step),
        names=(*inputs, *["intercept"] * intercept, "scale"), alpha=over_weight(step.alpha),
        batch_size=_TOGETHER, n_features=m, encode=before.encoder(as_float),
        rebuild=_Rebuild(estimator), columns=columns, kind="huber", loss=loss, basis=basis,
        intake=before.intake,
    )  # fmt: skip


def _theta(step: HuberRegressor) -> Array:
    """β, b if there is one, σ."""
    intercept = [float(step.intercept_)] if step.fit_intercept else []
    return np.concatenate([np.ravel(step.coef_), intercept, [step.scale_]]).astype(float)


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any

    def __call__(self, theta: Array) -> Any:
        given = np.array(theta, dtype=float)

        def put(step: Any) -> Any:
            m = len(step.coef_)
            step.coef_, step.scale_ = given[:m], float(given[-1])
            if step.fit_intercept:
                step.intercept_ = float(given[m])
            return step

        return with_last_step(self.estimator, put)

"""From fitted classifiers of three classes or more to the description of a softmax model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.softmax.model import Layout, SoftmaxModel, parameter_names
from .nesting import with_last_step
from .parts import Parts
from .pipelines import Preprocessing

Array = NDArray[Any]


def describe_softmax(
    estimator: Any, before: Preprocessing, step: Any, read: Parts, columns: tuple[str, ...] | None
) -> SoftmaxModel:
    """The description of a fitted model z = Wu + b, given what its reader says of it.

    `estimator` is the whole, `step` its model, `columns` names the inputs, where they have names.
    """
    if before.expands or before.constants:
        what = before.expands or "a column that never changes"
        raise TypeError(
            f"{what} before a {type(step).__name__} of {len(step.classes_)} classes is not "
            "supported: each class takes the inputs themselves, scaled at most; leave it out, or "
            "fit one class against the rest"
        )
    K, m = np.shape(step.coef_)
    layout = Layout(K, m, bool(step.fit_intercept))
    inputs = before.names or columns or tuple(f"x{k}" for k in range(m))
    labels = tuple(str(label) for label in np.asarray(step.classes_).tolist())
    return SoftmaxModel(
        basis=before.linear_basis(), theta=_theta(step, layout), n_classes=K, alpha=read.alpha,
        names=parameter_names(inputs, labels, layout.fit_intercept),
        encode=before.encoder(read.encode), rebuild=_Rebuild(estimator, layout), n_features=m,
        fit_intercept=layout.fit_intercept, columns=columns, intake=before.intake,
        weigh=read.weigh,
    )  # fmt: skip


def _theta(step: Any, layout: Layout) -> Array:
    """All of W by rows, then b if there is one."""
    W = np.asarray(step.coef_, dtype=float).ravel()
    return np.append(W, np.asarray(step.intercept_, dtype=float)) if layout.fit_intercept else W


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any
    layout: Layout

    def __call__(self, theta: Array) -> Any:
        matrix, m = self.layout.matrix(np.array(theta, dtype=float)), self.layout.n_features

        def put(step: Any) -> Any:
            step.coef_ = np.array(matrix[:, :m])
            if self.layout.fit_intercept:
                step.intercept_ = np.array(matrix[:, m])
            return step

        return with_last_step(self.estimator, put)

"""From fitted models of several predictions, one a class or an output, to their descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.outputs.model import OutputsModel
from ..families.softmax.model import SoftmaxModel
from ..families.vector.layout import Layout, parameter_names
from ..families.vector.model import VectorModel
from ..losses.outputs import SquaredErrors
from ..losses.softmax import Softmax
from ..losses.vector import VectorLoss
from .nesting import with_last_step
from .parts import Parts
from .pipelines import Preprocessing

Array = NDArray[Any]

_FAMILIES: dict[VectorLoss, type[VectorModel]] = {
    Softmax(): SoftmaxModel, SquaredErrors(): OutputsModel
}  # fmt: skip


def describe_vector(
    estimator: Any, before: Preprocessing, step: Any, read: Parts, columns: tuple[str, ...] | None
) -> VectorModel:
    """The description of a fitted model z = Wu + b, given what its reader says of it.

    `estimator` is the whole, `step` its model, `columns` names the inputs, where they have names.
    """
    family = _FAMILIES[read.loss]
    K, m = np.shape(step.coef_)
    _refuse_before(before, f"a {type(step).__name__} of {K} {family.predictions_are}")
    layout = Layout(K, m, bool(step.fit_intercept))
    inputs = before.names or columns or tuple(f"x{k}" for k in range(m))
    return family(
        basis=before.linear_basis(), theta=_theta(step, layout), n_outputs=K, alpha=read.alpha,
        names=parameter_names(inputs, _labels(step, K), layout.fit_intercept),
        encode=before.encoder(read.encode), rebuild=_Rebuild(estimator, layout), n_features=m,
        fit_intercept=layout.fit_intercept, columns=columns, intake=before.intake,
        weigh=read.weigh,
    )  # fmt: skip


def _refuse_before(before: Preprocessing, what: str) -> None:
    if before.expands or before.constants:
        found = before.expands or "a column that never changes"
        raise TypeError(
            f"{found} before {what} is not supported: each of these takes the inputs themselves, "
            "scaled at most; leave it out, or fit one of them at a time"
        )


def _labels(step: Any, n_outputs: int) -> tuple[str, ...]:
    """Names of the predictions: the classes, or numbers."""
    classes = getattr(step, "classes_", None)
    if classes is None:
        return tuple(f"y{k}" for k in range(n_outputs))
    return tuple(str(label) for label in np.asarray(classes).tolist())


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

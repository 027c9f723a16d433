"""From fitted models of several predictions, one a class or an output, to their descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.outputs.model import OutputsModel
from ..families.softmax.model import SoftmaxModel
from ..families.vector.layout import parameter_names
from ..families.vector.model import VectorModel
from ..losses.outputs import SquaredErrors
from ..losses.softmax import Softmax
from ..losses.vector import VectorLoss
from .nesting import with_last_step
from .parts import Parts, RowsHolder
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
    family, rows = _FAMILIES[read.loss], read.rows
    layout = _Columns(rows, before.constants)
    W, b = layout.get(step)
    K, m = len(W) + read.has_reference, W.shape[1]
    if read.l1 is not None:
        raise ValueError(
            f"{type(step).__name__} with an l1 or elastic-net penalty and {K} "
            f"{family.predictions_are} is not supported: fit it with an l2 penalty, or one of them "
            "at a time"
        )
    _refuse_before(before, rows, f"a {type(step).__name__} of {K} {family.predictions_are}")
    inputs = before.names or columns or tuple(f"x{k}" for k in range(m))
    more = {"has_reference": True} if read.has_reference else {}
    return family(
        basis=before.linear_basis(), theta=np.append(W.ravel(), [] if b is None else b),
        n_outputs=K, alpha=read.alpha,
        names=parameter_names(inputs, rows.labels(step), b is not None, before.constant_name),
        encode=before.encoder(read.encode), rebuild=_Rebuild(estimator, layout, W.shape),
        n_features=m, fit_intercept=b is not None, columns=columns, intake=before.intake,
        weigh=read.weigh, **more,
    )  # fmt: skip


@dataclass(frozen=True)
class _Columns:
    """W and b of a step whose coefficients of constant columns (place, value) make up b."""

    rows: RowsHolder
    constants: tuple[tuple[int, float], ...]

    def get(self, step: Any) -> tuple[Array, Array | None]:
        W, b = self.rows.get_rows(step)
        for place, value in self.constants:
            b = value * W[:, place] + (0.0 if b is None else b)
        return np.delete(W, [place for place, _ in self.constants], axis=1), b

    def put(self, step: Any, W: Array, b: Array | None) -> Any:
        for place, value in self.constants:  # one at the most, and no other intercept
            assert b is not None
            W, b = np.insert(W, place, b / value, axis=1), None
        return self.rows.put_rows(step, W, b)


def _refuse_before(before: Preprocessing, rows: RowsHolder, what: str) -> None:
    if before.expands or (before.constants and not rows.has_constants):
        found = before.expands or "a column that never changes"
        raise TypeError(
            f"{found} before {what} is not supported: each of these takes the inputs themselves, "
            "scaled at most; leave it out, or fit one of them at a time"
        )


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any
    columns: _Columns
    shape: tuple[int, ...]

    def __call__(self, theta: Array) -> Any:
        size = self.shape[0] * self.shape[1]
        theta = np.array(theta, dtype=float)
        W, b = theta[:size].reshape(self.shape), theta[size:]
        return with_last_step(
            self.estimator, lambda step: self.columns.put(step, W, b if b.size else None)
        )

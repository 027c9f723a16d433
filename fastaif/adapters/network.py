"""From fitted networks to model descriptions."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ..families.network.model import NetworkModel, parameter_names, penalized_entries
from ..models.network import Network
from .pipelines import Preprocessing, require_fitted

Array = NDArray[Any]


def describe_network(
    estimator: Any, before: Preprocessing, step: Network, columns: tuple[str, ...] | None
) -> NetworkModel:
    """The description of a fitted network, `step`, behind a preprocessing.

    `estimator` is the whole; `columns` names its inputs, where they have names.
    """
    require_fitted(step, "coefs_")
    if before.polynomial:
        raise TypeError(
            f"PolynomialFeatures before a {type(step).__name__} is not supported: its hidden "
            "layer forms the features"
        )
    m, hidden = np.shape(step.coefs_[0])
    inputs = columns or tuple(f"x{k}" for k in range(m))
    return NetworkModel(
        kind=step.kind, loss=step.loss_description(), basis=before.linear_basis(),
        theta=step.parameters(), alpha=partial(_fixed, float(step.alpha)),
        names=parameter_names(inputs, hidden), encode=step.encoder(), rebuild=_Rebuild(estimator),
        n_features=m, penalized=penalized_entries(m, hidden), columns=columns, hidden=hidden,
        activation=step.activation,
    )  # fmt: skip


def _fixed(alpha: float, weight: float) -> float:
    return alpha


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any

    def __call__(self, theta: Array) -> Any:
        fitted = copy.deepcopy(self.estimator)
        step = fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted
        step.set_parameters(np.array(theta, dtype=float), len(step.coefs_[0]))
        return fitted

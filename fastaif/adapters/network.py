"""From fitted networks to model descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.network.model import NetworkModel, parameter_names, penalized_entries
from ..models.network import Network
from .fitted import require_fitted
from .nesting import with_last_step
from .pipelines import Preprocessing

Array = NDArray[Any]


def describe_network(
    estimator: Any, before: Preprocessing, step: Network, columns: tuple[str, ...] | None
) -> NetworkModel:
    """The description of a fitted network, `step`, behind a preprocessing.

    `estimator` is the whole; `columns` names its inputs, where they have names.
    """
    require_fitted(step, "coefs_")
    if before.expands:
        raise TypeError(
            f"{before.expands} before a {type(step).__name__} is not supported: its hidden layer "
            "forms the features; leave it out"
        )
    m, hidden = np.shape(step.coefs_[0])
    inputs = columns or tuple(f"x{k}" for k in range(m))
    return NetworkModel(
        kind=step.kind, loss=step.loss_description(), basis=before.linear_basis(),
        theta=step.parameters(), alpha=partial(_fixed, float(step.alpha)),
        names=parameter_names(inputs, hidden), encode=before.encoder(step.encoder()),
        rebuild=_Rebuild(estimator), n_features=m, penalized=penalized_entries(m, hidden),
        columns=columns, hidden=hidden, activation=step.activation, intake=before.intake,
    )  # fmt: skip


def _fixed(alpha: float, weight: float) -> float:
    return alpha


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any

    def __call__(self, theta: Array) -> Any:
        return with_last_step(self.estimator, lambda step: _with_parameters(step, theta))


def _with_parameters(step: Network, theta: Array) -> Network:
    step.set_parameters(np.array(theta, dtype=float), len(step.coefs_[0]))
    return step

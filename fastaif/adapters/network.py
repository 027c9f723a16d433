"""From fitted networks, ours and scikit-learn's, to model descriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..data.rows import Encoder
from ..families.network.model import NetworkModel, parameter_names, penalized_entries
from ..losses import Logistic, Loss, SquaredError
from ..losses.targets import as_float, sign_encoder
from ..models.network import Network
from .fitted import require_fitted
from .nesting import with_last_step
from .parts import fixed, over_weight
from .pipelines import Preprocessing

Array = NDArray[Any]


class _Read(NamedTuple):
    """What a fitted network says: its loss, α, targets, activation, θ, and how to set it."""

    kind: str
    loss: Loss
    alpha: Callable[[float], float]
    encode: Encoder
    activation: str
    theta: Array
    put: Callable[[Any, Array], Any]


def is_network(step: Any) -> bool:
    """Whether a step is one of the networks that are accepted."""
    return isinstance(step, Network) or type(step) in (MLPRegressor, MLPClassifier)


def describe_network(
    estimator: Any, before: Preprocessing, step: Any, columns: tuple[str, ...] | None
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
    read = _read_ours(step) if isinstance(step, Network) else _read_theirs(step)
    m, hidden = np.shape(step.coefs_[0])
    inputs = columns or tuple(f"x{k}" for k in range(m))
    return NetworkModel(
        kind=read.kind, loss=read.loss, basis=before.linear_basis(), theta=read.theta,
        alpha=read.alpha, names=parameter_names(inputs, hidden),
        encode=before.encoder(read.encode), rebuild=_Rebuild(estimator, read.put), n_features=m,
        penalized=penalized_entries(m, hidden), columns=columns, hidden=hidden,
        activation=read.activation, intake=before.intake,
    )  # fmt: skip


def _read_ours(step: Network) -> _Read:
    return _Read(
        step.kind, step.loss_description(), fixed(step.alpha), step.encoder(), step.activation,
        step.parameters(), _put_ours,
    )  # fmt: skip


def _read_theirs(step: MLPRegressor | MLPClassifier) -> _Read:
    """scikit-learn minimises ½E r², or E log(1 + exp(−yf)), plus ½ alpha/n Σ‖W‖²."""
    name, labels = type(step).__name__, isinstance(step, MLPClassifier)
    if step.activation != "tanh" or len(step.coefs_) != 2 or np.shape(step.coefs_[1])[1] != 1:
        sizes = [np.shape(weights)[1] for weights in step.coefs_]
        raise ValueError(
            f"{name}(activation={step.activation!r}) with layers of {sizes} units is not "
            "supported: one hidden layer with activation='tanh', and one output, is"
        )
    if step.solver != "lbfgs" or getattr(step, "loss", "squared_error") == "poisson":
        raise ValueError(
            f"{name}(solver={step.solver!r}) is not supported: its penalty depends on the batches; "
            "fit it with solver='lbfgs', and the loss of squares"
        )
    (w1, w2), (b1, b2) = step.coefs_, step.intercepts_
    theta = np.concatenate([np.ravel(w1), b1, np.ravel(w2), b2]).astype(float)
    if not labels:
        alpha = over_weight(float(step.alpha))
        return _Read("network", SquaredError(), alpha, as_float, "tanh", theta, _put_theirs)
    return _Read(
        "network", Logistic(), over_weight(0.5 * float(step.alpha)),
        sign_encoder(np.asarray(step.classes_)), "tanh", theta, _put_theirs,
    )  # fmt: skip


def _put_ours(step: Network, theta: Array) -> Network:
    step.set_parameters(theta, len(step.coefs_[0]))
    return step


def _put_theirs(step: Any, theta: Array) -> Any:
    m, h = np.shape(step.coefs_[0])
    step.coefs_ = [theta[: m * h].reshape(m, h), theta[m * h + h : -1].reshape(h, 1)]
    step.intercepts_ = [theta[m * h : m * h + h], theta[-1:]]
    return step


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any
    put: Callable[[Any, Array], Any]

    def __call__(self, theta: Array) -> Any:
        given = np.array(theta, dtype=float)
        return with_last_step(self.estimator, lambda step: self.put(step, given))

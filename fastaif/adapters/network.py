"""From fitted networks, ours and scikit-learn's, to model descriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..data.rows import Encoder
from ..families.layered import model as layered
from ..families.layered.derivatives import LayeredDerivatives
from ..families.layered.layers import Layers
from ..families.layered.model import LayeredModel
from ..families.network.model import NetworkModel, parameter_names, penalized_entries
from ..losses import Logistic, Loss, SquaredError
from ..losses.outputs import SquaredErrors
from ..losses.softmax import Softmax
from ..losses.targets import as_float, class_encoder, sign_encoder
from ..models.layers import has_pass, head_of, layers_of
from ..models.network import Network
from .fitted import require_fitted
from .nesting import with_last_step
from .parts import fixed, over_weight
from .pipelines import Preprocessing

Array = NDArray[Any]


class _Read(NamedTuple):
    """What a fitted network says: its loss, α, targets, θ, and how to set it."""

    loss: Loss
    alpha: Callable[[float], float]
    encode: Encoder
    theta: Array
    put: Callable[[Any, Array], Any]


def is_network(step: Any) -> bool:
    """Whether a step is one of the networks that are accepted."""
    return isinstance(step, Network) or type(step) in (MLPRegressor, MLPClassifier)


def describe_network(
    estimator: Any, before: Preprocessing, step: Any, columns: tuple[str, ...] | None
) -> NetworkModel | LayeredModel:
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
    layers = layers_of(step)
    inputs = columns or tuple(f"x{k}" for k in range(layers.sizes[0]))
    describe = _compiled if has_pass(layers) else _layered
    return describe(estimator, before, read, layers, inputs, columns)


def _compiled(
    estimator: Any, before: Preprocessing, read: _Read, layers: Layers,
    inputs: tuple[str, ...], columns: tuple[str, ...] | None,
) -> NetworkModel:  # fmt: skip
    """One hidden layer and one output."""
    m, hidden, _ = layers.sizes
    return NetworkModel(
        kind="network", loss=read.loss, basis=before.linear_basis(), theta=read.theta,
        alpha=read.alpha, names=parameter_names(inputs, hidden),
        encode=before.encoder(read.encode), rebuild=_Rebuild(estimator, read.put), n_features=m,
        penalized=penalized_entries(m, hidden), columns=columns, hidden=hidden,
        activation=layers.activation, intake=before.intake,
    )  # fmt: skip


def _layered(
    estimator: Any, before: Preprocessing, read: _Read, layers: Layers,
    inputs: tuple[str, ...], columns: tuple[str, ...] | None,
) -> LayeredModel:  # fmt: skip
    """Any others."""
    K, basis = layers.sizes[-1], before.linear_basis()
    derivatives = LayeredDerivatives(layers, head_of(read.loss, K), basis)
    loss: Any = read.loss
    if K > 1:
        loss = Softmax() if loss.has_labels else SquaredErrors()
    return LayeredModel(
        derivatives=derivatives, theta=read.theta,
        names=layered.parameter_names(inputs, layers), alpha=read.alpha,
        batch_size=layered.rows_together(layers), n_features=layers.sizes[0],
        encode=before.encoder(read.encode), rebuild=_Rebuild(estimator, read.put),
        columns=columns, kind="network", loss=loss, basis=basis, intake=before.intake,
    )  # fmt: skip


def _read_ours(step: Network) -> _Read:
    return _Read(
        step.loss_description(), fixed(step.alpha), step.encoder(), step.parameters(), _put_ours
    )


def _read_theirs(step: MLPRegressor | MLPClassifier) -> _Read:
    """scikit-learn minimises ½E‖r‖², or E −log π_y, plus ½ alpha/n Σ‖W‖²."""
    parts = zip(step.coefs_, step.intercepts_, strict=True)
    theta = np.concatenate([np.ravel(part) for pair in parts for part in pair]).astype(float)
    if not isinstance(step, MLPClassifier):
        if getattr(step, "loss", "squared_error") != "squared_error":
            raise ValueError(
                f"MLPRegressor(loss={step.loss!r}) is not supported: fit it with "
                "loss='squared_error', or a PoissonRegressor"
            )
        return _Read(SquaredError(), _alpha_of(step, 1.0), as_float, theta, _put_theirs)
    K = np.shape(step.coefs_[-1])[1]
    if K > 1 and step.out_activation_ != "softmax":
        raise ValueError(
            f"MLPClassifier of {K} labels at once (multilabel targets) is not supported: fit one "
            "for each"
        )
    classes = np.asarray(step.classes_)
    encode = sign_encoder(classes) if K == 1 else class_encoder(classes)
    return _Read(Logistic(), _alpha_of(step, 0.5), encode, theta, _put_theirs)


def _alpha_of(step: Any, factor: float) -> Callable[[float], float]:
    """From W to α: `factor` times theirs over W, and of stochastic solvers over a mean batch's."""
    alpha = factor * float(step.alpha)
    if step.solver == "lbfgs":
        return over_weight(alpha)
    n = round(step.t_ / step.n_iter_)  # without what early stopping is judged on
    size = min(200, n) if step.batch_size == "auto" else min(int(step.batch_size), n)
    batches = np.diff(np.append(np.arange(0, n, size), n))
    given = n / (1.0 - step.validation_fraction) if step.early_stopping else n
    return over_weight(alpha * round(given) * float(np.mean(1.0 / batches)))


def _put_ours(step: Network, theta: Array) -> Network:
    step.set_parameters(theta, len(step.coefs_[0]))
    return step


def _put_theirs(step: Any, theta: Array) -> Any:
    parts = layers_of(step).unpack(theta)
    step.coefs_ = [np.array(W) for W, _ in parts]
    step.intercepts_ = [np.array(b) for _, b in parts]
    return step


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other parameters."""

    estimator: Any
    put: Callable[[Any, Array], Any]

    def __call__(self, theta: Array) -> Any:
        given = np.array(theta, dtype=float)
        return with_last_step(self.estimator, lambda step: self.put(step, given))

"""Fits and predictions of networks that have no compiled pass: any depth, outputs and classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bases.builtin import Linear
from ..data.rows import RowSource
from ..families.layered.derivatives import LayeredDerivatives
from ..families.layered.fit import LayeredObjective, fit_layers, random_start
from ..families.layered.heads import Classes, Head, OneOutput, SeveralOutputs
from ..families.layered.layers import Layers
from ..families.layered.model import rows_together
from ..losses import Loss
from ..passes.executor import Executor
from ..passes.network import ACTIVATIONS as COMPILED
from ..solvers.newton import NewtonResult
from ..utils import validation

Array = NDArray[Any]


def widths_of(hidden: Any) -> tuple[int, ...]:
    """The widths of hidden layers, from a number or a sequence of them."""
    if isinstance(hidden, (tuple, list)):
        if not hidden:
            raise ValueError(
                "hidden is empty: a network without hidden layers is a linear model; fit that"
            )
        return tuple(validation.count(width, "hidden") for width in hidden)
    return (validation.count(hidden, "hidden"),)


def layers_of(fitted: Any) -> Layers:
    """The layers of a fitted network, ours or one with its attributes."""
    last = np.shape(fitted.coefs_[-1])
    sizes = [len(W) for W in fitted.coefs_] + [last[1] if len(last) == 2 else 1]
    return Layers(tuple(sizes), fitted.activation)


def has_pass(layers: Layers) -> bool:
    """Whether a compiled pass knows it: one hidden layer, one output, three activations."""
    return len(layers.sizes) == 3 and layers.sizes[-1] == 1 and layers.activation in COMPILED


def head_of(loss: Loss, n_outputs: int) -> Head:
    """What the loss makes of so many outputs."""
    if n_outputs == 1:
        return OneOutput(loss)
    return Classes() if loss.has_labels else SeveralOutputs()


def fit_stack(
    source: RowSource, layers: Layers, loss: Loss, alpha: float, rng: np.random.RandomState,
    moments: tuple[Array, Array], *, tol: float, max_iter: int,
) -> NewtonResult:  # fmt: skip
    """A local minimum of E ℓ + α Σ‖W_l‖², from a random start."""
    head = head_of(loss, layers.sizes[-1])
    shares, y = source.shares(), source.targets()
    kept = shares > 0.0
    biases = head.starting_biases(y[kept], shares[kept], layers.sizes[-1])
    start = random_start(layers, rng, moments, biases, head.spread(y[kept], shares[kept]))
    together = rows_together(layers)

    def batches() -> Iterator[tuple[Array, Array, Array]]:
        for first in range(0, source.n_rows, together):
            last = min(first + together, source.n_rows)
            some = kept[first:last]
            X = np.asarray(source.x[first:last], dtype=np.float64)[some]
            yield X, y[first:last][some], shares[first:last][some]

    objective = LayeredObjective(
        LayeredDerivatives(layers, head, Linear()), batches, alpha,
        loss.has_labels and layers.sizes[-1] > 1,
    )  # fmt: skip
    with Executor().watching("fit"):
        return fit_layers(objective, start, tol=tol, max_iter=max_iter)


def outputs_of(layers: Layers, theta: Array, X: Array) -> Array:
    """F(X): (n,) of one output, else (n, K)."""
    F = layers.run(theta, X.astype(np.float64, copy=False)).outputs
    return F[:, 0] if F.shape[1] == 1 else F

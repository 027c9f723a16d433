"""Networks of one hidden layer under attacks that are more than a ball: as networks of any depth.

The compiled pass knows the ball alone; θ is laid out alike in both.
"""

from __future__ import annotations

from typing import Any

from ...data.rows import RowSource
from ...threat.attack_set import AttackSet
from ..layered.derivatives import LayeredDerivatives
from ..layered.heads import OneOutput
from ..layered.layers import Layers
from ..layered.model import LayeredModel, rows_together
from ..layered.problem import LayeredProblem, layered_problem
from .model import NetworkModel


def restricted_network(
    model: NetworkModel, source: RowSource, ball: AttackSet, **options: Any
) -> LayeredProblem:
    """The problem of the same network, with the options of `layered_problem`."""
    return layered_problem(_layered(model), source, ball, **options)


def _layered(model: NetworkModel) -> LayeredModel:
    layers = Layers((model.n_features, model.hidden, 1), model.activation)
    return LayeredModel(
        derivatives=LayeredDerivatives(layers, OneOutput(model.loss), model.basis),
        theta=model.theta, names=model.names, alpha=model.alpha,
        batch_size=rows_together(layers), n_features=model.n_features, encode=model.encode,
        rebuild=model.rebuild, columns=model.columns, kind=model.kind, loss=model.loss,
        basis=model.basis, intake=model.intake,
    )  # fmt: skip

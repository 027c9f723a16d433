"""The description of a fitted network with one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...data.rows import RowSource
from ...passes.executor import Executor
from ...passes.network import NetworkSweep
from ...threat.attack_set import AttackSet
from ..finite_sum.model import SumModel

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class NetworkModel(SumModel):
    """A SumModel f = w2ᵀ σ(W1ᵀ u + b1) + b2.

    θ is W1 by rows of (m, hidden), b1, w2, b2; its gradient, (v, 1), has a v that depends on θ.

    Attributes
    ----------
    basis : Linear
        The scaler before the network, or none.
    hidden : int
    activation : {"tanh", "softplus", "gelu"}
    """

    basis: Linear
    hidden: int
    activation: str

    def sweep(
        self, source: RowSource, ball: AttackSet | None, executor: Executor
    ) -> NetworkSweep:
        """The pass over `source`."""
        return NetworkSweep(
            source, self.loss, self.basis, True, ball, executor, self.hidden, self.activation
        )


def penalized_entries(m: int, hidden: int) -> Array:
    """1 for the entries of W1 and w2, 0 for the biases, shape (d,)."""
    sizes = [m * hidden, hidden, hidden, 1]
    return np.repeat([1.0, 0.0, 1.0, 0.0], sizes)


def parameter_names(inputs: tuple[str, ...], hidden: int) -> tuple[str, ...]:
    """A name for each entry of θ."""
    units = range(hidden)
    rows, columns = [f"W1[{name}," for name in inputs], [f"{k}]" for k in units]
    weights = [row + column for row in rows for column in columns]
    biases, outputs = (tuple(f"{what}[{k}]" for k in units) for what in ("b1", "w2"))
    return (*weights, *biases, *outputs, "b2")

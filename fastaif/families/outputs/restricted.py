"""Linear models of several outputs under attacks that are more than a ball."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.rows import RowSource
from ...threat.attack_set import AttackSet
from ..problem import refuse_solver
from ..vector.restricted import RestrictedVector
from .model import OutputsModel
from .problem import Array, OutputsProblem

_RANK, _AXES = 1e-12, 4  # singular vectors that count, and most of them


@dataclass(frozen=True)
class RestrictedOutputs(RestrictedVector, OutputsProblem):
    """An OutputsProblem whose rows have sets of their own, or one that is no ball."""

    model: OutputsModel

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Both ways along what moves the outputs most: samples that are fitted have no slope."""
        W = self.model.layout.matrix(theta)[:, : self.model.n_features]
        left, values, _ = np.linalg.svd(W, full_matrices=False)
        for axis in left[:, values > _RANK * values[0]].T[:_AXES]:
            for side in (1.0, -1.0):
                yield np.broadcast_to(side * axis @ W, X.shape)


def restricted_outputs(
    model: OutputsModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, **common: Any,
) -> RestrictedOutputs:  # fmt: skip
    """The problem, of which the attacks are known."""
    refuse_solver(model, solver)
    return RestrictedOutputs(model, source, ball, **common)

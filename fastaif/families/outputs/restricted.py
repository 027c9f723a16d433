"""Linear models of several outputs under attacks that are more than a ball."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..finite_sum.totals import RowwiseWithoutRows
from ..vector.restricted import RestrictedVector
from .model import OutputsModel
from .problem import AccumulatedOutputs, Array, OutputsProblem

_RANK, _AXES = 1e-12, 4  # singular vectors that count, and most of them


@dataclass(frozen=True)
class RestrictedOutputs(RestrictedVector, OutputsProblem):
    """An OutputsProblem whose rows have sets of their own, or one that is no ball."""

    model: OutputsModel

    @property
    def pinned(self) -> None:
        """Samples that are fitted exactly count as unattacked, and are warned of."""
        return None

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Both ways along what moves the outputs most: samples that are fitted have no slope."""
        W = self.model.layout.matrix(theta)[:, : self.model.n_features]
        left, values, _ = np.linalg.svd(W, full_matrices=False)
        for axis in left[:, values > _RANK * values[0]].T[:_AXES]:
            for side in (1.0, -1.0):
                yield np.broadcast_to(side * axis @ W, X.shape)


@dataclass(frozen=True)
class AccumulatedRestrictedOutputs(RowwiseWithoutRows, AccumulatedOutputs, RestrictedOutputs):
    """A RestrictedOutputs whose rows are gone."""

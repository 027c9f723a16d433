"""The adversary of softmax models, which also knows how far labels are from turning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vector.adversary import VectorAdversary

Array = NDArray[Any]


@dataclass(frozen=True)
class SoftmaxAdversary(VectorAdversary):
    """Each sample is attacked by itself; θ ↦ E max ℓ is convex."""

    def radii_of_labels(self) -> Array:
        """min_j (z_y − z_j)/(s ‖c∘(w_y − w_j)‖_q), 0 where a class is ahead; inf where none moves.

        Exact: each logit's lead over another is linear in x.
        """
        problem, own = self.problem, self.problem.ball.own
        layout, matrix = problem.model.layout, problem.model.matrix
        slopes = own.slopes(matrix[:, : layout.n_features])
        speeds = problem.radius * own.gains(slopes[:, None, :] - slopes[None, :, :])
        rows, y = np.arange(problem.n_rows), problem.source.targets().astype(int)
        z = problem.sweep.predictions(matrix)
        leads = np.maximum(z[rows, y][:, None] - z, 0.0)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            radii = np.where(leads > 0.0, leads / speeds[y], 0.0)
        radii[rows, y] = np.inf
        return np.asarray(radii.min(axis=1))

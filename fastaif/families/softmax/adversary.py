"""The adversaries of softmax models, which also know how far labels are from turning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...threat.least_sizes import least_sizes
from ..vector.adversary import VectorAdversary
from ..vector.set_robust import SetVectorAdversary

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


@dataclass(frozen=True)
class SetSoftmaxAdversary(SetVectorAdversary):
    """Each sample is attacked in its own set, by ascent on the loss."""

    def radii_of_labels(self) -> Array:
        """The least ε at which some class is brought level, 0 where one is; inf where none is.

        Exact, though the worst loss is not: each class is climbed towards by itself.
        """
        problem, source = self.problem, self.problem.source
        matrix, m = problem.model.matrix, problem.model.n_features
        z, y = problem.sweep.predictions(matrix), source.targets().astype(int)
        out = np.empty(source.n_rows)

        def work(start: int, stop: int) -> None:
            rows = source.inputs(start, stop).astype(np.float64, copy=False)
            own, least = y[start:stop], np.full(stop - start, np.inf)
            for ahead in range(1, len(matrix)):
                other = (own + ahead) % len(matrix)
                lead = np.maximum(_taken(z[start:stop], own) - _taken(z[start:stop], other), 0.0)
                _lower(problem.ball, matrix[other, :m] - matrix[own, :m], rows, lead, least)
            with np.errstate(divide="ignore", invalid="ignore"):
                unit = problem.radius * source.budgets(start, stop)
                out[start:stop] = np.where(least > 0.0, least / unit, 0.0)

        problem.executor.map_rows(source, work, cost=len(matrix))
        return out


def _taken(z: Array, classes: Array) -> Array:
    return np.take_along_axis(z, classes[:, None], axis=1)[:, 0]


def _lower(ball: Any, slopes: Array, rows: Array, leads: Array, least: Array) -> None:
    """The least sizes that take leads (k,), in place, where that is less."""
    some = np.flatnonzero(~np.isfinite(least))
    known = np.flatnonzero(np.isfinite(least))
    if known.size:
        reach = ball.furthest(slopes[known], rows[known], least[known]).gains
        some = np.union1d(some, known[reach >= leads[known]])
    if some.size:
        sizes = least_sizes(ball, slopes[some], rows[some], leads[some])
        least[some] = np.minimum(least[some], sizes)

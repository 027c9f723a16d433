"""Linear models of several outputs under attacks that are more than a ball."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

    def worst_losses(
        self, W: Array, z: Array, y: Array, reach: Callable[[Array], Array]
    ) -> Array:
        """The least of three bounds for each row (k,).

        Σ of the largest squares that any attack could give each alone: of the outputs, and of those
        along the axes in which they move. And ‖r‖² + 2⟨r, Wδ⟩ + ‖Wδ‖² by its parts, which is off by
        ε² alone.
        """
        residuals, axes = z - y, np.linalg.eigh(W @ W.T)[1]
        alone = [
            _apart(r, reach(up), reach(-up))
            for r, up in (
                (residuals, _alike(W, residuals)), (residuals @ axes, _alike(axes.T @ W, residuals))
            )
        ]  # fmt: skip
        return np.asarray(np.fmin.reduce([*alone, self._near(W, residuals, reach)]))

    def _near(self, W: Array, residuals: Array, reach: Callable[[Array], Array]) -> Array:
        slopes = _alike(W, residuals)
        most = np.maximum(reach(slopes), reach(-slopes))
        rise = reach((2.0 * residuals @ W)[:, None])[:, 0]
        return np.asarray(np.sum(residuals**2 + most * most, axis=1) + rise)


def _alike(W: Array, rows: Array) -> Array:
    """The same gradients at every row."""
    return np.broadcast_to(W, (len(rows), *W.shape))


def _apart(residuals: Array, up: Array, down: Array) -> Array:
    """Σ_k of the larger of (r + up)² and (r − down)², (k,)."""
    most = np.maximum(residuals + up, down - residuals)
    return np.asarray(np.sum(most * most, axis=1))


@dataclass(frozen=True)
class AccumulatedRestrictedOutputs(RowwiseWithoutRows, AccumulatedOutputs, RestrictedOutputs):
    """A RestrictedOutputs whose rows are gone."""

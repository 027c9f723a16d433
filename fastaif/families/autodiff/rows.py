"""The rows of a differentiable model, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...utils.caching import cached_property
from ..problem import InfluenceProblem
from ..radius import mean_norm
from .model import AutodiffModel
from .row_derivatives import RowDerivatives

Array = NDArray[Any]

_COMPARED = 8  # rows
_TOGETHER = 32  # columns of the Hessian


class Batch(NamedTuple):
    """Rows: their places, inputs (k, m), targets (k,) and shares of the total weight (k,)."""

    rows: Array
    X: Array
    y: Array
    shares: Array


@dataclass(frozen=True)
class AutodiffRows(InfluenceProblem):
    """The part of `AutodiffProblem` that reads its data."""

    model: AutodiffModel

    @property
    def derivatives(self) -> RowDerivatives:
        """The loss, the penalty and their derivatives, batch by batch."""
        return self.model.derivatives

    @cached_property
    def shares(self) -> Array:
        """ω (n,), which sums to 1."""
        return self.source.shares()

    def batches(
        self, source: RowSource | None = None, every: bool = False, shares: Array | None = None
    ) -> Iterator[Batch]:
        """These or other rows; those without weight only if `every` row is asked for."""
        source = self.source if source is None else source
        shares = source.shares() if shares is None else shares
        rows = np.arange(source.n_rows) if every else np.flatnonzero(shares > 0)
        count = -(-len(rows) // self.model.batch_size)
        for part in np.array_split(rows, count):
            # Slices of rows that follow each other cost no copy of a memory map's type.
            run = part[-1] - part[0] + 1 == len(part)
            chosen = slice(part[0], part[-1] + 1) if run else part
            X = np.asarray(source.x[chosen], dtype=np.float64)
            yield Batch(part, X, source.encode(source.y[chosen]), shares[chosen])

    def some_rows(self, rows: Array) -> Batch:
        """Rows by their places, which may occur more than once."""
        X = np.asarray(self.source.x[rows], dtype=np.float64)
        return Batch(rows, X, self.source.encode(self.source.y[rows]), self.shares[rows])

    # --- what attacks climb on --------------------------------------------------------------

    def displaced(self, X: Array, delta: Array) -> Array:
        """Raw inputs X (k, m) with the model's moved by δ."""
        return self.model.moved(X, delta)

    def heights(self, theta: Array, X: Array, y: Array) -> Array:
        """What orders attacks of a row as its loss does, (k,)."""
        return self.derivatives("heights", theta, X, y)

    def slopes(self, theta: Array, X: Array, y: Array) -> Array:
        """∇_u ℓ (k, m)."""
        return self.derivatives("input_gradients", theta, X, y)

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Slopes (k, m) along which other ascents start: none."""
        return iter(())

    def felt(self, batch: Batch, *gradients: Array) -> list[Array]:
        """Arrays (k, m) without the entries that attacks on a batch cannot follow at θ̂."""
        if not self.ball.varies:
            return list(gradients)
        slopes = self.derivatives("input_gradients", self.params, batch.X, batch.y)
        lost = (self.ball.felt(slopes, batch.X) == 0.0) & (slopes != 0.0)
        return [np.where(lost, 0.0, part) for part in gradients]

    def refuse_mixing(self) -> None:
        """A sample's loss must not depend on what else is in its batch, nor on chance.

        Raises
        ------
        ValueError
            It does.
        """
        stop = min(_COMPARED, self.source.n_rows)
        half = -(-stop // 2)
        X = np.asarray(self.source.x[:stop], dtype=np.float64)
        y = self.source.targets(0, stop)
        together = self.derivatives("losses", self.params, X, y)[:half]
        alone = self.derivatives("losses", self.params, X[:half], y[:half])
        if not np.allclose(alone, together, rtol=1e-6, atol=1e-9, equal_nan=True):
            raise ValueError(
                "per_sample_loss gives a row another loss in another batch: it averages over "
                "the batch, or draws random numbers (batch normalisation or dropout in training "
                "mode); use the model's evaluation mode"
            )

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        return mean_norm(self.source, self.model.basis, self.ball, self.executor)

    def losses(self, theta: Array, source: RowSource | None = None) -> Array:
        """ℓ_i(θ), shape (n,), on these or other rows."""
        parts = [
            self.derivatives("losses", theta, batch.X, batch.y)
            for batch in self.batches(source, every=True)
        ]
        return np.concatenate(parts)

    def sum_gradient(
        self, theta: Array, source: RowSource | None = None, shares: Array | None = None
    ) -> Array:
        """Σ ω_i ∇ℓ_i(θ), (d,)."""
        total = np.zeros(len(theta))
        for batch in self.batches(source, shares=shares):
            total += self.derivatives("gradient", theta, batch.X, batch.y, batch.shares)
        return total

    def sum_hessian(
        self, theta: Array, source: RowSource | None = None, shares: Array | None = None
    ) -> Array:
        """Σ ω_i ∇²ℓ_i(θ), (d, d): Hessian-vector products of the identity."""
        H = self.sum_products(theta, np.eye(len(theta)), source, shares)
        return 0.5 * (H + H.T)

    def sum_products(
        self, theta: Array, U: Array, source: RowSource | None = None,
        shares: Array | None = None, derivatives: RowDerivatives | None = None,
    ) -> Array:  # fmt: skip
        """Σ ω_i ∇²ℓ_i(θ) U for U (d, k), a few columns at a time; of others' ∇² where given."""
        derivatives = derivatives or self.derivatives
        k = U.shape[1]
        out, rows = np.zeros((k, len(theta))), np.ascontiguousarray(U.T)
        parts = np.array_split(np.arange(k), -(-k // _TOGETHER))
        for batch in self.batches(source, shares=shares):
            data = (theta, batch.X, batch.y, batch.shares)
            for part in parts:
                out[part] += derivatives.hess_vecs(*data, rows[part])
        return out.T

    # --- the penalty ----------------------------------------------------------------------

    @property
    def alpha(self) -> float:
        """α for the total weight of these data; 1 for a penalty of the user's own."""
        w = self.source.weights()
        return self.alpha_at(float(w.sum()) if w.size else float(self.source.n_rows))

    def penalty_gradient(self, theta: Array) -> Array:
        """α∇P(θ), (d,)."""
        if self.alpha == 0.0:
            return np.zeros(len(theta))
        return self.alpha * self.derivatives.penalty_gradient(theta)

    def penalty_hessian(self, theta: Array) -> Array:
        """α∇²P(θ), (d, d)."""
        return self.penalty_products(theta, np.eye(len(theta)))

    def penalty_products(self, theta: Array, U: Array) -> Array:
        """α∇²P(θ) U for U (d, k)."""
        if self.alpha == 0.0:
            return np.zeros(U.shape)
        return np.asarray(self.alpha * self.derivatives.penalty_hess_vecs(theta, U.T).T)

    def penalty_change(self, theta: Array) -> float:
        """The penalty at θ less that at θ̂."""
        if self.alpha == 0.0:
            return 0.0
        change = self.derivatives.penalty(theta) - self.derivatives.penalty(self.params)
        return self.alpha * change

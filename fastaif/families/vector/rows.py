"""The rows of models with several predictions: the pass over them, and what each of them has."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.rows import RowSource
from ...losses.vector import Terms
from ...passes.vector import VectorSums, VectorSweep
from ...solvers.newton import NewtonResult
from ...utils.caching import cached_property
from ..finite_sum.coordinates import Coordinates
from ..finite_sum.model import finite
from ..objective import Evaluation, number
from ..summed import SummedProblem
from .layout import enter
from .model import VectorModel

Array = NDArray[Any]


class RowParts(NamedTuple):
    """Of a range of k rows: inputs (u, 1) (k, c), predictions (k, K), targets, and the loss."""

    inputs: Array
    z: Array
    y: Array
    terms: Terms

    @property
    def residuals(self) -> Array:
        """a = ∇_z ℓ (k, K)."""
        return self.terms.residuals


@dataclass(frozen=True)
class VectorRows(SummedProblem):
    """The part of a VectorProblem that reads its data."""

    model: VectorModel

    @property
    def sweep(self) -> VectorSweep:
        """The pass over the training rows."""
        return self.model.sweep(self.source, self.ball, self.executor)

    @property
    @abstractmethod
    def sums(self) -> VectorSums:
        """Everything that H, Φ, s and the gradient are made of.

        Raises
        ------
        FloatingPointError
            Some sum is not finite; the caller looks for the culprit in the data.
        """

    def sums_of_part(self) -> VectorSums:
        """The one pass, over rows that are not all."""
        return self.sums

    @property
    def hessian_size(self) -> int:
        """Of all predictions together."""
        return self.model.n_outputs * self.sweep.n_entries

    def natural_sums(self, work: Coordinates) -> VectorSums:
        """The natural loss's gradient and H at θ̂ in given working coordinates."""
        plain = self.model.sweep(self.source, None, self.executor)
        sweep = dataclasses.replace(plain, basis=work.basis(plain.basis))
        sums: VectorSums = sweep.run(
            enter(work, self.model.matrix), c.NEED_GRADIENT | c.NEED_HESSIAN
        )
        return sums

    @property
    def _needs(self) -> int:
        """NEED_* bits of the one pass."""
        need = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_MIXED
        return need | c.NEED_NORM if self._measures_norms else need

    def _finite(self, sweep: VectorSweep, need: int, exponent: float = 0.0) -> Any:
        return finite(sweep.run(self.model.matrix, need, exponent=exponent))

    @property
    def _measures_norms(self) -> bool:
        """Whether the one pass gives s as well: not where that is given, or of other rows."""
        return self.ball.radius is None and self.clean is None

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        if self.ball.radius is not None:
            return self.ball.radius
        if self._measures_norms and "sums" in self.__dict__:
            return self.sums.mean_norm
        sweep = self.model.sweep(self.evaluation, self.ball, self.executor)
        return self._finite(sweep, c.NEED_NORM).mean_norm

    @property
    def alpha(self) -> float:
        """α for the total weight of these data."""
        return self.alpha_at(self.sums.weight)

    # --- samples ------------------------------------------------------------------------------

    @cached_property
    def shares(self) -> Array:
        """ω (n,), which sums to 1."""
        return self.source.shares()

    @property
    def smooth_shares(self) -> Array:
        """ω of the samples whose gain has no kink at θ̂ that is solved, and 0 of the others."""
        return self.shares

    @cached_property
    def budgets(self) -> Array:
        """t (n,): each sample's share of the budget."""
        if not self.sharing.is_shared:
            return np.ones(self.n_rows)
        return self.sharing.budgets(self.input_gains(), self.shares)

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each sample in the attack's units, (n,)."""
        gains, W = np.empty(self.n_rows), self.model.matrix[:, : self.model.n_features]

        def work(start: int, stop: int) -> None:
            gains[start:stop] = self.ball.gains(self.rows(start, stop).residuals @ W)

        self.map_rows(work)
        return gains

    def map_rows(self, work: Callable[[int, int], None]) -> None:
        """Run `work(start, stop)` on ranges of rows, which threads share."""
        self.executor.map_rows(self.source, work, cost=self.model.n_outputs)

    def rows(self, start: int, stop: int, kept: Any = slice(None)) -> RowParts:
        """What a range of rows has at θ̂, or those of them that are kept."""
        inputs = self.sweep.inputs(start, stop)[kept]
        z, y = inputs @ self.model.matrix.T, self.source.targets(start, stop)[kept]
        return RowParts(inputs, z, y, self.model.loss.terms(z, y))

    # --- elsewhere ------------------------------------------------------------------------------

    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss, its gradient and Hessian at θ, on these or other rows."""
        layout, places = self.model.layout, self.model.layout.places
        sums = self._elsewhere(theta, source, c.NEED_GRADIENT | c.NEED_HESSIAN)
        return Evaluation(
            sums.loss, layout.vector(sums.gradient), sums.hessian[np.ix_(places, places)]
        )

    def mean_loss(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) on these or other rows."""
        return self._elsewhere(theta, source, c.NEED_LOSS).loss

    def _elsewhere(self, theta: Array, source: RowSource | None, need: int) -> VectorSums:
        sweep = self.model.sweep(source or self.source, None, self.executor)
        sums: VectorSums = sweep.run(self.model.layout.matrix(theta), need)
        finite(sums)
        return sums

    def moves(self, step: Array, source: RowSource | None = None) -> tuple[Array, Array, Array]:
        """z(θ̂) and its change along a step, (n, K) each, and targets (n,)."""
        sweep = self.model.sweep(source or self.source, None, self.executor)
        move = sweep.predictions(self.model.layout.matrix(step))
        return sweep.predictions(self.model.matrix), move, sweep.source.targets()

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ for a step Δ in θ: E⟨a, t⟩ and E tᵀSt with t the move of z.

        Natural loss, no penalty, at θ̂ on these or other rows.
        """

        def parts(rows: RowSource) -> tuple[Array, Array]:
            z, t, y = self.moves(step, rows)
            at = self.model.loss.terms(z, y)
            return np.sum(at.residuals * t, axis=1), at.curvature(t)

        slope, curvature = (source or self.source).means(parts)
        return number(slope), number(curvature)

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """Newton's method from θ̂ on these data."""
        source = self.source
        if weights is not None:
            base = source.weights()
            source = source._replace(weight=(base if base.size else 1.0) * weights)
        sweep = self.model.sweep(source, None, self.executor)
        found, theta = self.model.fitted(sweep, self.alpha, max_iter)
        return dataclasses.replace(found, x=self.model.layout.vector(theta))

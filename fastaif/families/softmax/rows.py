"""The rows of softmax models: the pass over them, and what each of them has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.rows import RowSource
from ...passes.softmax import SoftmaxSums, SoftmaxSweep
from ...solvers.newton import NewtonResult
from ...utils.caching import cached_property
from ..finite_sum.model import finite
from ..objective import Evaluation, number
from ..problem import InfluenceProblem
from .fit import fit_softmax
from .model import SoftmaxModel

Array = NDArray[Any]


class RowParts(NamedTuple):
    """Of a range of k rows: inputs (u, 1) (k, c), shares π, residuals a, and pulls ρ − e_y, (k, K).

    ρ are the shares of the other classes among themselves: a is (1 − π_y)(ρ − e_y).
    """

    inputs: Array
    shares: Array
    residuals: Array
    pulls: Array


@dataclass(frozen=True)
class SoftmaxRows(InfluenceProblem):
    """The part of a SoftmaxProblem that reads its data."""

    model: SoftmaxModel

    @property
    def sweep(self) -> SoftmaxSweep:
        """The pass over the training rows."""
        return self.model.sweep(self.source, self.ball, self.executor)

    @cached_property
    def sums(self) -> SoftmaxSums:
        """Everything that H, Φ, s and the gradient are made of.

        Raises
        ------
        FloatingPointError
            Some sum is not finite; the caller looks for the culprit in the data.
        """
        need = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_MIXED
        if self._measures_norms:
            need |= c.NEED_NORM
        return self._finite(self.sweep, need, self.sharing.exponent)

    def _finite(self, sweep: SoftmaxSweep, need: int, exponent: float = 0.0) -> SoftmaxSums:
        sums = sweep.run(self.model.matrix, need, exponent=exponent)
        finite(sums)
        return sums

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
        self.executor.map_rows(self.source, work, cost=self.model.n_classes)

    def rows(self, start: int, stop: int) -> RowParts:
        """What a range of rows has at θ̂."""
        loss, inputs = self.model.loss, self.sweep.inputs(start, stop)
        z, y = inputs @ self.model.matrix.T, self.source.targets(start, stop)
        terms, (_, pulls) = loss.terms(z, y), loss.leads(z, y)
        return RowParts(inputs, terms.shares, terms.residuals, pulls)

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

    def _elsewhere(self, theta: Array, source: RowSource | None, need: int) -> SoftmaxSums:
        sweep = self.model.sweep(source or self.source, None, self.executor)
        sums = sweep.run(self.model.layout.matrix(theta), need)
        finite(sums)
        return sums

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """z(θ̂) and its change along a step, (n, K) each, and targets (n,)."""
        sweep = self.model.sweep(source or self.source, None, self.executor)
        move = sweep.logits(self.model.layout.matrix(step))
        return sweep.logits(self.model.matrix), move, sweep.source.targets()

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ for a step Δ in θ: E⟨a, t⟩ and E tᵀSt with t the move of z.

        Natural loss, no penalty, at θ̂ on these or other rows.
        """
        loss = self.model.loss

        def parts(rows: RowSource) -> tuple[Array, Array]:
            z, t, y = self.moves(step, rows)
            at = loss.terms(z, y)
            apart = t - np.sum(at.shares * t, axis=1, keepdims=True)
            return np.sum(at.residuals * t, axis=1), np.sum(at.shares * apart * apart, axis=1)

        slope, curvature = (source or self.source).means(parts)
        return number(slope), number(curvature)

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """Newton's method from θ̂ on these data."""
        source = self.source
        if weights is not None:
            base = source.weights()
            source = source._replace(weight=(base if base.size else 1.0) * weights)
        sweep = self.model.sweep(source, None, self.executor)
        found, theta = fit_softmax(sweep, self.alpha, self.model.matrix, max_iter)
        return dataclasses.replace(found, x=self.model.layout.vector(theta))

"""The influence problem of models that are linear in θ: everything is a sum over samples."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.rows import RowSource
from ...passes.linear import Sweep
from ...passes.sums import InfluenceSums
from ...solvers.limits import cholesky_fits
from ...solvers.newton import Local, NewtonResult
from ...utils.caching import cached_property
from ..objective import Evaluation
from ..problem import Counts
from .coordinates import Coordinates, are_needed, measure
from .model import SumModel, finite
from .natural_fit import add_penalty, natural_fit, shrink
from .solving import SumSolving
from .whitening import Whitening

Array = NDArray[Any]


@dataclass(frozen=True)
class SumProblem(SumSolving):
    """The InfluenceProblem of a SumModel: one pass gives everything."""

    has_coordinates: ClassVar[bool] = True  # whether there are working coordinates to look for

    def refuse_size(self) -> None:
        """Refuse a model whose Hessian has no room, where there is no way without it."""

    def begin(self) -> None:
        """Make the one pass."""
        _ = self.sums

    @cached_property
    def sums(self) -> InfluenceSums:
        """The one pass: everything that H, Φ, s and the gradient are made of.

        Raises
        ------
        FloatingPointError
            Some sum is not finite; the caller looks for the culprit in the data.
        """
        need = self._needs
        if self._measures_norms:
            need |= c.NEED_NORM
        return finite(self.sweep.run(self.params, need, exponent=self.sharing.exponent))

    @cached_property
    def budgets(self) -> Array:
        """t (n,): each sample's share of the budget."""
        if not self.sharing.is_shared:
            return np.ones(self.source.n_rows)
        return self.sharing.budgets(self.input_gains(), self.shares)

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each sample in the attack's units, (n,)."""
        raise NotImplementedError

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        if self._measures_norms and "sums" in self.__dict__:
            return self.sums.mean_norm
        return self.model.radius(self.evaluation, self.ball, self.executor)

    @property
    def _measures_norms(self) -> bool:
        """Whether the one pass gives s as well: not where that is given, or of other rows."""
        return self.ball.radius is None and self.clean is None

    @property
    def _needs(self) -> int:
        """NEED_* bits of the one pass, but for the norm's."""
        return c.NEED_GRADIENT | (c.NEED_MIXED if self.is_iterative else c.NEED_HESSIAN)

    @property
    def sweep(self) -> Sweep:
        """The pass over the training rows."""
        return self.model.sweep(self.source, self.ball, self.executor)

    @property
    def beta(self) -> Array:
        """The coefficients, without the intercept."""
        return self.params[: self.model.n_coefs]

    @property
    def alpha(self) -> float:
        """α for the total weight of these data."""
        return self.alpha_at(self.sums.weight)

    @property
    def penalized(self) -> Array:
        """P of the penalty α θᵀPθ, (d, d), or its diagonal (d,)."""
        return self.model.penalized

    @cached_property
    def _local(self) -> Local:
        """Penalised gradient and, where it is formed, Hessian at θ̂."""
        hessian = np.empty((0, 0)) if self.is_iterative else self._natural_hessian
        local = Local(0.0, self.sums.gradient, hessian, 1.0)
        return add_penalty(local, self.params, self.alpha, self.penalized)

    @cached_property
    def _natural_hessian(self) -> Array:
        """∇²E ℓ(θ̂), without the penalty."""
        return self.sums.hessian

    @property
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""
        return self._local.gradient

    @property
    def hessian(self) -> Array | None:
        """∇²L(θ̂), penalty included, damping not; None where it is not formed."""
        return None if self.is_iterative else self._local.hessian

    @cached_property
    def coordinates(self) -> Coordinates | Whitening | None:
        """Working coordinates where the penalty, or the columns' scales, ask for them."""
        if self.model.whitening is not None:
            return self.model.whitening
        d, fit_intercept = self.model.n_coefs, self.model.fit_intercept
        if not self.is_iterative and not are_needed(self._natural_hessian, d):
            return None
        return measure(self.source, self.model.basis, fit_intercept, self.executor)

    def working_sweep(self, source: RowSource | None = None) -> Sweep:
        """The pass over these or other rows in working coordinates."""
        sweep = self.model.sweep(source or self.source, None, self.executor)
        if self.coordinates is None:
            return sweep
        return dataclasses.replace(sweep, basis=self.coordinates.basis(sweep.basis))

    def enter(self, theta: Array) -> Array:
        """θ, or a step in it, in working coordinates."""
        return theta if self.coordinates is None else self.coordinates.enter(theta)

    @property
    def shares(self) -> Array:
        """ω (n,), which sums to 1."""
        return self.source.shares()

    def _base_weights(self) -> Array:
        w = self.source.weights()
        return w if w.size else np.ones(self.source.n_rows)

    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss, its gradient and Hessian at θ, on these or other rows."""
        sweep = self.model.sweep(source or self.source, None, self.executor)
        sums = finite(sweep.run(theta, c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS))
        return Evaluation(sums.loss, sums.gradient, sums.hessian)

    def mean_loss(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) on these or other rows."""
        sweep = self.model.sweep(source or self.source, None, self.executor)
        return finite(sweep.run(theta, c.NEED_LOSS)).loss

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), its change along a step, and targets, each (n,)."""
        sweep = self.working_sweep(source)
        f, moves = sweep.predictions(self.enter(self.params)), sweep.predictions(self.enter(step))
        return f, moves, sweep.source.targets()

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ; where other processes hold the rows, from sums that they make."""
        if not self.executor.is_remote(source or self.source):
            return super().along(step, source)
        sweep, inner = self.working_sweep(source), self.enter(step)
        need = c.NEED_GRADIENT | c.NEED_HESSIAN
        sums = finite(sweep.run(self.enter(self.params), need))
        return float(sums.gradient @ inner), float(inner @ (sums.hessian @ inner))

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """Newton's method from θ̂ on these data."""
        source = self.source
        if weights is not None:
            source = source._replace(weight=self._base_weights() * weights)
        sweep = self.model.sweep(source, None, self.executor)
        return natural_fit(
            sweep, self.alpha, self.params, max_iter, self.penalized, self.model.whitening
        )

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂; ties and zero gradients over all samples."""
        sums = self.sums
        return Counts(sums.zero_gradients, sums.ties, self.kinked_pairs)

    @property
    def kinked_pairs(self) -> int:
        """Pairs of a sample and a centre at which the model itself has a kink."""
        return 0

    @property
    def loss_slope(self) -> float:
        """E |ℓ'|."""
        return self.sums.gain

    def shrinkage(self, step: Array) -> Array:
        """αP step, where α θᵀPθ is the penalty."""
        return self.alpha * shrink(self.penalized, step)


def chosen_solver(model: SumModel, solver: str) -> str:
    """ "auto" forms H where there is room for it."""
    if solver != "auto":
        return solver
    return "cholesky" if cholesky_fits(len(model.theta)) else "cg"

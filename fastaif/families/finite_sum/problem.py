"""The influence problem of models whose objective is a mean over samples and a penalty.

Everything is a sum over the rows; H is inverted by its factor or by its products alone.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...data.rows import RowSource
from ...passes.hessian_products import HessianProducts, hessian_products
from ...passes.linear import Sweep
from ...passes.sums import InfluenceSums
from ...solvers.cholesky import Factor, factorize
from ...solvers.lanczos import lanczos
from ...solvers.limits import cholesky_fits
from ...solvers.newton import Local, NewtonResult
from ...utils.caching import cached_property
from ...utils.validation import refuse_tiny_targets
from ..damping import lift
from ..iterative import CG_TOL, ENOUGH, Solution
from ..objective import Evaluation
from ..problem import Counts, SolverReport, too_many_parameters
from ..summed import SummedProblem
from .coordinates import Coordinates, are_needed, measure
from .hessian_operator import WorkingHessian
from .hessian_solves import inverse_diagonal, solve
from .model import SumModel, finite
from .natural_fit import add_penalty, natural_fit, shrink
from .row_factor import row_factor
from .row_space import positive_rows
from .whitening import Whitening
from .working import WorkingCoordinates, WorkingFactor

Array = NDArray[Any]

_MANY = 32  # so many times fewer columns than parameters are few
_STEP_TOL = 1e-4  # relative residual of the Newton step left at θ̂
_NOISE = 1e-13  # of the largest eigenvalue: what eigenvalues are computed to
_CANCELS, _HOPELESS = 1e-10, 1e-5  # of E |ℓ'|: rounding of f that matters, that is too much
_TINY, _NORMAL = 1e-290, 1e-15  # squares that underflow; curvatures that say nothing of columns


@dataclass(frozen=True)
class SumProblem(SummedProblem):
    """The InfluenceProblem of a SumModel: one pass gives everything.

    Attributes
    ----------
    solver : {"cholesky", "woodbury", "cg", "lissa"}
        How H is inverted: by its factor, by a matrix of the rows, or by its products alone.
    seed : int
        Of LiSSA's draws.
    """

    model: SumModel
    solver: str = field(default="cholesky", kw_only=True)
    seed: int = field(default=0, kw_only=True)

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
        ValueError
            A column or the targets are so small that their squares underflow.
        """
        need = self._needs
        if self._measures_norms:
            need |= c.NEED_NORM
        found = finite(self.sweep.run(self.params, need, exponent=self.sharing.exponent))
        if found.weight == 0.0:
            return found
        if self.has_coordinates and self.forms_hessian:
            refuse_tiny(found, self.model.names)
        if found.scalar(c.S_F2) < _TINY and self.model.loss.is_of_residuals:
            refuse_tiny_targets(float(np.abs(self.source.targets()).max()))
        return found

    def sums_of_part(self) -> InfluenceSums:
        """The one pass, over rows that are not all."""
        return self.sums

    def natural_sums(self, work: WorkingCoordinates) -> InfluenceSums:
        """The natural loss's gradient and Hessian at θ̂ in given working coordinates."""
        plain = self.model.sweep(self.source, None, self.executor)
        sweep = dataclasses.replace(plain, basis=work.basis(plain.basis))
        need = c.NEED_GRADIENT | c.NEED_HESSIAN
        return finite(sweep.run(work.enter(self.params), need))

    @property
    def given_coordinates(self) -> Whitening | None:
        """The model's own, of a penalty that is not diagonal."""
        return self.model.whitening

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
        return c.NEED_GRADIENT | (c.NEED_HESSIAN if self.forms_hessian else c.NEED_MIXED)

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
    def local(self) -> Local:
        """Penalised gradient and, where it is formed, Hessian at θ̂."""
        hessian = self._natural_hessian if self.forms_hessian else np.empty((0, 0))
        local = Local(0.0, self.sums.gradient, hessian, 1.0)
        return add_penalty(local, self.params, self.alpha, self.penalized)

    @cached_property
    def _natural_hessian(self) -> Array:
        """∇²E ℓ(θ̂), without the penalty."""
        return self.sums.hessian

    @property
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""
        return self.local.gradient

    @property
    def hessian(self) -> Array | None:
        """∇²L(θ̂), penalty included, damping not; None where it is not formed."""
        if self.forms_hessian:
            return self.local.hessian
        return None if self.is_iterative else self._formed_hessian

    @cached_property
    def _formed_hessian(self) -> Array | None:
        """H, of which only who asks for it has a need."""
        return self.with_hessian().hessian if cholesky_fits(len(self.params)) else None

    @cached_property
    def coordinates(self) -> WorkingCoordinates | None:
        """Working coordinates where the penalty, or the columns' scales, ask for them."""
        if self.model.whitening is not None:
            return self.model.whitening
        d, fit_intercept = self.model.n_coefs, self.model.fit_intercept
        if self.forms_hessian:
            total = self.sums.scalar(c.S_FF)
            if not are_needed(self._natural_hessian, d, total):
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
    def loss_slope(self) -> float:
        """E |ℓ'|."""
        return self.sums.gain

    def shrinkage(self, step: Array) -> Array:
        """αP step, where α θᵀPθ is the penalty."""
        return self.alpha * shrink(self.penalized, step)

    # --- solving with H, by its factor or by its products alone --------------------------------

    @property
    def is_iterative(self) -> bool:
        """Whether H is known by its products alone."""
        return self.solver in ("cg", "lissa")

    @property
    def forms_hessian(self) -> bool:
        """Whether there is a matrix of all parameters."""
        return self.solver == "cholesky"

    @property
    def draws_together(self) -> bool:
        """Not where a draw's Hessian would be the only matrix of all parameters."""
        return self.forms_hessian or self.is_iterative

    def with_hessian(self) -> Self:
        """The same with H formed, as robust fits ask for it."""
        if self.forms_hessian:
            return self
        if not cholesky_fits(len(self.params)):
            raise too_many_parameters(len(self.params))
        return dataclasses.replace(self, solver="cholesky")

    @property
    def is_regular(self) -> bool:
        """Whether H is numerically definite."""
        return self._undamped is not None

    def _factorized(self, damping: float) -> Factor | WorkingFactor | None:
        """The factor, or None where H + damping is not numerically positive definite."""
        if not self.forms_hessian:
            return self._factorized_rows(damping)
        work, H = self.coordinates, self.working_hessian()
        if work is None:
            return factorize(H + damping * np.eye(len(H)) if damping else H)
        factor = factorize(H + damping * work.damping(len(H)))
        return None if factor is None else WorkingFactor(factor, work)

    def _factorized_rows(self, damping: float) -> WorkingFactor | None:
        """The same, by a matrix of the rows."""
        work, sweep = self.coordinates, self.working_sweep()
        assert isinstance(work, Coordinates)
        Z, y, w = positive_rows(sweep)
        Z *= np.sqrt(w * self.model.loss.curvature(Z @ self.enter(self.params), y))[:, None]
        ridge = 2.0 * self.alpha * work.penalized(self.penalized)
        factor = row_factor(Z, ridge, damping, work)
        return None if factor is None else WorkingFactor(factor, work)

    def working_hessian(self) -> Array:
        """H at θ̂, penalty included, in working coordinates."""
        work = self.coordinates
        if work is None:
            return self.local.hessian
        H = self.working_sums().hessian
        H[np.diag_indices_from(H)] += 2.0 * self.alpha * work.penalized(self.penalized)
        return H

    def working_sums(self) -> InfluenceSums:
        """The natural loss's gradient and Hessian at θ̂ in working coordinates."""
        need = c.NEED_GRADIENT | c.NEED_HESSIAN
        return self.working_sweep().run(self.enter(self.params), need)

    @cached_property
    def operator(self) -> WorkingHessian:
        """H + damping by its products, in working coordinates."""
        return self._operator(self.added_damping)

    def _operator(self, damping: float) -> WorkingHessian:
        work = self.coordinates
        assert work is not None
        products = dataclasses.replace(self._products, sweep=self.working_sweep())
        ridge = 2.0 * self.alpha * work.penalized(self.penalized)
        return WorkingHessian(products, work, ridge, damping)

    @cached_property
    def _products(self) -> HessianProducts:
        """The mean loss's Hessian at θ̂ by its products."""
        sweep = self.model.sweep(self.source, None, self.executor)
        return hessian_products(sweep, self.params)

    def missing_damping(self) -> float:
        """What makes H positive definite, to working precision: 0 where it is."""
        if not self.forms_hessian:
            if self._operator(0.0).is_surely_definite:
                return 0.0
            with single_threaded_blas():
                return lift(*lanczos(len(self.params), self.hess_vec, floor=1e-9))
        if self._undamped is not None:
            return 0.0
        values = np.linalg.eigvalsh(self.local.hessian)
        return lift(float(values[0]), float(values[-1]))

    @property
    def has_run_away(self) -> bool:
        """Whether θ̂ classifies every sample rightly, without a penalty that would hold it."""
        monotone = self.model.loss.is_monotone and self.alpha == 0.0
        return monotone and not self.sums.misclassified

    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b."""
        return self._solution(b).x if self.is_iterative else self.factor.solve(b)

    def _solution(self, b: Array, tol: Any = None) -> Solution:
        if self.added_damping == 0.0:
            self._refuse_separable()
        return solve(self.operator, b, self.solver, self.seed, tol)

    @cached_property
    def _solved(self) -> Solution:
        """H⁻¹ of −Φ and, by conjugate gradients, of the gradient: both share the products.

        How large the Newton step is needs few digits.
        """
        if self.solver == "lissa":
            return self._solution(-self.mixed()[:, None])
        b = np.stack([-self.mixed(), self.gradient], axis=1)
        return self._solution(b, np.array([CG_TOL, _STEP_TOL]))

    def influence(self) -> Array:
        """I = −H⁻¹Φ, shape (d,)."""
        return self._solved.x[:, 0].copy() if self.is_iterative else -self.solve(self.mixed())

    @property
    def stopped_at(self) -> float | None:
        """The relative residual of a solver that stopped before its tolerance; else None."""
        if not self.is_iterative:
            return None
        residual = self._solved.residual
        return residual if residual > ENOUGH[self.solver] else None

    def share_out(self, z: Array) -> None:
        """Replace a block of rows z_i by −s H⁻¹ z_i, unless all rows wait for `share_all`."""
        if not self.is_iterative:
            z[:] = -self.radius * self.solve(z.T).T

    def share_all(self, z: Array) -> None:
        """The same for all rows at once, where solving is itself a pass over the data."""
        if self.is_iterative:
            d = len(self.params)
            # A factor costs as much as about d/3 products, each column of z dozens.
            formed = len(z) > d // _MANY and cholesky_fits(d)
            z[:] = -self.radius * (self.with_hessian() if formed else self).solve(z.T).T

    def hess_vec(self, v: Array) -> Array:
        """H v: without H, where that is not formed."""
        if self.forms_hessian:
            return np.asarray(self.local.hessian @ v)
        return np.asarray(self._products(v) + 2.0 * self.shrinkage(v))

    def standard_errors(self) -> Array:
        """Rough standard errors of θ̂: φ H⁻¹ / n with the dispersion φ = E ℓ'² / E ℓ''.

        For least squares these are the textbook's; for the other losses the
        quasi-likelihood's. They only set the scale of the stationarity check.
        """
        if self.is_iterative:
            P = self.penalized if self.penalized.ndim == 1 else np.diagonal(self.penalized)
            diagonal = self._products.diagonal() + 2.0 * self.alpha * P + self.added_damping
            spread = inverse_diagonal(self.operator, 1.0 / diagonal)
        else:
            spread = self.factor.inverse_diagonal()
        return np.sqrt(self._dispersion * spread / self.sums.effective_size)

    @property
    def _dispersion(self) -> float:
        return self.sums.scalar(c.S_F2) / max(self.sums.scalar(c.S_FF), 1e-300)

    @cached_property
    def step_to_optimum(self) -> Array:
        """H⁻¹∇L(θ̂) (d,); by conjugate gradients beside the influence, to few digits."""
        return self._solved.x[:, 1] if self.solver == "cg" else self.solve(self.gradient)

    @cached_property
    def newton_decrement(self) -> float:
        """∇L(θ̂)ᵀ H⁻¹∇L(θ̂): twice what a Newton step would lower L by."""
        return max(float(self.gradient @ self.step_to_optimum), 0.0)

    def newton_step(self, below: float = 0.0) -> float:
        """The largest entry of H⁻¹∇L(θ̂) in units of the parameters' standard errors.

        First a bound by the Newton decrement, which needs no standard errors:
        |step_j| ≤ √(gᵀH⁻¹g · (H⁻¹)_jj).
        """
        dispersion = max(self._dispersion, sys.float_info.min)
        bound = math.sqrt(self.newton_decrement * self.sums.effective_size / dispersion)
        if bound < below:
            return bound
        step, errors = self.step_to_optimum, self.standard_errors()
        return float(np.max(np.abs(step) / np.maximum(errors, np.finfo(float).tiny)))

    def rounding(self) -> float:
        """What columns far from zero, whose terms cancel in f, leave of E |ℓ'| in rounding.

        Where that is much, solving with H makes more of the same rounding in its entries.
        """
        work, eps = self.coordinates, sys.float_info.epsilon
        cancelled = 0.0 if work is None else work.cancelled(self.params)
        if cancelled == 0.0:
            return 0.0
        share = eps * cancelled * self._mean_curvature() / self.loss_slope
        if self.is_iterative or not _CANCELS < share < _HOPELESS:
            return share
        return max(share, eps / self.factor.rcond)

    def _mean_curvature(self) -> float:
        """E ℓ''."""
        if self.is_iterative:
            return float(self._products.curvatures.sum())
        return self.sums.scalar(c.S_FF)

    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping; by Lanczos' method without H."""
        damping = self.added_damping
        if not self.forms_hessian:
            with single_threaded_blas():
                least, largest = lanczos(len(self.params), self.hess_vec)
            return least + damping, largest + damping
        values = np.linalg.eigvalsh(self.local.hessian + damping * np.eye(len(self.params)))
        least, largest = float(values[0]), float(values[-1])
        factor = self._factorized(damping) if least < _NOISE * largest else None
        if factor is not None:  # positive definite, as other coordinates show
            inverse = factor.solve(np.eye(len(self.params)))
            least = 1.0 / float(np.linalg.eigvalsh((inverse + inverse.T) / 2.0)[-1])
        return least, largest

    def solver_report(self, influence: Array) -> SolverReport:
        """The solver's name and steps, and the relative residual of (H + damping) I = −Φ."""
        mixed = self.mixed()
        residual = self.hess_vec(influence) + self.added_damping * influence + mixed
        scale = float(np.linalg.norm(mixed)) or 1.0
        steps = self._solved.iterations if self.is_iterative else 0
        return SolverReport(self.solver, steps, float(np.linalg.norm(residual)) / scale)


def refuse_tiny(sums: InfluenceSums, names: tuple[str, ...]) -> None:
    """Refuse columns of v whose squares underflow; where they overflow sums are not finite."""
    squares, bend = sums.squares, sums.scalar(c.S_FF)
    if bend < _NORMAL or min(squares.tolist()) >= _TINY * bend:
        return
    seen = sums.raw.vectors[[c.V_F, c.V_FF]].any(axis=0)
    tiny = np.flatnonzero((squares < _TINY * bend) & seen)
    if tiny.size:
        raise ValueError(
            f"the entries of {names[tiny[0]]} are so small (their squares' mean is about "
            f"{squares[tiny[0]] / bend:.0g}) that products of them underflow: multiply X by a "
            "power of ten, and feature_scale and radius, if they are given, as well; coefficients "
            "and influences are then divided by it"
        )


def chosen_solver(model: SumModel, solver: str) -> str:
    """ "auto" forms H where there is room for it."""
    if solver != "auto":
        return solver
    return "cholesky" if cholesky_fits(len(model.theta)) else "cg"

"""Robust optima of linear predictors by an expansion that keeps the norm.

    m(v) = gᵀv + ½vᵀHv + (k + hᵀv)(κ(v) − κ₀) + ½c(κ(v) − κ₀)²,    κ(v) = εs‖D(β + v_β)‖_q

Along the robust path ‖Dβ‖_q falls long before samples turn round, which a straight line in ε
does not see. m is expanded in everything but that norm. About θ̂ and κ₀ = 0 its numbers are those
of the influence's own pass, and the slope of its minimiser at ε = 0 is the influence; for the
squared error it is the robust objective itself until a sample turns round. Where the loss is not a
square a second expansion, about what the first one predicts, takes a pass more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...solvers.cholesky import Factor, factorize
from ...solvers.norm_quadratic import Minimum, NormQuadratic, UnitHessian
from ...solvers.root import rising_root
from ...threat.attack_set import DualNorm
from ...utils.caching import cached_property
from ..finite_sum.working import WorkingCoordinates
from .sums import LinearSums
from .zero import ZeroModel, zero_model

Array = NDArray[Any]

_NEAR_ZERO = 0.1  # of the radius at which the expansion has no coefficients left
_NEED = c.NEED_GRADIENT | c.NEED_HESSIAN
_FURTHEST = 1.5  # times a step of the second expansion


@dataclass(frozen=True, eq=False)
class NormExpansion:
    """What robust training at any ε does to one linear predictor, predicted.

    Attributes
    ----------
    problem : LinearSums
        Every sample with a budget of its own, and H formed.
    cross : array (d,)
        E[ℓ'' sgn(ℓ') (v, 1)], where ℓ' = 0 with the shares that the right derivative gives it.
    """

    problem: LinearSums
    cross: Array
    _steps: dict[float, Array] = field(default_factory=dict, repr=False)

    # --- predictions ------------------------------------------------------------------------

    def step(self, eps: float) -> Array:
        """The predicted θ_ε − θ̂ (d,)."""
        if eps not in self._steps:
            self._steps[eps] = self._step(eps) if eps > 0.0 else np.zeros(len(self.problem.params))
        return self._steps[eps]

    def _step(self, eps: float) -> Array:
        problem = self.problem
        rho = eps * problem.radius
        least = self._minimum(self._origin, rho)
        first = self._leave(least.v)
        if not self._reads_rows:
            return first
        if self._is_near_zero(eps) and eps >= self.zero.radius:
            return np.asarray(self.zero.theta - problem.params)
        if problem.model.loss.is_quadratic or least.face is None:
            return first
        return first + self._second(first, rho)

    def ceiling(self, eps: float) -> float:
        """What θ_ε costs at most: no more than the model without attackable features.

        E ℓ(θ_ε) + α‖θ_ε‖² ≤ E max ℓ(θ_ε) + α‖θ_ε‖² ≤ E ℓ(θ₀) + α‖θ₀‖², on the data of the fit.
        """
        own = self.problem.evaluation is self.problem.source
        if not (own and self._reads_rows and self._is_near_zero(eps)):
            return np.inf
        return self._zero_cost

    @cached_property
    def _zero_cost(self) -> float:
        theta = self.zero.theta
        penalty = float(theta @ self.problem.shrinkage(theta))
        return self.problem.loss_change(theta, self.problem.source) + penalty

    def _is_near_zero(self, eps: float) -> bool:
        """Whether ε may be so large that nothing is left; else a fit is saved."""
        return eps * self.problem.radius >= _NEAR_ZERO * self._zero_budget

    @cached_property
    def _reads_rows(self) -> bool:
        """Whether there are rows, and in this process."""
        problem = self.problem
        return problem.keeps_rows and not problem.executor.is_remote(problem.source)

    @cached_property
    def zero(self) -> ZeroModel:
        """The best model without attackable features, and the ε from which it is optimal."""
        return zero_model(self.problem)

    @cached_property
    def _zero_budget(self) -> float:
        """About the ρ from which nothing is left: for squares never more than that.

        E|ℓ'| is at most the root of Eℓ'², and that is known from the change of the loss. The sides
        of the attacks at θ̂, which have turned round by then, would not do.
        """
        problem = self.problem
        v, gradient, _ = self._origin.zero
        step, sums = self._leave(v), problem.sums
        curvature = float(step @ (problem.hess_vec(step) - 2.0 * problem.shrinkage(step)))
        rise = sums.scalar(c.S_FF) * (2.0 * float(sums.gradient @ step) + curvature)
        return self._budget(gradient, float(np.sqrt(sums.scalar(c.S_F2) + max(rise, 0.0))))

    def _budget(self, gradient: Array, slope: float) -> float:
        """The least ρ at which the gradient at Dβ = 0 is in ρ slope ∂N(0)."""
        if not slope > 0.0:
            return np.inf
        return self._norm.gauge(gradient) / slope

    # --- the two expansions -----------------------------------------------------------------

    @cached_property
    def _work(self) -> WorkingCoordinates | None:
        return self.problem.coordinates

    @cached_property
    def _norm(self) -> DualNorm:
        """‖Dβ‖_q in working coordinates."""
        return self.problem.ball.dual_norm(None if self._work is None else self._work.units)

    def _leave(self, v: Array) -> Array:
        return v if self._work is None else self._work.leave(v)

    def _quadratic(
        self, unit: UnitHessian, gradient: Array, cross: Array, numbers: tuple[float, float, float],
        theta: Array,
    ) -> NormQuadratic:  # fmt: skip
        """m of numbers k, c and κ₀; everything in working coordinates."""
        free = self._norm.free
        return NormQuadratic(unit, gradient, cross, *numbers, theta[: free.size], free)

    @cached_property
    def _origin(self) -> NormQuadratic:
        """m about θ̂ and κ₀ = 0, where its gradient is zero."""
        problem, sums = self.problem, self.problem.sums
        inner, cross = problem.factor.inner, self.cross
        assert isinstance(inner, Factor)  # H is formed
        if self._work is not None:
            cross = self._work.gradient(cross)
        numbers = (sums.gain, sums.scalar(c.S_FF), 0.0)
        theta = problem.enter(problem.params)
        return self._quadratic(UnitHessian(inner), np.zeros(len(theta)), cross, numbers, theta)

    def _minimum(self, model: NormQuadratic, rho: float) -> Minimum:
        v, gradient, slope = model.zero
        if rho >= self._budget(gradient, slope):
            return Minimum(v, slope, None, 0)
        return model.minimise(rho, self._norm)

    def _second(self, first: Array, rho: float) -> Array:
        """By how much the expansion about the first one's prediction changes it."""
        theta = self.problem.params + first
        model = self._about(theta, rho, _NEED)
        if model is None:
            return np.zeros(len(first))
        move = self._leave(self._minimum(model, rho).v)
        if not np.isfinite(move).all():
            return np.zeros(len(first))
        return self._best_share(theta, move, rho) * move

    def _about(self, theta: Array, rho: float, need: int) -> NormQuadratic | None:
        """m about θ and its κ, from a pass there; without NEED_HESSIAN H and h are those of θ̂.

        None where numbers overflow, or H is singular.
        """
        problem, inner = self.problem, self.problem.enter(theta)
        kappa = rho * problem.ball.gain(theta[: problem.model.n_features])
        with np.errstate(over="ignore", invalid="ignore"):
            sums = problem.working_sweep().run(inner, need, kappa=kappa)
        if not sums.is_finite:
            return None
        unit, cross = self._origin.unit, self._origin.cross
        if need & c.NEED_HESSIAN:
            factor, cross = factorize(sums.hessian + self._ridge), sums.mixed_direction
            if factor is None:
                return None
            unit = UnitHessian(factor)
        gradient = sums.gradient + 2.0 * problem.alpha * self._penalized * inner
        numbers = (sums.gain, sums.scalar(c.S_KK), kappa)
        return self._quadratic(unit, gradient, cross, numbers, inner)

    def turned(self, eps: float) -> float:
        """The share of the weight whose attack turns round on the way to the prediction."""
        problem, loss = self.problem, self.problem.model.loss
        f, change, y = problem.moves(self.step(eps))
        beta = (problem.params + self.step(eps))[: problem.model.n_features]
        kappa = eps * problem.radius * problem.ball.gain(beta)
        turned = loss.worse_end(f, y, 0.0) != loss.worse_end(f + change, y, kappa)
        return problem.source.mean(turned.astype(float))

    def bend(self, eps: float, influence: Array) -> float:
        """How far θ̂ + εI is from the prediction, relative to how far that is from θ̂.

        Both are measured by H. No sample need turn round for that: the norm bends.
        """
        step = self.step(eps)
        lengths = [
            float(v @ self.problem.hess_vec(v)) for v in (eps * influence - step, step)
        ]
        return float(np.sqrt(max(lengths[0], 0.0) / lengths[1])) if lengths[1] > 0.0 else 0.0

    def why_bent(self, eps: float, influence: Array) -> str:
        """The bend of the norm."""
        return "the norm of the coefficients has bent"

    @property
    def measures(self) -> bool:
        """Whether `departure` and `turned` can be had: rows are there."""
        return self._reads_rows

    def departure(self, eps: float) -> float:
        """How far the prediction is from θ_ε, relative to how far it is from θ̂.

        By a Newton step from the prediction for m about it with θ̂'s H, which takes a pass.
        """
        step, rho = self.step(eps), eps * self.problem.radius
        if not step.any() or (self._is_near_zero(eps) and eps >= self.zero.radius):
            return 0.0
        model = self._about(self.problem.params + step, rho, c.NEED_GRADIENT)
        if model is None or not self._norm.value(model.beta) > 0.0:
            return np.inf
        move = self._leave(model.newton_step(rho, self._norm.face(model.beta)))
        lengths = [float(v @ self.problem.hess_vec(v)) for v in (move, step)]
        return float(np.sqrt(max(lengths[0], 0.0) / lengths[1]))

    @cached_property
    def _penalized(self) -> Array:
        """P, a diagonal, in working coordinates."""
        entries = self.problem.penalized
        return entries if self._work is None else self._work.penalized(entries)

    @cached_property
    def _ridge(self) -> Array:
        """2αP + damping in working coordinates, (d, d)."""
        problem, d = self.problem, len(self.problem.params)
        eye = np.eye(d) if self._work is None else self._work.damping(d)
        ridge = problem.added_damping * eye
        ridge[np.diag_indices(d)] += 2.0 * problem.alpha * self._penalized
        return np.asarray(ridge)

    def _best_share(self, theta: Array, move: Array, rho: float) -> float:
        """The share t of a move at which the robust objective is least along it."""
        problem, m = self.problem, self.problem.model.n_features
        sweep, ball = problem.working_sweep(), problem.ball
        f, change = (sweep.predictions(problem.enter(x)) for x in (theta, move))
        y, loss, mean = problem.source.targets(), problem.model.loss, problem.source.mean

        def slope(t: float) -> float:
            at, predicted = theta + t * move, f + t * change
            kappa = rho * ball.gain(at[:m])
            speed = rho * float(ball.gain_gradient(at[:m]) @ move[:m])
            side = loss.worse_end(predicted, y, kappa)
            with np.errstate(over="ignore", invalid="ignore"):
                ends = loss.slope(predicted + side * kappa, y)
                total = mean(ends * (change + side * speed))
            total += 2.0 * float(move @ problem.shrinkage(at))
            return total if np.isfinite(total) else np.inf

        return rising_root(slope, _FURTHEST)

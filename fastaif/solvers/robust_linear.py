"""Exact robust optima of linear-predictor models, for every p and convex loss.

    minimise J(θ) = E ψ(f_i, κ) + α ‖β‖²,   ψ = max ℓ(f ± κ) = S + |c|,   κ = ρ ‖Dβ‖_q

(S and c are half the sum and half the difference of the loss at the two ends.) J is
convex, with kinks where some c_i = 0 and where the norm has one. Three stages, each
taken only when the one before did not reach the tolerance:

1. Newton from θ̂ with the ends as they are: enough while no sample has flipped;
2. is Dβ = 0 optimal? Its subgradient condition is checked exactly;
3. |c| and the norm are smoothed, the width falls, and after each fall an active-set
   method (`active_set`) tries to finish on the kinks that the smoothed solution shows.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import _types as c
from .._sums import InfluenceSums, Sweep
from ..norms import dual_direction, lp_norm, smooth_norm
from .active_set import Point, polish
from .cholesky import factorize
from .newton import Local, minimize

Array = NDArray[Any]
_NEED = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK


class PassLimit(Exception):  # noqa: N818 - ends a search, and is no error
    """The bound on passes over the data was reached."""


@dataclass
class RobustProblem:
    """J and its parts.

    Attributes
    ----------
    sweep : Sweep
    alpha : float
    penalized : array (d,)
    weights : array (m,)
        D; 0 where a feature cannot be attacked.
    q, rho : float
        The dual exponent and the budget ρ = ε s.
    limit, n_passes : int
        Bound on the passes over the data, and how many there were so far.
    best : Point or None
        The point of smallest subgradient met so far.
    smooth_optimum : array (d,) or None
        Where the narrowest smoothed problem solved so far has its minimum.
    size : float
        ‖Dβ‖_q at the start: the unit of widths.
    """

    sweep: Sweep
    alpha: float
    penalized: Array
    weights: Array
    p: float
    q: float
    rho: float
    limit: int = 1000
    n_passes: int = 0
    best: Point | None = None
    smooth_optimum: Array | None = None
    size: float = 0.0

    @property
    def m(self) -> int:
        """The number of coefficients."""
        return self.weights.size

    def norm(self, theta: Array) -> float:
        """‖Dβ‖_q."""
        return float(lp_norm(self.weights * theta[: self.m], self.q))

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> InfluenceSums:
        """One pass at θ.

        Raises
        ------
        PassLimit
            There were as many as allowed.
        """
        if self.n_passes >= self.limit:
            raise PassLimit
        self.n_passes += 1
        return self.sweep.run(
            theta, _NEED, kappa=kappa, smoothing=smoothing, multiplier=multiplier
        )

    def offer(self, point: Point) -> None:
        """Keep a point if it is the best so far.

        Where a loss only reaches its infimum at infinity its slopes vanish on the way, and
        a small gradient there proves nothing.
        """
        escaping = self.sweep.loss.name in ("logistic", "poisson") and self.alpha == 0.0
        if escaping and point.slope < 1e-12:
            return
        if self.best is None or point.residual < self.best.residual:
            self.best = point

    def solved(self, tol: float) -> bool:
        """Whether some point met the tolerance."""
        return self.best is not None and self.best.residual <= tol

    def penalty(self, theta: Array) -> float:
        """α ‖θ_pen‖²."""
        return self.alpha * float(self.penalized @ theta**2)

    def objective(self, theta: Array) -> float:
        """J(θ)."""
        return self.sums(theta, self.rho * self.norm(theta)).loss + self.penalty(theta)

    def smoothed(self, theta: Array, width: float, smoothing: float) -> Local:
        """J with |c| → √(c² + smoothing²) and the norm smoothed to `width`."""
        free = self.weights > 0
        scale = self.weights[free]
        norm, z, curvature = smooth_norm(scale * theta[: self.m][free], self.q, width)
        sums = self.sums(theta, self.rho * norm, smoothing)
        k = np.zeros(theta.size)
        k[: self.m][free] = self.rho * scale * z
        bend = np.zeros((theta.size, theta.size))
        block = np.ix_(np.flatnonzero(free), np.flatnonzero(free))
        bend[block] = self.rho * scale[:, None] * curvature * scale
        return assemble(self, theta, sums, k, bend)


def assemble(
    problem: RobustProblem, theta: Array, sums: InfluenceSums, k: Array, bend: Array
) -> Local:
    """Value, gradient and Hessian of J from the sums in (f, κ) and κ's derivatives.

    ∇J = E ψ_f (v,1) + E ψ_κ k + 2αθ_pen and
    ∇²J = E ψ_ff (v,1)(v,1)ᵀ + h kᵀ + k hᵀ + E ψ_κκ kkᵀ + E ψ_κ ∇²κ + 2α, h = E ψ_fκ (v,1).
    """
    gradient = sums.gradient + sums.gain * k + 2.0 * problem.alpha * problem.penalized * theta
    cross = np.outer(sums.mixed_direction, k)
    hessian = sums.hessian + cross + cross.T + sums.scalar(c.S_KK) * np.outer(k, k)
    hessian += max(sums.gain, 0.0) * bend
    hessian[np.diag_indices_from(hessian)] += 2.0 * problem.alpha * problem.penalized
    value = sums.loss + problem.penalty(theta)
    if not np.isfinite(value):
        value = np.inf
    return Local(value, gradient, hessian, sums.yardstick)


@dataclass(frozen=True)
class RobustOptimum:
    """The best point found."""

    theta: Array
    objective: float
    residual: float
    gap: float
    n_passes: int
    converged: bool


def solve(problem: RobustProblem, theta: Array, tol: float = 1e-12) -> RobustOptimum:
    """Minimise J from θ̂.

    Parameters
    ----------
    problem : RobustProblem
    theta : array (d,)
        The natural optimum, or any start.
    tol : float
        Bound on the least subgradient's norm relative to ``E |ψ_f| ‖(v, 1)‖``.
    """
    # A trial step may overflow the loss; the values then say so and it is not taken.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        with contextlib.suppress(PassLimit):
            _search(problem, theta, tol)
        n_passes, problem.limit = problem.n_passes, problem.n_passes + 10
        best = problem.best if problem.solved(tol) else _lowest(problem, theta)
        assert best is not None
        return RobustOptimum(
            best.theta, problem.objective(best.theta), best.residual, _gap(best), n_passes,
            problem.solved(tol),
        )  # fmt: skip


def _search(problem: RobustProblem, theta: Array, tol: float) -> None:
    """The three stages; the best point is left in `problem.best`."""
    polish(problem, theta, None, tol, 12)
    if problem.solved(tol):
        return
    zero = _at_zero(problem, theta, tol)
    problem.offer(zero)
    if not problem.solved(tol):
        better = problem.objective(theta) <= problem.objective(zero.theta)
        problem.size = problem.norm(theta)
        # A natural fit that interpolates has no slope left: without predictors there is some.
        slope = max(problem.sums(point, 0.0).gain for point in (theta, zero.theta))
        if problem.size > 0.0 and slope > 0.0:
            _continuation(problem, theta if better else zero.theta, zero.theta, slope, tol)


def _lowest(problem: RobustProblem, theta: Array) -> Point:
    """Where no point met the tolerance: the lowest seen, with one of its subgradients."""
    candidates = [theta, problem.smooth_optimum]
    if problem.best is not None:
        candidates.append(problem.best.theta)
    points = [_with_subgradient(problem, x) for x in candidates if x is not None]
    return min(points, key=lambda point: point.local.value)


def _with_subgradient(problem: RobustProblem, x: Array) -> Point:
    sums = problem.sums(x, problem.rho * problem.norm(x))
    k = np.zeros(x.size)
    k[: problem.m] = problem.weights * dual_direction(problem.weights * x[: problem.m], problem.p)
    local = assemble(problem, x, sums, problem.rho * k, np.zeros((x.size, x.size)))
    return Point(x, local, local.gradient, local.residual, sums.gain)


def _gap(point: Point) -> float:
    """Half the squared Newton decrement over the objective: the gap to second order."""
    factor = factorize(point.local.hessian)
    if factor is None or point.local.value == 0.0:
        return float("nan")
    decrement = float(point.gradient @ factor.solve(point.gradient))
    return 0.5 * decrement / abs(point.local.value)


def _at_zero(problem: RobustProblem, theta: Array, tol: float) -> Point:
    """The best θ with Dβ = 0, and the least subgradient of J there.

    On Dβ = 0 the objective is the natural one. A subgradient of J adds ρ E|ℓ'| D z with
    ‖z‖_p ≤ 1: the gradient g of the attackable coefficients is cancelled where
    ‖D⁻¹ g‖_p ≤ ρ E|ℓ'|, and else all but the part outside that ball remains.
    """
    attacked = np.zeros(theta.size, dtype=bool)
    attacked[: problem.m] = problem.weights > 0
    kept = np.flatnonzero(~attacked)

    def embed(part: Array) -> Array:
        full = np.zeros(theta.size)
        full[kept] = part
        return full

    def full_local(point: Array) -> tuple[Local, InfluenceSums]:
        sums = problem.sums(point, 0.0)
        nothing = np.zeros(theta.size)
        return assemble(problem, point, sums, nothing, np.zeros((theta.size,) * 2)), sums

    def evaluate(part: Array) -> Local:
        local, _ = full_local(embed(part))
        block = local.hessian[np.ix_(kept, kept)]
        return Local(local.value, local.gradient[kept], block, local.yardstick)

    start = np.zeros(kept.size)
    if kept.size:
        start = minimize(evaluate, _zero_start(problem, theta, kept), tol=tol).x
    point = embed(start)
    local, sums = full_local(point)
    left = local.gradient.copy()
    scale = problem.weights[problem.weights > 0]
    inner = left[attacked] / scale
    budget = problem.rho * sums.gain
    size = float(lp_norm(inner, problem.p))
    left[attacked] *= 0.0 if size <= budget else 1.0 - budget / size
    residual = float(np.linalg.norm(left)) / (local.yardstick or 1.0)
    return Point(point, local, left, residual, sums.gain)


def _zero_start(problem: RobustProblem, theta: Array, kept: Array) -> Array:
    """Zero, but for an intercept that fits the mean target."""
    start = np.zeros(theta.size)
    if theta.size > problem.m:
        source = problem.sweep.source
        start[-1] = problem.sweep.loss.null_prediction(source.mean(source.targets()))
    return start[kept]


def _continuation(
    problem: RobustProblem, x: Array, zero: Array, slope: float, tol: float
) -> None:
    """Smoothed problems of falling width, each followed by a try on its kinks.

    Widths are relative to the norm at θ̂ and to `slope`, of the loss. The first is small
    enough that smoothing the norm moves κ by little on the scale of the loss's curvature.
    """
    size = problem.size
    spread = problem.rho * np.count_nonzero(problem.weights) ** (1.0 / problem.q)
    curved = problem.sweep.loss.name in ("logistic", "poisson")
    width = min(0.1 * size, 0.5 / spread) if curved else 0.1 * size
    while width > 1e-14 * size:
        smoothing = problem.rho * width * slope

        def evaluate(point: Array, w: float = width, s: float = smoothing) -> Local:
            return problem.smoothed(point, w, s)

        if problem.smooth_optimum is None and evaluate(zero).value < evaluate(x).value:
            x = zero
        x = minimize(evaluate, x, tol=max(1e-2 * width / size, tol), max_iter=40).x
        problem.smooth_optimum = x
        if width <= 2e-3 * size:
            # Kinks whose multiplier is near its bound lie many widths away: the narrower
            # the widths, the more of them can be told from samples that are merely close.
            reach = min(max(10.0, 1e-3 * size / width), 1000.0)
            polish(problem, x, Hint(width, smoothing, reach), tol, 25)
            if problem.solved(tol):
                return
        width *= 0.1


@dataclass(frozen=True)
class Hint:
    """The widths at which the start of a polish was smoothed, and how many of them away a
    kink may be."""

    width: float
    smoothing: float
    reach: float

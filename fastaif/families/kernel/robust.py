"""Adversarial training of kernel regressions with moving centres.

    R(θ) = max L(θ, X + δ) over ‖δ_k / c‖_p ≤ ε s,   L = E (Kθ − y)² + α ‖θ‖² or α θᵀKθ

The inputs are coupled through the Gram matrix, so that all are attacked at once, and the
penalty θᵀKθ moves with them. Each L(·, X + δ) is a convex quadratic, and so R is convex. By
Danskin's theorem its gradient is that of L at the maximiser: where R is smooth, at small ε,
Newton's method on L with a memory of the curvature that the maximiser's own move adds finds
the optimum. At a kink, where several attacks are equally bad, R is approximated by the
maximum of the quadratics of all attacks met, which also bounds its minimum from below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import blas_for_solves
from ...solvers.anderson import Anderson
from ...solvers.bundle import Cut, best_mixture
from ...solvers.monitored_newton import steadily
from ...solvers.newton import Local
from ...threat.ascent_settings import PgdSettings
from ..adversary import Optimum
from .attack import Attacked, ascend, worst
from .fit import fit_dual
from .problem import MovingCentersProblem

Array = NDArray[Any]

USUAL = PgdSettings(n_steps=100)
_REPEATED, _NEARLY = 1e-14, 1e-11  # changes of θ from one fit to the next, relative
_ROUNDS = 60
_ROUNDED = 1e-15  # a gap within rounding
_PROVEN = 1e-9  # the gap within which an optimum counts as found
_PATIENCE = 5  # rounds in which a gap below _SMALL has to fall by a third
_SMALL = 0.02
_FAR = 1e-3  # a relative gap
_CLOSE = 1e-3  # attacks that are worse by no more than this part of R become pieces as well
_SAME = 1e-9  # attacks closer than this, in units of their size, make the same piece
_RIVALS = 4  # attacks that are tried again at every new θ


class _Objective:
    """R at θ, with the last attack as the start of the next."""

    def __init__(
        self, problem: MovingCentersProblem, radius: float, settings: PgdSettings
    ) -> None:
        self.problem, self.radius, self.settings, self.n_passes = problem, radius, settings, 0
        self.attack: Attacked | None = None

    def attacked(self, theta: Array) -> Attacked:
        """The attack on θ."""
        self.n_passes += 1
        self.problem.executor.tick()
        start = None if self.attack is None else self.attack.delta
        self.attack = worst(self.problem, theta, self.radius, start, self.settings)
        return self.attack

    def __call__(self, theta: Array) -> Local:
        """R, its gradient, and the Hessian of L at the attack."""
        attack, problem = self.attacked(theta), self.problem
        K, omega = attack.gram.K, problem.weights
        slope = omega * (K @ theta - problem.targets)
        hessian = K @ (omega[:, None] * K)
        if problem.is_rkhs:
            gradient = K @ (slope + problem.alpha * theta)
            hessian += problem.alpha * K
        else:
            gradient = K @ slope + problem.alpha * theta
            hessian[np.diag_indices(len(K))] += problem.alpha
        yardstick = 2.0 * float(np.abs(slope) @ np.linalg.norm(K, axis=1))
        return Local(attack.objective, 2.0 * gradient, 2.0 * hessian, yardstick)


def solve(
    problem: MovingCentersProblem, eps: float, tol: float, max_iter: int | None,
    settings: PgdSettings,
) -> Optimum:  # fmt: skip
    """argmin R, from θ̂: as a smooth function first, and by its pieces where that fails."""
    radius, limit = eps * problem.radius, 500 if max_iter is None else max_iter
    objective = _Objective(problem, radius, settings)
    found = _by_refits(objective, problem.params, limit)
    if found is None:
        smooth = steadily(objective, problem.params, tol, limit)
        if not smooth.converged or _has_rival(objective, smooth.x):
            return _by_pieces(objective, smooth.x, tol, limit)
        found = _by_refits(objective, smooth.x, limit)
        found = smooth.x if found is None else found
    elif _has_rival(objective, found):
        return _by_pieces(objective, found, tol, limit)
    return _finish(objective, found, tol)


def _finish(objective: _Objective, theta: Array, tol: float) -> Optimum:
    """An optimum where R is smooth: its residual, and half the squared Newton decrement."""
    local = objective(theta)
    step = np.linalg.lstsq(local.hessian, local.gradient, rcond=None)[0]
    gap = 0.5 * abs(float(local.gradient @ step)) / (abs(local.value) or 1.0)
    converged = local.residual <= max(tol, 1e-11) or gap <= _ROUNDED
    return Optimum(theta, local.value, local.residual, gap, objective.n_passes, converged)


def _by_refits(objective: _Objective, theta: Array, limit: int) -> Array | None:
    """The fixed point of "best attack, then best θ", or None where that is no contraction.

    Each fit is in closed form, and so keeps the digits that normal equations lose; where K is
    singular it is the one of many equal θ that natural fits choose as well.
    """
    problem, memory, least, since, first = objective.problem, Anderson(), np.inf, 0, np.inf
    while objective.n_passes < limit:
        attack = objective.attacked(theta)
        first = min(first, attack.objective)
        target = fit_dual(
            attack.gram.K.copy, problem.targets, problem.weights, problem.alpha, problem.penalty
        )[0]
        change = float(np.linalg.norm(target - theta) / np.linalg.norm(target))
        since = 0 if change < 0.5 * least else since + 1
        least = min(least, change)
        if change <= _REPEATED or (since > 2 and least <= _NEARLY):
            return target if attack.objective <= first * (1.0 + 1e-9) else None
        if since > 2:
            return None
        theta = memory.extrapolate(theta, target)
    return None


def _has_rival(objective: _Objective, theta: Array) -> bool:
    """Whether another attack is worse than the one that was followed."""
    assert objective.attack is not None
    known = objective.attack
    for start in (None, -known.delta):
        n_steps = objective.settings.n_steps
        other = ascend(objective.problem, theta, objective.radius, start, n_steps)
        if other.objective > known.objective + _PROVEN * abs(known.objective):
            return True
    return False


def _by_pieces(objective: _Objective, theta: Array, tol: float, limit: int) -> Optimum:
    """Cutting planes made of quadratics: the gap between both bounds is what is proven."""
    pieces = _Pieces(objective.problem, objective.radius, objective.settings)
    best, value, low, enough, inward = theta, np.inf, -np.inf, 0.0, 0.0
    passes, gaps = objective.n_passes, []
    for _ in range(min(_ROUNDS, max(limit - passes, 2))):
        passes += 1
        reached = pieces.attack(theta, enough)
        if enough > 0.0 and (reached < value or reached - low < enough):
            reached = pieces.attack(theta, 0.0)
        # Far from the optimum the pieces' minimiser overshoots: then stay closer to the best.
        inward = 0.5 * inward if reached < value else max(inward, 0.5) ** 0.7
        best, value = pieces.lowest(theta, reached)
        gaps.append((value - low) / (abs(value) or 1.0))
        if gaps[-1] <= max(tol, _PROVEN) or _is_stuck(gaps):
            break
        theta, bound = pieces.best()
        low = max(low, bound)
        enough = 0.1 * max(value - low, 0.0)
        if value - low > _FAR * abs(value):
            theta = inward * best + (1.0 - inward) * theta
    gap = max(value - low, 0.0) / (abs(value) or 1.0)
    residual = pieces.residual(best)
    return Optimum(best, value, residual, gap, passes, gap <= max(tol, _PROVEN))


def _is_stuck(gaps: list[float]) -> bool:
    """Whether many attacks are nearly equally bad: the gap is small, and hardly closes."""
    if len(gaps) <= _PATIENCE:
        return False
    return gaps[-1] < _SMALL and gaps[-1] > 0.7 * gaps[-1 - _PATIENCE]


@dataclass
class _Pieces:
    """The quadratics of the attacks met so far, and their shares in the best mixture.

    `points` are the θ that were tried, `values` the most that any attack has reached there.
    """

    problem: MovingCentersProblem
    radius: float
    settings: PgdSettings
    cuts: list[Cut] = field(default_factory=list)
    deltas: list[Array] = field(default_factory=list)
    shares: Array = field(default_factory=lambda: np.empty(0))
    points: list[Array] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def lowest(self, theta: Array, value: float) -> tuple[Array, float]:
        """The best point so far, after R was found to be `value` at θ."""
        self.points.append(theta)
        self.values.append(value)
        place = int(np.argmin(self.values))
        return self.points[place], self.values[place]

    def attack(self, theta: Array, enough: float) -> float:
        """R(θ): the worst of ascents from the attacks that matter, which becomes a piece.

        Every attack makes a valid piece: far from the optimum they need not be exact.
        """
        self.problem.executor.tick()
        rivals = np.argsort([-cut.value(theta) for cut in self.cuts])[:_RIVALS]
        starts = [None, *(self.deltas[k] for k in rivals)]
        steps = self.settings.n_steps
        tried = [
            ascend(self.problem, theta, self.radius, start, steps, enough) for start in starts
        ]
        worst = max(tried, key=lambda found: found.objective)
        close = worst.objective - _CLOSE * abs(worst.objective)
        for found in tried if self.cuts else [worst]:
            if found.objective > close and not self._knows(found.delta):
                self._add(found)
        return worst.objective

    def _knows(self, delta: Array) -> bool:
        """Whether an attack is one of those met before, as far as matters."""
        width = _SAME * np.abs(delta).max()
        return any(bool(np.abs(delta - old).max() <= width) for old in self.deltas)

    def _add(self, found: Attacked) -> None:
        problem, K = self.problem, found.gram.K
        scaled = problem.weights[:, None] * K
        A = K @ scaled
        if problem.is_rkhs:
            A += problem.alpha * K
        else:
            A[np.diag_indices(len(A))] += problem.alpha
        y = problem.targets
        self.cuts.append(Cut(A, y @ scaled, float(problem.weights @ y**2)))
        self.deltas.append(found.delta)
        last = self.cuts[-1]
        self.values = [
            max(value, last.value(point))
            for value, point in zip(self.values, self.points, strict=True)
        ]
        first = 1.0 if len(self.cuts) == 1 else 0.0
        self.shares = np.append(self.shares, first)

    def best(self) -> tuple[Array, float]:
        """The minimiser of the pieces' maximum, and the bound that it proves."""
        with blas_for_solves(len(self.problem.params)):
            found = best_mixture(self.cuts, self.shares)
        self.shares = found.shares
        return found.theta, found.bound

    def residual(self, theta: Array) -> float:
        """The norm of the mixture's gradient, relative to that of its parts."""
        mixed, size = np.zeros(theta.shape), 0.0
        for share, cut in zip(self.shares, self.cuts, strict=True):
            pulled = cut.A @ theta
            mixed += share * (pulled - cut.b)
            size += share * float(np.linalg.norm(pulled) + np.linalg.norm(cut.b))
        return float(np.linalg.norm(mixed)) / (size or 1.0)

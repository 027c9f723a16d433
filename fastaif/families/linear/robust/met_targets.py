"""Order 2 and the squared error where fits may meet every target: J = (A + κ)² + α θᵀPθ there.

A = √(E r²) has its kink where all residuals vanish, and Newton's method stops short of it. That the
minimum lies there is known from own budgets, of which each is a small part of the shared one:

    c² [E (|r| + κ/c)² + α/c² θᵀPθ]

for c² w̄ ≥ 1 meets the targets wherever the other does, and its multipliers h are the other's where
Σ h²/w̄ ≤ 1. Else A is positive at the minimum, to which √(E r² + σ²) leads as σ falls.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .certificate import duality_gap
from .objective import RobustProblem
from .order_2 import RootMultipliers, RootProblem
from .solve import RobustOptimum, solve

Array = NDArray[Any]
_FEW = 40  # passes that are made before any of this
_FIRST, _FALLS, _LAST = 0.3, 0.3, 1e-11  # σ over √J, and how it falls
_LOOSE = 1e-10  # residual of what leads to the next: its gap is not to be had
_ENOUGH = 1e-12  # a gap that σ need not lower
_PROVEN = 1e-9  # a gap that counts as converged though a stricter search did not end


def solve_order_2(problem: RootProblem, theta: Array, tol: float) -> RobustOptimum:
    """The minimum of J from θ, whether it meets every target or not.

    Parameters
    ----------
    problem : RootProblem
    theta : array (d,)
    tol : float
        As of `solve`.
    """
    design = problem.design
    if design.weights.size > design.n_columns or problem.l1 is not None:
        return solve(problem, theta, tol)
    limit, problem.limit = problem.limit, min(problem.limit, _FEW)
    found = solve(problem, theta, tol)
    for other in (_meeting, _softened):
        if found.converged or found.n_passes >= limit:
            break
        left = dataclasses.replace(problem, limit=limit - found.n_passes, n_passes=0, best=None)
        found = _better(found, other(left, found, tol), tol)
    return found


def _better(found: RobustOptimum, other: RobustOptimum, tol: float) -> RobustOptimum:
    """The lower one, with the better proof of both."""
    bounds = [one.objective - one.gap * abs(one.objective) for one in (found, other)]
    best = min(found, other, key=lambda one: one.objective)
    gap = max(best.objective - max(bounds), 0.0) / (abs(best.objective) or 1.0)
    return dataclasses.replace(
        best, gap=gap, n_passes=found.n_passes + other.n_passes,
        converged=gap <= max(tol, _PROVEN), why="" if gap <= max(tol, _PROVEN) else found.why,
    )  # fmt: skip


def _meeting(problem: RootProblem, found: RobustOptimum, tol: float) -> RobustOptimum:
    """The best fit that meets every target, by own budgets."""
    c = 1.0 / float(np.sqrt(problem.design.weights.min()))
    own = RobustProblem(
        problem.sweep, problem.alpha / c**2, problem.penalized, problem.weights, problem.p,
        problem.q, problem.rho / c, problem.limit,
    )  # fmt: skip
    met = solve(own, found.theta, tol)
    f = problem.design.predict(met.theta)
    value, gap, point = _value(problem, met.theta, f), np.inf, _multipliers(own, c)
    if point is not None:
        gap = duality_gap(problem, problem.design, met.theta, point, f) / (abs(value) or 1.0)
    return dataclasses.replace(met, objective=value, gap=gap)


def _multipliers(own: RobustProblem, c: float) -> RootMultipliers | None:
    """h of own budgets, shortened to what order 2 allows."""
    design, best = own.design, own.best
    if best is None or best.rows is None:
        return None
    rows = best.rows.at(design.predict(best.theta))
    slope = c * rows.along_kappa
    if not slope > 0.0:
        return None
    h = (c**2 / slope) * rows.along_f
    h /= max(1.0, float(np.sqrt(np.sum(h**2 / design.weights))))
    return RootMultipliers(design.targets, design.weights, h, slope)


def _softened(problem: RootProblem, found: RobustOptimum, tol: float) -> RobustOptimum:
    """By minima of (√(E r² + σ²) + κ)² + α θᵀPθ, σ falling."""
    size, passes, share = float(np.sqrt(found.objective)), 0, _FIRST
    while share > _LAST and passes < problem.limit:
        part = dataclasses.replace(
            problem, soft=share * size, limit=problem.limit - passes, n_passes=0, best=None
        )
        found = solve(part, found.theta, min(tol, _LOOSE))
        passes += found.n_passes
        if found.gap <= max(tol, _ENOUGH):
            break
        share *= _FALLS
    value = _value(problem, found.theta, problem.design.predict(found.theta))
    # What is proven of σ's minimum is above J's own by no more than that.
    more = (found.objective - value) / (abs(value) or 1.0)
    return dataclasses.replace(found, objective=value, gap=found.gap + more, n_passes=passes)


def _value(problem: RootProblem, theta: Array, f: Array) -> float:
    design, kappa = problem.design, problem.rho * problem.norm(theta)
    return problem.worst(f, design.targets, kappa, design.weights) + problem.penalty(theta)

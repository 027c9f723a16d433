"""A bound on how far a robust objective is from its minimum, from a point of the dual problem.

With the rows bounded from below by gᵀf + Kκ − const (`dual_points`),

    J(θ) ≥ Gᵀθ + ρK‖Dβ‖_q + α‖β‖² + Σλ|θ| − const,  G = Zᵀg,

whose least value is known where ‖D⁻¹(G + μ + 2αPθ̃)‖_p ≤ ρK for some θ̃ and some |μ| ≤ λ: it is
−αθ̃ᵀPθ̃ − const. The difference to J is a sum of terms none of which is negative. What bounds J
without its penalty bounds J as well, and more tightly where the penalty is small.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....norms import lp_norm
from .design import Design
from .dual_points import DualPoint
from .objective import RobustProblem

Array = NDArray[Any]
_ROUNDING = 1e-14  # of a sum of slopes times a column, relative to the slopes and the column's size


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def duality_gap(
    problem: RobustProblem, design: Design, theta: Array, rows: DualPoint, f: Array | None = None
) -> float:
    """J(θ) less what the dual point proves to be a lower bound; ∞ where it proves none.

    Predictions f are made where they are not given.
    """
    f = design.predict(theta) if f is None else f
    found = _gap(problem, design, theta, rows, f)
    ridge = problem.alpha * float(problem.penalized @ theta**2)
    if problem.alpha > 0.0 and not found <= ridge:
        free = dataclasses.replace(problem, alpha=0.0)
        found = min(found, ridge + _gap(free, design, theta, rows, f))
    return found


def _gap(
    problem: RobustProblem, design: Design, theta: Array, rows: DualPoint, f: Array
) -> float:
    """The same with a penalty that takes up what slope is left: one that is nothing beside the
    data, in their units, turns the rounding of that slope into any gap whatever."""
    kappa = problem.rho * problem.norm(theta)
    pulled = design.pull(rows.along_f[:, None])[:, 0]
    weight = problem.rho * rows.along_kappa
    need = _need(problem, pulled)
    if need > weight > 0.0:
        rows = rows.raised((1.0 + 1e-15) * need / weight)
        pulled = design.pull(rows.along_f[:, None])[:, 0]
        weight = problem.rho * rows.along_kappa
    steep = float(np.abs(rows.along_f).sum())
    gap = rows.lost(f, kappa) + _coupling_gap(problem, design, theta, pulled, weight, steep)
    return gap if np.isfinite(gap) else np.inf


def _need(problem: RobustProblem, pulled: Array) -> float:
    """‖D⁻¹G‖_p, which K has to reach if no penalty takes its part."""
    free = problem.weights > 0
    if problem.alpha > 0.0 and problem.penalized[: problem.m][free].any():
        return 0.0
    left = pulled - _l1_part(problem, pulled)
    return float(lp_norm(left[: problem.m][free] / problem.weights[free], problem.p))


def _l1_part(problem: RobustProblem, slope: Array) -> Array | float:
    """What of a slope the l1 term takes up, −μ."""
    return 0.0 if problem.l1 is None else np.clip(slope, -problem.l1, problem.l1)


def _coupling_gap(
    problem: RobustProblem, design: Design, theta: Array, pulled: Array, weight: float, steep: float
) -> float:
    """Of Gᵀθ + K‖Dβ‖_q + αθᵀPθ + Σλ|θ| and its least value."""
    push = 2.0 * problem.alpha * problem.penalized
    left, force = _balanced(problem, theta, pulled, weight)
    held = push > 0.0
    other = theta.copy()
    other[held] -= left[held] / push[held]
    gap = weight * problem.norm(theta) - float(force @ theta)
    if problem.l1 is not None:
        gap += float(problem.l1 @ np.abs(theta))
    gap += problem.alpha * float(problem.penalized @ (theta - other) ** 2)
    return max(gap, 0.0) + _unbounded(
        problem, design, theta, np.where(held, 0.0, left), steep
    )  # fmt: skip


def _balanced(
    problem: RobustProblem, theta: Array, pulled: Array, weight: float
) -> tuple[Array, Array]:
    """What no multipliers Du of the norm, ‖u‖_p ≤ K, and |μ| ≤ λ of the l1 term take up of the
    slope at θ; and Du + μ."""
    m, D = problem.m, problem.weights
    free = D > 0
    slope = pulled + 2.0 * problem.alpha * problem.penalized * theta
    held = _l1_part(problem, slope)
    stays = slope - held
    u = np.zeros(theta.size)
    u[:m][free] = -stays[:m][free] / D[free]
    size = float(lp_norm(u[:m][free], problem.p))
    if size > weight:
        u *= max(weight, 0.0) / size
    Du = np.zeros(theta.size)
    Du[:m] = D * u[:m]
    return stays + Du, Du - held


def leftover(problem: RobustProblem, design: Design, theta: Array, rows: DualPoint) -> float:
    """The norm of the slope at θ that a dual point leaves, relative to its terms."""
    g = rows.along_f
    pulled = design.pull(g[:, None])[:, 0]
    left, _ = _balanced(problem, theta, pulled, problem.rho * rows.along_kappa)
    return float(np.linalg.norm(left)) / (design.yardstick(g) or 1.0)


def _unbounded(
    problem: RobustProblem, design: Design, theta: Array, left: Array, steep: float
) -> float:
    """Rounding leaves a slope that nothing bounds: over moves as large as θ itself it is little.

    Losses whose predictions have a scale of their own, such as the logarithm of a mean, may have
    θ = 0 with all of the slope still there: moves of two units of the prediction are added, for
    what is more than the rounding of a sum of slopes of size `steep`.
    """
    if not left.any():
        return 0.0
    reach = 2.0 * np.abs(theta)
    more = 0.0
    if not problem.sweep.loss.is_of_residuals:
        sizes = np.maximum(design.sizes, np.finfo(float).tiny)
        known = np.maximum(np.abs(left) - _ROUNDING * steep * sizes, 0.0)
        more = float(known @ (2.0 / sizes))
    free = problem.weights > 0
    reach[: problem.m][free] += problem.norm(theta) / problem.weights[free]
    return float(np.abs(left) @ reach) + more

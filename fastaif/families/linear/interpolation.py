"""Up to which ε robust training of a wide model fits every target exactly.

With fewer rows than parameters, without a penalty and for a loss of the residual, the robust
optimum is at first the interpolating θ of least N = ‖Dβ‖_q, unchanged. Let a be a dual solution,

    max yᵀa,  ‖D⁻¹ Xᵀa‖_p ≤ 1,  Fᵀa = 0  (F: the columns that nobody attacks, ones among them);

a row's multiplier is εs a_i/w̄_i, and has to be in [−1, 1]: ε ≤ 1 / (s max |a_i|/w̄_i), for the a of
least such maximum (Ribeiro, Zachariah, Bach & Schön, 2023, have it for p = 2 and ∞).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .robust.design import Design

if TYPE_CHECKING:
    from .problem import LinearProblem

Array = NDArray[Any]

_EXACT = 1e-9  # of the targets: residuals as small are none


def interpolation_radius(problem: LinearProblem) -> float:
    """The radius; 0 where no θ fits every target, or a penalty is in the way.

    Raises
    ------
    ValueError
        p is none of 1, 2 and ∞.
    """
    if problem.alpha > 0.0 or problem.n_rows > len(problem.params):
        return 0.0
    design, norm = (
        Design(problem.model.sweep(problem.source, None, problem.executor)),
        (problem.ball.dual_norm()),
    )
    Z = design.columns(np.arange(design.n_columns))
    m, y, w = norm.weights.size, design.targets, design.weights
    free = np.append(norm.free, np.zeros(design.n_columns - m, dtype=bool))
    V, F = Z[:, free] / norm.weights[norm.free], Z[:, ~free]
    if np.abs(Z @ np.linalg.lstsq(Z, y, rcond=None)[0] - y).max() > _EXACT * np.abs(y).max():
        return 0.0
    if np.isinf(norm.p) or norm.p == 1.0:
        most = _by_programs(V, F, y, w, np.isinf(norm.p))
    elif norm.p == 2.0:
        most = _by_least_squares(V, F, y, w)
    else:
        raise ValueError(f"the interpolation radius is known for p = 1, 2 and inf, not {norm.p:g}")
    return 1.0 / (problem.radius * most) if most > 0.0 else np.inf


def _by_least_squares(V: Array, F: Array, y: Array, w: Array) -> float:
    """max |a_i|/w̄_i for p = 2."""
    n, k = F.shape
    matrix = np.block([[V @ V.T, F], [F.T, np.zeros((k, k))]])
    mu = np.linalg.lstsq(matrix, np.append(y, np.zeros(k)), rcond=None)[0][:n]
    size = float(np.linalg.norm(V.T @ mu))
    return float(np.abs(mu / w).max()) / size if size > 0.0 else 0.0


def _by_programs(V: Array, F: Array, y: Array, w: Array, is_box: bool) -> float:
    """The same for p = 1 and ∞, by linear programs: the dual's optimum, and its least maximum."""
    from scipy.optimize import linprog

    n, k = V.shape
    # Unknowns: a (n,), and for p = 1 bounds of |Vᵀa| (k,); in the second program also the maximum.
    extra = 0 if is_box else k
    sides = np.vstack([V.T, -V.T])
    limit = np.hstack([sides, np.zeros((2 * k, extra))])
    right = np.ones(2 * k)
    if not is_box:
        limit[:k, n:], limit[k:, n:] = -np.eye(k), -np.eye(k)
        total = np.append(np.zeros(n), np.ones(k))[None]
        limit, right = np.vstack([limit, total]), np.append(np.zeros(2 * k), 1.0)
    held = np.hstack([F.T, np.zeros((F.shape[1], extra))])
    cost = np.append(-y, np.zeros(extra))
    zeros = np.zeros(F.shape[1])
    first: Any = linprog(cost, limit, right, held, zeros, bounds=(None, None), method="highs")
    if not first.success or first.fun == 0.0:
        return 0.0
    boxes = np.hstack([np.vstack([np.eye(n), -np.eye(n)]), np.zeros((2 * n, extra))])
    rows = np.vstack([
        np.hstack([limit, np.zeros((len(limit), 1))]),
        np.hstack([boxes, -np.tile(w, 2)[:, None]]),
        np.append(cost, 0.0)[None],
    ])  # fmt: skip
    right = np.concatenate([right, np.zeros(2 * n), [first.fun * (1.0 - 1e-12)]])
    second: Any = linprog(
        np.append(np.zeros(n + extra), 1.0), rows, right,
        np.hstack([held, np.zeros((len(held), 1))]), zeros, bounds=(None, None), method="highs",
    )  # fmt: skip
    return float(second.fun if second.success else np.abs(first.x[:n] / w).max())

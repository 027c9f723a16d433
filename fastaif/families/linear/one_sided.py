"""The right derivative of the robust path where it has a kink at ε = 0.

Theorem 4.1 takes every ∇_x ℓ_i to be other than zero. A row that the model fits exactly, such as
the only one of its category, has ℓ' = 0, and which way it is attacked is rounding noise; so it is
with coefficients that are zero under p = ∞, and with ties under p = 1. The robust path leaves such
a kink to one side:

    I⁺ = argmin_v ½vᵀHv + Φᵀv + sN Σ_K w̄_k ℓ''_k |z_kᵀv| + s E|ℓ'| n(v),

Φ without the rows of K and the norm's kinks, n the norm's own derivative at its kinks. Its dual is
small: λ_k in [−1, 1] for every such row, μ_j for every such coefficient, a simplex for ties. Rows
that share a budget have none of it where they are flat, and are no kinks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...solvers import box_qp
from ...threat.faces import Face
from .sums import LinearSums

Array = NDArray[Any]

_ROUNDING = 1e-11  # of ℓ'' (|y| + |z|ᵀ|θ̂|), y in units of f: a slope as small is zero
_NEWTON = 10.0  # times what a Newton step changes: where θ̂ is less exact than that
_PINNED = 1.0 - 1e-6  # the leverage from which a row has its target whatever the others are
_OFF = 1e-4  # of targets: a θ̂ that a Newton step moves by more is not stationary at all


@dataclass(frozen=True)
class OneSided:
    """The parts of Φ of the right derivative, Φ = s (N · direction + E t|ℓ'| · slope).

    Attributes
    ----------
    direction : array (d,)
        E[t ℓ'' λ (v, 1)], λ the side at which a row is attacked: sgn ℓ' off kinks.
    slope : array (m,)
        The subgradient of N = ‖Dβ‖_q.
    rows, sides : arrays (k,)
        The rows with ℓ' = 0, and λ of these.
    n_coefs : int
        Coefficients at zero (p = ∞), or tied with the largest (p = 1).
    """

    direction: Array
    slope: Array
    rows: Array
    sides: Array
    n_coefs: int


def one_sided(problem: LinearSums) -> OneSided | None:
    """The right derivative's parts; None where the path has no kink at ε = 0."""
    norm = problem.norm_at_kinks
    step, moved = _newton_step(problem)
    flat = _flat_rows(problem, step) if _may_be_flat(problem, moved) else None
    if norm.is_smooth and flat is None:
        return None
    doubt = None if step is None else _NEWTON * np.abs(step[: problem.model.n_features])
    face = norm.face(problem.beta, doubt)
    rows, Z = _no_rows(problem) if flat is None else flat
    if not face.n_held and not rows.size:
        return None
    return _solved(problem, face, rows, Z)


def _newton_step(problem: LinearSums) -> tuple[Array | None, float]:
    """H⁻¹∇L(θ̂), unless that is far, and a bound on what it moves predictions by.

    The mean square of ℓ''-weighted moves is the step's, so that a row of mean weight moves by no
    more than √n times its root.
    """
    if problem.is_iterative:
        return None, 0.0
    step = problem.step_to_optimum
    curvature = problem.sums.scalar(c.S_FF)
    moved = math.sqrt(problem.newton_decrement / max(curvature, 1e-300))
    if not moved < _OFF * _target_reach(problem):
        return None, 0.0
    return step, moved * math.sqrt(problem.n_rows)


def _flat_rows(problem: LinearSums, step: Array | None) -> tuple[Array, Array]:
    """The rows of positive weight with ℓ' = 0 (k,), and their (v, 1), (k, d)."""
    loss, theta = problem.model.loss, problem.params
    w = problem.row_weights
    f, t, y = problem.moves(np.zeros(len(theta)) if step is None else step)
    slope, bend = np.abs(loss.slope(f, y)), loss.curvature(f, y)
    reach = loss.target_reach(y)
    near = slope <= bend * (c.NEAR_FLAT * (np.abs(f) + reach) + _NEWTON * np.abs(t))
    places = np.flatnonzero(near & (w > 0.0))
    if not places.size:
        return _no_rows(problem)
    Z = features(problem, places)
    f, reach, t = np.abs(f[places]), reach[places], np.abs(t[places])
    slope, bend = slope[places], bend[places]
    flat = slope <= _ROUNDING * bend * (reach + np.abs(Z) @ np.abs(theta))
    unsure = ~flat & (slope <= _NEWTON * bend * t)
    if unsure.any():
        leverage = w[places] * bend * np.einsum("ij,ji->i", Z, problem.solve(Z.T))
        leverage /= problem.sums.weight
        # Of rows that others hold few are as near as this by chance.
        flat |= unsure & ((leverage >= _PINNED) | (_NEWTON * t <= c.NEAR_FLAT * (f + reach)))
    return places[flat], Z[flat]


def _may_be_flat(problem: LinearSums, moved: float) -> bool:
    """Whether there can be flat rows, and rows at hand to look for them.

    The pass has counted those that are as near as this, and a step as short moves no others.
    """
    if not (problem.sums.zero_gradients or moved > c.NEAR_FLAT * _target_reach(problem)):
        return False
    own = problem.keeps_rows and not problem.sharing.is_shared
    at_hand = own and not problem.executor.is_remote(problem.source)
    return at_hand and problem.model.loss.has_kinks


def _target_reach(problem: LinearSums) -> float:
    return float(problem.model.loss.target_reach(np.asarray(problem.target_size)))


def _no_rows(problem: LinearSums) -> tuple[Array, Array]:
    return np.empty(0, dtype=int), np.empty((0, len(problem.params)))


def features(problem: LinearSums, places: Array) -> Array:
    """(v, 1) of some rows, (k, d)."""
    source, basis = problem.source, problem.model.basis
    rows = np.vstack([source.inputs(int(i), int(i) + 1) for i in places]).astype(float)
    Z = basis.transform(rows)
    if len(problem.params) > Z.shape[1]:
        Z = np.column_stack([Z, np.ones(len(Z))])
    return np.asarray(Z)


def _solved(problem: LinearSums, face: Face, rows: Array, Z: Array) -> OneSided:
    """The dual problem, and what its solution makes of Φ."""
    s, norm, steep = problem.radius, problem.gain, problem.shared_slope
    m = problem.model.n_features
    direction = _direction_without(problem, rows)
    slope, columns, in_simplex = face.generators()
    weights = problem.row_weights[rows] / problem.sums.weight
    f, y = Z @ problem.params, problem.source.targets()[rows]
    pushes = Z * (weights * problem.model.loss.curvature(f, y))[:, None]
    lifted = np.zeros((len(problem.params), columns.shape[1]))
    lifted[:m] = s * steep * columns
    A = np.column_stack([s * norm * pushes.T, lifted])
    phi = s * norm * direction
    phi[:m] += s * steep * slope
    solved = problem.solve(np.column_stack([A, phi]))
    G = A.T @ solved[:, :-1]
    n_box = len(rows) if in_simplex else A.shape[1]
    shares = box_qp.minimise(0.5 * (G + G.T), A.T @ solved[:, -1], n_box).x
    sides, rest = shares[: len(rows)], shares[len(rows) :]
    return OneSided(direction + pushes.T @ sides, slope + columns @ rest, rows, sides, face.n_held)


def _direction_without(problem: LinearSums, rows: Array) -> Array:
    """E[t ℓ'' sgn(ℓ') (v, 1)] over the other rows, which may be none."""
    if not rows.size:
        return problem.shared_direction
    weights = np.array(problem.row_weights)
    weights[rows] = 0.0
    if not weights.any():
        return np.zeros(len(problem.params))
    source = problem.source._replace(weight=weights)
    sweep = problem.model.sweep(source, problem.ball, problem.executor)
    sums = sweep.run(problem.params, c.NEED_GRADIENT | c.NEED_MIXED)
    return np.asarray(sums.mixed_direction * (sums.weight / problem.sums.weight))

"""ℓp norms, dual directions, projections and their derivatives, with feature scales.

An attack ``‖δ / c‖_p ≤ ρ`` with feature scale c ≥ 0 leaves features with c_k = 0 alone.
Its steepest ascent along a gradient g is ``φ_c(g) = c ∘ φ(c ∘ g)`` and gains
``ρ ‖c ∘ g‖_q`` with 1/p + 1/q = 1 (section 4 of the paper, Theorem 4.1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compute import get

Array = NDArray[Any]
_SHORT, _TINY = 64, 1e-290  # vectors that `math.hypot` takes faster; what may be divided by


def conjugate(p: float) -> float:
    """q with 1/p + 1/q = 1."""
    if p == 1:
        return np.inf
    return 1.0 if np.isinf(p) else p / (p - 1.0)


def lp_norm(v: Array, p: float, axis: int = -1) -> Array:
    """‖v‖_p along an axis, safe from overflow and underflow."""
    magnitude = np.abs(np.asarray(v, dtype=float))
    if magnitude.ndim == 1 and magnitude.size:
        return _vector_norm(magnitude, p)
    largest = np.max(magnitude, axis=axis, keepdims=True, initial=0.0)
    if np.isinf(p):
        return np.squeeze(largest, axis)
    unit = np.where(largest > 0, largest, 1.0)
    total = np.sum((magnitude / unit) ** p, axis=axis) ** (1.0 / p)
    return np.asarray(np.squeeze(unit, axis) * total)


def _vector_norm(magnitude: Array, p: float) -> Array:
    """`lp_norm` of one vector, in as few steps: small problems ask for little else."""
    if p == 2 and magnitude.size <= _SHORT:
        return np.asarray(math.hypot(*magnitude.tolist()))
    largest = np.maximum.reduce(magnitude)
    if math.isinf(p):
        return np.asarray(largest)
    unit = largest if largest > 0 else 1.0
    return np.asarray(unit * np.add.reduce((magnitude / unit) ** p) ** (1.0 / p))


def dual_direction(g: Array, p: float) -> Array:
    """φ(g) = argmax over ‖v‖_p ≤ 1 of ⟨g, v⟩, row by row.

    Parameters
    ----------
    g : array (..., m)
        Gradients; zero rows give zero.
    p : float in [1, inf]

    Returns
    -------
    array (..., m)
        ‖φ‖_p = 1 and ⟨g, φ⟩ = ‖g‖_q. p = 1: the first of the largest entries; p = ∞:
        the signs, sgn(0) = 0 (section 4, the ψ_k of Theorem 4.1).
    """
    g = np.asarray(g, dtype=float)
    if np.isinf(p):
        return np.sign(g)
    if p == 2 and g.ndim == 1 and g.size <= _SHORT:
        norm = math.hypot(*g.tolist())
        if _TINY < norm < math.inf:
            return np.asarray(g / norm)
    magnitude = np.abs(g)
    if p == 1:
        first = np.argmax(magnitude, axis=-1)
        hit = np.arange(g.shape[-1]) == first[..., None]
        return np.where(hit, np.sign(g), 0.0)
    q = conjugate(p)
    if g.ndim == 1 and g.size:
        unit = magnitude / (np.maximum.reduce(magnitude) or 1.0)
        norm = np.add.reduce(unit**q) ** (1.0 / q) or 1.0
        return np.asarray(np.sign(g) * (unit / norm) ** (q - 1.0))
    largest = np.max(magnitude, axis=-1, keepdims=True, initial=0.0)
    unit = magnitude / np.where(largest > 0, largest, 1.0)
    norm = np.sum(unit**q, axis=-1, keepdims=True) ** (1.0 / q)
    return np.asarray(np.sign(g) * (unit / np.where(norm > 0, norm, 1.0)) ** (q - 1.0))


def scaled_direction(g: Array, p: float, scale: Array) -> Array:
    """φ_c(g) = c ∘ φ(c ∘ g): the unit attack in the norm ‖δ / c‖_p."""
    return scale * dual_direction(scale * np.asarray(g, dtype=float), p)


def count_ties(g: Array, p: float) -> int:
    """How many entries of one scaled gradient share the kink of its dual norm.

    p = 1: entries beside the first that equal the largest; p = ∞: exact zeros.
    """
    magnitude = np.abs(np.asarray(g, dtype=float))
    if p == 1:
        return int(np.count_nonzero(magnitude == magnitude.max(initial=0.0))) - 1
    if np.isinf(p):
        return int(np.count_nonzero(magnitude == 0.0))
    return 0


def project_ball(v: Array, radius: float, p: float, scale: Array | None = None) -> Array:
    """The nearest point, in the scaled coordinates v / c, of the ball ‖v / c‖_p ≤ radius.

    Parameters
    ----------
    v : array (m,)
    radius : float
    p : float in [1, inf]
        p = 2 and ∞ in closed form, p = 1 by projection on the simplex, others by a
        safeguarded root search for the multiplier.
    scale : array (m,), optional
        Feature scale c; entries with c_k = 0 are set to zero.
    """
    project = get("project_ball")
    v = np.asarray(v, dtype=float)
    c = np.ones_like(v) if scale is None else np.asarray(scale, dtype=float)
    free = c > 0
    out = np.zeros_like(v)
    part = np.empty(int(free.sum()))
    project(v[free] / c[free], float(radius), float(p), part)
    out[free] = part * c[free]
    return out


def smooth_norm(u: Array, q: float, width: float) -> tuple[float, Array, Array]:
    """A convex smoothing of ‖u‖_q with its gradient and Hessian.

    Entries enter as √(u² + ν²) (q < ∞); the maximum becomes a log-sum-exp of width ν
    (q = ∞). ν = 0 gives the norm itself where it is smooth.

    Returns
    -------
    value : float
    gradient : array (m,)
    hessian : array (m, m)
    """
    if np.isinf(q):
        return _smooth_max(u, width)
    h = np.hypot(u, width)
    size = h.max()
    if size == 0.0:
        raise ValueError("the norm has no gradient at zero; give a positive width")
    scaled, v = h / size, u / size
    total = float(np.sum(scaled**q))
    norm = total ** (1.0 / q)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(h > 0, scaled ** (q - 2.0), 0.0)
        spread = (q - 1.0) * (u / h) ** 2 + (width / h) ** 2
        # An exact zero without smoothing: h^(q−2) is 1 for q = 2 and 0 beyond.
        diagonal = np.where(h > 0, power * spread, float(q == 2.0))
    gradient = norm ** (1.0 - q) * power * v
    hessian = (1.0 - q) / norm * np.outer(gradient, gradient)
    hessian.flat[:: u.size + 1] += norm ** (1.0 - q) * diagonal
    return size * norm, gradient, hessian / size


def _smooth_max(u: Array, width: float) -> tuple[float, Array, Array]:
    largest = float(np.abs(u).max())
    if width == 0.0:
        return largest, dual_direction(u, 1.0), np.zeros((u.size, u.size))
    up, down = np.exp((u - largest) / width), np.exp((-u - largest) / width)
    total = float(np.sum(up + down))
    gradient = (up - down) / total
    hessian = (np.diag((up + down) / total) - np.outer(gradient, gradient)) / width
    return largest + width * np.log(total), gradient, hessian

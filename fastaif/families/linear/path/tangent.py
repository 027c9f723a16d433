"""dθ_ε/dε at a robust optimum: the derivative on the manifold of its kinks.

With H, k, h, c̄ = E ψ_κκ and P_κ = E ψ_κ of the local model and Φ = s (N h + P_κ n + c̄ N k),

    [H Gᵀ; G 0] [θ'; ν] = −[Φ; ġ].

The rows of G: ∇c_i of a row at its kink, ġ its derivative in ε; e_j of a coefficient held at zero;
the difference of two entries that are tied for the largest. Where a multiplier is at its bound the
condition is one-sided, and ν a small quadratic program's: the derivative is the right one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....solvers import box_qp
from .corrector import Step
from .local import AT_KINK, Place

Array = NDArray[Any]

_AT_BOUND = 1e-7  # a multiplier as near its bound may be at it
_RIDGE = 1e-11  # of the diagonal: more conditions than columns leave it singular


class Conditions(NamedTuple):
    """What holds along the path to first order: Gθ' = −ġ, or to one side of it.

    Attributes
    ----------
    columns : array (d, k)
        Gᵀ.
    drift : array (k,)
        ġ.
    low, high : arrays (k,)
        Bounds of ν: infinite, or 0 where the multiplier is at its bound.
    what : array (k,)
        The numbers of the rows, or the places of the coefficients.
    multipliers : array (k,)
        λ of these, and of coefficients their shares of the norm's subgradient.
    """

    columns: Array
    drift: Array
    low: Array
    high: Array
    what: Array
    multipliers: Array


class Motion(NamedTuple):
    """How the path leaves a place.

    Attributes
    ----------
    slope : array (d,)
        dθ/dε to the right.
    rows, coefs : Conditions
        What is at its kink.
    row_rates, coef_rates : arrays
        The derivatives of their multipliers.
    """

    slope: Array
    rows: Conditions
    coefs: Conditions
    row_rates: Array
    coef_rates: Array


def motion(step: Step, s: float) -> Motion:
    """How the path leaves the place that a step of about nothing starts from, to the right.

    Parameters
    ----------
    step : Step
        Of a place that is solved.
    s : float
        The attack's radius: ρ = εs.
    """
    at = step.at
    size = at.problem.norm.value(at.theta[: at.problem.m])
    rows, norm = _rows(step, s * size), _norm(step)
    G = np.concatenate([rows.columns, norm.columns], axis=1)
    solved = at.factor().solve(np.column_stack([G, phi(at, s)]))
    nu = np.empty(0)
    if G.shape[1]:
        Q = G.T @ solved[:, :-1]
        Q = 0.5 * (Q + Q.T)
        Q[np.diag_indices_from(Q)] *= 1.0 + _RIDGE
        right = G.T @ solved[:, -1] - np.concatenate([rows.drift, norm.drift])
        bounds = np.concatenate([rows.low, norm.low]), np.concatenate([rows.high, norm.high])
        nu = box_qp.minimise(Q, right, right.size, bounds=bounds).x
    slope = -(solved[:, -1] + solved[:, :-1] @ nu)
    k, steep = rows.what.size, at.rho * at.sums.along_kappa
    return Motion(slope, rows, norm, nu[:k], nu[k:] / steep)


def phi(at: Place, s: float) -> Array:
    """Φ (d,)."""
    size = at.problem.norm.value(at.theta[: at.problem.m])
    n = at.slope / at.rho
    sums = at.sums
    parts = size * sums.pulled[:, 1] + sums.along_kappa * n + sums.curvature * size * at.slope
    return np.asarray(s * parts)


def tangent(step: Step, s: float) -> Array:
    """dθ/dε to the right (d,)."""
    return motion(step, s).slope


def _rows(step: Step, speed: float) -> Conditions:
    """Of the rows at their kinks; κ changes at a `speed` where θ stays."""
    at = step.at
    which, sides = step.known.rows, step.known.sides
    f, reach = at.f[which], at.problem.loss.target_reach(at.problem.readings.targets[which])
    along_f, along_kappa = at.ends(which)
    scale = along_f / max(at.kappa, 1e-300) * (np.abs(f) + reach + at.kappa)
    small = np.abs(at.gaps(which)) <= AT_KINK * scale
    inner = np.abs(sides) < 1.0 - _AT_BOUND
    kept = inner | small
    which, sides, inner = which[kept], sides[kept], inner[kept]
    weights = at.problem.readings.weights[which]
    columns = at.kink_slopes(which).T
    drift = weights * along_kappa[kept] * speed
    low = np.where(inner | (sides > 0.0), -np.inf, 0.0)
    high = np.where(inner | (sides < 0.0), np.inf, 0.0)
    return Conditions(columns, drift, low, high, which, sides)


def _norm(step: Step) -> Conditions:
    """Of the coefficients at the norm's kinks."""
    at = step.at
    near, d = at.norm, at.theta.size
    if not near.places.size:
        return _no_conditions(d)
    slope = step.known.slope
    assert slope is not None
    shares = (slope[near.places] - near.gradient[near.places]) / near.factors
    if near.in_simplex:
        return _ties(at, shares)
    zero = at.theta[near.places] == 0.0
    places, shares = near.places[zero], shares[zero]
    columns = np.zeros((d, places.size))
    columns[places, np.arange(places.size)] = near.factors[zero]
    inner = np.abs(shares) < 1.0 - _AT_BOUND
    low = np.where(inner | (shares > 0.0), -np.inf, 0.0)
    high = np.where(inner | (shares < 0.0), np.inf, 0.0)
    return Conditions(columns, np.zeros(places.size), low, high, places, shares)


def _ties(at: Place, shares: Array) -> Conditions:
    near, d = at.norm, at.theta.size
    size = near.factors * at.theta[near.places]
    tied = (size >= (1.0 - 1e-9) * size.max()) | (shares > _AT_BOUND)
    places, factors, shares = near.places[tied], near.factors[tied], shares[tied]
    first = int(np.argmax(shares))
    others = np.delete(np.arange(places.size), first)
    columns = np.zeros((d, others.size))
    columns[places[others], np.arange(others.size)] = factors[others]
    columns[places[first]] -= factors[first]
    low = np.where(shares[others] > _AT_BOUND, -np.inf, 0.0)
    high = np.full(others.size, np.inf)
    what = places[others]
    return Conditions(columns, np.zeros(others.size), low, high, what, shares[others])


def _no_conditions(d: int) -> Conditions:
    nothing = np.empty(0)
    none = np.empty(0, dtype=int)
    return Conditions(np.empty((d, 0)), nothing, nothing, nothing, none, nothing)

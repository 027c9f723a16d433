"""A dual norm N(β) = ‖Dβ‖_q about a point, with the entries near its kinks apart.

    N(β + v) ≈ N_s + gᵀv + ½ vᵀBv + max_λ Σ_j λ_j (o_j + a_jᵀv)

λ is in [−1, 1]^k for p = ∞ (every |D_j β_j| is kept), in the unit simplex for p = 1 (every D_j β_j
and −D_j β_j, of which N is the largest). Both are N itself, however long v; elsewhere N is smooth
off zero, and there are no such entries.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .faces import Smooth

Array = NDArray[Any]

_SMALL = 0.1  # of N: entries as small take their steps in the dual variable
_REACH = 3.0  # times a step: entries as near to a kink may meet it


class NearNorm(NamedTuple):
    """N about β.

    Attributes
    ----------
    gradient : array (m,)
        g.
    bend : array (m,)
        The diagonal part of B = diag(bend) − curl · g gᵀ.
    curl : float
    places : array (k,)
        The entries near kinks.
    factors, offsets : arrays (k,)
        a_j = factor e_place, and o_j.
    shares : array (k,)
        λ at v = 0, or what is known of it.
    in_simplex : bool
    """

    gradient: Array
    bend: Array
    curl: float
    places: Array
    factors: Array
    offsets: Array
    shares: Array
    in_simplex: bool

    def slope(self, shares: Array) -> Array:
        """The subgradient of N that goes with λ, (m,)."""
        if not self.places.size:
            return self.gradient
        out = self.gradient.copy()
        if self.in_simplex:  # each place is there twice
            np.add.at(out, self.places, self.factors * shares)
        else:
            out[self.places] += self.factors * shares
        return out

    def live(self, move: Array) -> Array:
        """Which λ may change in a step (m,) about as long as this: places among them."""
        reach = _REACH * np.abs(self.factors * move[self.places])
        if not self.in_simplex:
            spare = np.abs(self.offsets) - self.shares * self.offsets
            return np.flatnonzero((np.abs(self.offsets) <= reach) | (spare > 0.0))
        top = int(np.argmax(self.offsets))
        near = self.offsets[top] - self.offsets <= reach + reach[top]
        found = np.flatnonzero(near | (self.shares > 0.0))
        return found if found.size > 1 else found[:0]  # they add up to one


def near_norm(weights: Array, p: float, beta: Array, slope: Array | None) -> NearNorm:
    """N about β ≠ 0; `slope` (m,) is a subgradient of N from nearby, of which shares are taken."""
    m, nothing = weights.size, np.empty(0)
    none = np.empty(0, dtype=int)
    if np.isinf(p):
        places = np.flatnonzero(weights > 0.0)
        D, b = weights[places], beta[places]
        shares = np.sign(b) if slope is None else np.clip(slope[places] / D, -1.0, 1.0)
        flat = np.zeros(m)
        return NearNorm(flat, flat, 0.0, places, D, D * b, shares, False)
    if p == 1:
        return _largest(weights, beta, slope)
    local = Smooth(weights, beta, p / (p - 1.0)).local(beta)
    assert local.bend is not None
    return NearNorm(local.gradient, local.bend, local.curl, none, nothing, nothing, nothing, False)


def _largest(weights: Array, beta: Array, slope: Array | None) -> NearNorm:
    size = np.abs(weights * beta)
    places = np.flatnonzero(weights > 0.0)
    side = np.where(beta[places] < 0.0, -1.0, 1.0)
    factors, offsets = weights[places] * side, size[places]
    places = np.concatenate([places, places])
    factors, offsets = np.concatenate([factors, -factors]), np.concatenate([offsets, -offsets])
    shares = np.zeros(places.size)
    if slope is not None:
        shares = np.maximum(slope[places] / factors, 0.0)
    if not shares.sum() > 0.0:
        shares[np.argmax(offsets)] = 1.0
    flat = np.zeros(weights.size)
    return NearNorm(flat, flat, 0.0, places, factors, offsets, shares / shares.sum(), True)


def stepped(weights: Array, p: float, beta: Array, step: Array) -> Array:
    """β after a Newton step; of p > 2 small entries take theirs in z = sgn(u) (|u|/N)^(q−1).

    There N's second derivative is infinite at u = 0, and the condition for a minimum smooth in z.
    """
    out = beta + step
    if not 2.0 < p < np.inf:
        return out
    q = p / (p - 1.0)
    near = near_norm(weights, p, beta, None)
    D = np.where(weights > 0.0, weights, 1.0)
    size = float(near.gradient @ beta)
    z = near.gradient / D
    dz = near.bend * step / D
    small = (weights > 0.0) & (np.abs(z) < _SMALL ** (q - 1.0))
    moved = np.clip(z + dz, -1.0, 1.0)
    out[small] = (size * np.sign(moved) * np.abs(moved) ** (p - 1.0) / D)[small]
    return out

"""Exact extremes of a quadratic over Euclidean balls: one small problem a row.

In the coordinates of the eigenvectors the problem max h·z + Σ λ_k z_k² over ‖z‖ ≤ ρ has the
solution z_k = h_k / (2(τ + gap_k)), gap_k = λ_max − λ_k, with the least τ ≥ max(0, −λ_max)
for which ‖z‖ ≤ ρ. Because τ is the unknown, and not the multiplier λ_max + τ itself, all
its digits survive however close the two are. Where ‖z‖ stays below ρ at τ = 0 (the "hard
case": h has no part along the top eigenvectors) the rest goes along one of them.
"""

from __future__ import annotations

import math

from .jit import STRICT, operation
from .pointwise import row_norm

_SMALLEST_NORMAL = 2.2250738585072014e-308


@operation(fastmath=STRICT)
def _length(h, gaps, tau):
    """‖z(τ)‖ and −‖z(τ)‖'; entries with h_k = 0 are zero whatever their width."""
    scale = 0.0
    for k in range(h.size):
        if h[k] != 0.0:
            scale = max(scale, abs(h[k]) / (2.0 * (tau + gaps[k])))
    if scale == 0.0:
        return 0.0, 0.0
    square = fall = 0.0
    for k in range(h.size):
        if h[k] != 0.0:
            width = tau + gaps[k]
            ratio = h[k] / (2.0 * width) / scale
            square += ratio * ratio
            fall += ratio * ratio / width
    norm = math.sqrt(square)
    return scale * norm, scale * (fall / norm)


@operation(fastmath=STRICT)
def _multiplier(h, gaps, floor, radius):
    """The least τ ≥ floor with ‖z(τ)‖ ≤ radius, by Newton on 1/‖z‖.

    That function is concave and nearly linear: from the left Newton cannot overshoot.
    """
    low = floor
    for k in range(h.size):
        # There the k-th entry alone is as long as the radius.
        low = max(low, abs(h[k]) / (2.0 * radius) - gaps[k])
    high = low + row_norm(h, 2.0) / (2.0 * radius)
    if high == low:  # h is zero, or too small to have a length
        return low
    tau = low
    for _ in range(100):
        norm, fall = _length(h, gaps, tau)
        if norm <= radius:
            if tau == floor:
                return floor
            high = min(high, tau)
        else:
            low = tau
        following = tau + (norm / radius - 1.0) * (norm / fall)
        if not low <= following <= high:
            following = 0.5 * (low + high)
        if abs(following - tau) <= 2e-16 * tau:
            return following
        tau = following
    return tau


@operation(fastmath=STRICT)
def ball_ascent(h, values, radius, z, gains):
    """The maximum of h·z + Σ λ_k z_k² over ‖z‖₂ ≤ radius, row by row.

    Parameters
    ----------
    h : array (k, m)
    values : array (m,)
        λ, the largest first.
    radius : float, positive
    z : array (k, m)
        The maximiser, written. Of two equally good ones that which agrees with h, or
        the first, is taken.
    gains : array (k,)
        The maximum, written: no larger numbers cancel in it.
    """
    top = values[0]
    gaps = top - values
    floor = max(0.0, -top)
    for i in range(h.shape[0]):
        tau = _multiplier(h[i], gaps, floor, radius)
        if tau < _SMALLEST_NORMAL:  # digits of h along the top eigenvector are lost
            tau = 0.0
        for k in range(values.size):
            width = 2.0 * (tau + gaps[k])
            z[i, k] = h[i, k] / width if width > 0.0 else 0.0
        norm = row_norm(z[i], 2.0)
        if tau == 0.0 and top > 0.0 and norm < radius:
            rest = math.sqrt((radius - norm) * (radius + norm))
            z[i, 0] += rest if h[i, 0] >= 0.0 else -rest
        gain = 0.0
        shrink = radius / norm if norm > radius else 1.0
        for k in range(values.size):
            z[i, k] *= shrink
            gain += z[i, k] * (h[i, k] + values[k] * z[i, k])
        gains[i] = gain

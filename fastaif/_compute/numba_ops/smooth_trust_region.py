"""Smooth extremes of a quadratic over Euclidean balls: one small problem a row.

The dual of max h·z + Σ λ_k z_k² over ‖z‖ ≤ ρ, with a barrier in front of its constraints:

    min_{μ > max(λ, 0)}  Σ h_k² / (4(μ − λ_k)) + μ ρ² − ν Σ log(μ − λ_k)

Both sums run over one entry more, λ = h = 0, the slack of the ball's constraint. As in
`trust_region` the unknown is μ's distance τ to its bound, so that all digits of the widths
μ − λ_k = τ + gap_k survive however small they are.
"""

from __future__ import annotations

import math

from .jit import STRICT, operation


@operation(fastmath=STRICT)
def _second_moment(h, gaps, slack, nu, tau):
    """ψ(τ) = Σ t_k² + Σ ν/(τ + gap_k), which is to be ρ², and −ψ'."""
    width = tau + slack
    total = nu / width
    fall = total / width
    for k in range(h.size):
        width = tau + gaps[k]
        t = h[k] / (2.0 * width)
        spread = nu / width
        total += t * t + spread
        fall += (2.0 * t * t + spread) / width
    return total, fall


@operation(fastmath=STRICT)
def _root(linear, square, radius):
    """The positive width s at which square/s² + linear/s = ρ²; `square` is given as its root."""
    half = 0.5 * linear / radius
    return (half + math.hypot(half, square)) / radius


@operation(fastmath=STRICT)
def _distance(h, gaps, slack, nu, radius):
    """τ with ψ(τ) = ρ², by Newton on ψ^(−1/2): concave, so that from the left it cannot overshoot.

    ν/s is a mixture of a/(s + x)² over x ≥ 0; this is why the secular equation's
    property survives the barrier.
    """
    size = 0.0
    for k in range(h.size):
        size = math.hypot(size, 0.5 * h[k])
    high = _root((h.size + 1.0) * nu, size, radius)
    # Where one term alone reaches ρ².
    low = _root(nu, 0.0, radius) - slack
    for k in range(h.size):
        low = max(low, _root(nu, 0.5 * abs(h[k]), radius) - gaps[k])
    tau = low
    for _ in range(100):
        total, fall = _second_moment(h, gaps, slack, nu, tau)
        if total > radius * radius:
            low = tau
        else:
            high = min(high, tau)
        following = tau + 2.0 * (math.sqrt(total) / radius - 1.0) * (total / fall)
        if not low <= following <= high:
            following = 0.5 * (low + high)
        if abs(following - tau) <= 4e-16 * tau:
            return following
        tau = following
    return tau


@operation(fastmath=STRICT)
def smooth_ball_ascent(h, values, radius, nu, unit, t, widths, gains):
    """The barrier's minimum, row by row, and the distribution of attacks that it stands for.

    Parameters
    ----------
    h : array (k, m)
    values : array (m,)
        λ, in any order.
    radius, nu : float, positive
    unit : float, positive
        What widths are measured in, in the logarithms.
    t : array (k, m)
        The mean of the attacks, written.
    widths : array (k, m + 1)
        μ − λ_k and, last, μ, written: ν/width are the attacks' variances.
    gains : array (k, 2)
        The smooth maximum, and the mean of h·z + Σ λ_k z_k² over the attacks, written. The
        latter is below the maximum over the ball by at most ν (m + 1).
    """
    m = values.size
    top = 0.0
    for k in range(m):
        top = max(top, values[k])
    gaps = top - values
    for i in range(h.shape[0]):
        tau = _distance(h[i], gaps, top, nu, radius)
        widths[i, m] = tau + top
        mean, logarithms = 0.0, math.log(widths[i, m] / unit)
        for k in range(m):
            width = tau + gaps[k]
            widths[i, k] = width
            z = h[i, k] / (2.0 * width)
            t[i, k] = z
            mean += h[i, k] * z + values[k] * (z * z + nu / width)
            logarithms += math.log(width / unit)
        gains[i, 0] = mean + nu * (m + 1.0) - nu * logarithms
        gains[i, 1] = mean

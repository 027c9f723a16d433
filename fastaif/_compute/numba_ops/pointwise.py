"""Helpers that compiled operations share: norms, directions, projections.

Strict floating point: overflow guards and convergence tests live here.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import FAST, STRICT, operation

_TINY, _HUGE = 1e-290, 1e290


@operation(fastmath=FAST)
def _row_sum_of_squares(row):
    total = 0.0
    for k in range(row.shape[0]):
        total += row[k] * row[k]
    return total


@operation(fastmath=FAST)
def _row_sum_of_magnitudes(row):
    total = 0.0
    for k in range(row.shape[0]):
        total += abs(row[k])
    return total


@operation(fastmath=FAST)
def _row_largest(row):
    largest = 0.0
    for k in range(row.shape[0]):
        # Not max(): a NaN must reach the sum, where it is found.
        a = abs(row[k])
        if a > largest or a != a:
            largest = a
    return largest


@operation(fastmath=STRICT)
def row_norm(row, p):
    """‖row‖_p, scaled by the largest entry where powers could over- or underflow."""
    if p == 1.0:
        return _row_sum_of_magnitudes(row)
    if p == 2.0:
        total = _row_sum_of_squares(row)
        if _TINY < total < _HUGE or total != total:
            return math.sqrt(total)
    largest = _row_largest(row)
    if p == np.inf or largest == 0.0 or not largest < np.inf:
        return largest
    total = 0.0
    for k in range(row.shape[0]):
        u = row[k] / largest
        total += u * u if p == 2.0 else abs(u) ** p
    return largest * (math.sqrt(total) if p == 2.0 else total ** (1.0 / p))


@operation(fastmath=STRICT)
def row_direction(g, p, out):
    """φ(g): the unit-ℓp vector with ⟨g, φ⟩ = ‖g‖_q; zero at g = 0; first index at ties."""
    m = g.shape[0]
    largest = _row_largest(g)
    if largest == 0.0:
        out[:] = 0.0
        return
    if p == np.inf:
        for k in range(m):
            out[k] = np.sign(g[k])
        return
    if p == 1.0:
        out[:] = 0.0
        for k in range(m):
            if abs(g[k]) == largest:
                out[k] = np.sign(g[k])
                return
    if p == 2.0:
        for k in range(m):
            out[k] = g[k] / largest
        inverse = 1.0 / math.sqrt(_row_sum_of_squares(out))
        for k in range(m):
            out[k] *= inverse
        return
    q = p / (p - 1.0)
    total = 0.0
    for k in range(m):
        out[k] = abs(g[k] / largest)
        total += out[k] ** q
    norm = total ** (1.0 / q)
    for k in range(m):
        out[k] = np.sign(g[k]) * (out[k] / norm) ** (q - 1.0)


@operation(fastmath=STRICT)
def _project_simplex(v, radius, out):
    """Projection on the ℓ1 ball: a soft threshold found by sorting the magnitudes.

    Distances d from the largest magnitude stand for the magnitudes, so that nothing
    cancels where the ball is small: out = max(τ − d, 0) with Σ out = radius.
    """
    largest = _row_largest(v)
    distances = np.sort(largest - np.abs(v))
    total, level = 0.0, radius
    for k in range(v.shape[0]):
        if k > 0 and distances[k] >= level:
            break
        total += distances[k]
        level = (radius + total) / (k + 1)
    for k in range(v.shape[0]):
        out[k] = np.sign(v[k]) * max(level - (largest - abs(v[k])), 0.0)


@operation(fastmath=STRICT)
def _shrunk(a, multiplier, p):
    """The root u in [0, a] of u + μ u^(p−1) = a.

    In u for p ≥ 2, and in t = u^(p−1) for p < 2, the equation is convex and increasing:
    Newton from the right of the root falls to it without overshooting.
    """
    if a == 0.0 or multiplier == 0.0:
        return a
    if p >= 2.0:
        power, linear, curved = p - 1.0, 1.0, multiplier
        x = min(a, (a / multiplier) ** (1.0 / power))
    else:
        power, linear, curved = 1.0 / (p - 1.0), multiplier, 1.0
        x = min(a ** (p - 1.0), a / multiplier)
    if x == 0.0:  # underflow of a subnormal entry
        return 0.0
    for _ in range(60):
        bent = curved * x**power
        step = (linear * x + bent - a) / (linear + power * bent / x)
        x -= step
        if step <= 4e-16 * x:
            break
    return x if p >= 2.0 else x**power


@operation(fastmath=STRICT)
def _project_general(v, radius, p, out):
    """Projection on the ℓp ball, 1 < p < ∞: safeguarded Newton for the multiplier μ.

    The magnitudes a = |v| / radius shrink to u with u + μ u^(p−1) = a until ‖u‖_p = 1.
    1/‖u‖_p is nearly linear in μ (exactly so for p = 2), so Newton is on that.
    """
    # At the root u_max lies in [m^(−1/p), 1], and μ = (a − u) / u^(p−1) falls in u.
    largest = _row_largest(v) / radius
    low = max(largest - 1.0, 0.0)
    high = largest * v.shape[0] ** (1.0 - 1.0 / p)
    mu = low
    for _ in range(100):
        total, slope = 0.0, 0.0
        for k in range(v.shape[0]):
            u = _shrunk(abs(v[k]) / radius, mu, p)
            if u > 0.0:
                power = u ** (p - 1.0)
                total += power * u
                slope -= power * power / (1.0 + mu * (p - 1.0) * power / u)
        norm = total ** (1.0 / p)
        if abs(norm - 1.0) <= 1e-15:
            break
        if norm > 1.0:
            low = mu
        else:
            high = mu
        # d(1/‖u‖)/dμ = −‖u‖^(−p−1) Σ u^(p−1) u'
        following = mu + (1.0 - 1.0 / norm) / (-slope * norm ** (-p - 1.0))
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - mu) <= 1e-15 * mu:
            break
        mu = following
    for k in range(v.shape[0]):
        out[k] = np.sign(v[k]) * radius * _shrunk(abs(v[k]) / radius, mu, p)


@operation(fastmath=STRICT)
def project_ball(v, radius, p, out):
    """The nearest point (Euclidean) of the ℓp ball of the given radius."""
    norm = row_norm(v, p)
    if norm <= radius:
        out[:] = v
    elif radius == 0.0:
        out[:] = 0.0
    elif p == 2.0:
        for k in range(v.shape[0]):
            out[k] = v[k] * (radius / norm)
    elif p == np.inf:
        for k in range(v.shape[0]):
            out[k] = min(max(v[k], -radius), radius)
    else:
        if p == 1.0:
            _project_simplex(v, radius, out)
        else:
            _project_general(v, radius, p, out)
        norm = row_norm(out, p)
        if norm > radius:  # rounding
            for k in range(v.shape[0]):
                out[k] *= radius / norm

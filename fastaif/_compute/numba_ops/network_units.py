"""Hidden units of a one-layer network, for a block of rows.

Blocks are unit-major, (h, k): products with the weights are matrix products, and what is
done to each unit runs over rows.
"""

from __future__ import annotations

import math

from ..types import SOFTPLUS, TANH
from .blas import add_product
from .elementary import exp_and_rest_of_negative
from .jit import FAST, STRICT, operation

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)


@operation(fastmath=STRICT, inline=True)
def _tanh_at(z):
    """Without a branch, so that loops vectorise; NaN where z is not finite."""
    # 1 − t² would cancel where t is nearly ±1, and 1 − e where z is nearly 0.
    e, rest = exp_and_rest_of_negative(2.0 * abs(z))
    inverse = 1.0 / (1.0 + e)
    t = math.copysign(-rest * inverse, z) + (z - z)
    slope = 4.0 * e * inverse * inverse
    return t, slope, -2.0 * t * slope


@operation(fastmath=STRICT)
def tanh_units(z, values, slopes):
    """tanh(z) and its derivative for a row of units."""
    for i in range(z.size):
        values[i], slopes[i], _ = _tanh_at(z[i])


@operation(fastmath=STRICT, inline=True)
def activation_at(kind, z):
    """σ, σ' and σ'' at one point."""
    if kind == TANH:
        return _tanh_at(z)
    if kind == SOFTPLUS:
        e = math.exp(-abs(z))
        inverse = 1.0 / (1.0 + e)
        slope = inverse if z > 0.0 else e * inverse
        return max(z, 0.0) + math.log1p(e), slope, e * inverse * inverse
    share = 0.5 * math.erfc(-_ROOT_HALF * z)
    density = _DENSITY * math.exp(-0.5 * z * z)
    # Not density (2 − z²): z² may overflow where the density is zero.
    bent = z * density
    return z * share, share + bent, 2.0 * density - bent * z


@operation(fastmath=STRICT)
def activate(kind, z, a, first, second):
    """a = σ(z), first = σ'(z), second = σ''(z); `second` may be z itself."""
    if kind == TANH:
        for i in range(z.shape[0]):
            for r in range(z.shape[1]):
                a[i, r], first[i, r], second[i, r] = _tanh_at(z[i, r])
        return
    for i in range(z.shape[0]):
        for r in range(z.shape[1]):
            value, slope, bend = activation_at(kind, z[i, r])
            a[i, r] = value
            first[i, r] = slope
            second[i, r] = bend


@operation(fastmath=STRICT)
def preactivate(network, u, z):
    """z = w1ᵀ u + b1 for u (m, k)."""
    for i in range(z.shape[0]):
        z[i, :] = network.b1[i]
    add_product(network.w1, True, u, False, 1.0, z)


@operation(fastmath=FAST)
def output(network, a, f):
    """f = w2 · a + b2."""
    for r in range(f.size):
        f[r] = network.b2
    for i in range(a.shape[0]):
        weight = network.w2[i]
        for r in range(f.size):
            f[r] += weight * a[i, r]


@operation(fastmath=FAST)
def weigh(w2, units, shares, out):
    """out = w2 ∘ units ∘ shares, shares (k,) of the rows; `out` may be `units`."""
    for i in range(units.shape[0]):
        for r in range(units.shape[1]):
            out[i, r] = w2[i] * units[i, r] * shares[r]


@operation(fastmath=FAST)
def add_row_totals(units, shares, out):
    """out += Σ_r shares_r units[:, r]."""
    for i in range(units.shape[0]):
        total = 0.0
        for r in range(units.shape[1]):
            total += shares[r] * units[i, r]
        out[i] += total

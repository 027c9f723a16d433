"""Logarithm and exponential of plain arithmetic: loops that call them vectorise.

Both are right to two units in the last place. They take no NaN or infinity.
"""

from __future__ import annotations

import numpy as np

from .jit import operation

_CONTRACT = frozenset({"contract"})  # fused multiply-adds, and nothing else
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_BITS, _BIAS, _MANTISSA = np.int64(52), np.int64(1023), np.int64((1 << 52) - 1)
_ONE = np.int64(1023 << 52)


@operation(fastmath=_CONTRACT, inline=True)
def negative_log(u):
    """−log u for normal u > 0: u = 2ᵉ t with t in [√½, √2), log t = 2 atanh((t − 1)/(t + 1))."""
    bits = np.float64(u).view(np.int64)
    t = np.int64((bits & _MANTISSA) | _ONE).view(np.float64)
    e = np.float64((bits >> _BITS) - _BIAS)
    large = t > 1.4142135623730951
    t = 0.5 * t if large else t
    e = e + 1.0 if large else e
    s = (t - 1.0) / (t + 1.0)
    z = s * s
    tail = 1.0 / 21.0
    tail = tail * z + 1.0 / 19.0
    tail = tail * z + 1.0 / 17.0
    tail = tail * z + 1.0 / 15.0
    tail = tail * z + 1.0 / 13.0
    tail = tail * z + 1.0 / 11.0
    tail = tail * z + 1.0 / 9.0
    tail = tail * z + 1.0 / 7.0
    tail = tail * z + 1.0 / 5.0
    tail = tail * z + 1.0 / 3.0
    rest = 2.0 * s + 2.0 * s * z * tail
    return -(e * _LN2_HIGH + (e * _LN2_LOW + rest))


@operation(fastmath=_CONTRACT, inline=True)
def exp_and_rest_of_negative(a):
    """exp(−a) and exp(−a) − 1 for a ≥ 0, of 708 beyond: exp(−a) = 2ᵏ exp(r), |r| ≤ ½ log 2."""
    x = -a if a < 708.0 else -708.0
    k = np.floor(x * _LOG2_E + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = 1.0 / 6227020800.0
    total = total * r + 1.0 / 479001600.0
    total = total * r + 1.0 / 39916800.0
    total = total * r + 1.0 / 3628800.0
    total = total * r + 1.0 / 362880.0
    total = total * r + 1.0 / 40320.0
    total = total * r + 1.0 / 5040.0
    total = total * r + 1.0 / 720.0
    total = total * r + 1.0 / 120.0
    total = total * r + 1.0 / 24.0
    total = total * r + 1.0 / 6.0
    total = total * r + 0.5
    rest = r + r * r * total
    power = np.int64((np.int64(k) + _BIAS) << _BITS).view(np.float64)
    return power * (1.0 + rest), power * rest + (power - 1.0)


@operation(fastmath=_CONTRACT, inline=True)
def exp_of_negative(a):
    """exp(−a) for a ≥ 0, and exp(−708) beyond."""
    return exp_and_rest_of_negative(a)[0]

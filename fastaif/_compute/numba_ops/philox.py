"""Counter-based random numbers: Philox 4×32 with ten rounds.

The counter is (row, index, draw) and the key (seed, purpose), so that a number depends
on what it is for and not on who computes it: blocks, threads and workers change nothing.
The generator is that of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy
as 1, 2, 3" (SC 2011).
"""

from __future__ import annotations

import math

import numpy as np

from .jit import STRICT, operation

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)

# Purposes. Starts of attacks take two (points and radii).
ATTACK_STARTS, SMOOTHING_NOISE, HESSIAN_ROWS, BOOTSTRAP_WEIGHTS = 1, 3, 4, 8


@operation(fastmath=STRICT, inline=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Four 32-bit words (in uint64) for a counter of four and a key of two."""
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@operation(fastmath=STRICT)
def fill_normal(seed, purpose, draw, row, out):
    """Standard normal numbers for one row (Box–Muller)."""
    key0 = np.uint64(seed) & _LOW
    key1 = (np.uint64(seed) >> _32) ^ np.uint64(purpose)
    low, high = np.uint64(row) & _LOW, np.uint64(row) >> _32
    for k in range(0, out.size, 2):
        a, b, c, d = philox(low, high, np.uint64(k), np.uint64(draw), key0, key1)
        # 53 bits, never 0
        u = (np.float64((a << _32 | b) >> np.uint64(11)) + 0.5) * 2.0**-53
        v = (np.float64((c << _32 | d) >> np.uint64(11)) + 0.5) * 2.0**-53
        size, angle = math.sqrt(-2.0 * math.log(u)), 2.0 * math.pi * v
        out[k] = size * math.cos(angle)
        if k + 1 < out.size:
            out[k + 1] = size * math.sin(angle)


@operation(fastmath=STRICT)
def standard_normals(seed, draw, first_row, out):
    """Write standard normal numbers (k, m) for smoothing, keyed by (seed, draw, row)."""
    for i in range(out.shape[0]):
        fill_normal(seed, SMOOTHING_NOISE, draw, first_row + i, out[i])


@operation(fastmath=STRICT)
def random_rows(seed, draw, n, out):
    """Write row numbers below n, uniform and independent, keyed by (seed, draw, place)."""
    key0 = np.uint64(seed) & _LOW
    key1 = (np.uint64(seed) >> _32) ^ np.uint64(HESSIAN_ROWS)
    for k in range(out.size):
        place, step = np.uint64(k), np.uint64(draw)
        a, b, _, _ = philox(place, np.uint64(0), np.uint64(0), step, key0, key1)
        out[k] = min(np.int64(np.float64((a << _32 | b) >> np.uint64(11)) * 2.0**-53 * n), n - 1)


@operation(fastmath=STRICT)
def fill_uniforms(seed, purpose, draw, first_row, out):
    """Numbers in (0, 1) of 32 bits, one a row, from a row on that is a multiple of 4.

    Four rows share a counter, and `out` has a length that is a multiple of 4.
    """
    key0 = np.uint64(seed) & _LOW
    key1 = (np.uint64(seed) >> _32) ^ np.uint64(purpose)
    start, zero, fourth = np.uint64(first_row) >> np.uint64(2), np.uint64(0), np.uint64(draw)
    for k in range(out.size // 4):
        four = start + np.uint64(k)
        a, b, c, d = philox(four & _LOW, four >> _32, zero, fourth, key0, key1)
        out[4 * k] = (np.float64(np.int64(a)) + 0.5) * 2.0**-32
        out[4 * k + 1] = (np.float64(np.int64(b)) + 0.5) * 2.0**-32
        out[4 * k + 2] = (np.float64(np.int64(c)) + 0.5) * 2.0**-32
        out[4 * k + 3] = (np.float64(np.int64(d)) + 0.5) * 2.0**-32

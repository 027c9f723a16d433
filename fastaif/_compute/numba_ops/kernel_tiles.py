"""Kernels and the slopes of their gradients for a tile of pairs, from inner products.

The caller's BLAS makes the inner products ⟨x_i, z_j⟩ of a tile; what is left for each pair
is a short formula. A row of the tile is cut into stretches of ``WIDTH`` columns, which
stay in the first cache while three steps pass over them:

1. *from inner products*: squared distances, or (in `kernel_angles`) cosines and sin² of
   half the angles. One branch-free loop, which also counts the pairs for which the
   subtraction has cancelled: close ones, and for angles also nearly opposite ones.
2. *mend*, only if there are any: these pairs anew from the rows themselves. Here a sample
   meets itself as well: exactly distance 0, angle 0.
3. *to kernels*: branch-free loops again, one for each layer of the neural tangent kernel.

The compiler vectorises all of them, in step 2 along the features. It knows no exponential
and no arcsine for vectors: both are written out as polynomials.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import MATERN_3_2, NTK, POLYNOMIAL, RBF
from .jit import FAST, STRICT, operation
from .kernel_angles import WIDTH, angle_tile

# --- kernels of the distance ---------------------------------------------------------------

# Below this part of ‖x‖² + ‖z‖² a squared distance has lost two digits or more.
_NEAR = 1e-2
_FARTHEST = 1e3  # exp(−1e3) is 0

_LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has 21 zero bits at its end, so that multiples are exact.
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
_SHIFTER = 6755399441055744.0  # 1.5 · 2^52: adding it rounds to integers, in the low bits


@operation(fastmath=STRICT, inline=True)
def _exponential(x):
    """exp(x) for x ≤ 0, and 0 where that is below 1e-307: e^r 2^n with |r| ≤ ln(2)/2."""
    y = -708.0 if x < -708.0 else x
    shifted = y * _LOG2_E + _SHIFTER
    n = shifted - _SHIFTER
    r = (y - n * _LN2_HIGH) - n * _LN2_LOW
    # Taylor's series to r^13/13!, relative error 4e-18; even and odd powers apart.
    s = r * r
    even = 1.0 / 479001600.0
    even = even * s + 1.0 / 3628800.0
    even = even * s + 1.0 / 40320.0
    even = even * s + 1.0 / 720.0
    even = even * s + 1.0 / 24.0
    even = even * s + 0.5
    odd = 1.0 / 6227020800.0
    odd = odd * s + 1.0 / 39916800.0
    odd = odd * s + 1.0 / 362880.0
    odd = odd * s + 1.0 / 5040.0
    odd = odd * s + 1.0 / 120.0
    odd = odd * s + 1.0 / 6.0
    series = 1.0 + (r + s * (even + r * odd))
    # The low bits of `shifted` hold n: move them to the exponent of 2^n.
    bits = np.float64(shifted).view(np.int64)
    power = np.int64((bits + 1023) << 52).view(np.float64)
    return 0.0 if x < -708.0 else series * power


@operation(fastmath=FAST)
def _squared_distances(row, squares, own):
    """Inner products to ‖x − z‖², and the number of near pairs."""
    near = 0
    for j in range(row.size):
        total = own + squares[j]
        d2 = total - 2.0 * row[j]
        near += d2 <= _NEAR * total
        row[j] = 0.0 if d2 < 0.0 else d2
    return near


@operation(fastmath=FAST)
def _squared_distance(x, z):
    total = 0.0
    for k in range(x.size):
        difference = x[k] - z[k]
        total += difference * difference
    return total


@operation(fastmath=STRICT)
def _mend_distances(x, Z, own, squares, itself, row):
    """The near pairs of a stretch, of which column `itself` is x."""
    for j in range(row.size):
        if j == itself:
            row[j] = 0.0
        elif row[j] <= _NEAR * (own + squares[j]):
            row[j] = _squared_distance(x, Z[j])


@operation(fastmath=STRICT)
def _kernels_of_distances(kind, gamma, row, slopes):
    """Squared distances to K, and a."""
    if kind == RBF:
        for j in range(row.size):
            value = _exponential(-gamma * row[j])
            row[j] = value
            slopes[j] = 2.0 * gamma * value
    elif kind == MATERN_3_2:
        scale = math.sqrt(3.0) * gamma
        for j in range(row.size):
            s = scale * math.sqrt(row[j])
            if s > _FARTHEST:  # infinity times 0 is no number
                s = _FARTHEST
            value = _exponential(-s)
            row[j] = (1.0 + s) * value
            slopes[j] = 3.0 * gamma * gamma * value
    else:
        scale = math.sqrt(5.0) * gamma
        for j in range(row.size):
            s = scale * math.sqrt(row[j])
            if s > _FARTHEST:  # infinity times 0 is no number
                s = _FARTHEST
            value = _exponential(-s)
            row[j] = (1.0 + s + s * s * (1.0 / 3.0)) * value
            slopes[j] = (5.0 / 3.0) * gamma * gamma * (1.0 + s) * value


@operation(fastmath=STRICT)
def _distance_tile(kernel, X, Z, xs, zs, offset, values, slopes):
    unused = np.empty(WIDTH)
    for i in range(X.shape[0]):
        for first in range(0, Z.shape[0], WIDTH):
            last = min(first + WIDTH, Z.shape[0])
            row = values[i, first:last]
            out = slopes[i, first:last] if slopes.size else unused[: last - first]
            if _squared_distances(row, zs[first:last], xs[i]):
                itself = i + offset - first
                _mend_distances(X[i], Z[first:last], xs[i], zs[first:last], itself, row)
            _kernels_of_distances(kernel.kind, kernel.gamma, row, out)


# --- polynomials of the inner product ------------------------------------------------------


@operation(fastmath=FAST)
def _polynomials(kernel, row, slopes, power):
    """Inner products to K, and a; `power` is (γ⟨x, z⟩ + c)^(degree − 1), by squaring."""
    for j in range(row.size):
        row[j] = kernel.gamma * row[j] + kernel.coef0
        slopes[j] = row[j]
        power[j] = 1.0
    exponent = kernel.degree - 1
    while exponent > 0:
        if exponent & 1:
            for j in range(row.size):
                power[j] *= slopes[j]
        exponent >>= 1
        if exponent > 0:
            for j in range(row.size):
                slopes[j] *= slopes[j]
    factor = kernel.gamma * kernel.degree
    for j in range(row.size):
        row[j] *= power[j]
        slopes[j] = factor * power[j]


@operation(fastmath=STRICT)
def _polynomial_tile(kernel, n_columns, values, slopes):
    unused, power = np.empty(WIDTH), np.empty(WIDTH)
    for i in range(values.shape[0]):
        for first in range(0, n_columns, WIDTH):
            last = min(first + WIDTH, n_columns)
            out = slopes[i, first:last] if slopes.size else unused[: last - first]
            _polynomials(kernel, values[i, first:last], out, power)


@operation(fastmath=STRICT)
def kernel_tile(kernel, X, Z, xs, zs, offset, values, slopes):
    """K and the slopes of ``∂₁K(x_i, z_j) = a_ij z_j + b_ij x_i`` for a tile of pairs.

    b = 0 for polynomials, −a for kernels of the distance; for the NTK a = −k'(ϑ)/sin ϑ, 0 at
    parallel pairs, and b is such that ⟨∂₁K, x⟩ = K.

    Parameters
    ----------
    kernel : Kernel
    X, Z : array (k, m), array (l, m)
        Rows; for kernels of the distance with a mean of the data taken off.
    xs, zs : array (k,), array (l,)
        ‖x‖² and ‖z‖²; not 0 for the NTK.
    offset : int
        X's row i is Z's row i + offset, the same sample; −2^60 if they are others.
    values : array (k, l or more), C-contiguous
        ⟨x_i, z_j⟩ on entry, K(x_i, z_j) on exit, in the first l columns.
    slopes : array like values
        Receives a; (0, 0) where that is not wanted.

    Returns
    -------
    int
        Pairs of distinct samples where the NTK has a kink: parallel or antiparallel ones.
    """
    if kernel.kind == NTK:
        return angle_tile(kernel, X, Z, xs, zs, offset, values, slopes)
    if kernel.kind == POLYNOMIAL:
        _polynomial_tile(kernel, Z.shape[0], values, slopes)
    else:
        _distance_tile(kernel, X, Z, xs, zs, offset, values, slopes)
    return 0

"""The neural tangent kernel for a tile of pairs: the steps that `kernel_tiles` explains.

K = ‖x‖‖z‖ k and a = dk/d cos ϑ, layer by layer. With u = sin²(ϑ_h/2) = (1 − ρ_h)/2, which
keeps its digits near 0, and ' for derivatives by cos ϑ: κ₀ = 1 − ϑ_h/π and
κ₀' = ρ_h' / (π sin ϑ_h); then for the next layer

    u ← u − (sin ϑ_h − ϑ_h cos ϑ_h) / 2π        ρ' ← κ₀ ρ'
    τ' ← τ' κ₀ + τ κ₀' + ρ'                      τ ← τ κ₀ + ρ.

Only the first angle may be obtuse; u then stands for cos²(ϑ/2), and ϑ for its supplement.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import FAST, STRICT, operation

WIDTH = 256  # columns at a time

_NARROW = 1e-2  # u below it: an angle within 0.2 of 0 or π
_PARALLEL = 1e-15  # the sine of an angle that rounding alone could make
_INVERSE_PI = 1.0 / math.pi

# Rows of the working array: cos ϑ, u, τ, τ' and ρ'.
_COSINE, _U, _TAU, _TAU_SLOPE, _RHO_SLOPE, _N_STATE = range(6)

# The two series interpolate at Chebyshev's points of [0, 1/2], in 60 digits: 1.3e-17 off.


@operation(fastmath=FAST, inline=True)
def _arcsine_part(u):
    """asin(√u) / √u for 0 ≤ u ≤ 1/2."""
    p = 0.8387674099544927 * u - 3.0948547605199717
    p = (p * u + 5.436384462318588) * u - 5.883233416999023
    p = (p * u + 4.3847119392409954) * u - 2.3535297860232123
    p = (p * u + 0.952265420570822) * u - 0.2809947932275328
    p = (p * u + 0.07377343868679113) * u - 0.0032941927380090922
    p = (p * u + 0.011310924828955462) * u + 0.01139924601483468
    p = (p * u + 0.013975730180211136) * u + 0.017352221539201188
    p = (p * u + 0.0223721770065477) * u + 0.030381944084994415
    p = (p * u + 0.04464285714665563) * u + 0.07499999999998412
    return (p * u + 0.16666666666666669) * u + 1.0


@operation(fastmath=FAST, inline=True)
def _bend_part(u):
    """(sin ϑ − ϑ cos ϑ) / sin³(ϑ/2) for u = sin²(ϑ/2) ≤ 1/2: nothing cancels."""
    p = 0.10253825984004769 * u - 0.34776084335575425
    p = (p * u + 0.5667910334148699) * u - 0.5650092905036888
    p = (p * u + 0.3881516193317684) * u - 0.18834757112208017
    p = (p * u + 0.0707653874005783) * u - 0.016332809707131992
    p = (p * u + 0.006718668756814519) * u + 0.0031411843787969343
    p = (p * u + 0.004928589804957095) * u + 0.006566473859191722
    p = (p * u + 0.009255100445449433) * u + 0.013767471685575745
    p = (p * u + 0.022095959838973438) * u + 0.039682539679673466
    p = (p * u + 0.08571428571429907) * u + 0.26666666666666666
    return p * u + 2.6666666666666665


@operation(fastmath=FAST)
def _cosines(row, inverse, inverses, state):
    """Inner products to cos ϑ and u, and the number of narrow pairs."""
    narrow = 0
    for j in range(row.size):
        cosine = row[j] * inverse * inverses[j]
        u = 0.5 - 0.5 * abs(cosine)
        narrow += u <= _NARROW
        state[_COSINE, j] = cosine
        state[_U, j] = u
    return narrow


@operation(fastmath=FAST)
def _remainder(x, z, factor):
    """⟨r, x⟩ and ‖r‖² of r = z − factor · x, each entry of which is rounded once."""
    along, square = 0.0, 0.0
    for k in range(x.size):
        r = z[k] - factor * x[k]
        along += r * x[k]
        square += r * r
    return along, square


@operation(fastmath=FAST)
def _excess(factor, norm, other):
    """The rounding error of factor = other / norm, times norm, where the machine fuses the two."""
    return factor * norm - other


@operation(fastmath=STRICT)
def _mend_cosines(x, Z, own, squares, itself, state):
    """The narrow pairs of a stretch, of which column `itself` is x; counts the parallel ones.

    z = c x + r with r ⊥ x, by Gram–Schmidt from c = ±‖z‖/‖x‖: u comes from ‖r‖. The cosine
    is c in units of the norms as they are, rounded, so that the x-part of ∂₁K is right.
    """
    parallel, norm = 0, math.sqrt(own)
    for j in range(squares.size):
        if j == itself:
            state[_COSINE, j] = 1.0
            state[_U, j] = 0.0
        elif state[_U, j] <= _NARROW:
            sign, other = math.copysign(1.0, state[_COSINE, j]), math.sqrt(squares[j])
            factor = sign * other / norm
            along, square = _remainder(x, Z[j], factor)
            step = along / own
            square = max(square - step * along, 0.0)
            state[_COSINE, j] = sign + (step * norm + _excess(factor, norm, sign * other)) / other
            if square <= _PARALLEL * _PARALLEL * squares[j]:
                state[_U, j] = 0.0
                parallel += 1
            else:
                adjacent = abs(factor + step) * norm
                hypotenuse = math.sqrt(square + adjacent * adjacent)
                state[_U, j] = 0.5 * square / (hypotenuse * (hypotenuse + adjacent))
    return parallel


@operation(fastmath=FAST)
def _begin(state, n):
    """τ₀ = cos ϑ, and the slopes: 0 for parallel pairs, where K has a kink, else 1."""
    for j in range(n):
        slope = 0.0 if state[_U, j] == 0.0 else 1.0
        state[_TAU, j] = state[_COSINE, j]
        state[_TAU_SLOPE, j] = slope
        state[_RHO_SLOPE, j] = slope


@operation(fastmath=FAST, inline=True)
def _kappa(u, obtuse, rho_slope):
    """κ₀ and κ₀'."""
    half = math.sqrt(u)
    part = 2.0 * _INVERSE_PI * half * _arcsine_part(u)
    sine = 2.0 * half * math.sqrt(1.0 - u)
    slope = 0.0 if u == 0.0 else _INVERSE_PI * rho_slope / sine
    return (part if obtuse else 1.0 - part), slope


@operation(fastmath=FAST)
def _layer(state, n, first):
    """From ρ_h, τ_h to ρ_h+1, τ_h+1."""
    for j in range(n):
        u, tau, rho_slope = state[_U, j], state[_TAU, j], state[_RHO_SLOPE, j]
        obtuse = first and state[_COSINE, j] < 0.0
        kappa, kappa_slope = _kappa(u, obtuse, rho_slope)
        following = (0.5 if obtuse else u) - 0.5 * _INVERSE_PI * u * math.sqrt(u) * _bend_part(u)
        rho_slope *= kappa
        state[_U, j] = following
        state[_RHO_SLOPE, j] = rho_slope
        state[_TAU_SLOPE, j] = state[_TAU_SLOPE, j] * kappa + tau * kappa_slope + rho_slope
        state[_TAU, j] = tau * kappa + (1.0 - 2.0 * following)


@operation(fastmath=FAST)
def _last_layer(state, n, first):
    """Without a trained output layer the last ρ is not added."""
    for j in range(n):
        tau = state[_TAU, j]
        obtuse = first and state[_COSINE, j] < 0.0
        kappa, kappa_slope = _kappa(state[_U, j], obtuse, state[_RHO_SLOPE, j])
        state[_TAU_SLOPE, j] = state[_TAU_SLOPE, j] * kappa + tau * kappa_slope
        state[_TAU, j] = tau * kappa


@operation(fastmath=FAST)
def _write_values(state, norm, norms, row):
    for j in range(row.size):
        row[j] = 0.5 * norm * norms[j] * state[_TAU, j]


@operation(fastmath=FAST)
def _write_slopes(state, slopes):
    for j in range(slopes.size):
        slopes[j] = 0.5 * state[_TAU_SLOPE, j]


@operation(fastmath=STRICT)
def angle_tile(kernel, X, Z, xs, zs, offset, values, slopes):
    """K and a for a tile; returns the number of parallel pairs of distinct samples."""
    state, norms = np.empty((_N_STATE, WIDTH)), np.sqrt(zs)
    inverses, parallel = 1.0 / norms, 0
    for i in range(X.shape[0]):
        norm = math.sqrt(xs[i])
        for first in range(0, Z.shape[0], WIDTH):
            last = min(first + WIDTH, Z.shape[0])
            n, row = last - first, values[i, first:last]
            if _cosines(row, 1.0 / norm, inverses[first:last], state):
                itself = i + offset - first
                squares = zs[first:last]
                parallel += _mend_cosines(X[i], Z[first:last], xs[i], squares, itself, state)
            _begin(state, n)
            for h in range(kernel.degree - 1 + kernel.output_layer):
                _layer(state, n, h == 0)
            if not kernel.output_layer:
                _last_layer(state, n, kernel.degree == 1)
            if slopes.size:
                _write_slopes(state, slopes[i, first:last])
            _write_values(state, norm, norms[first:last], row)
    return parallel

"""The loss stage of a pass: derivatives of the inner maximum, a row and a block at a time.

ψ(f, κ) = max ℓ(f ± κ) is the loss under an attack that can move the prediction by κ.
Each row gives ψ_f, ψ_κ, ψ_ff, ψ_fκ and ψ_κκ. At κ = 0 these are ℓ', |ℓ'|, ℓ'',
ℓ'' sgn ℓ' and ℓ'': the sums of the natural problem and of Theorem 4.1 are those of the
robust problem at radius zero, so one operation serves fits, influence and robust fits.

Only this file and `point_losses` know losses by their codes. The weighted derivatives of a
block go to the rows of `derivatives` (3, k): d1 = w ψ_f, d12 = w ψ_fκ and d2 = w ψ_ff, which
the next stage multiplies with the data; the scalar sums are added here.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import (
    NEAR_FLAT,
    NEED_LOSS,
    S_F,
    S_F2,
    S_FF,
    S_FK,
    S_K,
    S_KK,
    S_LOSS,
    S_WRONG,
    S_ZERO,
)
from .elementary import exp_of_negative
from .jit import FAST, STRICT, operation
from .point_losses import (
    LOGISTIC,
    POISSON,
    SQUARED_ERROR,
    SQUARED_HINGE,
    end_gap,
    has_log_link,
    is_monotone,
    point_loss,
)

# --- one row --------------------------------------------------------------------------------


@operation(fastmath=STRICT)
def worth(inner, f, y, row):
    """What an ascent on a row's loss raises, and the side (±1) to which it points.

    Where `multiplier` gives ±1 for each row, ± f takes the loss's place.
    """
    if inner.multiplier.size > 0:
        side = inner.multiplier[row]
        return side * f, side
    value, slope, _ = point_loss(inner.loss, inner.delta, f, y)
    return value, -1.0 if slope < 0.0 else 1.0


@operation(fastmath=STRICT, inline=True)
def _hard_end(loss, delta, f, y, kappa):
    """ψ and its derivatives at the end of [f − κ, f + κ] where the loss is larger."""
    if is_monotone(loss):
        side = -y
    else:
        gap = end_gap(loss, delta, f, y, kappa)
        side = 1.0 if gap > 0.0 else (-1.0 if gap < 0.0 else 0.0)
        if side == 0.0 and kappa > 0.0:
            side = 1.0  # both ends are as bad; at κ = 0 there is no attack, and sgn(ℓ') = 0
    value, first, second = point_loss(loss, delta, f + side * kappa, y)
    return value, first, side * first, second, side * second, second


@operation(fastmath=STRICT)
def _mixture(inner, f, y, given):
    """ψ with both ends: λ given (a kink's multiplier), or λ = c / √(c² + μ²)."""
    loss, delta, kappa = inner.loss, inner.delta, inner.kappa
    plus, plus1, plus2 = point_loss(loss, delta, f + kappa, y)
    minus, minus1, minus2 = point_loss(loss, delta, f - kappa, y)
    weight, extra, curvature = given, 0.0, 0.0
    if given != given:
        c = kappa * end_gap(loss, delta, f, y, kappa)
        root = math.hypot(c, inner.smoothing)
        weight = c / root
        # √(c² + μ²) is above λc by μ²/√(c² + μ²), and its curvature is that over c² + μ².
        extra = inner.smoothing * (inner.smoothing / root)
        curvature = extra / root / root
    up, down = 0.5 * (1.0 + weight), 0.5 * (1.0 - weight)
    c_f, c_k = 0.5 * (plus1 - minus1), 0.5 * (plus1 + minus1)
    value = up * plus + down * minus + extra
    return (
        value,
        up * plus1 + down * minus1,
        up * plus1 - down * minus1,
        up * plus2 + down * minus2 + curvature * c_f * c_f,
        up * plus2 - down * minus2 + curvature * c_f * c_k,
        up * plus2 + down * minus2 + curvature * c_k * c_k,
    )


# --- a block of rows ----------------------------------------------------------------------------


@operation(fastmath=STRICT)
def _add_sums(scalars, f, k, ff, fk, kk, f2):
    """Add a block's sums of ψ_f, ψ_κ, ψ_ff, ψ_fκ, ψ_κκ and ψ_f² (weighted)."""
    scalars[S_F] += f
    scalars[S_K] += k
    scalars[S_FF] += ff
    scalars[S_FK] += fk
    scalars[S_KK] += kk
    scalars[S_F2] += f2


@operation(fastmath=STRICT)
def _logistic_slopes(f, y, kappa, w, derivatives, scalars):
    """Stage 2 for the logistic loss where no loss value is asked for: one exponential a row."""
    d1, d12, d2 = derivatives[0], derivatives[1], derivatives[2]
    sum_f = sum_k = sum_ff = sum_fk = sum_f2 = 0.0
    for i in range(f.shape[0]):
        t = y[i] * f[i] - kappa
        e = math.exp(-abs(t))
        inverse = 1.0 / (1.0 + e)
        small = e * inverse
        s = small if t > 0.0 else inverse
        ws, second = w[i] * s, w[i] * (small * inverse)
        d1[i] = -y[i] * ws
        d12[i] = -y[i] * second
        d2[i] = second
        sum_f += d1[i]
        sum_k += ws
        sum_ff += second
        sum_fk += d12[i]
        sum_f2 += ws * s
        if w[i] > 0.0:
            scalars[S_ZERO] += s <= NEAR_FLAT * (small * inverse) * (abs(f[i]) + 1.0)
            scalars[S_WRONG] += not t > 0.0
    _add_sums(scalars, sum_f, sum_k, sum_ff, sum_fk, sum_ff, sum_f2)


@operation(fastmath=FAST)
def _squared_slopes(f, y, kappa, w, derivatives, scalars):
    """Stage 2 for the squared error (|r| + κ)² at its worse end: plain arithmetic, vectorised."""
    d1, d12, d2 = derivatives[0], derivatives[1], derivatives[2]
    total = sum_f = sum_k = sum_ff = sum_fk = sum_f2 = 0.0
    zeros = 0
    attacked = kappa > 0.0
    for i in range(f.shape[0]):
        r = f[i] - y[i]
        side = 1.0 if r > 0.0 or (attacked and r == 0.0) else (-1.0 if r < 0.0 else 0.0)
        reach = abs(r) + kappa
        wi = w[i]
        weighted = 2.0 * wi * reach
        d1[i] = side * weighted
        d12[i] = 2.0 * wi * side
        d2[i] = 2.0 * wi
        total += wi * reach * reach
        sum_f += side * weighted
        sum_k += weighted * abs(side)
        sum_ff += 2.0 * wi
        sum_fk += 2.0 * wi * side
        sum_f2 += 2.0 * weighted * reach * abs(side)
        flat = reach <= NEAR_FLAT * (abs(f[i]) + abs(y[i]))
        zeros += 1 if flat and wi > 0.0 else 0
    scalars[S_LOSS] += total
    _add_sums(scalars, sum_f, sum_k, sum_ff, sum_fk, sum_ff, sum_f2)
    scalars[S_ZERO] += zeros


@operation(fastmath=STRICT)
def _general_slopes(f, y, inner, first_row, w, need, derivatives, scalars):
    """Stage 2 for every loss: pointwise derivatives, weighted, and their scalar sums.

    The loss is summed with compensation: solvers compare values that differ by little.
    """
    d1, d12, d2 = derivatives[0], derivatives[1], derivatives[2]
    total = carry = sum_f = sum_k = sum_ff = sum_fk = sum_kk = sum_f2 = 0.0
    monotone = is_monotone(inner.loss)
    mixed = inner.multiplier.size > 0 or (inner.smoothing > 0.0 and inner.kappa > 0.0)
    counts_wrong = monotone and not mixed and not need & NEED_LOSS
    smooth = inner.smoothing > 0.0 and not monotone and inner.kappa > 0.0
    given, log_link = inner.multiplier.size > 0, has_log_link(inner.loss)
    for i in range(f.shape[0]):
        wi = w[i]
        if wi == 0.0:  # also where the loss overflows: 0 · ∞ is no number
            d1[i] = d12[i] = d2[i] = 0.0
            continue
        multiplier = inner.multiplier[first_row + i] if given else np.nan
        if smooth or multiplier == multiplier:
            value, a, b, aa, ab, bb = _mixture(inner, f[i], y[i], multiplier)
        elif inner.loss == POISSON:
            value, a, b, aa, ab, bb = _hard_end(POISSON, 1.0, f[i], y[i], inner.kappa)
        else:
            value, a, b, aa, ab, bb = _hard_end(inner.loss, inner.delta, f[i], y[i], inner.kappa)
        d1[i], d12[i], d2[i] = wi * a, wi * ab, wi * aa
        term = wi * value - carry
        longer = total + term
        carry = (longer - total) - term
        total = longer
        sum_f += d1[i]
        sum_k += wi * b
        sum_ff += d2[i]
        sum_fk += d12[i]
        sum_kk += wi * bb
        sum_f2 += d1[i] * a
        if abs(b) <= NEAR_FLAT * aa * (abs(f[i]) + (1.0 if log_link else abs(y[i]))):
            # Beyond its corner this one is flat, which is no kink.
            scalars[S_ZERO] += aa > 0.0 or inner.loss != SQUARED_HINGE
        if counts_wrong:
            scalars[S_WRONG] += not y[i] * f[i] - inner.kappa > 0.0
    scalars[S_LOSS] += total
    _add_sums(scalars, sum_f, sum_k, sum_ff, sum_fk, sum_kk, sum_f2)


@operation(fastmath=STRICT)
def slopes(f, y, inner, start, w, need, derivatives, scalars):
    """The loss stage by the fastest of its versions that serves."""
    hard = inner.multiplier.size == 0 and not (inner.smoothing > 0.0 and inner.kappa > 0.0)
    if hard and inner.loss == LOGISTIC and not need & NEED_LOSS:
        _logistic_slopes(f, y, inner.kappa, w, derivatives, scalars)
    elif hard and inner.loss == SQUARED_ERROR:
        _squared_slopes(f, y, inner.kappa, w, derivatives, scalars)
    else:
        _general_slopes(f, y, inner, start, w, need, derivatives, scalars)


# --- a bootstrap draw ---------------------------------------------------------------------------


@operation(fastmath=STRICT)
def _squared_draw(f, y, w, d12, d2):
    for i in range(y.size):
        r = f[i] - y[i]
        double = 2.0 * w[i]
        f[i] = double * r
        d12[i] = double if r > 0.0 else (-double if r < 0.0 else 0.0)
        d2[i] = double


@operation(fastmath=STRICT)
def _logistic_draw(f, y, w, d12, d2):
    for i in range(y.size):
        t = y[i] * f[i]
        e = exp_of_negative(abs(t))
        inverse = 1.0 / (1.0 + e)
        small = e * inverse
        s = small if t > 0.0 else inverse
        second = w[i] * (small * inverse)
        f[i] = -y[i] * (w[i] * s)
        d12[i] = -y[i] * second
        d2[i] = second


@operation(fastmath=STRICT)
def _general_draw(f, y, w, inner, d12, d2):
    for i in range(y.size):
        wi = w[i]
        if wi == 0.0:  # also where the loss overflows: 0 · ∞ is no number
            f[i] = d12[i] = d2[i] = 0.0
            continue
        _, first, second = point_loss(inner.loss, inner.delta, f[i], y[i])
        f[i] = wi * first
        d2[i] = wi * second
        d12[i] = d2[i] * np.sign(first)


@operation(fastmath=STRICT)
def slopes_of_draw(f, y, w, inner, d12, d2):
    """Stage 2 of one bootstrap draw at κ = 0, by the fastest version; f becomes w ℓ'."""
    if inner.loss == SQUARED_ERROR:
        _squared_draw(f, y, w, d12, d2)
    elif inner.loss == LOGISTIC:
        _logistic_draw(f, y, w, d12, d2)
    else:
        _general_draw(f, y, w, inner, d12, d2)

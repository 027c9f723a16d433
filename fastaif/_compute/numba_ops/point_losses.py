"""The losses at one prediction: ℓ, ℓ' and ℓ'', and at which end of an interval ℓ is larger.

`delta` is the loss's parameter: the pseudo-Huber loss's transition, the Tweedie power, the
negative binomial dispersion, the expectile.

The first four losses are inlined where they are used. The others, mostly one transcendental
function after the other, are calls: what is compiled for them is compiled once.
"""

from __future__ import annotations

import math

from .jit import STRICT, operation

# As `code` of the classes in `losses`.
SQUARED_ERROR, LOGISTIC, POISSON, HUBER, GAMMA, TWEEDIE = 0, 1, 2, 3, 4, 5
NEGATIVE_BINOMIAL, PROBIT, CLOGLOG, SQUARED_HINGE, EXPECTILE = 6, 7, 8, 9, 10
N_LOSSES = 11

_LOG_ROOT_TAU = 0.91893853320467274178  # ½ log 2π
_TERMS = 60  # of a continued fraction, at 3 and beyond


@operation(fastmath=STRICT, inline=True)
def is_monotone(loss):
    """Whether ℓ falls towards zero in y f: the worse end of an interval is always −y's."""
    return loss in (LOGISTIC, PROBIT, CLOGLOG, SQUARED_HINGE)


@operation(fastmath=STRICT, inline=True)
def of_residuals(loss):
    """Whether ℓ depends on f − y alone."""
    return loss in (SQUARED_ERROR, HUBER, EXPECTILE)


@operation(fastmath=STRICT, inline=True)
def has_log_link(loss):
    """Whether f is the logarithm of a mean."""
    return loss in (POISSON, GAMMA, TWEEDIE, NEGATIVE_BINOMIAL)


@operation(fastmath=STRICT, inline=True)
def starting_intercept(loss, mean):
    """b from which Newton's method starts, for targets of this mean."""
    return math.log(mean) if has_log_link(loss) and mean > 0.0 else 0.0


@operation(fastmath=STRICT, inline=True)
def starts_wider(loss):
    """Whether Newton's method follows ever smaller parameters δ to the loss's own."""
    return loss == HUBER


# --- values and derivatives -----------------------------------------------------------------------


@operation(fastmath=STRICT)
def _softplus(t):
    """log(1 + exp(t))."""
    return math.log1p(math.exp(-abs(t))) + max(t, 0.0)


@operation(fastmath=STRICT)
def _negative_binomial(a, f, y):
    """(y + 1/a) log(1 + a exp(f)) − y f; beyond t = 0 y f would cancel."""
    t, count = f + math.log(a), y + 1.0 / a
    e = math.exp(-abs(t))
    inverse = 1.0 / (1.0 + e)
    small = e * inverse
    share, rest = (inverse, small) if t > 0.0 else (small, inverse)
    beyond = y * math.log(a) + t / a if t > 0.0 else -y * f
    of_f = math.exp(-abs(f))  # (exp(f) − y)/(1 + a exp(f)) without overflow
    slope = (1.0 - y * of_f) * (share / a) if f > 0.0 else (of_f - y) * rest
    return count * math.log1p(e) + beyond, slope, count * share * rest


@operation(fastmath=STRICT)
def _normal_margin(t):
    """−log Φ(t), h = φ/Φ, and h (t + h).

    Below −3, what h is above −t is a continued fraction (t + h would cancel).
    """
    if t <= -3.0:
        rest = 0.0
        for k in range(_TERMS, 0, -1):
            rest = k / (rest - t)
        return 0.5 * t * t + _LOG_ROOT_TAU + math.log(rest - t), rest - t, (rest - t) * rest
    tail = 0.5 * math.erfc(abs(t) * math.sqrt(0.5))
    share = tail if t < 0.0 else 1.0 - tail
    h = math.exp(-0.5 * t * t - _LOG_ROOT_TAU) / share
    return -math.log(share) if t < 0.0 else -math.log1p(-tail), h, h * (t + h)


@operation(fastmath=STRICT)
def _log_log_margin(f):
    """−log(1 − exp(−μ)) at μ = exp(f), and its derivatives in f."""
    mean = math.exp(f)
    if f < -36.0:
        return 0.5 * mean - f, 0.5 * mean - 1.0, 0.5 * mean
    if mean > 700.0:
        return 0.0, 0.0, 0.0
    g = mean / math.expm1(mean)
    if mean < 0.5:  # μ + g − 1 by its series
        q = mean * mean
        rest = -1.0 / 1209600.0 + q / 47900160.0
        rest = q * (-1.0 / 720.0 + q * (1.0 / 30240.0 + q * rest))
        above = mean * (0.5 + mean * (1.0 / 12.0 + rest))
        return -math.log(-math.expm1(-mean)), -g, g * above
    return -math.log1p(-math.exp(-mean)), -g, g * (mean + g - 1.0)


@operation(fastmath=STRICT)
def _log_link_loss(loss, delta, f, y):
    """Gamma, Tweedie and negative binomial losses."""
    if loss == GAMMA:
        ratio = y * math.exp(-f) if y > 0.0 else 0.0
        return ratio + f, 1.0 - ratio, ratio
    if loss == TWEEDIE:
        a, b = 2.0 - delta, delta - 1.0
        up = math.exp(a * f)
        down = y * math.exp(-b * f) if y > 0.0 else 0.0
        return up / a + down / b, up - down, a * up + b * down
    return _negative_binomial(delta, f, y)


@operation(fastmath=STRICT)
def _rarer_loss(loss, delta, f, y):
    """ℓ, ℓ', ℓ'' of all losses but the first four."""
    if loss in (GAMMA, TWEEDIE, NEGATIVE_BINOMIAL):
        return _log_link_loss(loss, delta, f, y)
    if loss == PROBIT:
        value, h, bend = _normal_margin(y * f)
        return value, -y * h, bend
    if loss == CLOGLOG:
        if y > 0.0:
            return _log_log_margin(f)
        mean = math.exp(f)
        return mean, mean, mean
    if loss == SQUARED_HINGE:
        short = 1.0 - y * f
        if short > 0.0:
            return short * short, -2.0 * y * short, 2.0
        return 0.0, 0.0, 0.0
    r = f - y  # the expectile's
    side = 1.0 - delta if r > 0.0 else delta
    return side * r * r, 2.0 * side * r, 2.0 * side


@operation(fastmath=STRICT, inline=True)
def point_loss(loss, delta, f, y):
    """ℓ, ℓ', ℓ'' at one prediction."""
    if loss == SQUARED_ERROR:
        r = f - y
        return r * r, 2.0 * r, 2.0
    if loss == LOGISTIC:
        t = y * f
        e = math.exp(-abs(t))
        inverse = 1.0 / (1.0 + e)
        small = e * inverse
        s = small if t > 0.0 else inverse
        return math.log1p(e) + max(-t, 0.0), -y * s, small * inverse
    if loss == POISSON:
        mean = math.exp(f)
        return mean - y * f, mean - y, mean
    if loss != HUBER:
        return _rarer_loss(loss, delta, f, y)
    r = f - y
    u = abs(r / delta)
    inverse = 1.0 / (math.sqrt(1.0 + u * u) if u < 1e150 else u)
    return r * inverse * (r / (1.0 + inverse)), r * inverse, inverse * inverse * inverse


# --- ends of an interval ----------------------------------------------------------------------


@operation(fastmath=STRICT)
def _exp_gap(a, f, kappa):
    """(exp(a(f + κ)) − exp(a(f − κ))) / 2aκ, for a of either sign."""
    reach = abs(a) * kappa
    if reach > 1.0:  # exp(f) sinh(κ) could be 0 · ∞
        return (math.exp(a * f + reach) - math.exp(a * f - reach)) / (2.0 * reach)
    sinhc = math.sinh(reach) / reach if reach > 1e-4 else 1.0 + reach * reach / 6.0
    return math.exp(a * f) * sinhc


@operation(fastmath=STRICT)
def _softplus_gap(t, kappa):
    """(log(1 + exp(t + κ)) − log(1 + exp(t − κ))) / 2κ for t ≤ 0."""
    if kappa > 1.0:
        return (_softplus(t + kappa) - _softplus(t - kappa)) / (2.0 * kappa)
    slope = _exp_gap(1.0, t, kappa) / (1.0 + math.exp(t - kappa))
    return math.log1p(2.0 * kappa * slope) / (2.0 * kappa) if kappa > 1e-150 else slope


@operation(fastmath=STRICT)
def _rarer_end_gap(loss, delta, f, y, kappa):
    """The gap of all losses but the first four that have two ends."""
    if loss == GAMMA:
        return 1.0 - (y * _exp_gap(-1.0, f, kappa) if y > 0.0 else 0.0)
    if loss == TWEEDIE:
        down = y * _exp_gap(1.0 - delta, f, kappa) if y > 0.0 else 0.0
        return _exp_gap(2.0 - delta, f, kappa) - down
    if loss == NEGATIVE_BINOMIAL:
        t, count = f + math.log(delta), y + 1.0 / delta
        gap = count * _softplus_gap(-abs(t), kappa)
        return 1.0 / delta - gap if t > 0.0 else gap - y
    r = f - y  # the expectile's
    low, high = r - kappa, r + kappa
    if low >= 0.0 or high <= 0.0:
        return 2.0 * (1.0 - delta if r > 0.0 else delta) * r
    return ((1.0 - delta) * high * high - delta * low * low) / (2.0 * kappa)


@operation(fastmath=STRICT, inline=True)
def end_gap(loss, delta, f, y, kappa):
    """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0.

    Its sign says at which end the loss is larger. Of a loss whose worse end never changes, it is
    that sign alone.
    """
    if is_monotone(loss):
        return -y
    if loss == SQUARED_ERROR:
        return 2.0 * (f - y)
    if loss == HUBER:
        r = f - y
        plus, minus = (r + kappa) / delta, (r - kappa) / delta
        return 2.0 * r / (math.hypot(1.0, plus) + math.hypot(1.0, minus))
    if loss != POISSON:
        return _rarer_end_gap(loss, delta, f, y, kappa)
    if kappa > 1.0:  # exp(f) sinh(κ) could be 0 · ∞
        return (math.exp(f + kappa) - math.exp(f - kappa)) / (2.0 * kappa) - y
    sinhc = math.sinh(kappa) / kappa if kappa > 1e-4 else 1.0 + kappa * kappa / 6.0
    return math.exp(f) * sinhc - y

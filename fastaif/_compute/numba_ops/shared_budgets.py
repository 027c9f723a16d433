"""Budgets shared between samples: a block's shares, relative to the largest gain met so far.

An attack of order u divides its budget in proportion to ``a_i = (g_i / M)^e`` (Theorem 6.1,
corrected), where g_i = ‖∇_x ℓ_i‖_q, M is the largest of them and e = 1 / (u − 1): infinite
for u = 1, where the samples with g_i = M have it all. M is known only at the end of a pass;
until then everything that was multiplied by shares is kept relative to the largest g so
far, and scaled when a larger one comes, so that one pass is enough and nothing overflows.
"""

from __future__ import annotations

import math

from ..types import S_MIXED, S_PEAK, S_POWER, TIED, V_FK, V_MIXED
from .jit import STRICT, operation


@operation(fastmath=STRICT)
def share_of(ratio, exponent):
    """(g / M)^e for g / M in [0, 1]."""
    if exponent == math.inf:
        return 1.0 if ratio >= TIED else 0.0
    return ratio if exponent == 1.0 else ratio**exponent


@operation(fastmath=STRICT)
def raise_peak(peak, exponent, sums):
    """Make `peak` the sums' M; returns what the shares so far are multiplied by."""
    if peak <= sums.scalars[S_PEAK]:
        return 1.0
    ratio = sums.scalars[S_PEAK] / peak
    factor = share_of(ratio, exponent)
    for k in range(sums.vectors.shape[1]):
        sums.vectors[V_FK, k] *= factor
        sums.vectors[V_MIXED, k] *= factor
    sums.scalars[S_MIXED] *= factor
    sums.scalars[S_POWER] *= factor * ratio
    sums.scalars[S_PEAK] = peak
    return factor


@operation(fastmath=STRICT)
def share_budgets(first, gains, w, exponent, shares, sums):
    """Write the shares of a block's rows, and add Σ w (g / M)^(e + 1) to the sums.

    Parameters
    ----------
    first, gains : array (k,)
        w ℓ' and ‖∇_x f‖_q of each row; empty gains are all equal, and left out of g.
    w : array (k,)
    exponent : float
        e, above 0.
    shares : array (k,)
        Receives a.
    sums : Sums

    Returns
    -------
    float
        What the shares of earlier blocks are multiplied by.
    """
    peak = 0.0
    for i in range(w.size):
        gain = 0.0
        if w[i] > 0.0:
            gain = abs(first[i]) / w[i]
            if gains.size:
                gain *= gains[i]
        shares[i] = gain
        peak = max(peak, gain)
    factor = raise_peak(peak, exponent, sums)
    peak = sums.scalars[S_PEAK]
    for i in range(w.size):
        ratio = shares[i] / peak if peak > 0.0 else 0.0
        shares[i] = share_of(ratio, exponent)
        sums.scalars[S_POWER] += w[i] * shares[i] * ratio
    return factor

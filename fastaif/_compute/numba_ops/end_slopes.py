"""The loss stage of a pass for many predictors at once, each with its own attack.

Where robust optima of many radii are looked for together, products of the rows with all of them are
matrix products; what is between those is this.
"""

from __future__ import annotations

import numpy as np

from ..types import NEED_LOSS, Inner
from .jit import STRICT, operation
from .losses import slopes


@operation(fastmath=STRICT)
def end_slopes(f, y, w, inner, kappas, numbers, scalars):
    """Derivatives of max ℓ(f ± κ), and their sums, of each of k predictors.

    Parameters
    ----------
    f : array (k, n)
        Predictions.
    y, w : arrays (n,)
        Targets and weights.
    inner : Inner
        With any κ.
    kappas : array (k,)
    numbers : array (2 k, n)
        Written: of each w ψ_f, and w ψ_fκ.
    scalars : array (k, N_SCALARS)
        The loss stage's sums are added.
    """
    derivatives = np.empty((3, y.size))
    for j in range(kappas.size):
        own = Inner(inner.loss, inner.delta, kappas[j], 0.0, inner.multiplier, inner.exponent)
        slopes(f[j], y, own, 0, w, NEED_LOSS, derivatives, scalars[j])
        numbers[2 * j] = derivatives[0]
        numbers[2 * j + 1] = derivatives[1]

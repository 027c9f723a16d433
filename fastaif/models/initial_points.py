"""Where Newton's method starts for losses that zero does not suit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.finite_sum.natural_fit import natural_fit
from ..losses import Loss
from ..passes.linear import Sweep

Array = NDArray[Any]


def starting_point(sweep: Sweep, alpha: float, penalized: Array) -> Array | None:
    """θ to start a fit from, or None for zero."""
    if sweep.loss.name == "poisson" and sweep.fit_intercept:
        return _log_mean(sweep)
    if sweep.loss.name == "huber":
        return _wider_huber(sweep, alpha, penalized)
    return None


def _log_mean(sweep: Sweep) -> Array:
    """log of the mean count: from zero the first step could overflow."""
    mean = sweep.source.mean(sweep.source.targets())
    start = np.zeros(sweep.n_coefs + 1)
    start[-1] = np.log(mean) if mean > 0 else 0.0
    return start


def _wider_huber(sweep: Sweep, alpha: float, penalized: Array) -> Array | None:
    """The fit of a δ ten times larger, and so on up to the scale of the targets.

    Where most residuals are beyond δ the loss is nearly flat in curvature, and Newton
    needs to start close.
    """
    y = sweep.source.targets()
    delta, start = float(np.mean(np.abs(y - np.median(y)))), None
    while delta > 3.0 * sweep.loss.delta:
        wider = dataclasses.replace(sweep, loss=Loss("huber", delta))
        start = natural_fit(wider, alpha, start, penalized=penalized).x
        delta *= 0.1
    return start

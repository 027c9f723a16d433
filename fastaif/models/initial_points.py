"""Where Newton's method starts for losses that zero does not suit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..families.finite_sum.natural_fit import natural_fit
from ..passes.linear import Sweep

Array = NDArray[Any]


def starting_point(sweep: Sweep, alpha: float, penalized: Array) -> Array | None:
    """θ to start a fit from, or None for zero."""
    loss, start = sweep.loss, None
    if not loss.needs_start:
        return None
    y = sweep.source.targets()
    intercept = loss.starting_intercept(sweep.source.mean(y)) if sweep.fit_intercept else None
    if intercept is not None:
        start = np.append(np.zeros(sweep.n_coefs), intercept)
    for easier in loss.easier(y):
        wider = dataclasses.replace(sweep, loss=easier)
        start = natural_fit(wider, alpha, start, penalized=penalized).x
    return start

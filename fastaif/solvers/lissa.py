"""LiSSA: the inverse of an expectation of matrices, by a stochastic Neumann series.

H⁻¹b is the limit of x ← x + (b − H̃x) / scale with a fresh sample H̃ of H in every step
(Agarwal, Bullins & Hazan, "Second-order stochastic optimization for machine learning in
linear time", JMLR 18, 2017; as Koh & Liang, ICML 2017, use it for influence functions). A
round averages the second half of a series; the next round takes what the exact residual,
one product with H, shows to be left. So the error is seen, and sampling noise is no floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cg import column_sizes

Array = NDArray[np.float64]

_FIRST_DEPTH = 64
_LOST = 1e6  # times the start: a series that grows so far will not come back


class DivergenceError(np.linalg.LinAlgError):
    """The series grows instead of settling."""


@dataclass(frozen=True)
class Estimate:
    """What the rounds came to.

    Attributes
    ----------
    x : array (d, k)
    iterations : int
        Sampled steps in all.
    residual : float
        The largest ‖b − Hx‖ / ‖b‖ of the columns.
    """

    x: Array
    iterations: int
    residual: float


def lissa(
    multiply: Callable[[Array], Array],
    sample: Callable[[int, Array], Array],
    b: Array,
    *,
    scale: float,
    tol: float = 1e-4,
    max_steps: int = 50_000,
) -> Estimate:
    """Estimate H⁻¹ b.

    Parameters
    ----------
    multiply : callable
        (d, k) to H (d, k), exactly.
    sample : callable
        (step, (d, k)) to H̃ (d, k), unbiased and independent from step to step.
    b : array (d, k)
    scale : float
        Above the largest eigenvalue of H; more where the samples vary much.
    tol : float
        Bound on the relative residual.
    max_steps : int

    Raises
    ------
    DivergenceError
        The series grows without bound, or a round leaves more than it found.
    """
    units = column_sizes(b)
    b = b / units
    sizes = np.linalg.norm(b, axis=0)
    sizes[sizes == 0.0] = 1.0
    x, r, used, depth = np.zeros(b.shape), b, 0, _FIRST_DEPTH
    left = float(np.max(np.linalg.norm(r, axis=0) / sizes))
    while left > tol and used + depth <= max_steps:
        x = x + _series(sample, r, scale, used, depth)
        used += depth
        r = b - multiply(x)
        found = float(np.max(np.linalg.norm(r, axis=0) / sizes))
        if not found <= 2.0 * left:
            raise DivergenceError(f"a round took the residual from {left:.3g} to {found:.3g}")
        if found > 0.3 * left:
            depth *= 2
        left = found
    return Estimate(x * units, used, left)


def _series(
    sample: Callable[[int, Array], Array], b: Array, scale: float, first: int, depth: int
) -> Array:
    """The mean of the second half of `depth` steps."""
    x, total = np.zeros(b.shape), np.zeros(b.shape)
    bound = _LOST * float(np.linalg.norm(b)) * depth / scale
    for step in range(depth):
        x = x + (b - sample(first + step, x)) / scale
        if not float(np.linalg.norm(x)) <= bound:
            raise DivergenceError(f"it is lost after {first + step + 1} steps")
        if 2 * step >= depth:
            total += x
    return np.asarray(total / (depth - (depth + 1) // 2))

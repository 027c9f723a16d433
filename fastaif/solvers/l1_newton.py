"""Newton's method for a smooth convex function and a weighted l1 norm.

A step minimises the function's quadratic model and the norm as it is (`l1_quadratic`), so that
zeros are exact, and converges as Newton's does once it has found which they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import l1_quadratic
from .cholesky import factorize
from .newton import HALVINGS, Local, NewtonResult

Array = NDArray[Any]

_SLACK = 1e-3  # of the tolerance: what a step may leave of it


def minimize(
    evaluate: Callable[[Array], Local],
    x: Array,
    weights: Array,
    *,
    tol: float = 1e-12,
    max_iter: int = 100,
    floor: float = -np.inf,
) -> NewtonResult:
    """Minimise f(x) + Σ w |x|.

    Parameters
    ----------
    evaluate : callable
        x (d,) to the smooth part's `Local`.
    x, weights : arrays (d,)
    tol : float
        Bound on the least subgradient's norm relative to the yardstick; as of Newton's method
        without an l1 norm one more step follows.
    floor : float
        Stop, not converged, once the value is below it.

    Returns
    -------
    NewtonResult
        Its `local` is of the sum: value and least subgradient. `singular` says that the Hessian
        of what is not zero is, at the end.
    """

    def sum_at(x: Array) -> tuple[Local, Local]:
        smooth = evaluate(x)
        gradient = l1_quadratic.least_subgradient(smooth.gradient, x, weights)
        value = smooth.value + float(weights @ np.abs(x))
        return smooth, smooth._replace(value=value, gradient=gradient)

    smooth, here = sum_at(x)
    met = False
    for iteration in range(max_iter + 1):
        if not (np.isfinite(here.value) and np.isfinite(here.hessian).all()):
            met = False
            break
        was_met, met = met, met or here.residual <= tol
        if was_met or here.residual == 0.0 or here.value < floor or iteration == max_iter:
            break
        slack = _SLACK * tol * here.yardstick
        step = l1_quadratic.minimise(smooth.hessian, smooth.gradient, x, weights, slack)
        fall = -float(smooth.gradient @ step) - float(weights @ (np.abs(x + step) - np.abs(x)))
        moved = _halve(sum_at, x, here, step, fall)
        if moved is None or (met and moved[2].residual >= here.residual):
            met = met or bool(np.linalg.norm(step) <= 1e-9 * (np.linalg.norm(x) + 1e-300))
            break
        x, smooth, here = moved
    return NewtonResult(x, here, iteration, met and here.value >= floor, _is_flat(here, x, weights))


def _halve(
    sum_at: Callable[[Array], tuple[Local, Local]], x: Array, here: Local, step: Array, fall: float
) -> tuple[Array, Local, Local] | None:
    """The first of x + step, x + step/2, … with enough descent, or None."""
    # Near the minimum values differ by rounding alone: there the subgradient decides.
    rounding = 1e-13 * abs(here.value)
    near = fall <= rounding
    size = 1.0
    for _ in range(3 if near else HALVINGS):
        new = x + size * step
        smooth, there = sum_at(new)
        descent = there.value <= here.value - 1e-4 * size * fall
        close = near and there.value <= here.value + rounding
        better = there.residual < here.residual
        if np.isfinite(there.value) and ((descent and not near) or (close and better)):
            return new, smooth, there
        size *= 0.5
    return None


def _is_flat(here: Local, x: Array, weights: Array) -> bool:
    """Whether the Hessian of the entries that are not zero is singular."""
    A = np.flatnonzero((weights == 0.0) | (x != 0.0))
    if not A.size or not np.isfinite(here.hessian).all():
        return False
    return factorize(here.hessian[np.ix_(A, A)]) is None

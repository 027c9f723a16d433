"""Newton's method for smooth convex objectives, on callables and arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cholesky import factorize, minimum_norm_solve
from .lbfgs_memory import Secants

Array = NDArray[Any]

HALVINGS = 50


class Local(NamedTuple):
    """An objective at a point: value, gradient (d,), Hessian (d, d), gradient yardstick."""

    value: float
    gradient: Array
    hessian: Array
    yardstick: float

    @property
    def residual(self) -> float:
        """The gradient's norm relative to the yardstick."""
        norm = float(np.linalg.norm(self.gradient))
        return norm / self.yardstick if self.yardstick > 0 else norm


@dataclass(frozen=True)
class NewtonResult:
    """Where Newton's method stopped."""

    x: Array
    local: Local
    n_iter: int
    converged: bool
    singular: bool


def minimize(
    evaluate: Callable[[Array], Local],
    x: Array,
    *,
    tol: float = 1e-12,
    max_iter: int = 100,
    floor: float = -np.inf,
    units: Array | None = None,
    memory: Secants | None = None,
    solve: Callable[[Array, Local], tuple[Array, bool]] | None = None,
    halvings: int = HALVINGS,
) -> NewtonResult:
    """Minimise a convex function; the step halves until the value falls enough.

    Parameters
    ----------
    evaluate : callable
        x (d,) to `Local`.
    x : array (d,)
        Start; where H is singular the limit is the nearest minimiser to 0 if x = 0.
    tol : float
        Bound on the gradient's norm relative to its yardstick. One more step is taken
        after it is met, where that still gains digits.
    floor : float
        Stop, not converged, once the value is below it: a loss that can only reach its
        infimum at infinity (separable classes).
    units : array (d,), optional
        Where H is singular, the minimiser of least ‖x / units‖ is sought.
    memory : Secants, optional
        For an H that leaves out a part of the curvature.
    solve : callable, optional
        x and the objective there to the Newton step and whether H is singular, for objectives
        that do not form H (their `Local.hessian` is empty).
    halvings : int
        Steps are halved less often than that: at kinks, where Newton's steps lead nowhere, they
        would be halved until rounding ends it.
    """
    here = evaluate(x)
    singular, met = False, False
    for iteration in range(max_iter + 1):
        if not (np.isfinite(here.value) and np.isfinite(here.hessian).all()):
            met = False
            break
        met = met or here.residual <= tol
        if here.residual == 0.0 or here.value < floor or iteration == max_iter:
            break
        step, flat = _newton_step(here, units, memory) if solve is None else solve(x, here)
        singular |= flat
        if np.linalg.norm(step) <= 1e-15 * np.linalg.norm(x):
            met = True
            break
        moved = _halve(evaluate, x, here, step, halvings)
        if moved is None or (met and moved[1].residual >= here.residual):
            # No smaller value can be told apart. Where even the whole step is within
            # rounding of x, this is the minimum as far as float64 goes.
            met = met or bool(np.linalg.norm(step) <= 1e-9 * (np.linalg.norm(x) + 1e-300))
            break
        was_met = met
        if memory is not None:
            memory.add(moved[0] - x, moved[1].gradient - here.gradient)
        x, here = moved
        if was_met:
            break
    return NewtonResult(x, here, iteration, met and here.value >= floor, singular)


def _newton_step(
    here: Local, units: Array | None, memory: Secants | None
) -> tuple[Array, bool]:
    factor = factorize(here.hessian)
    if factor is not None and memory is not None:
        return memory.solve(here.gradient, factor.solve), False
    if factor is not None:
        return factor.solve(here.gradient), False
    if units is None:
        return minimum_norm_solve(here.hessian, here.gradient), True
    hessian = here.hessian * np.outer(units, units)
    return units * minimum_norm_solve(hessian, units * here.gradient), True


def _halve(
    evaluate: Callable[[Array], Local], x: Array, here: Local, step: Array, halvings: int
) -> tuple[Array, Local] | None:
    """The first of x − step, x − step/2, … with enough descent, or None."""
    slope = float(here.gradient @ step)
    # Near the minimum values differ by rounding alone: there the gradient decides.
    rounding = 1e-13 * abs(here.value)
    near = slope <= rounding
    size = 1.0
    for _ in range(3 if near else halvings):
        there = evaluate(x - size * step)
        descent = there.value <= here.value - 1e-4 * size * slope
        close = near and there.value <= here.value + rounding
        if np.isfinite(there.value) and (descent or (close and there.residual < here.residual)):
            return x - size * step, there
        size *= 0.5
    return None

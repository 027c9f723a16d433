"""Descent on the maximum of objectives, whose gradient is that at the maximisers (Danskin).

Near the natural optimum steps −H⁻¹G, H that of the natural objective, converge fast; where they do
not a quasi-Newton method takes over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .lbfgs import minimize_adversarial

Array = NDArray[Any]

CONVERGED = 1e-9  # of the quasi-Newton method, whose attacks are not exact
_STEPS = 50
_ENOUGH = 0.5  # by which every step has to lower the gradient


class Point(Protocol):
    """An objective at a point."""

    @property
    def x(self) -> Array:
        """Where (d,)."""

    @property
    def value(self) -> float:
        """The objective."""

    @property
    def gradient(self) -> Array:
        """Its gradient (d,)."""

    @property
    def residual(self) -> float:
        """The gradient's norm relative to a yardstick."""


P = TypeVar("P", bound=Point, covariant=True)
Q = TypeVar("Q", bound=Point)


class Counted(Protocol[P]):
    """An objective that counts its evaluations."""

    @property
    def n_calls(self) -> int:
        """How many there have been."""

    def __call__(self, x: Array, /) -> P:
        """The objective at x."""


class _Enough(Exception):  # noqa: N818  (nothing is wrong)
    """The quasi-Newton method is not to go on."""


def descend(
    objective: Counted[Q], here: Q, metric: Array, tol: float, limit: int,
    is_enough: Callable[[Q], bool] | None = None,
) -> Q:  # fmt: skip
    """Where descent ends.

    Parameters
    ----------
    objective : Counted
    here : Point
        The start.
    metric : array (d, d)
        The lower Cholesky factor of H.
    tol : float
        Of the residual.
    limit : int
        Of evaluations, in all.
    is_enough : callable, optional
        Told of the best point so far after each evaluation of the quasi-Newton method, whether that
        is where to end.
    """
    here = _steps(objective, here, metric, tol, min(_STEPS, limit))
    if here.residual <= max(tol, CONVERGED) or objective.n_calls >= limit:
        return here

    best = here

    def pair(x: Array) -> tuple[float, Array]:
        nonlocal best
        found = objective(x)
        best = found if found.value < best.value else best
        if is_enough is not None and is_enough(best):
            raise _Enough
        return found.value, found.gradient

    try:
        found = minimize_adversarial(pair, here.x, metric, limit - objective.n_calls)
    except _Enough:
        return best
    there = objective(found.theta)
    here = there if there.value <= here.value else here
    return _steps(objective, here, metric, tol, _STEPS)


def decrement(metric: Array, here: Point) -> float:
    """½ GᵀH⁻¹G: about how far the objective is above its minimum."""
    inner = np.linalg.solve(metric, here.gradient)
    return 0.5 * float(inner @ inner)


def _steps(objective: Counted[Q], here: Q, metric: Array, tol: float, limit: int) -> Q:
    """Steps −H⁻¹G for as long as each of them lowers the gradient enough."""
    from scipy.linalg import cho_solve

    for _ in range(limit):
        if here.residual <= tol:
            break
        there = objective(here.x - cho_solve((metric, True), here.gradient))
        if not there.residual <= _ENOUGH * here.residual:
            break
        here = there
    return here

"""Descent on the maximum of objectives, whose gradient is that at the maximisers (Danskin).

Near the natural optimum steps −H⁻¹G, H that of the natural objective, converge fast; where they do
not a quasi-Newton method takes over.
"""

from __future__ import annotations

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


def descend(objective: Counted[Q], here: Q, metric: Array, tol: float, limit: int) -> Q:
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
    """
    here = _steps(objective, here, metric, tol, min(_STEPS, limit))
    if here.residual <= max(tol, CONVERGED) or objective.n_calls >= limit:
        return here

    def pair(x: Array) -> tuple[float, Array]:
        found = objective(x)
        return found.value, found.gradient

    found = minimize_adversarial(pair, here.x, metric, limit - objective.n_calls)
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

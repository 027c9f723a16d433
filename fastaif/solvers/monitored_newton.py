"""Newton's method with a memory, for as long as it gets somewhere: not at kinks."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .lbfgs_memory import Secants
from .newton import HALVINGS, Local, NewtonResult, minimize

Array = NDArray[Any]

_PATIENCE = 8  # steps in which the residual has to fall to a tenth
_SMOOTH = 1e-9  # a residual that no kink has


class Objective(Protocol):
    """A convex function that counts its evaluations."""

    n_passes: int

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Hessian (or a part of it) and yardstick."""


def steadily(
    objective: Objective,
    start: Array,
    tol: float,
    limit: int,
    floor: float = -np.inf,
    halvings: int = HALVINGS,
) -> NewtonResult:
    """Newton's method with a memory, for as long as it gets somewhere."""
    memory, before = Secants(), np.inf
    while True:
        steps = max(min(_PATIENCE, limit - objective.n_passes), 0)
        found = minimize(
            objective, start, tol=tol, max_iter=steps, memory=memory, floor=floor,
            halvings=halvings,
        )  # fmt: skip
        residual = found.local.residual
        # Steps that rounding swallows are taken for the end, and occur at kinks as well.
        met = found.converged and residual <= max(tol, _SMOOTH)
        stuck = not residual < 0.1 * before or found.n_iter < steps
        if met or stuck or objective.n_passes >= limit:
            return dataclasses.replace(found, converged=met)
        before, start = residual, found.x

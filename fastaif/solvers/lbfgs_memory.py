"""What a quasi-Newton method remembers of the curvature that its Hessian leaves out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Secants:
    """The last steps with their changes of gradient; the two-loop recursion of L-BFGS.

    The initial inverse Hessian of the recursion is the caller's, and may change from
    iteration to iteration: the pairs correct it by what the true curvature was.
    """

    def __init__(self, size: int = 12) -> None:
        self._pairs: deque[tuple[Array, Array, float]] = deque(maxlen=size)

    def add(self, step: Array, change: Array) -> None:
        """Remember a step and the change of gradient along it, where that is convex."""
        along = float(step @ change)
        if along > 1e-14 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self._pairs.append((step, change, along))

    def solve(self, gradient: Array, initial: Callable[[Array], Array]) -> Array:
        """The inverse Hessian times the gradient."""
        g = np.array(gradient)
        shares = []
        for step, change, along in reversed(self._pairs):
            share = float(step @ g) / along
            g -= share * change
            shares.append(share)
        direction = np.array(initial(g))
        for (step, change, along), share in zip(self._pairs, reversed(shares), strict=True):
            direction += (share - float(change @ direction) / along) * step
        return direction

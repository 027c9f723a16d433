"""Down from the model of the zero radius, in whose kink a descent could end.

Where N is smooth off zero, a local model knows nothing of its kink there: N bends by about 1/N, so
that steps and the decreases that they foresee die out on the way to β = 0, wherever the minimum is.
Below the zero radius J falls from there, along the β of N(β) = 1 that falls steepest; a descent
that starts lower than that model does not come back to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....solvers.root import about_root
from ....utils.caching import cached_property
from .local import Problem

Array = NDArray[Any]

_DOUBLINGS = 100


@dataclass(frozen=True)
class Ray:
    """θ₀ + t v of the zero radius's model θ₀, N(v) = 1.

    Attributes
    ----------
    problem : Problem
    theta, along : arrays (d,)
        θ₀ and v.
    f : array (n,)
        Zθ₀.
    objective : float
        J(θ₀), which no ε changes.
    """

    problem: Problem
    theta: Array
    along: Array
    f: Array
    objective: float

    @classmethod
    def of(cls, problem: Problem, theta: Array, f: Array, pulled: Array, objective: float) -> Ray:
        """From the gradient in β there, (m,)."""
        along = np.zeros(theta.size)
        along[: problem.m] = problem.norm.steepest(pulled)
        return cls(problem, theta, along, f, objective)

    @cached_property
    def _moved(self) -> Array:
        return self.problem.readings.predict(self.along)

    def lowest(self, rho: float) -> Array:
        """θ (d,) about where J is least on the ray."""

        def slope(t: float) -> float:
            return self._slope(rho, t)

        curvature = self.problem.loss.curvature(self.f, self.problem.readings.targets)
        bend = float(self.problem.readings.weights @ (curvature * self._moved**2))
        high = max(-slope(0.0), 0.0) / (bend or 1.0)
        for _ in range(_DOUBLINGS):
            if not slope(high) < 0.0:
                break
            high *= 2.0
        return np.asarray(self.theta + about_root(slope, high) * self.along)

    @np.errstate(over="ignore", invalid="ignore")
    def _slope(self, rho: float, t: float) -> float:
        problem, loss, y = self.problem, self.problem.loss, self.problem.readings.targets
        f, kappa = self.f + t * self._moved, rho * t
        side = loss.worse_end(f, y, kappa)
        steep = loss.slope(f + side * kappa, y) * (self._moved + side * rho)
        total = float(problem.readings.weights @ steep)
        total += float(self.along @ (problem.ridge * (self.theta + t * self.along)))
        return total if np.isfinite(total) else np.inf

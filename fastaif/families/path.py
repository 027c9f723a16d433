"""The robust optima of a model at every ε: what a path answers, and how any family has one.

A family that knows the derivative of its robust optima has a path of its own (`linear/path`). Any
other has this one: fits at the radii asked for, each from the one before.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .kinks import Event
from .problem import InfluenceProblem
from .solution import RobustSolution

Array = NDArray[Any]

NODES = 32  # intervals of a range of ε, where a number is given for it


@dataclass(frozen=True)
class PathTangent:
    """A robust path about one ε > 0.

    Attributes
    ----------
    eps : float
    theta, slope : arrays (d,)
        θ_ε, and dθ/dε to the right.
    mixed : array (d,)
        Φ there.
    hessian : array (d, d)
        Of the robust objective on the manifold of its kinks.
    value_derivative : float
        d/dε of the robust optimal objective.
    gap : float
        About how far that objective is above its minimum, relative to it.
    first : Event
        The ε of the path's next kink, and what happens there, along the tangent.
    pinned_samples, pinned_coefficients : int
        How many are at kinks.
    """

    eps: float
    theta: Array
    slope: Array
    mixed: Array
    hessian: Array
    value_derivative: float
    gap: float
    first: Event
    pinned_samples: int
    pinned_coefficients: int


class Path(ABC):
    """Robust optima at any ε of a range.

    Attributes
    ----------
    n_passes : int
        Readings of all rows so far, or of a family that counts no others its passes.
    converged : bool
        Whether all robust optima so far are within their tolerance.
    """

    n_passes: int
    converged: bool

    @abstractmethod
    def nodes(self, eps: float) -> Array:
        """Radii from 0 to ε that show the path, in order."""

    @abstractmethod
    def solve(self, eps: Sequence[float]) -> list[RobustSolution]:
        """The robust optima at some radii, in their order."""

    @abstractmethod
    def slopes(self, eps: Sequence[float]) -> Array:
        """The right derivatives dθ/dε there, (k, d).

        Raises
        ------
        ValueError
            They are not known of this family.
        """


class Trainer(Protocol):
    """What `WarmPath` asks of an `Adversary`."""

    @property
    def problem(self) -> InfluenceProblem: ...
    def robust_fit(self, eps: float, tol: float = ...) -> RobustSolution: ...
    def starting_at(self, theta: Array) -> Self: ...
    def tangent_at(self, eps: float) -> PathTangent: ...


class WarmPath(Path):
    """Fits one after the other.

    Parameters
    ----------
    adversary : Trainer
    tol : float
    """

    def __init__(self, adversary: Trainer, tol: float) -> None:
        self._adversary, self._tol = adversary, tol
        self._found: dict[float, RobustSolution] = {}

    @property
    def n_passes(self) -> int:  # type: ignore[override]
        """Passes of all fits so far."""
        return sum(found.n_iter for found in self._found.values())

    @property
    def converged(self) -> bool:  # type: ignore[override]
        """Whether all fits are."""
        return all(found.converged for found in self._found.values())

    def nodes(self, eps: float) -> Array:
        """A grid."""
        return np.linspace(0.0, eps, NODES + 1)

    def solve(self, eps: Sequence[float]) -> list[RobustSolution]:
        """The robust optima, each from that at the largest ε below it that is known."""
        for e in sorted(set(eps) - set(self._found)):
            adversary = self._adversary
            below = [known for known in self._found if known < e]
            if below and self._found[max(below)].converged:
                adversary = adversary.starting_at(self._found[max(below)].theta)
            self._found[e] = dataclasses.replace(adversary.robust_fit(e, self._tol), eps=e)
        return [self._found[e] for e in eps]

    def slopes(self, eps: Sequence[float]) -> Array:
        """The influence, at ε = 0."""
        if any(e > 0.0 for e in eps):
            raise ValueError(
                "the derivative of the robust optimum is known at ε = 0 alone for this model and "
                "attack"
            )
        (start,) = self.solve([0.0])
        influence = self._adversary.problem.at(start.theta).influence()
        return np.tile(influence, (len(eps), 1))

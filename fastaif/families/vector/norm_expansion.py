"""Robust optima of several predictions by Newton steps from the end of the tangent.

The tangent θ̂ + εI is off for three reasons, whose gradients add up to ∇R_ε at its end:

- the loss bends between a sample and its attack, of which the tangent knows the slope at the
  sample alone;
- the lengths and directions of the inputs' gradients are those of θ̂, and change along the way;
- the natural loss is no parabola.

A step −H⁻¹∇R_ε from there, H that of the natural objective at θ̂, corrects most of all three for an
attack on every row. What the next step would be says how much is left.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...threat.ascent_settings import PgdSettings
from .attack import Search
from .attacked import Attack
from .rows import VectorRows

Array = NDArray[Any]

_QUICK = PgdSettings(n_steps=8)  # nearly all of what an attack gains, for a few sweeps of the rows
_NEED = c.NEED_GRADIENT | c.NEED_LOSS
_STEPS, _SHARES = 3, (1.0, 0.5, 0.25, 0.125)  # Newton steps, and how much of one may be taken
_SMALL = 0.02  # of the way from θ̂: a step that is not worth an attack


@dataclass(frozen=True)
class Solvable(VectorRows):
    """The part of a VectorProblem that an expansion asks for."""

    search: ClassVar[type[Search]]  # for the worst attacks

    @property
    @abstractmethod
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included, (d,)."""

    @abstractmethod
    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b."""

    @abstractmethod
    def times_hessian(self, v: Array) -> Array:
        """H v."""


class _Place(NamedTuple):
    """θ − θ̂ (d,), and R_ε and its gradient there, less the natural gradient at θ̂."""

    step: Array
    value: float
    gradient: Array


@dataclass(frozen=True, eq=False)
class NormExpansion:
    """What robust training at any ε does to a model of several predictions, predicted.

    Attributes
    ----------
    problem : Solvable
        Every sample with a budget of its own, and rows in this process.
    """

    problem: Solvable
    _ends: dict[float, _Place] = field(default_factory=dict, repr=False)

    def step(self, eps: float) -> Array:
        """The predicted θ_ε − θ̂ (d,)."""
        return self._end(eps).step

    def _end(self, eps: float) -> _Place:
        if eps not in self._ends:
            self._ends[eps] = self._descend(eps)
        return self._ends[eps]

    def _descend(self, eps: float) -> _Place:
        """Newton steps, each as far as R_ε falls."""
        here = self._place(eps * self.problem.influence(), eps)
        for _ in range(_STEPS if eps > 0.0 else 0):
            move = -self.problem.solve(here.gradient)
            if not np.isfinite(move).all() or self._length(move) <= _SMALL * self._length(
                here.step
            ):
                break
            places = (self._place(here.step + share * move, eps) for share in _SHARES)
            there = next((place for place in places if place.value < here.value), None)
            if there is None:
                break
            here = there
        return here

    def _place(self, step: Array, eps: float) -> _Place:
        theta = self.problem.params + step
        value, gradient = self._attacked(theta, eps)
        return _Place(step, value, gradient - self.problem.gradient)

    def _attacked(self, theta: Array, eps: float) -> tuple[float, Array]:
        """R_ε and its gradient (d,) at θ."""
        problem, attack = self.problem, self._attack(theta, eps)
        sweep = problem.model.sweep(attack.source, None, problem.executor)
        layout, shrunk = problem.model.layout, problem.shrinkage(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            sums = sweep.run_here(layout.matrix(theta), _NEED, exponent=0.0)
            value = sums.loss + float(shrunk @ theta)
            gradient = layout.vector(sums.gradient) + 2.0 * shrunk
        return (value if math.isfinite(value) else math.inf), gradient

    def _attack(self, theta: Array, eps: float) -> Attack:
        return Attack(self.problem, self.problem.search, theta, eps, _QUICK)

    def _length(self, step: Array) -> float:
        """√(ΔᵀHΔ)."""
        return math.sqrt(max(float(step @ self.problem.times_hessian(step)), 0.0))

    # --- how far that goes --------------------------------------------------------------------

    def ceiling(self, eps: float) -> float:
        """Not known."""
        return math.inf

    @property
    def measures(self) -> bool:
        """Whether `departure` and `turned` can be had: rows are there."""
        return True

    def departure(self, eps: float) -> float:
        """How long another step would be, relative to the one predicted.

        Or half of what it would change the predicted cost by, relative to that, where this is more:
        with a penalty costs may be small differences of large terms.
        """
        here, problem = self._end(eps), self.problem
        size = self._length(here.step)
        if size == 0.0:
            return 0.0
        move = -problem.solve(here.gradient)
        if not np.isfinite(move).all():
            return math.inf
        theta = problem.params + here.step
        before, after = (problem.loss_change(at) for at in (theta, theta + move))
        least = max(abs(before), abs(after)) or 1.0
        return max(self._length(move) / size, 0.5 * abs(after - before) / least)

    def bend(self, eps: float, influence: Array) -> float:
        """How far θ̂ + εI is from the prediction, relative to how far that is from θ̂."""
        step = self.step(eps)
        size = self._length(step)
        return self._length(eps * influence - step) / size if size > 0.0 else 0.0

    def why_bent(self, eps: float, influence: Array) -> str:
        """The largest of the tangent's three errors, for a person."""
        problem, step = self.problem, eps * influence
        theta, predicted = problem.params + step, problem.times_hessian(step)
        start = self._attacked(problem.params, eps)[1] - problem.gradient
        end = self._attacked(theta, eps)[1]
        natural = problem.evaluate(theta).gradient + 2.0 * problem.shrinkage(theta)
        errors = {
            "the loss bends within the attacks' reach": start + predicted,
            "the lengths of the inputs' gradients change as the coefficients do": (
                end - natural - start
            ),
            "the natural loss is no parabola along the way": (
                natural - problem.gradient - predicted
            ),
        }
        return max(errors, key=lambda name: float(errors[name] @ problem.solve(errors[name])))

    def turned(self, eps: float) -> float:
        """The share of the weight whose attack at the prediction goes against its slope at θ̂."""
        problem, model, own = self.problem, self.problem.model, self.problem.ball.own
        theta, before = problem.params + self.step(eps), model.matrix[:, : model.n_features]
        attack, after = self._attack(theta, eps), model.layout.matrix(theta)[:, : model.n_features]
        turned = np.empty(problem.n_rows)

        def work(start: int, stop: int) -> None:
            at = problem.rows(start, stop)
            _, pulls = model.loss.leads(attack.on(start, stop).z, at.y)
            move = own.directions(own.slopes(pulls @ after))
            turned[start:stop] = np.sum(own.slopes(at.residuals @ before) * move, axis=1) < 0.0

        problem.map_rows(work)
        return float(problem.shares @ turned)

"""Sums of models whose ∇_x f varies from row to row: on a basis, or by a network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...threat.attack_set import Turn
from .. import kinks
from .model import finite
from .problem import SumProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class VaryingSums(SumProblem):
    """A SumProblem whose pass asks for the direction of attack row by row (Theorem 4.1)."""

    @abstractmethod
    def map_rows(self, work: Callable[[int, int], None]) -> None:
        """Run `work(start, stop)` on ranges of rows, which threads share."""

    @abstractmethod
    def predictions_along(self, step: Array) -> tuple[Array, Array]:
        """f(θ̂) and its derivative along a step, each (n,)."""

    @abstractmethod
    def slopes_along(self, step: Array, start: int, stop: int) -> tuple[Array, Array]:
        """∇_u f(θ̂) and its derivative along a step in a range of rows, each (k, m)."""

    @abstractmethod
    def lipschitz(self) -> float | None:
        """By how much a unit attack can change a gain of ∇_u f; None where no bound is known."""

    @property
    def _needs(self) -> int:
        return super()._needs | c.NEED_MIXED

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖∇_x ℓ‖_q."""
        sums = self.sums
        return self.radius * self.sharing.value(sums.input_slope, sums)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = s E[t (ℓ'' sgn(ℓ') ‖∇_x f‖_q ∇_θ f + |ℓ'| ∇_θ⟨∇_x f, φ⟩)] (Theorem 4.1)."""
        if weights is None:
            return self.radius * self.sharing.scale(self.sums.power) * self.sums.mixed
        weighted = self.source._replace(weight=self._base_weights() * weights)
        sweep = self.model.sweep(weighted, self.ball, self.executor)
        sums = finite(sweep.run(self.params, c.NEED_GRADIENT | c.NEED_MIXED))
        # Per-sample budgets multiply the numerators only: E stays the data's mean.
        return self.radius * (sums.weight / self.sums.weight) * sums.mixed

    def kinks(self, influence: Array) -> kinks.Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        ball, budgets = self.ball, self.budgets
        turns: list[Turn] = []
        gains: list[float] = []

        def work(start: int, stop: int) -> None:
            w = self.source.weights(start, stop)
            kept = w > 0 if w.size else np.ones(stop - start, dtype=bool)
            slopes, speeds = (part[kept] for part in self.slopes_along(influence, start, stop))
            turns.append(ball.first_turn(slopes, speeds))
            shares = budgets[start:stop][kept]
            lengths = kinks.lengths_of(ball.gains(slopes), shares, ball.varies)
            gains.append(float(np.min(lengths, initial=np.inf)))

        self.map_rows(work)
        when, place = min(turns)
        event = f"the slope in {self.model.feature_names[place]} of a sample {ball.turning}"
        bend = self.lipschitz()
        reach = None if bend is None else np.inf
        if bend:
            reach = min(gains) / (self.radius * bend)
        shared = kinks.Event(np.inf, "") if self.sharing.is_shared else None
        moves = self.predictions_along(influence)
        return kinks.basis_kinks(self.sweep, moves, (when, event), reach, shared)

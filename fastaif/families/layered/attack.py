"""Attacks on the inputs of networks, each sample by itself, for as long as it still moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ..autodiff.attack import Attacker, Climbable
from ..autodiff.rows import Batch

Array = NDArray[Any]

_ROUNDING = 4.0 * np.finfo(float).eps
_SETTLED = 1e-14  # of the radius
_SHORTER, _LONGER, _SHORTEST = 0.25, 2.0, 1e-9


class Rising(Climbable, Protocol):
    """What has heights and slopes in one pass."""

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Heights (k,) and slopes (k, m)."""


@dataclass
class LayeredAttacker(Attacker):
    """An Attacker whose rows stop one by one, with a pass for value and slope together."""

    problem: Rising

    def search(self, theta: Array, every: bool = False) -> None:
        """Look for worse attacks at θ; matrices are so small that BLAS's own threads cost more."""
        with single_threaded_blas():
            super().search(theta, every)

    def _climb(self, theta: Array, batch: Batch, delta: Array) -> Array:
        """Where the steps from δ (k, m) lead; no sample is lower there."""
        problem = self.problem
        delta, live = np.array(delta), np.arange(len(delta))
        value, slopes = problem.rising(theta, problem.displaced(batch.X, delta), batch.y)
        part = np.full(len(delta), min(1.0, self.settings.step or 1.0))
        tiny = _SETTLED * self.radius * problem.ball.longest
        for _ in range(self.settings.n_steps):
            X, y, here = batch.X[live], batch.y[live], delta[live]
            move = part[live, None] * (self._targets(slopes[live], batch, live) - here)
            reached, there = problem.rising(theta, problem.displaced(X, here + move), y)
            up = reached >= value[live] - _ROUNDING * np.abs(value[live])
            rose = live[up]
            delta[rose], value[rose], slopes[rose] = (here + move)[up], reached[up], there[up]
            part[live] = np.where(up, np.minimum(1.0, _LONGER * part[live]), _SHORTER * part[live])
            moving = (np.abs(move).max(axis=1) > tiny) & (part[live] > _SHORTEST)
            live = live[moving]
            if not live.size:
                break
        return delta

"""Attacks on the inputs of networks, each sample by itself, for as long as it still moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..autodiff.attack import Attacker
from ..autodiff.rows import Batch
from .problem import LayeredProblem

Array = NDArray[Any]

_ROUNDING = 4.0 * np.finfo(float).eps
_SETTLED = 1e-14  # of the radius
_SHORTER, _LONGER, _SHORTEST = 0.25, 2.0, 1e-9


@dataclass
class LayeredAttacker(Attacker):
    """An Attacker whose rows stop one by one, with a pass for value and slope together."""

    problem: LayeredProblem

    def _climb(self, theta: Array, batch: Batch, delta: Array) -> Array:
        """Where the steps from δ (k, m) lead; no sample is lower there."""
        model = self.problem.model
        delta, live = np.array(delta), np.arange(len(delta))
        value, slopes = model.derivatives.rising(theta, model.moved(batch.X, delta), batch.y)
        part = np.full(len(delta), min(1.0, self.settings.step or 1.0))
        tiny = _SETTLED * self.radius * self.problem.ball.longest
        for _ in range(self.settings.n_steps):
            X, y, here = batch.X[live], batch.y[live], delta[live]
            move = part[live, None] * (self._targets(slopes[live], batch, live) - here)
            reached, there = model.derivatives.rising(theta, model.moved(X, here + move), y)
            up = reached >= value[live] - _ROUNDING * np.abs(value[live])
            rose = live[up]
            delta[rose], value[rose], slopes[rose] = (here + move)[up], reached[up], there[up]
            part[live] = np.where(up, np.minimum(1.0, _LONGER * part[live]), _SHORTER * part[live])
            moving = (np.abs(move).max(axis=1) > tiny) & (part[live] > _SHORTEST)
            live = live[moving]
            if not live.size:
                break
        return delta

"""Attacks on the inputs of differentiable models, each sample by itself.

From x_i + δ_i every step goes some way towards ε s φ_c(∇_x ℓ_i), the best point of the
ball as far as the gradient tells; steps that would lower the loss are shortened. At a
small radius whole steps converge to the maximum fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...threat.ascent_settings import PgdSettings
from ...threat.attack_set import AttackSet
from .rows import Batch

Array = NDArray[Any]

_ROUNDING = 4.0 * np.finfo(float).eps
_SETTLED = 1e-14  # of the radius
_SHORTER, _LONGER = 0.25, 2.0


class Climbable(Protocol):
    """What an ascent asks of a problem."""

    @property
    def source(self) -> RowSource: ...
    @property
    def ball(self) -> AttackSet: ...
    @property
    def radius(self) -> float:
        """s."""

    def batches(self, *, every: bool = False) -> Iterator[Batch]:
        """Rows of positive weight, or every one."""

    def displaced(self, X: Array, delta: Array) -> Array:
        """Raw inputs X (k, m) with the model's moved by δ."""

    def heights(self, theta: Array, X: Array, y: Array) -> Array:
        """What orders attacks of a row as its loss does, (k,)."""

    def slopes(self, theta: Array, X: Array, y: Array) -> Array:
        """A positive multiple of its gradient in u in each row, (k, m)."""

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Slopes (k, m) along which other ascents start, beside the sample."""


@dataclass
class Attacker:
    """The worst attacks found, kept as the start of the next search.

    Attributes
    ----------
    problem : Climbable
    radius : float
        ε s.
    settings : PgdSettings
    delta : array (n, m)
        The attacks, in the model's units.
    """

    problem: Climbable
    radius: float
    settings: PgdSettings
    delta: Array = field(init=False)
    sizes: Array = field(init=False)

    def __post_init__(self) -> None:
        source = self.problem.source
        self.delta = np.zeros((source.n_rows, source.n_columns))
        self.sizes = self.radius * source.budgets(0, source.n_rows)

    def attacked(self, batch: Batch) -> Batch:
        """The batch with its inputs attacked."""
        return self._moved(batch, self.delta[batch.rows])

    def _moved(self, batch: Batch, delta: Array) -> Batch:
        return batch._replace(X=self.problem.displaced(batch.X, delta))

    def search(self, theta: Array, every: bool = False) -> None:
        """Look for worse attacks at θ, on rows of positive weight or on every one."""
        for batch in self.problem.batches(every=every):
            self._search_batch(theta, batch)

    def _search_batch(self, theta: Array, batch: Batch) -> None:
        best, value = self._climb(theta, batch, self.delta[batch.rows])
        for start in self._starts(theta, batch, best):
            t, reached = self._climb(theta, batch, start)
            # Only what is clearly worse: equal ends would change places with rounding.
            better = reached > value + 1e-12 * np.abs(value)
            best = np.where(better[:, None], t, best)
            value = np.where(better, reached, value)
        self.delta[batch.rows] = best

    def _starts(self, theta: Array, batch: Batch, t: Array) -> Iterator[Array]:
        """Where ascents start beside the sample, which led to t (k, m)."""
        for slopes in self.problem.courses(theta, batch.X, batch.y):
            yield self._targets(slopes, batch)
        for draw in range(1, self.settings.n_restarts):
            start = -t if draw == 1 else self._random(draw, batch)
            yield self.problem.ball.cut(start, batch.X)

    def _random(self, draw: int, batch: Batch) -> Array:
        """Random points of the set, keyed by row."""
        ball, sizes = self.problem.ball, self.sizes[batch.rows]
        return ball.drawn(self.settings.seed, draw, batch.rows, sizes)

    def _targets(self, slopes: Array, batch: Batch, live: Any = slice(None)) -> Array:
        """The best points of the sets of some samples as far as slopes there tell, in u."""
        sizes = self.sizes[batch.rows][live]
        return self.problem.ball.furthest(slopes, batch.X[live], sizes).moves

    def _heights(self, theta: Array, batch: Batch, delta: Array) -> Array:
        return self.problem.heights(theta, self._moved(batch, delta).X, batch.y)

    def _climb(self, theta: Array, batch: Batch, delta: Array) -> tuple[Array, Array]:
        """Where the steps from δ (k, m) lead, and heights there; no sample's loss is lower."""
        value = self._heights(theta, batch, delta)
        part = np.full(len(delta), min(1.0, self.settings.step or 1.0))
        tiny = _SETTLED * self.radius * self.problem.ball.longest
        for _ in range(self.settings.n_steps):
            there = self._moved(batch, delta)
            slopes = self.problem.slopes(theta, there.X, there.y)
            move = part[:, None] * (self._targets(slopes, batch) - delta)
            trial = delta + move
            reached = self._heights(theta, batch, trial)
            accepted = reached >= value - _ROUNDING * np.abs(value)
            delta = np.where(accepted[:, None], trial, delta)
            value = np.where(accepted, reached, value)
            part = np.where(accepted, np.minimum(1.0, _LONGER * part), _SHORTER * part)
            if np.abs(move).max() <= tiny:
                break
        return delta, value


def attack_by_steps(
    problem: Climbable, theta: Array, eps: float, settings: PgdSettings, out: Array,
    kind: type[Attacker] = Attacker,
) -> None:  # fmt: skip
    """Write x_i + δ_i for every row; `kind` looks for them."""
    attacker = kind(problem, eps * problem.radius, settings)
    attacker.search(theta, every=True)
    for batch in problem.batches(every=True):
        out[batch.rows] = attacker.attacked(batch).X

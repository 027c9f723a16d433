"""Attacks on the inputs of models with several predictions: extreme points, or where ascents end.

What ranks attacks as a loss does, its lead, is convex in z, and so in x: it is largest at an
extreme point of the ball. For p = 1 these are 2m vertices. Elsewhere whole steps to ρ φ(∇_t lead)
never lower it, for it lies above its tangents: they climb to a local maximum without any length to
choose. Starts are the sample itself, then those of the family, then random points.

Attacks are t = δ/c over the attackable features; predictions move by G t, G = W D.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...losses.vector import VectorLoss
from ...threat.ascent_settings import PgdSettings
from ...threat.attack_set import AttackSet
from ...threat.own_units import OwnUnits

Array = NDArray[Any]

_SETTLED = 1e-15  # of ρ: what a step may still move
_CLEARLY = 1e-12  # of a lead: what another start has to gain, for equal ends trade by rounding
_CLOSE = 0.05  # the same, of ends that a few steps do not tell apart
_FEW = 8  # steps after which the starts are compared
_TURNS = 2  # times the entries of a corner: how often one is turned, at most
_VERTEX_ENTRIES = 1 << 20  # predictions at vertices that are looked at together


@dataclass(frozen=True)
class Search(ABC):
    """The maxima of losses over ‖t‖_p ≤ ρ for a range of rows.

    Attributes
    ----------
    loss : VectorLoss
    own : OwnUnits
    slopes : array (K, free)
        G.
    rho : float
    z : array (k, K)
        Predictions without attack.
    y : array
        Targets of the rows.
    first : int
        The number of the first row.
    """

    loss: VectorLoss
    own: OwnUnits
    slopes: Array
    rho: float
    z: Array
    y: Array
    first: int

    @staticmethod
    def is_exact(ball: AttackSet, n_outputs: int) -> bool:
        """Whether the extreme points where the maximum may be are few."""
        return ball.own.is_cross_polytope

    def leads(self, t: Array) -> Array:
        """The lead (k,) at attacks t (k, free)."""
        return self.loss.leads(self.z + t @ self.slopes.T, self.y)[0]

    def exact(self) -> Array:
        """The best of all extreme points at which a maximum can be."""
        return self._vertices()

    def extremes(self) -> Array | None:
        """Where these are few: all that may be one, (j, free) of unit size."""
        if not self.own.is_cross_polytope:
            return None
        eye = np.eye(self.own.n_free)
        return np.concatenate([eye, -eye])

    @abstractmethod
    def starts(self) -> Iterator[Array]:
        """Where ascents start beside the sample itself."""

    def _vertices(self) -> Array:
        """The best of ± ρ e_j, the first of equal ones."""
        free, rows = self.own.n_free, np.arange(len(self.z))
        best = self._best(self.rho * np.concatenate([self.slopes.T, -self.slopes.T]))
        t = np.zeros((len(rows), free))
        t[rows, best % free] = np.where(best < free, self.rho, -self.rho)
        return t

    def _best(self, moves: Array) -> Array:
        """Which of some moves of predictions (j, K) is the worst for each row (k,), the first of
        equal ones."""
        some = max(1, _VERTEX_ENTRIES // moves.size)
        best = np.empty(len(self.z), dtype=int)
        for start in range(0, len(self.z), some):
            part = slice(start, start + some)
            z = self.z[part, None, :] + moves
            targets = np.repeat(self.y[part], len(moves), axis=0)
            leads, _ = self.loss.leads(z.reshape(len(targets), -1), targets)
            best[part] = np.argmax(leads.reshape(-1, len(moves)), axis=1)
        return best

    def ascend(self, settings: PgdSettings) -> Array:
        """The best end of ascents from some starts, of which a few steps tell which lead far."""
        part, few = min(1.0, settings.step or 1.0), min(_FEW, settings.n_steps)
        best = self.climb(self._first(), part, few)
        value = self.leads(best)
        for start in self._more(settings, best):
            t = self.climb(start, part, few)
            close = np.flatnonzero(np.abs(self.leads(t) - value) <= self._margin(value, _CLOSE))
            for ends in (best, t):
                ends[close] = self.of(close).climb(ends[close], part, settings.n_steps - few)
            value[close] = self.leads(best)[close]
            reached = self.leads(t)
            better = reached > value + self._margin(value, _CLEARLY)
            best = np.where(better[:, None], t, best)
            value = np.where(better, reached, value)
        best = self.climb(best, part, settings.n_steps - few)
        return self.turned(best) if self.own.is_box and settings.n_restarts > 1 else best

    def turned(self, corners: Array) -> Array:
        """Corners (k, free) of a box from which no turn of a single entry leads further.

        Climbs end where no small move does, and so at corners that a turn may improve.
        """
        corners = corners.copy()
        moving = np.arange(len(corners))
        for _ in range(_TURNS * self.own.n_free):
            part = self.of(moving)
            gaps = part.gaps_of_turns(corners[moving])
            entry = np.argmin(gaps, axis=1)
            margin = part._margin(part.leads(corners[moving]), _CLEARLY)
            worse = gaps[np.arange(moving.size), entry] < -margin
            moving, entry = moving[worse], entry[worse]
            if not moving.size:
                break
            corners[moving, entry] *= -1.0
        return corners

    def gaps_of_turns(self, corners: Array) -> Array:
        """How much lower leads are with one entry of a corner turned, (k, free); ∞ where that is
        zero."""
        free, z = self.own.n_free, self.z + corners @ self.slopes.T
        gaps, leads = np.empty(corners.shape), self.loss.leads(z, self.y)[0]
        size = max(1, _VERTEX_ENTRIES // max(1, free * z.shape[1]))
        for start in range(0, len(corners), size):
            part = slice(start, start + size)
            moves = -2.0 * corners[part, :, None] * self.slopes.T
            there = (z[part, None, :] + moves).reshape(-1, z.shape[1])
            targets = np.repeat(self.y[part], free, axis=0)
            gaps[part] = leads[part, None] - self.loss.leads(there, targets)[0].reshape(-1, free)
        return np.where(corners == 0.0, np.inf, gaps)

    @property
    def floor(self) -> float:
        """What leads are small against: logits have no unit, targets have."""
        return 0.0 if self.loss.is_of_residuals else 1.0

    def _margin(self, leads: Array, share: float) -> Array:
        return np.asarray(share * (self.floor + np.abs(leads)))

    def of(self, rows: Array) -> Self:
        """The search for some of the rows."""
        return dataclasses.replace(self, z=self.z[rows], y=self.y[rows])

    def _first(self) -> Array:
        """The sample itself."""
        return np.zeros((len(self.z), self.own.n_free))

    def _more(self, settings: PgdSettings, end: Array) -> Iterator[Array]:
        """Starts beside the sample: the antipode of where that led, the family's, random points."""
        if settings.n_restarts > 1:
            yield -end
            yield from self.starts()
        for draw in range(2, settings.n_restarts):
            t = np.empty((len(self.z), self.own.n_free))
            self.own.draw(settings.seed, draw, self.first, self.rho, t)
            yield t

    def climb(self, t: Array, part: float, n_steps: int) -> Array:
        """Where steps towards ρ φ(∇_t lead), or a part of the way, go; they never lower it."""
        moving = np.arange(len(t))
        for _ in range(n_steps):
            z = self.z[moving] + t[moving] @ self.slopes.T
            _, pulls = self.loss.leads(z, self.y[moving])
            step = part * (self.rho * self.own.directions(pulls @ self.slopes) - t[moving])
            t[moving] += step
            moving = moving[np.abs(step).max(axis=1) > _SETTLED * self.rho]
            if not moving.size:
                break
        return t

"""Attacks on the inputs of softmax models: at a vertex of the ball, or where ascents end.

A loss −log softmax(z)_y grows with the lead of the other classes, log Σ_{k≠y} e^{z_k} − z_y, which
is convex in z, and so in x: both are largest at an extreme point of the ball. For p = 1 these are
2m vertices. Elsewhere whole steps to ρ φ(∇_t lead) never lower the lead, for it lies above its
tangents: they climb to a local maximum without any length to choose. Starts are the sample itself,
then where each of the other classes gains most on the sample's own, then random points; of two
classes that is the maximum.

Attacks are t = δ/c over the attackable features; logits move by G t, G = W D.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...threat.ascent_settings import PgdSettings
from ...threat.own_units import OwnUnits
from .rows import SoftmaxRows

Array = NDArray[Any]

_SETTLED = 1e-15  # of ρ: what a step may still move
_CLEARLY = 1e-12  # of a lead: what another start has to gain, for equal ends trade by rounding
_FEW = 8  # steps after which the starts are compared
_VERTEX_ENTRIES = 1 << 20  # logits at vertices that are looked at together


class Attacked(NamedTuple):
    """Attacked inputs (n, m), float64, and logits there (n, K)."""

    X: Array
    z: Array


def is_exact(problem: SoftmaxRows) -> bool:
    """Whether the extreme points where the maximum may be are few."""
    return problem.ball.own.is_cross_polytope or problem.model.n_classes == 2


def worst(
    problem: SoftmaxRows, theta: Array, eps: float, settings: PgdSettings | None
) -> Attacked:
    """The worst attacks at θ and ε: exact where there are no settings, else by ascent."""
    layout, own = problem.model.layout, problem.ball.own
    matrix = layout.matrix(theta)
    n, source = problem.n_rows, problem.source
    found = Attacked(np.empty((n, layout.n_features)), np.empty((n, layout.n_classes)))
    slopes = own.slopes(matrix[:, : layout.n_features])
    sweep, rho = problem.sweep, eps * problem.radius

    def work(start: int, stop: int) -> None:
        z = sweep.inputs(start, stop) @ matrix.T
        y = source.targets(start, stop).astype(int)
        search = _Search(problem, own, slopes, rho, z, y, start)
        t = search.exact() if settings is None else search.ascend(settings)
        found.X[start:stop], found.z[start:stop] = source.inputs(start, stop), z + t @ slopes.T
        own.move(found.X[start:stop], t)

    problem.executor.map_rows(source, work, cost=64)
    return found


@dataclass(frozen=True)
class _Search:
    """The maxima of losses over ‖t‖_p ≤ ρ for a range of rows.

    Attributes
    ----------
    slopes : array (K, free)
        G.
    rho : float
    z : array (k, K)
        Logits without attack.
    y : array (k,)
    first : int
        The number of the first row.
    """

    problem: SoftmaxRows
    own: OwnUnits
    slopes: Array
    rho: float
    z: Array
    y: Array
    first: int

    def leads(self, t: Array) -> Array:
        """The lead of the other classes (k,) at attacks t (k, free)."""
        return self.problem.model.loss.leads(self.z + t @ self.slopes.T, self.y)[0]

    def exact(self) -> Array:
        """The best of all extreme points at which a maximum can be."""
        if self.problem.model.n_classes == 2:
            return self._towards(1)
        return self._vertices()

    def _vertices(self) -> Array:
        """The best of ± ρ e_j, the first of equal ones."""
        k, free = len(self.z), self.own.n_free
        moves = self.rho * np.concatenate([self.slopes.T, -self.slopes.T])  # (2 free, K)
        some = max(1, _VERTEX_ENTRIES // moves.size)
        t, rows = np.zeros((k, free)), np.arange(k)
        best = np.empty(k, dtype=int)
        for start in range(0, k, some):
            part = slice(start, start + some)
            z = self.z[part, None, :] + moves
            labels = np.repeat(self.y[part], len(moves))
            leads, _ = self.problem.model.loss.leads(z.reshape(len(labels), -1), labels)
            best[part] = np.argmax(leads.reshape(-1, len(moves)), axis=1)
        t[rows, best % free] = np.where(best < free, self.rho, -self.rho)
        return t

    def ascend(self, settings: PgdSettings) -> Array:
        """The best end of ascents from some starts, of which a few steps tell which lead far."""
        part, few = min(1.0, settings.step or 1.0), min(_FEW, settings.n_steps)
        best = self._climb(np.zeros((len(self.z), self.own.n_free)), part, few)
        value = self.leads(best)
        for start in self._starts(settings):
            t = self._climb(start, part, few)
            reached = self.leads(t)
            better = reached > value + _CLEARLY * (1.0 + np.abs(value))
            best = np.where(better[:, None], t, best)
            value = np.where(better, reached, value)
        return self._climb(best, part, settings.n_steps - few)

    def _starts(self, settings: PgdSettings) -> Iterator[Array]:
        """Starts beside the sample: towards each other class, and random points."""
        if settings.n_restarts > 1:
            for ahead in range(1, len(self.slopes)):
                yield self._towards(ahead)
        for draw in range(2, settings.n_restarts):
            t = np.empty((len(self.z), self.own.n_free))
            self.own.draw(settings.seed, draw, self.first, self.rho, t)
            yield t

    def _towards(self, ahead: int) -> Array:
        """Where the class so many places after a row's own, in a circle, gains most on it."""
        other = (self.y + ahead) % len(self.slopes)
        return self.rho * self.own.directions(self.slopes[other] - self.slopes[self.y])

    def _climb(self, t: Array, part: float, n_steps: int) -> Array:
        """Where steps towards ρ φ(∇_t lead), or a part of the way, go; they never lower it."""
        loss, moving = self.problem.model.loss, np.arange(len(t))
        for _ in range(n_steps):
            z = self.z[moving] + t[moving] @ self.slopes.T
            _, pulls = loss.leads(z, self.y[moving])
            step = part * (self.rho * self.own.directions(pulls @ self.slopes) - t[moving])
            t[moving] += step
            moving = moving[np.abs(step).max(axis=1) > _SETTLED * self.rho]
            if not moving.size:
                break
        return t


def certificate(problem: SoftmaxRows, theta: Array, eps: float) -> float:
    """E log Σ_j exp(z_j − z_y + εs‖D(w_j − w_y)‖_q) (1-mathematics 1.17): no attack does worse.

    Each logit's lead is the most that any attack could give it alone.
    """
    layout, own = problem.model.layout, problem.ball.own
    matrix = layout.matrix(theta)
    slopes = own.slopes(matrix[:, : layout.n_features])
    leads = eps * problem.radius * own.gains(slopes[:, None, :] - slopes[None, :, :])
    sweep, y = problem.sweep, problem.source.targets().astype(int)
    z = sweep.logits(matrix) + leads[y]  # a class has no lead on itself
    return problem.source.mean(problem.model.loss.value(z, y))

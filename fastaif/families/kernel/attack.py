"""Attacks on all inputs of a kernel regression at once: its centres move with them.

A maximiser of L(θ, X + δ) over ‖δ_k / c‖_p ≤ ε s satisfies δ_k = ε s φ_c(∇_{x_k} L), its
optimality condition: the ascent leaps towards that point, the whole way where L rises. Where
leaps do not settle (maxima inside a ball) it is projected gradient ascent with line search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...kernels.pairs import Gram, make_gram
from ...threat.ascent_settings import PgdSettings
from ...threat.own_units import OwnUnits
from .first_order import pair_weights
from .problem import MovingCentersProblem

Array = NDArray[Any]

_ASCENT = 1e-13  # how closely an attack repeats itself, in units of its radius
_STILL = 4  # steps that raise L by no more than rounding


@dataclass(frozen=True)
class Attacked:
    """Inputs under attack: δ in the kernel's inputs (n, m), K there, and L.

    Attributes
    ----------
    objective : float
        L(θ, X + δ).
    gap : float
        The first-order gain that is left, Σ ε s g_k − ⟨∇_{x_k} L, δ_k⟩, relative to Σ ε s g_k.
    """

    delta: Array
    gram: Gram
    objective: float
    gap: float
    n_steps: int


def objective(problem: MovingCentersProblem, gram: Gram, theta: Array) -> float:
    """L at the inputs of a Gram matrix."""
    f = gram.K @ theta
    shrunk = theta @ (f if problem.is_rkhs else theta)
    return float(problem.weights @ (f - problem.targets) ** 2 + problem.alpha * shrunk)


def ascend(
    problem: MovingCentersProblem, theta: Array, radius: float, start: Array | None,
    n_steps: int = 100, enough: float = 0.0,
) -> Attacked:  # fmt: skip
    """Attack all inputs of the fit at once, from δ = `start` (or where the gradient points).

    Ends where the attack repeats itself, or its first-order gain is no more than `enough`.
    """
    own = problem.ball.own
    walk = _Walk(problem, theta, radius, own)
    t = np.zeros((len(problem.inputs), own.n_free)) if start is None else own.enter(start)
    here, step, still = walk.at(t), 0, 0
    gap, size, leaps, before = 0.0, 1.0, True, np.inf
    while radius > 0.0 and step < n_steps:
        gap = float(np.sum(here.slopes * (radius * here.units - here.t))) / (walk.most(here) or 1.0)
        move = walk.leap(here) if leaps else walk.project(here)
        largest = float(np.abs(move).max(initial=0.0))
        if largest <= _ASCENT * radius or gap * walk.most(here) < enough:
            break
        found = walk.rise(here, move, min(1.0, 2.0 * size))
        if found is None or still > _STILL:
            break
        # Whole leaps that shrink reach the boundary's maximum fast; inside the ball they zigzag.
        leaps = leaps and found[1] == 1.0 and largest <= 0.5 * before
        gained = found[0].value - here.value
        still = still + 1 if gained <= 1e-15 * abs(here.value) else 0
        walk.remember(here, found[0])
        (here, size), before, step = found, largest, step + 1
    return Attacked(walk.delta(here.t), here.gram, here.value, max(gap, 0.0), step)


class _Place(NamedTuple):
    """A point of the ascent: t = δ/c over the attackable features, L and ∇_t L there."""

    t: Array
    gram: Gram
    value: float
    slopes: Array
    units: Array
    gains: Array


@dataclass
class _Walk:
    """Steps in the balls ‖t_k‖_p ≤ radius of all samples at once."""

    problem: MovingCentersProblem
    theta: Array
    radius: float
    own: OwnUnits
    lengths: Array | None = None

    def delta(self, t: Array) -> Array:
        """δ in the kernel's inputs."""
        out = np.zeros(self.problem.inputs.shape)
        self.own.move_inner(out, t)
        return out

    def at(self, t: Array) -> _Place:
        """L and its gradient."""
        return self._described(t, *self._valued(t))

    def _valued(self, t: Array) -> tuple[Gram, float]:
        """K and L."""
        problem = self.problem
        kernel, U = problem.model.kernel.compiled(), problem.inputs + self.delta(t)
        gram = make_gram(kernel, U, True, problem.n_threads)
        return gram, objective(problem, gram, self.theta)

    def _described(self, t: Array, gram: Gram, value: float) -> _Place:
        problem = self.problem
        gradient = gradient_at(problem, gram, self.theta)
        slopes = self.own.slopes(gradient)
        units, gains, _ = problem.ball.directions(gradient)
        return _Place(t, gram, value, slopes, self.own.enter(units), gains)

    def most(self, here: _Place) -> float:
        """Σ ε s g_k: what an attack could gain to first order."""
        return self.radius * float(here.gains.sum())

    def leap(self, here: _Place) -> Array:
        """All the way to ε s φ(∇_t L)."""
        return np.asarray(self.radius * here.units - here.t)

    def project(self, here: _Place) -> Array:
        """A step along the gradient and back to the ball, of lengths of Barzilai and Borwein."""
        norms = np.linalg.norm(here.slopes, axis=1)
        lengths = np.full(len(norms), 2.0 * self.radius)
        if self.lengths is not None:
            lengths = np.clip(self.lengths * norms, 1e-6 * self.radius, 1e3 * self.radius)
        moved = np.empty(here.t.shape)
        t, slopes = map(np.ascontiguousarray, (here.t, here.slopes))
        self.own.climb(t, slopes, lengths, self.radius, moved)
        return moved - here.t

    def remember(self, here: _Place, there: _Place) -> None:
        """Lengths from how much the slopes have changed, row by row."""
        moved, turned = there.t - here.t, here.slopes - there.slopes
        squares = np.einsum("ij,ij->i", moved, moved)
        bend = np.abs(np.einsum("ij,ij->i", moved, turned))
        tiny = np.finfo(float).tiny
        self.lengths = np.where(squares > 0.0, squares / np.maximum(bend, tiny), 1e300)

    def rise(self, here: _Place, move: Array, size: float) -> tuple[_Place, float] | None:
        """The first of t + size · move, half of that, … where L is larger by enough, or None."""
        slope = float(np.sum(here.slopes * move))
        for _ in range(30):
            t = here.t + size * move
            gram, value = self._valued(t)
            # Near the maximum values differ by rounding alone: there the step decides.
            flat = slope * size <= 1e-12 * abs(here.value)
            if value >= here.value + 1e-4 * size * slope or flat:
                return self._described(t, gram, value), size
            size *= 0.5
        return None


def attack_together(
    problem: MovingCentersProblem, theta: Array, eps: float, settings: PgdSettings, out: Array
) -> None:
    """Write X + δ, the best of ascents from the gradient's direction, its antipode, and so on."""
    scale = problem.model.basis.arrays(problem.source.n_columns)[1]
    best = worst(problem, theta, eps * problem.radius, None, settings)
    out[...] = np.asarray(problem.source.x, dtype=np.float64) + best.delta * scale


def loss_together(
    problem: MovingCentersProblem, theta: Array, eps: float, settings: PgdSettings
) -> float:
    """E (f − y)² under such an attack, without the penalty."""
    f = worst(problem, theta, eps * problem.radius, None, settings).gram.K @ theta
    return float(problem.weights @ (f - problem.targets) ** 2)


def worst(
    problem: MovingCentersProblem, theta: Array, radius: float, start: Array | None,
    settings: PgdSettings,
) -> Attacked:  # fmt: skip
    """The best of ascents: from δ = `start`, the antipode of where that led, then random points."""
    best = ascend(problem, theta, radius, start, settings.n_steps)
    start = -best.delta
    for draw in range(1, settings.n_restarts):
        if draw > 1:
            start = _random(problem, radius, settings.seed, draw)
        found = ascend(problem, theta, radius, start, settings.n_steps)
        best = found if found.objective > best.objective else best
    return best


def _random(problem: MovingCentersProblem, radius: float, seed: int, draw: int) -> Array:
    """Random points of the balls, in the kernel's inputs (n, m)."""
    own, delta = problem.ball.own, np.zeros(problem.inputs.shape)
    points = np.empty((len(delta), own.n_free))
    own.draw(seed, draw, 0, radius, points)
    own.move_inner(delta, points)
    return delta


def gradient_at(problem: MovingCentersProblem, gram: Gram, theta: Array) -> Array:
    """∇_{x_k} L at the inputs of a Gram matrix, (n, m)."""
    pull = problem.weights * (gram.K @ theta - problem.targets)
    if problem.is_rkhs:
        pull += 0.5 * problem.alpha * theta
    return gram.gradient(*pair_weights(theta, pull, True))


def gain(problem: MovingCentersProblem, theta: Array, radius: float) -> float:
    """R(θ̂) − R(θ), as a sum of changes: the difference itself would keep few digits."""
    before = ascend(problem, problem.params, radius, None)
    after = ascend(problem, theta, radius, before.delta)
    f, moved = before.gram.K @ problem.params, after.gram.K @ theta
    y = problem.targets
    change = float(problem.weights @ ((f - moved) * (f + moved - 2.0 * y)))
    old, new = (problem.params, theta) if not problem.is_rkhs else (f, moved)
    return change + problem.alpha * float(problem.params @ old - theta @ new)

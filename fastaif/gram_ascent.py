"""Attacks on all inputs of a kernel regression at once: its centres move with them.

A maximiser of L(θ, X + δ) over ‖δ_k / c‖_p ≤ ε s satisfies δ_k = ε s φ_c(∇_{x_k} L), its
optimality condition: the ascent steps towards that point, the whole way wherever L rises.
For p = 2 that is projected gradient ascent with long steps; it suits every p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._compute import get
from .attacks import PgdSettings
from .gram_attack import directions, pair_weights
from .gram_problem import GramProblem
from .kernel_pairs import Gram, make_gram

Array = NDArray[Any]

_ASCENT = 1e-13  # how closely an attack repeats itself, in units of its radius


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


def objective(problem: GramProblem, gram: Gram, theta: Array) -> float:
    """L at the inputs of a Gram matrix."""
    f = gram.K @ theta
    shrunk = theta @ (f if problem.is_rkhs else theta)
    return float(problem.weights @ (f - problem.targets) ** 2 + problem.alpha * shrunk)


def ascend(
    problem: GramProblem, theta: Array, radius: float, start: Array | None, n_steps: int = 100,
    enough: float = 0.0,
) -> Attacked:  # fmt: skip
    """Attack all inputs of the fit at once, from δ = `start` (or where the gradient points).

    Ends where the attack repeats itself, or its first-order gain is no more than `enough`.
    """
    delta = np.zeros(problem.inputs.shape) if start is None else start
    gram = _gram_at(problem, delta)
    value = objective(problem, gram, theta)
    gap, size = 0.0, 1.0
    step = 0
    while step < n_steps:
        gradient = _gradient(problem, gram, theta)
        units, gains, _ = directions(problem.ball, gradient)
        move = radius * units - delta
        most = radius * float(gains.sum())
        gap = float(np.sum(gradient * move)) / most if most > 0 else 0.0
        repeated = np.abs(move).max() <= _ASCENT * radius * np.abs(units).max()
        if radius == 0.0 or repeated or gap * most < enough:
            break
        found = _rise(problem, theta, (delta, gram, value), move, gap * most, min(1.0, 2.0 * size))
        if found is None:
            break
        delta, gram, value, size = found
        step += 1
    return Attacked(delta, gram, value, max(gap, 0.0), step)


def _rise(
    problem: GramProblem, theta: Array, here: tuple[Array, Gram, float], move: Array,
    slope: float, size: float,
) -> tuple[Array, Gram, float, float] | None:  # fmt: skip
    """The first of δ + size · move, half of that, … where L is larger by enough, or None."""
    delta, _, value = here
    for _ in range(30):
        there = _gram_at(problem, delta + size * move)
        reached = objective(problem, there, theta)
        # Near the maximum values differ by rounding alone: there the step decides.
        if reached >= value + 1e-4 * size * slope or slope * size <= 1e-12 * abs(value):
            return delta + size * move, there, reached, size
        size *= 0.5
    return None


def attack_together(
    problem: GramProblem, eps: float, settings: PgdSettings, out: Array
) -> None:
    """Write X + δ, the best of ascents from the gradient's direction, its antipode, and so on."""
    scale = problem.model.basis.arrays(problem.source.n_columns)[1]
    best = _worst(problem, eps, settings)
    out[...] = np.asarray(problem.source.x, dtype=np.float64) + best.delta * scale


def loss_together(problem: GramProblem, eps: float, settings: PgdSettings) -> float:
    """E (f − y)² under such an attack, without the penalty."""
    f = _worst(problem, eps, settings).gram.K @ problem.params
    return float(problem.weights @ (f - problem.targets) ** 2)


def _worst(problem: GramProblem, eps: float, settings: PgdSettings) -> Attacked:
    radius, theta = eps * problem.radius, problem.params
    best = ascend(problem, theta, radius, None, settings.n_steps)
    start = -best.delta
    for draw in range(1, settings.n_restarts):
        if draw > 1:
            free = problem.ball.scale > 0
            points = np.empty((len(start), int(np.count_nonzero(free))))
            get("random_points")(settings.seed, draw, 0, radius, float(problem.ball.p), points)
            start = np.zeros(start.shape)
            start[:, free] = points * problem.ball.weights[free]
        found = ascend(problem, theta, radius, start, settings.n_steps)
        best = found if found.objective > best.objective else best
    return best


def _gram_at(problem: GramProblem, delta: Array) -> Gram:
    U = problem.inputs + delta
    return make_gram(problem.model.kernel.compiled(), U, True, problem.n_threads)


def _gradient(problem: GramProblem, gram: Gram, theta: Array) -> Array:
    pull = problem.weights * (gram.K @ theta - problem.targets)
    if problem.is_rkhs:
        pull += 0.5 * problem.alpha * theta
    return gram.gradient(*pair_weights(theta, pull, True))


def gain(problem: GramProblem, theta: Array, radius: float) -> float:
    """R(θ̂) − R(θ), as a sum of changes: the difference itself would keep few digits."""
    before = ascend(problem, problem.params, radius, None)
    after = ascend(problem, theta, radius, before.delta)
    f, moved = before.gram.K @ problem.params, after.gram.K @ theta
    y = problem.targets
    change = float(problem.weights @ ((f - moved) * (f + moved - 2.0 * y)))
    old, new = (problem.params, theta) if not problem.is_rkhs else (f, moved)
    return change + problem.alpha * float(problem.params @ old - theta @ new)

"""Attacks with a shared budget on models whose gradients differ from input to input.

The attacks t_i = δ_i/c lie in the convex set (E ‖t_i‖_p^u)^{1/u} ≤ ρ. The best of them for
the linear part of the loss is ρ τ_i φ(g_i), g_i = ∇_{t_i} ℓ_i, with the shares τ of
`sharing`. The ascent leaps there from where it is, or goes as far on the way as the loss
rises; it ends where nothing rises, at a stationary point.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..kernels.pairs import Gram, make_gram
from ..norms import conjugate, dual_direction, lp_norm
from ..threat.budget import Sharing
from .autodiff.problem import AutodiffProblem
from .basis.extremes import Extremes
from .basis.problem import Array, BasisProblem
from .kernel.attack import gradient_at, objective
from .kernel.problem import GramProblem
from .linear.shared_attack import normalised
from .network.problem import NetworkProblem

_HALVINGS = 30
_VERTICES = 3
_ROUNDING = 1e-15  # of the mean loss
_STILL = 1e-15  # of the budget


class Place(NamedTuple):
    """The mean loss under an attack, and ∇_{t_i} ℓ_i (n, k): of a sample's own loss."""

    value: float
    slopes: Array


def ascend(
    at: Callable[[Array], Place],
    shape: tuple[int, int],
    omega: Array,
    p: float,
    sharing: Sharing,
    budget: float,
    n_steps: int,
) -> Array:
    """The attack (n, k) where the best of several ascents ends.

    They start from no attack, and from attacks on each of the steepest samples alone: where
    the loss bends the best place for a budget of low order is not where it is steepest.

    Parameters
    ----------
    at : callable
        From an attack t (n, k) to a Place.
    shape : (n, k)
    omega : array (n,)
        Weights, which sum to 1.
    p, sharing, budget
        The norm, the order and ρ = ε s.
    n_steps : int
    """
    sharing = dataclasses.replace(sharing, formula="exact")
    slopes = at(np.zeros(shape)).slopes
    gains = np.where(omega > 0.0, lp_norm(slopes, conjugate(p)), 0.0)
    starts = [np.zeros(shape)]
    for j in np.argsort(-gains, kind="stable")[:_VERTICES]:
        start = np.zeros(shape)
        if gains[j] > 0.0:
            start[j] = budget * omega[j] ** (-1.0 / sharing.order) * dual_direction(slopes[j], p)
        starts.append(start)
    ends = [_climb(at, t, omega, p, sharing, budget, n_steps) for t in starts]
    return max(ends, key=lambda end: end[1])[0]


def _climb(
    at: Callable[[Array], Place],
    t: Array,
    omega: Array,
    p: float,
    sharing: Sharing,
    budget: float,
    n_steps: int,
) -> tuple[Array, float]:
    """The attack where the ascent from t ends, and the mean loss there."""
    here, last = at(t), np.inf
    for _ in range(n_steps):
        gains = lp_norm(here.slopes, conjugate(p))
        lengths = budget * sharing.budgets(gains, omega)
        move = lengths[:, None] * dual_direction(here.slopes, p) - t
        change = float(np.abs(move).max(initial=0.0))
        found = _rise(at, t, here, move, change < 0.9 * last)
        if found is None or change <= _STILL * budget:
            break
        (t, here), last = found, change
    return t, here.value


def _rise(
    at: Callable[[Array], Place], t: Array, here: Place, move: Array, shrinks: bool
) -> tuple[Array, Place] | None:
    """As far along a move as the loss rises; halved until it does.

    Where rounding hides whether it does, moves that shrink still lead to the maximum: it is the
    last half of the digits that come from the gradient alone.
    """
    size, least = 1.0, here.value - _ROUNDING * abs(here.value)
    for _ in range(_HALVINGS):
        there = at(t + size * move)
        if there.value > here.value or (shrinks and size == 1.0 and there.value >= least):
            return t + size * move, there
        size *= 0.5
    return None


def attack_basis(problem: BasisProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_i + δ_i."""
    beta, loss, y = problem.beta, problem.model.loss, problem.source.targets()
    budget, omega = eps * problem.radius, normalised(problem)
    extremes = Extremes(problem.basis, beta, problem.ball, budget, False)
    X = np.array(problem.source.inputs(0, problem.source.n_rows), dtype=np.float64)
    U, f = problem.basis.inner(X), problem.sweep.predictions(problem.params)
    base, slopes = problem.basis.features_at(U) @ beta, extremes.slopes(U)

    def at(t: Array) -> Place:
        change, moved = extremes.changes(U, base, t, slopes)
        there = f + change
        with np.errstate(over="ignore"):
            value = float(omega @ loss.value(there, y))
        return Place(value, loss.slope(there, y)[:, None] * moved)

    shape = len(y), extremes.free.size
    t = ascend(at, shape, omega, problem.ball.p, problem.sharing, budget, n_steps)
    X[:, extremes.free] += problem.ball.scale[extremes.free] * t
    out[...] = X


def attack_autodiff(problem: AutodiffProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_i + δ_i."""
    X, scale = np.array(problem.source.x, dtype=np.float64), problem.ball.scale

    def at(t: Array) -> Place:
        value, slopes = 0.0, np.empty(X.shape)
        for batch in problem.batches(every=True):
            data = problem.params, batch.X + scale * t[batch.rows], batch.y
            losses = problem.derivatives("losses", *data)
            value += float(batch.shares @ losses)
            slopes[batch.rows] = scale * problem.derivatives("input_gradients", *data)
        return Place(value, slopes)

    budget, p = eps * problem.radius, problem.ball.p
    t = ascend(at, (X.shape[0], X.shape[1]), problem.shares, p, problem.sharing, budget, n_steps)
    out[...] = X + scale * t


def attack_network(problem: NetworkProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_i + δ_i."""
    ball, theta = problem.ball, problem.params
    loss, y = problem.model.loss, problem.source.targets()
    X, omega = np.array(problem.source.x, dtype=np.float64), normalised(problem)
    still = np.zeros(len(theta))

    def at(t: Array) -> Place:
        attacked = problem.source._replace(x=X + ball.scale * t)
        sweep = problem.layer.sweep(attacked, None, problem.n_threads)
        f, (slopes, _) = sweep.predictions(theta), sweep.input_slopes(theta, still, 0, len(y))
        with np.errstate(over="ignore"):
            value = float(omega @ loss.value(f, y))
        return Place(value, loss.slope(f, y)[:, None] * ball.weights * slopes)

    budget = eps * problem.radius
    t = ascend(at, (X.shape[0], X.shape[1]), omega, ball.p, problem.sharing, budget, n_steps)
    out[...] = X + ball.scale * t


def attack_gram(problem: GramProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_k + δ_k of an attack on all inputs, centres as well."""
    free = np.flatnonzero(problem.ball.scale > 0)
    t = _attack_centers(problem, eps, n_steps, free)
    X = np.array(problem.source.x, dtype=np.float64)
    X[:, free] += problem.ball.scale[free] * t
    out[...] = X


def loss_gram(problem: GramProblem, eps: float, n_steps: int) -> float:
    """E (f − y)² under such an attack, without the penalty."""
    free = np.flatnonzero(problem.ball.scale > 0)
    gram = _gram_at(problem, free, _attack_centers(problem, eps, n_steps, free))
    return float(problem.weights @ (gram.K @ problem.params - problem.targets) ** 2)


def _gram_at(problem: GramProblem, free: Array, t: Array) -> Gram:
    U = np.array(problem.inputs)
    U[:, free] += problem.ball.weights[free] * t
    return make_gram(problem.model.kernel.compiled(), U, True, problem.n_threads)


def _attack_centers(problem: GramProblem, eps: float, n_steps: int, free: Array) -> Array:
    """δ/c over the attackable features, (n, k)."""
    if not np.all(problem.weights > 0):
        raise ValueError(
            "a finite order needs positive weights here: a moving centre of weight zero would "
            "cost an attack nothing"
        )
    theta, weights = problem.params, problem.ball.weights[free]

    def at(t: Array) -> Place:
        gram = _gram_at(problem, free, t)
        slopes = gradient_at(problem, gram, theta)[:, free] * weights
        return Place(objective(problem, gram, theta), slopes / problem.weights[:, None])

    shape, budget = (len(problem.inputs), free.size), eps * problem.radius
    return ascend(at, shape, problem.weights, problem.ball.p, problem.sharing, budget, n_steps)

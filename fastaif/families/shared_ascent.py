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
from ..threat.budget import Sharing
from ..threat.own_units import OwnUnits
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
    own: OwnUnits,
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
    own, sharing, budget
        The units of attacks, the order and ρ = ε s.
    n_steps : int
    """
    sharing = dataclasses.replace(sharing, formula="exact")
    slopes = at(np.zeros(shape)).slopes
    gains = np.where(omega > 0.0, own.gains(slopes), 0.0)
    starts = [np.zeros(shape)]
    for j in np.argsort(-gains, kind="stable")[:_VERTICES]:
        start = np.zeros(shape)
        if gains[j] > 0.0:
            start[j] = budget * omega[j] ** (-1.0 / sharing.order) * own.directions(slopes[j])
        starts.append(start)
    ends = [_climb(at, t, omega, own, sharing, budget, n_steps) for t in starts]
    return max(ends, key=lambda end: end[1])[0]


def _climb(
    at: Callable[[Array], Place],
    t: Array,
    omega: Array,
    own: OwnUnits,
    sharing: Sharing,
    budget: float,
    n_steps: int,
) -> tuple[Array, float]:
    """The attack where the ascent from t ends, and the mean loss there."""
    here, last = at(t), np.inf
    for _ in range(n_steps):
        lengths = budget * sharing.budgets(own.gains(here.slopes), omega)
        move = lengths[:, None] * own.directions(here.slopes) - t
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

    shape, own = (len(y), extremes.own.n_free), extremes.own
    t = ascend(at, shape, omega, own, problem.sharing, budget, n_steps)
    own.move(X, t)
    out[...] = X


def attack_autodiff(problem: AutodiffProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_i + δ_i."""
    X, own = np.array(problem.source.x, dtype=np.float64), problem.ball.own
    shape, budget = (len(X), own.n_free), eps * problem.radius

    def at(t: Array) -> Place:
        value, slopes = 0.0, np.empty(shape)
        for batch in problem.batches(every=True):
            attacked = np.array(batch.X)
            own.move(attacked, t[batch.rows])
            data = problem.params, attacked, batch.y
            losses = problem.derivatives("losses", *data)
            value += float(batch.shares @ losses)
            slopes[batch.rows] = own.slopes(problem.derivatives("input_gradients", *data))
        return Place(value, slopes)

    own.move(X, ascend(at, shape, problem.shares, own, problem.sharing, budget, n_steps))
    out[...] = X


def attack_network(problem: NetworkProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_i + δ_i."""
    own, theta = problem.ball.own, problem.params
    loss, y = problem.model.loss, problem.source.targets()
    X, omega = np.array(problem.source.x, dtype=np.float64), normalised(problem)
    still = np.zeros(len(theta))

    def at(t: Array) -> Place:
        attacked = X.copy()
        own.move(attacked, t)
        source = problem.source._replace(x=attacked)
        sweep = problem.layer.sweep(source, None, problem.executor)
        f, (slopes, _) = sweep.predictions(theta), sweep.input_slopes(theta, still, 0, len(y))
        with np.errstate(over="ignore"):
            value = float(omega @ loss.value(f, y))
        return Place(value, loss.slope(f, y)[:, None] * own.slopes(slopes))

    budget, shape = eps * problem.radius, (len(X), own.n_free)
    own.move(X, ascend(at, shape, omega, own, problem.sharing, budget, n_steps))
    out[...] = X


def attack_gram(problem: GramProblem, eps: float, n_steps: int, out: Array) -> None:
    """Write x_k + δ_k of an attack on all inputs, centres as well."""
    X = np.array(problem.source.x, dtype=np.float64)
    problem.ball.own.move(X, _attack_centers(problem, eps, n_steps))
    out[...] = X


def loss_gram(problem: GramProblem, eps: float, n_steps: int) -> float:
    """E (f − y)² under such an attack, without the penalty."""
    gram = _gram_at(problem, _attack_centers(problem, eps, n_steps))
    return float(problem.weights @ (gram.K @ problem.params - problem.targets) ** 2)


def _gram_at(problem: GramProblem, t: Array) -> Gram:
    U = np.array(problem.inputs)
    problem.ball.own.move_inner(U, t)
    return make_gram(problem.model.kernel.compiled(), U, True, problem.n_threads)


def _attack_centers(problem: GramProblem, eps: float, n_steps: int) -> Array:
    """δ/c over the attackable features, (n, k)."""
    if not np.all(problem.weights > 0):
        raise ValueError(
            "a finite order needs positive weights here: a moving centre of weight zero would "
            "cost an attack nothing"
        )
    theta, own = problem.params, problem.ball.own

    def at(t: Array) -> Place:
        gram = _gram_at(problem, t)
        slopes = own.slopes(gradient_at(problem, gram, theta))
        return Place(objective(problem, gram, theta), slopes / problem.weights[:, None])

    shape, budget = (len(problem.inputs), own.n_free), eps * problem.radius
    return ascend(at, shape, problem.weights, own, problem.sharing, budget, n_steps)

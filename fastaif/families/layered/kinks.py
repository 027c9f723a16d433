"""Kinks of the robust path of networks, along θ̂ + εI.

Of one output a sample's attack turns round where ℓ' passes zero, as predictions move to first
order. For p = ∞ and p = 1 directions of attack jump where the slopes' first order says. A unit of
relu switches for a sample where its sum z, which moves by ż with θ and by s⟨∇_u z, φ⟩ with the
attack, reaches zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...passes.linear import Sweep
from ..autodiff.problem import AutodiffProblem
from ..kinks import Event, Kinks, basis_kinks
from .model import LayeredModel

Array = NDArray[Any]


def find(problem: AutodiffProblem, model: LayeredModel, influence: Array) -> Kinks:
    """The kinks that can be predicted."""
    turn, least = _directions(problem, model, influence)
    first = min(turn, _first_switch(problem, model, influence))
    if model.layers.sizes[-1] > 1:
        known = "none that is known: an input gradient may vanish somewhere in its ball"
        reason = known if np.isinf(first.eps) else first.what
        return Kinks(np.empty(0), np.empty(0), first.eps, reason)
    sweep = Sweep(
        problem.source, model.loss, model.basis, True, problem.ball, problem.executor
    )  # fmt: skip
    bend = problem.radius * lipschitz(problem, model)
    shared = Event(np.inf, "") if problem.sharing.is_shared else None
    reach = least / bend if bend > 0.0 else np.inf
    return basis_kinks(sweep, _predictions(problem, model, influence), first, reach, shared)


def lipschitz(problem: AutodiffProblem, model: LayeredModel) -> float:
    """A bound on how fast the gain of ∇_u f changes with u, of one output.

    ∇²f is Σ over hidden units of (∂f/∂a) σ''(z) (∇z)(∇z)ᵀ; ∂f/∂a and ∇z are bounded layer by layer
    by absolute weights and the largest slope.
    """
    layers, sigma = model.layers.unpack(problem.params), model.layers.sigma
    reaches = [problem.ball.gains(layers[0].W.T)]
    for W, _ in layers[1:-1]:
        reaches.append(sigma.steepest * reaches[-1] @ np.abs(W))
    weights, total = np.abs(layers[-1].W[:, 0]), 0.0
    for place in range(len(reaches) - 1, -1, -1):
        total += sigma.most_bent * float(weights @ reaches[place] ** 2)
        if place:
            weights = np.abs(layers[place].W) @ (sigma.steepest * weights)
    return total


def _predictions(
    problem: AutodiffProblem, model: LayeredModel, influence: Array
) -> tuple[Array, Array]:
    """f and its derivative along the influence, (n,) each."""
    parts = [
        model.derivatives("speeds", problem.params, batch.X, influence)
        for batch in problem.batches(every=True)
    ]
    f, speed = np.concatenate(parts, axis=1)[:, :, 0]
    return f, speed


def _directions(
    problem: AutodiffProblem, model: LayeredModel, influence: Array
) -> tuple[Event, float]:
    """Where the direction of a sample's attack first jumps, and the least gain of what it follows.

    Samples without a share of the budget stay.
    """
    ball, best, least = problem.ball, Event(np.inf, ""), np.inf
    for batch in problem.batches():
        slopes, moves = model.derivatives(
            "pulls_along", problem.params, batch.X, batch.y, influence
        )
        budgets = problem.budgets[batch.rows]
        slopes, moves = problem.felt(batch, slopes, moves)
        eps, place = ball.first_turn(slopes, moves)
        if eps < best.eps:
            name = model.feature_names[place]
            best = Event(eps, f"the slope in {name} of a sample {ball.turning}")
        gains = ball.gains(slopes)
        moving = (budgets > 0.0) & ((gains > 0.0) | (not ball.varies))  # others are in a corner
        with np.errstate(divide="ignore", invalid="ignore"):
            lengths = np.where(moving, gains / budgets, np.inf)
        least = min(least, float(np.min(lengths, initial=np.inf)))
    return best, least


def _first_switch(problem: AutodiffProblem, model: LayeredModel, influence: Array) -> Event:
    """Where a unit of relu first switches for a sample."""
    layers, first = model.layers, np.inf
    if not layers.sigma.has_kinks:
        return Event(first, "")
    for batch in problem.batches():
        steps, _, _ = problem.attack(problem.params, batch)
        steps = steps * (problem.radius * problem.budgets[batch.rows])[:, None]
        run = layers.run(problem.params, model.basis.transform(batch.X))
        dots = layers.dots(run, influence[None], steps)
        for z, moved in zip(run.sums, dots.sums, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                when = -z / moved[0]
            first = min(first, float(np.min(when[when > 0.0], initial=np.inf)))
    return Event(first, "a unit of relu switches for a sample")

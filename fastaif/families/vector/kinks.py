"""Kinks of the robust path of models with several predictions, along θ̂ + εI.

∇_x ℓ = Wᵀa, whose direction is that of h = Wᵀb for any multiple b of a. Of softmax models a is
(1 − π_y)(ρ − e_y), ρ the shares of the other classes among themselves, and b = ρ − e_y; of outputs
b is a. The direction vanishes where h does: in no ball smaller than ‖h‖_q over how fast h changes,
at most max ‖DWᵀWD t‖_q times the bound of what bends b, W's rows about the part that changes
nothing. Of two classes h never changes with x.

Where samples share a budget one whose gradient vanishes has no part of it, which is no kink.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...threat.attack_set import Turn
from ..kinks import Event, Kinks, lengths_of, overtaken
from .rows import VectorRows

Array = NDArray[Any]

_OWN = "a sample's input gradient may vanish in its ball"


def find(problem: VectorRows, influence: Array) -> Kinks:
    """The kinks that can be predicted, the first of them by the slopes at ε = 0."""
    m, step = problem.model.n_features, problem.model.layout.matrix(influence)
    W = problem.model.matrix[:, :m]
    gains, lengths, speeds = np.zeros((3, problem.n_rows))
    turns: list[Turn] = []
    shares, ball = problem.smooth_shares, problem.ball

    def work(start: int, stop: int) -> None:
        kept = start + np.flatnonzero(shares[start:stop] > 0.0)
        if not kept.size:
            return
        at = problem.rows(start, stop, kept - start)
        t = at.inputs @ step.T
        pulls, turned = problem.model.loss.turning(at.z, at.y, t)
        X = problem.source.inputs(start, stop)[kept - start]
        slopes, moves = ball.felt(pulls @ W, X), turned @ W + pulls @ step[:, :m]
        own = at.terms.bend(t) @ W + at.residuals @ step[:, :m]
        turns.append(ball.first_turn(slopes, moves))
        gains[kept], lengths[kept] = ball.gains(at.residuals @ W), ball.gains(slopes)
        phi, _, _ = ball.directions(slopes, X)
        speeds[kept] = np.sum(phi * own, axis=1)

    problem.map_rows(work)
    turn = min(turns)
    name = problem.model.feature_names[turn.feature]
    events = [Event(turn.eps, f"the slope in {name} of a sample {ball.turning}")]
    if problem.sharing.order == 1.0:
        another = overtaken(gains[shares > 0.0], speeds[shares > 0.0])
        events.append(Event(another, "another sample becomes the steepest"))
    elif not problem.sharing.is_shared and problem.model.frame.shape[1] > 1:
        lengths = lengths_of(lengths, problem.budgets, ball.varies)
        events.append(Event(_reach(problem, float(lengths[shares > 0.0].min())), _OWN))
    first = min(events)
    reason = "none is foreseen" if np.isinf(first.eps) else first.what
    return Kinks(np.empty(0), np.empty(0), first.eps, reason)


def _reach(problem: VectorRows, least: float) -> float:
    """An ε below which no sample's gradient can vanish within its ball."""
    matrix = problem.model.matrix
    W = (matrix - problem.model.still(matrix))[:, : problem.model.n_features]
    bend = problem.radius * problem.model.loss.bound * problem.ball.operator_norm(W.T @ W)
    return least / bend if bend > 0.0 else np.inf

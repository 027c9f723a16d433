"""Kinks of the robust path of softmax models, along θ̂ + εI.

∇_x ℓ = Wᵀa is (1 − π_y) h with h = Wᵀ(ρ − e_y), ρ the shares of the other classes among
themselves. Its direction is h's, and it vanishes where h does: in no ball smaller than ‖h‖_q over
how fast h changes, at most ½ max ‖DWᵀWD t‖_q with W's rows about their mean, for the covariance of
e_k ~ ρ is at most ½. Of two classes h never changes with x.

Where samples share a budget one whose gradient vanishes has no part of it, which is no kink.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...threat.attack_set import Turn
from ..kinks import Event, Kinks, overtaken
from .gauge import centred
from .rows import RowParts, SoftmaxRows

Array = NDArray[Any]

_COVARIANCE = 0.5  # the largest eigenvalue that one of e_k can have
_OWN = "a sample's input gradient may vanish in its ball"


def find(problem: SoftmaxRows, influence: Array) -> Kinks:
    """The kinks that can be predicted, the first of them by the slopes at ε = 0."""
    m, step = problem.model.n_features, problem.model.layout.matrix(influence)
    W = problem.model.matrix[:, :m]
    gains, lengths, speeds = np.zeros((3, problem.n_rows))
    turns: list[Turn] = []
    shares, ball = problem.shares, problem.ball

    def work(start: int, stop: int) -> None:
        kept = start + np.flatnonzero(shares[start:stop] > 0.0)
        if not kept.size:
            return
        at = RowParts(*(part[kept - start] for part in problem.rows(start, stop)))
        slopes, moves, own = _along(at, W, step)
        turns.append(ball.first_turn(slopes, moves))
        gains[kept], lengths[kept] = ball.gains(at.residuals @ W), ball.gains(slopes)
        phi, _, _ = ball.directions(slopes)
        speeds[kept] = np.sum(phi * own, axis=1)

    problem.map_rows(work)
    turn = min(turns)
    name = problem.model.feature_names[turn.feature]
    events = [Event(turn.eps, f"the slope in {name} of a sample {ball.turning}")]
    if problem.sharing.order == 1.0:
        another = overtaken(gains[shares > 0.0], speeds[shares > 0.0])
        events.append(Event(another, "another sample becomes the steepest"))
    elif not problem.sharing.is_shared and problem.model.n_classes > 2:
        events.append(Event(_reach(problem, float(lengths[shares > 0.0].min())), _OWN))
    first = min(events)
    reason = "none is foreseen" if np.isinf(first.eps) else first.what
    return Kinks(np.empty(0), np.empty(0), first.eps, reason)


def _along(at: RowParts, W: Array, step: Array) -> tuple[Array, Array, Array]:
    """h, its derivative along θ̂ + εI, and that of ∇_x ℓ, (k, m) each."""
    m = W.shape[1]
    t = at.inputs @ step.T
    others = np.maximum(at.pulls, 0.0)
    turned = others * (t - np.sum(others * t, axis=1, keepdims=True))
    moved = at.shares * (t - np.sum(at.shares * t, axis=1, keepdims=True))
    return (
        at.pulls @ W, turned @ W + at.pulls @ step[:, :m], moved @ W + at.residuals @ step[:, :m]
    )  # fmt: skip


def _reach(problem: SoftmaxRows, least: float) -> float:
    """An ε below which no sample's gradient can vanish within its ball."""
    W = centred(problem.model.matrix[:, : problem.model.n_features])
    bend = problem.radius * _COVARIANCE * problem.ball.operator_norm(W.T @ W)
    return least / bend if bend > 0.0 else np.inf

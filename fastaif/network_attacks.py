"""Attacks on the inputs of a network, by projected gradient ascent."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._compute import _types as c
from ._compute import get
from .attacks import PgdSettings
from .layouts import read_only
from .network_problem import NetworkProblem
from .streaming import map_rows

Array = NDArray[Any]


class Attacked(NamedTuple):
    """Attacked inputs (n, m), float64, and the predictions there (n,)."""

    X: Array
    f: Array


def ascend(
    problem: NetworkProblem,
    theta: Array,
    eps: float,
    settings: PgdSettings,
    side: float | None = None,
) -> Attacked:
    """x_i + δ_i, the best end of gradient ascent on the loss over the balls at ε.

    Starts are the sample itself, the antipode of where that led, then random points. With
    `side` ±1 it is ± f that grows, not the loss.
    """
    source, ball, sweep = problem.source, problem.ball, problem.sweep
    free = np.flatnonzero(ball.scale > 0)
    network = sweep.network(theta)
    moves = read_only(ball.weights[free, None] * network.w1[free])
    radius = eps * problem.radius
    step = 0.0 if settings.step is None else settings.step * radius
    X, f = np.empty((source.n_rows, source.n_columns)), np.empty(source.n_rows)
    operation = get("network_ascent")

    def work(start: int, stop: int) -> None:
        steps = c.Steps(
            float(ball.p), radius, c.EMPTY, settings.n_steps, step, settings.n_restarts,
            settings.seed, start,
        )  # fmt: skip
        X[start:stop] = source.inputs(start, stop)
        y = np.array(source.targets(start, stop), dtype=np.float64)
        t, rows = np.empty((stop - start, free.size)), c.Rows(X[start:stop], y, c.EMPTY)
        sides = c.EMPTY if side is None else read_only(np.full(stop - start, side))
        inner = sweep.inner()._replace(multiplier=sides)
        operation(rows, network, moves, inner, steps, t, f[start:stop])
        X[start:stop, free] += ball.scale[free] * t

    cost = settings.n_restarts * settings.n_steps * problem.layer.hidden
    map_rows(source, work, problem.n_threads, cost=min(cost, 256))
    return Attacked(X, f)

"""Attacks on the inputs of a network, by projected gradient ascent."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ..._compute import types as c
from ...threat.ascent_settings import PgdSettings
from ...utils.arrays import read_only
from .problem import NetworkProblem

Array = NDArray[Any]

_USUAL_STEPS = 16


class Attacked(NamedTuple):
    """Attacked inputs (n, m), float64, and the predictions there (n,)."""

    X: Array
    f: Array


def ascend(
    problem: NetworkProblem, theta: Array, eps: float, settings: PgdSettings
) -> Attacked:
    """x_i + δ_i, the best end of gradient ascent on the loss over the balls at ε.

    Starts are the sample itself, the antipode of where that led, then random points.
    """
    return _ascend(problem, theta, eps, settings, (None,))[0]


def ascend_both(
    problem: NetworkProblem, theta: Array, eps: float, settings: PgdSettings
) -> tuple[Attacked, Attacked]:
    """Where f is largest over the balls, and where it is least: both ends of its range."""
    up, down = _ascend(problem, theta, eps, settings, (1.0, -1.0))
    return up, down


def _ascend(
    problem: NetworkProblem,
    theta: Array,
    eps: float,
    settings: PgdSettings,
    sides: tuple[float | None, ...],
) -> list[Attacked]:
    """An ascent on the loss, or on ± f for a side ±1, each; all in one pass over the rows."""
    source, own, sweep = problem.source, problem.ball.own, problem.sweep
    n, m = source.n_rows, source.n_columns
    network = sweep.network(theta)
    moves = read_only(own.slopes(network.w1.T).T)
    radius = eps * problem.radius
    step = 0.0 if settings.step is None else settings.step * radius
    found = [Attacked(np.empty((n, m)), np.empty(n)) for _ in sides]
    operation = get("network_ascent")

    def work(start: int, stop: int) -> None:
        steps = own.steps(settings, radius, step, start)
        x = read_only(source.inputs(start, stop))
        y = np.array(source.targets(start, stop), dtype=np.float64)
        t, rows = np.empty((stop - start, own.n_free)), c.Rows(x, y, c.EMPTY)
        for side, (X, f) in zip(sides, found, strict=True):
            inner = problem.model.loss.ascent(y)
            if side is not None:
                inner = inner._replace(multiplier=read_only(np.full(stop - start, side)))
            operation(rows, network, moves, inner, steps, t, f[start:stop])
            X[start:stop] = x
            own.move(X[start:stop], t)

    # Most rows arrive within some steps, each worth a sweep for every eight units.
    steps = len(sides) * settings.n_restarts * min(settings.n_steps, _USUAL_STEPS)
    cost = max(1, steps * problem.model.hidden // 8)
    problem.executor.map_rows(source, work, cost=min(cost, 256))
    return found

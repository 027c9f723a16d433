"""Attacks on the inputs of a basis model: at the exact extremes, or by gradient ascent."""

from __future__ import annotations

import numpy as np

from ...threat.ascent_settings import PgdSettings
from .extremes import Climb, Extremes, is_exact
from .problem import Array, BasisProblem


def attack_exactly(problem: BasisProblem, theta: Array, eps: float, out: Array) -> None:
    """Write x_i + δ_i with the loss at its maximum over the ball (quadratic basis, p = 2)."""
    extremes = Extremes(
        problem.basis, theta[: problem.model.n_coefs], problem.ball, eps * problem.radius,
        exact=is_exact(problem.basis, problem.ball),
    )  # fmt: skip
    loss, f = problem.model.loss, problem.sweep.predictions(theta)

    def work(start: int, stop: int) -> None:
        X = problem.source.inputs(start, stop)
        U, y = problem.basis.inner(X), problem.source.targets(start, stop)
        up, down = extremes.end(U, 1.0), extremes.end(U, -1.0)
        low = f[start:stop] + down.change
        worse = loss.rise(low, up.change - down.change, y) >= 0.0
        _write(problem, X, np.where(worse[:, None], up.t, down.t), extremes, out[start:stop])

    problem.executor.map_rows(problem.source, problem.in_blocks(work))


def attack_by_ascent(
    problem: BasisProblem, theta: Array, eps: float, settings: PgdSettings, out: Array
) -> None:
    """Write x_i + δ_i, the best end of projected gradient ascent on the loss.

    Starts are the sample itself, the antipode of where that led, then random points.
    """
    radius, loss = eps * problem.radius, problem.model.loss
    climb = Climb(settings.n_steps, 2.0 if settings.step is None else settings.step)
    walk = Climb(settings.n_steps, settings.step or 2.5 / settings.n_steps, leap=False)
    extremes = Extremes(
        problem.basis, theta[: problem.model.n_coefs], problem.ball, radius, False, climb
    )
    f = problem.sweep.predictions(theta)

    def work(start: int, stop: int) -> None:
        X, base = problem.source.inputs(start, stop), f[start:stop]
        U, y = problem.basis.inner(X), problem.source.targets(start, stop)

        def objective(change: Array) -> tuple[Array, Array]:
            return loss.rise(base, change, y), loss.worse_end(base + change, y, 0.0)

        best = np.zeros((stop - start, extremes.own.n_free))
        value = np.zeros(stop - start)
        t = best.copy()
        for draw in range(settings.n_restarts):
            if draw == 1:
                t = -t
            elif draw > 1:
                extremes.own.draw(settings.seed, draw, start, radius, t)
            end = extremes.ascend(U, np.array(t), objective, walk if draw > 1 else climb)
            reached, _ = objective(end.change)
            better = reached > value
            best, value = np.where(better[:, None], end.t, best), np.where(better, reached, value)
            t = end.t
        _write(problem, X, best, extremes, out[start:stop])

    cost = settings.n_restarts * settings.n_steps
    problem.executor.map_rows(problem.source, problem.in_blocks(work), cost=cost)


def _write(
    problem: BasisProblem, X: Array, t: Array, extremes: Extremes, out: Array
) -> None:
    attacked = np.array(X, dtype=np.float64)
    extremes.own.move(attacked, t)
    out[...] = attacked

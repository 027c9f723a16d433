"""Attacks on the inputs of a linear predictor: in closed form, and by gradient ascent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ...threat.ascent_settings import PgdSettings
from .problem import LinearProblem

Array = NDArray[Any]


def closed_form(problem: LinearProblem, theta: Array, eps: float, out: Array) -> None:
    """Write x_i + δ_i with the loss at its maximum over the ball.

    δ_i = ± ε s φ_c(∇_x f), the end of [f − κ, f + κ] where the loss is larger (+ at ties).
    """
    model, source = problem.model, problem.source
    beta = theta[: model.n_features]
    f = problem.sweep.predictions(theta)
    kappa = eps * problem.radius * problem.ball.gain(beta)
    step = eps * problem.radius * problem.ball.direction(beta)

    def work(start: int, stop: int) -> None:
        side = model.loss.worse_end(f[start:stop], source.targets(start, stop), kappa)
        out[start:stop] = source.inputs(start, stop) + side[:, None] * step

    problem.executor.map_rows(source, work)


def projected_ascent(
    problem: LinearProblem, theta: Array, eps: float, settings: PgdSettings, out: Array
) -> None:
    """Write x_i + δ_i, the best iterate of projected gradient ascent over the ball."""
    model, source = problem.model, problem.source
    beta = theta[: model.n_features]
    own = problem.ball.own
    slopes = own.slopes(beta[None])[0]
    radius = eps * problem.radius
    step = radius * (2.5 / settings.n_steps if settings.step is None else settings.step)
    f = problem.sweep.predictions(theta)
    operation = get("linear_pgd")

    def work(start: int, stop: int) -> None:
        steps = own.steps(settings, radius, step, start, slopes)
        u = np.empty((stop - start, own.n_free))
        y = np.array(source.targets(start, stop), dtype=np.float64)
        operation(f[start:stop], y, model.loss.ascent(y), steps, u)
        block = np.array(source.inputs(start, stop), dtype=np.float64)
        own.move(block, u)
        out[start:stop] = block

    problem.executor.map_rows(source, work, cost=settings.n_restarts * settings.n_steps)

"""The influence of linear predictors as a workload: one problem, and whoever can solve it.

The peers know the logistic loss alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import data, ours
from bench.peers import jax_expert, numpy_expert

Array = NDArray[np.float64]
Run = Callable[[], Array]

OURS, ALONE, NUMBA = "fastaif", "on one thread", "on Numba"
WHOLE, BLOCKED, JAX = "NumPy whole", "NumPy blocked", "JAX"
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Problem:
    """Data and the fitted model at which everybody computes the influence."""

    X: Array
    y: Array
    model: Any
    alpha: float = 1e-3
    p: float = 2.0

    @property
    def beta(self) -> Array:
        return np.ravel(self.model.coef_)

    @property
    def b(self) -> float:
        return float(np.ravel(self.model.intercept_)[0])


def problem(size: data.Size, p: float = 2.0, loss: str = "logistic") -> Problem:
    X, y = data.linear_predictor(*size, loss)
    return Problem(X, y, ours.fitted(X, y, Problem.alpha, loss), p=p)


def _ours(q: Problem) -> Run:
    return lambda: ours.influence(q.model, q.X, q.y, q.p)


def _alone(q: Problem) -> Run:
    return lambda: ours.influence(q.model, q.X, q.y, q.p, n_threads=1)


def _numba(q: Problem) -> Run:
    return lambda: ours.on_numba(_ours(q))


def _whole(q: Problem) -> Run:
    return lambda: numpy_expert.influence_whole(q.X, q.y, q.beta, q.b, q.alpha, q.p)


def _blocked(q: Problem) -> Run:
    return lambda: numpy_expert.influence_blocked(q.X, q.y, q.beta, q.b, q.alpha, q.p)


def _jax(q: Problem) -> Run:
    influence = jax_expert.runner(q.X, q.y, q.p)
    return lambda: influence(q.beta, q.b, q.alpha)


CONTESTANTS: dict[str, Callable[[Problem], Run]] = {
    OURS: _ours,
    ALONE: _alone,
    NUMBA: _numba,
    WHOLE: _whole,
    BLOCKED: _blocked,
    JAX: _jax,
}


def missing(loss: str = "logistic") -> dict[str, str]:
    """Contestants that cannot run here, each with the reason."""
    if loss != "logistic":
        return dict.fromkeys((WHOLE, BLOCKED, JAX), "written for the logistic loss only")
    reason = jax_expert.missing()
    return {JAX: reason} if reason else {}


def disagreement(result: Array, reference: Array) -> float:
    """Relative distance of two influences; at most TOLERANCE where they agree."""
    return float(np.linalg.norm(result - reference) / np.linalg.norm(reference))

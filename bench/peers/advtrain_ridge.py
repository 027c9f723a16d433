"""Robust linear regression by reweighted ridge: the public repository antonior92/advtrain-linear.

Its package, `linadvtrain`, is on no index: build it from a checkout to have it in the tables.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
DEFAULT = 100  # iterations, where the caller does not say
_TRIALS = (5, 10, 15, 20, 30, 50, 75, 100, 200, 400)


def missing() -> bool:
    """Whether the package is absent."""
    return importlib.util.find_spec("linadvtrain") is None


def robust_fit(X: Array, y: Array, rho: float, p: float, max_iter: int) -> Array:
    """β after so many iterations of its method "w-ridge"; there is no intercept."""
    from linadvtrain.regression import lin_advregr

    return np.asarray(lin_advregr(X, y, adv_radius=rho, max_iter=max_iter, p=p)[0])


def methods(p: float) -> tuple[str, ...]:
    """Its methods for regression."""
    return ("w-ridge", "w-cg", "w-sqlasso") if np.isinf(p) else ("w-ridge", "w-cg")


class _EnoughError(Exception):
    """Ends a fit from within: its package asks nobody whether to go on."""


def steps_to(
    X: Array, y: Array, rho: float, p: float, method: str, targets: Sequence[float],
    patience: float = math.inf,
) -> list[tuple[int, float]]:  # fmt: skip
    """The fewest iterations of a method down to each objective, and their seconds.

    `targets` fall; those that are not met within the most iterations, or within the seconds of
    `patience`, are left out.
    """
    from linadvtrain.regression import lin_advregr

    met: list[tuple[int, float]] = []
    start = time.process_time()

    def note(step: int, beta: Array, loss: float) -> None:
        seconds = time.process_time() - start
        while len(met) < len(targets) and loss <= targets[len(met)]:
            met.append((step + 1, seconds))
        if len(met) == len(targets) or seconds > patience:
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        lin_advregr(
            X, y, adv_radius=rho, max_iter=_TRIALS[-1], p=p, method=method, callback=note
        )  # fmt: skip
    return met


def fit_by(X: Array, y: Array, rho: float, p: float, method: str, steps: int) -> Array:
    """β after so many iterations of a method."""
    from linadvtrain.regression import lin_advregr

    return np.asarray(lin_advregr(X, y, adv_radius=rho, max_iter=steps, p=p, method=method)[0])


def objective(X: Array, y: Array, beta: Array, rho: float, p: float) -> float:
    """E (|x·β − y| + ρ ‖β‖_q)², 1/p + 1/q = 1."""
    q = 1.0 if np.isinf(p) else np.inf if p == 1 else p / (p - 1.0)
    return float(np.mean((np.abs(X @ beta - y) + rho * np.linalg.norm(beta, ord=q)) ** 2))


def iterations_to(X: Array, y: Array, rho: float, p: float, best: float, gap: float) -> int:
    """The fewest iterations, of some tried, that come within a relative gap of the optimum."""
    for count in _TRIALS:
        if objective(X, y, robust_fit(X, y, rho, p, count), rho, p) <= best * (1.0 + gap):
            return count
    return _TRIALS[-1]

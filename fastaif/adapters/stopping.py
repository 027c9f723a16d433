"""Why a fit may have stopped short of its optimum, from what the fitted estimator says."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from ..models.smoothing import RandomizedSmoothing

_STOCHASTIC = ("adam", "sgd")  # of networks


class EarlyStop(NamedTuple):
    """What ended a fit, and the beginning of a sentence on what to do about it."""

    cause: str
    remedy: str


def early_stop(estimator: Any) -> EarlyStop | None:
    """What ended the fit of one of scikit-learn's iterative estimators; None for all others.

    Their default tolerances are for predictions, where a part of a standard error is nothing.
    """
    inner = estimator.estimator_ if isinstance(estimator, RandomizedSmoothing) else estimator
    step = inner.steps[-1][1] if isinstance(inner, Pipeline) else inner
    iterations, tol = getattr(step, "n_iter_", None), getattr(step, "tol", None)
    if type(step).__module__.split(".")[0] != "sklearn" or iterations is None or tol is None:
        return None
    name, limit = type(step).__name__, getattr(step, "max_iter", None)
    if getattr(step, "solver", None) in _STOCHASTIC:
        return EarlyStop(
            f"scikit-learn's {name}(solver={step.solver!r}) ends near an optimum, not at one",
            "Fit it with solver='lbfgs', a small tol and a large max_iter",
        )
    if limit is not None and np.max(iterations) >= limit:
        return EarlyStop(
            f"scikit-learn's {name} stopped at max_iter={limit}",
            "Fit it with a larger max_iter (scaled features need fewer)",
        )
    return EarlyStop(
        f"scikit-learn's {name} stopped at tol={tol:g}",
        f"Fit it with tol={min(1e-10, 1e-4 * tol):g}",
    )

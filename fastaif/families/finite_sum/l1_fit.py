"""Natural fits with an l1 term in the penalty: E ℓ + α θᵀPθ + Σ_j λ_j |θ_j|."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...passes.linear import Sweep
from ...solvers.l1_newton import minimize
from ...solvers.limits import cholesky_fits
from ...solvers.newton import NewtonResult
from .coordinates import measure
from .natural_fit import NaturalObjective

Array = NDArray[Any]

_VANISHING = 1e-13  # a value that is on its way to an infimum at infinity


def l1_fit(
    sweep: Sweep,
    alpha: float,
    penalized: Array,
    weights: Array,
    theta: Array | None = None,
    max_iter: int = 1000,
) -> NewtonResult:
    """The minimiser, its zeros exact, by Newton's method in working coordinates.

    Parameters
    ----------
    sweep : Sweep
    alpha : float
        Of the quadratic part.
    penalized, weights : arrays (d,)
        P's diagonal, and λ_j.
    theta : array (d,), optional
        Where to start; zero by default.
    max_iter : int

    Raises
    ------
    ValueError
        There is no room for a Hessian.
    """
    refuse_many(weights.size)
    source, d = sweep.source, sweep.n_coefs
    start = np.zeros(weights.size) if theta is None else np.array(theta, dtype=float)
    work = measure(source, sweep.basis, sweep.fit_intercept, sweep.executor)
    inner = dataclasses.replace(sweep, basis=work.basis(sweep.basis), ball=None)
    objective = NaturalObjective(inner, alpha, work.penalized(penalized))
    inner_weights = weights.copy()
    inner_weights[:d] /= work.units
    floor = _VANISHING if sweep.loss.is_monotone else -np.inf
    with single_threaded_blas():
        found = minimize(
            objective, work.enter(start), inner_weights, tol=1e-12, max_iter=max_iter, floor=floor
        )
    return dataclasses.replace(found, x=work.leave(found.x))


def refuse_many(d: int) -> None:
    """Refuse a number of parameters for whose Hessian there is no room."""
    if not cholesky_fits(d):
        raise ValueError(
            f"an l1 penalty takes the Hessian, for which {d} parameters are too many: leave out "
            "columns, or use l1_ratio=0"
        )

"""Adversarial training by Danskin's theorem: the outer problem of an inner ascent.

The gradient of θ ↦ E max ℓ is the gradient at the maximisers, held fixed. A quasi-Newton
method then lowers the objective, in variables in which the natural Hessian is the
identity, so that it starts well scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


_RESTARTS = 20
_EXTREME = 2.0**13  # of the root of an objective


@dataclass(frozen=True)
class PgdOptimum:
    """Where the outer iteration stopped; converged: no further descent was found."""

    theta: Array
    objective: float
    gradient: Array
    n_iter: int
    converged: bool


def minimize_adversarial(
    evaluate: Callable[[Array], tuple[float, Array]],
    theta: Array,
    metric: Array,
    max_iter: int | None = None,
    restarts: int = _RESTARTS,
    ftol: float = 1e-15,
) -> PgdOptimum:
    """Lower an adversarial objective from θ̂ by L-BFGS.

    Parameters
    ----------
    evaluate : callable
        θ (d,) to the objective and its Danskin gradient (d,).
    theta : array (d,)
    metric : array (d, d)
        A lower Cholesky factor: the variables are its transpose times θ − θ̂.
    max_iter : int, optional
        1,000 by default.
    restarts : int
        How often at most the memory of gradients is started afresh.
    ftol : float
        A relative decrease in one iteration that is too small to go on.
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import minimize

    # A change of variables need not be exact, but is made often.
    inverse = solve_triangular(metric, np.eye(len(metric)), lower=True)

    def to_theta(z: Array) -> Array:
        return np.asarray(theta + z @ inverse)

    first = evaluate(theta)
    unit = _unit(first[0])

    def value_and_slope(z: Array) -> tuple[float, Array]:
        value, gradient = evaluate(to_theta(unit * z)) if z.any() else first
        return value / unit**2, inverse @ gradient / unit

    options = {
        "maxiter": 1000 if max_iter is None else max_iter, "ftol": ftol, "gtol": 1e-13,
        "maxcor": 30, "maxls": 20,
    }  # fmt: skip
    z, best, n_iter, converged = np.zeros(theta.size), np.inf, 0, False
    for _ in range(restarts):
        # At a kink the memory of gradients misleads: start it afresh while that helps.
        found = minimize(
            value_and_slope, z, jac=True, method="L-BFGS-B", options=cast(Any, options)
        )
        z, n_iter = found.x, n_iter + int(found.nit)
        converged = found.status != 1 and best - found.fun <= 1e-12 * abs(found.fun)
        if converged or found.status == 1:
            break
        best = found.fun
    theta = to_theta(unit * z)
    value, gradient = evaluate(theta)
    return PgdOptimum(theta, value, gradient, n_iter, converged)


def _unit(value: float) -> float:
    """A power of two whose square is about the objective where that is extreme; 1 elsewhere.

    Where the Hessian is the identity z is as large as that, and L-BFGS has steps and tolerances
    of size one.
    """
    size = float(np.sqrt(abs(value)))
    if not (0.0 < size < np.inf) or 1.0 / _EXTREME <= size <= _EXTREME:
        return 1.0
    return float(np.exp2(np.round(np.log2(size))))

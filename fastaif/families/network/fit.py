"""Fits of one-hidden-layer networks: L-BFGS, then Newton's method to a stationary point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...passes.network import NetworkSweep
from ...solvers.newton import Local, NewtonResult
from ...solvers.nonconvex_newton import minimize_nonconvex, steps_after
from ...solvers.quasi_newton import descend_by_lbfgs
from ..finite_sum.natural_fit import add_penalty
from .dead_units import idle_biases, pin

Array = NDArray[Any]

DENSE = 5000  # parameters up to which a Hessian is formed
GRADIENT = c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK
_ROUGH = 1e-7  # of the first gradient: where Newton's method takes over


@dataclass(frozen=True)
class NetworkObjective:
    """L(θ) = E ℓ + α (‖W1‖² + ‖w2‖²); `need` says whether with its Hessian.

    Biases of units that are switched off are held: see `idle_biases`.
    """

    sweep: NetworkSweep
    alpha: float
    penalized: Array
    need: int = GRADIENT | c.NEED_HESSIAN

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Hessian (zero where it is not asked for) and yardstick at θ."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self.sweep.run(theta, self.need)
            value, gradient = sums.loss, sums.gradient
            if self.need & c.NEED_HESSIAN:
                hessian = sums.hessian
                if self.alpha > 0.0:
                    m, h = self.sweep.source.n_columns, self.sweep.hidden
                    hessian = pin(hessian, idle_biases(theta, m, h), 2.0 * self.alpha)
                local = Local(value, gradient, hessian, sums.yardstick)
                return add_penalty(local, theta, self.alpha, self.penalized)
            shrunk = self.alpha * self.penalized * theta
        none = np.empty((0, 0))
        return Local(
            value + float(shrunk @ theta), gradient + 2.0 * shrunk, none, sums.yardstick
        )


def fit_network(
    sweep: NetworkSweep,
    alpha: float,
    theta: Array,
    penalized: Array,
    *,
    tol: float = 1e-12,
    max_iter: int = 2000,
    warm: bool = False,
) -> NewtonResult:
    """A local minimum of L.

    Parameters
    ----------
    sweep : NetworkSweep
    alpha : float
    theta, penalized : array (d,)
        The start, and 1 for the entries that α shrinks.
    tol : float
        Bound on the gradient's norm relative to E |ℓ'| ‖(v, 1)‖.
    max_iter : int
        Of L-BFGS, and of Newton's method after it (`steps_after`).
    warm : bool
        θ is near a minimum: no L-BFGS. Networks of more than `DENSE` parameters take no
        Newton steps but L-BFGS alone, to whatever precision it reaches.
    """
    x, n_iter = np.array(theta, dtype=float), 0
    slopes = NetworkObjective(sweep, alpha, penalized, GRADIENT)
    with single_threaded_blas():
        if x.size > DENSE:
            x, n_iter = descend_by_lbfgs(slopes, x, max_iter, 1e-3 * tol)
            local = slopes(x)
            return NewtonResult(x, local, n_iter, local.residual <= tol, False)
        if not warm:
            x, n_iter = descend_by_lbfgs(slopes, x, max_iter, _ROUGH)
        objective = NetworkObjective(sweep, alpha, penalized)
        found = minimize_nonconvex(objective, x, tol=tol, max_iter=steps_after(n_iter, max_iter))
    return replace(found, n_iter=n_iter + found.n_iter)


def random_start(
    sweep: NetworkSweep, rng: np.random.RandomState, moments: tuple[Array, Array]
) -> Array:
    """θ to start from: units of unit spread over the data, outputs that sum to the targets'.

    `moments` are the inputs' means and standard deviations, so that the start, unlike the
    penalty, does not depend on their units.
    """
    mean, spread = moments
    m, h = mean.size, sweep.hidden
    inverse = 1.0 / np.where(spread > 0, spread, 1.0)
    w1 = rng.normal(size=(m, h)) * inverse[:, None] / np.sqrt(m)
    b1 = 0.5 * rng.normal(size=h) - mean @ w1
    y = sweep.source.targets()
    middle = sweep.source.mean(y)
    size = 1.0
    if sweep.loss.is_of_residuals:
        size = float(np.sqrt(sweep.source.mean((y - middle) ** 2))) or 1.0
    w2 = size * rng.normal(size=h) / np.sqrt(h)
    return np.concatenate([w1.ravel(), b1, w2, [sweep.loss.null_prediction(middle)]])

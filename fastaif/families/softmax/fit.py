"""Natural fits of softmax models: Newton's method on contrasts, in working coordinates."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...passes.vector import VectorSweep
from ...solvers.limits import cholesky_fits
from ...solvers.newton import Local, NewtonResult, minimize
from ..finite_sum.coordinates import measure
from ..vector.layout import enter, leave
from .gauge import centred, contrasted_pairs, contrasts

Array = NDArray[Any]

NEED = c.NEED_GRADIENT | c.NEED_LOSS | c.NEED_YARDSTICK
# Values below which a loss that reaches its infimum at infinity only is on its way there: separable
# classes without a penalty, and with one, which leaves more.
_VANISHING, _PENALISED = 1e-13, 1e-140


@dataclass(frozen=True)
class ContrastObjective:
    """L over contrasts Z = QᵀΘ (d_c,) row by row, about a Θ that has none.

    Attributes
    ----------
    sweep : VectorSweep
        In the coordinates of Θ.
    alpha : float
    ridge : array (c,)
        The weights of the penalty on a class's entries.
    still : array (K, c)
        The part of Θ that is the same for all classes.
    """

    sweep: VectorSweep
    alpha: float
    ridge: Array
    still: Array

    def matrix(self, z: Array) -> Array:
        """Θ at z."""
        Q = contrasts(self.sweep.n_outputs)
        return np.asarray(self.still + Q @ z.reshape(Q.shape[1], -1))

    def __call__(self, z: Array) -> Local:
        """Value, gradient, Hessian and yardstick at z."""
        Q, theta = contrasts(self.sweep.n_outputs), self.matrix(z)
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self.sweep.run(theta, NEED | c.NEED_HESSIAN)
            gradient = (Q.T @ sums.gradient).ravel()
            hessian = contrasted_pairs(sums.raw.hessian, sums.weight, len(theta), Q)
            ridge = self.alpha * np.tile(self.ridge, Q.shape[1])
            value = sums.loss + float(ridge @ (z * z))
        hessian[np.diag_indices_from(hessian)] += 2.0 * ridge
        return Local(value, gradient + 2.0 * ridge * z, hessian, sums.yardstick)


def fit_softmax(
    sweep: VectorSweep, alpha: float, start: Array | None = None, max_iter: int = 1000
) -> tuple[NewtonResult, Array]:
    """The minimiser of E ℓ + α ‖W‖²: what Newton's method ended in, and Θ (K, c).

    Without a penalty the part of the start that changes nothing stays; a penalty takes W's away.
    """
    m, K = sweep.source.n_columns, sweep.n_outputs
    refuse_size(K, sweep.n_entries)
    work = measure(sweep.source, sweep.basis, sweep.fit_intercept, sweep.executor)
    inner = dataclasses.replace(sweep, basis=work.basis(sweep.basis), ball=None)
    theta = np.zeros((K, sweep.n_entries)) if start is None else np.array(start, dtype=float)
    still = theta - centred(theta)
    if alpha > 0.0:
        still[:, :m] = 0.0
    ridge = work.penalized(np.append(np.ones(m), np.zeros(int(sweep.fit_intercept))))
    objective = ContrastObjective(inner, alpha, ridge, enter(work, still))
    units = np.tile(np.append(work.units, np.ones(sweep.n_entries - m)), K - 1)
    z = (contrasts(K).T @ enter(work, theta)).ravel()
    with single_threaded_blas():
        found = minimize(
            objective, z, tol=1e-12, max_iter=max_iter, units=units,
            floor=_PENALISED if alpha > 0.0 else _VANISHING,
        )  # fmt: skip
    return found, leave(work, objective.matrix(found.x))


def refuse_size(n_classes: int, n_entries: int) -> None:
    """Refuse a model whose Hessian has no room."""
    size = (n_classes - 1) * n_entries
    if not cholesky_fits(size):
        raise ValueError(
            f"a softmax model of {n_classes} classes and {n_entries} parameters each has a Hessian "
            f"of {size} rows, for which there is no room: leave out features, or merge classes"
        )

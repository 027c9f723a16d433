"""The radius from which robust training leaves a linear predictor nothing to attack.

With Dβ = 0 an attack moves no prediction, and the best such model has the objective of a natural
fit without the attackable features. It is the robust optimum from

    ε₀ = ‖D⁻¹ E[ℓ'_i v_i]‖_p / (s E|ℓ'_i|)

on, ℓ' at that fit: there its gradient in β is in the norm's subdifferential at zero. An l1 penalty
takes its part of every entry of the gradient before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...solvers import l1_newton
from ...solvers.l1_quadratic import least_subgradient
from ...solvers.newton import Local, minimize
from .sums import LinearSums

Array = NDArray[Any]


@dataclass(frozen=True)
class ZeroModel:
    """The best model without attackable features.

    Attributes
    ----------
    theta : array (d,)
    radius : float
        The ε from which on it is the robust optimum.
    """

    theta: Array
    radius: float


def zero_model(problem: LinearSums) -> ZeroModel:
    """The best model without attackable features, and the zero radius."""
    kept = np.ones(len(problem.params), dtype=bool)
    norm = problem.ball.dual_norm()
    kept[: problem.model.n_features] = ~norm.free
    theta = np.zeros(len(kept))
    if problem.model.fit_intercept and kept.sum() == 1:
        theta[-1] = _constant(problem)
    elif kept.any():
        theta[kept] = _restricted(problem, kept)
    sums = problem.sweep.run(theta, c.NEED_GRADIENT)
    left, l1 = sums.gradient, problem.l1_inside(None)
    if l1 is not None:
        left = least_subgradient(left, theta, l1)
    pull = norm.gauge(left[: problem.model.n_features])
    steep = problem.radius * sums.gain
    return ZeroModel(theta, pull / steep if steep > 0.0 else 0.0)


def _constant(problem: LinearSums) -> float:
    """The best constant prediction: it reads targets alone."""
    loss, source, y = problem.model.loss, problem.source, problem.source.targets()

    def evaluate(x: Array) -> Local:
        f = np.full(y.shape, x[0])
        slope, curvature = loss.slope(f, y), loss.curvature(f, y)
        parts = [source.mean(part) for part in (loss.value(f, y), slope, curvature, np.abs(slope))]
        return Local(parts[0], np.array([parts[1]]), np.array([[parts[2]]]), parts[3])

    start = loss.null_prediction(source.mean(y))
    return float(minimize(evaluate, np.array([start]), tol=1e-14).x[0])


def _restricted(problem: LinearSums, kept: Array) -> Array:
    """The natural fit with all other parameters at zero."""
    sweep, penalty = problem.sweep, 2.0 * problem.alpha * problem.penalized
    need = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK

    def evaluate(part: Array) -> Local:
        theta = np.zeros(len(kept))
        theta[kept] = part
        sums = sweep.run(theta, need)
        gradient = (sums.gradient + penalty * theta)[kept]
        hessian = (sums.hessian + np.diag(penalty))[np.ix_(kept, kept)]
        value = sums.loss + 0.5 * float(penalty @ theta**2)
        return Local(value, gradient, hessian, sums.yardstick)

    start = np.zeros(int(kept.sum()))
    if problem.model.fit_intercept:
        start[-1] = _constant(problem)
    l1 = problem.l1_inside(None)
    if l1 is not None:
        return l1_newton.minimize(evaluate, start, l1[kept], tol=1e-13).x
    return minimize(evaluate, start, tol=1e-13).x

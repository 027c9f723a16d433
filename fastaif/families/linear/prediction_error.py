"""How far a prediction θ̂ + Δ is from the robust optimum: a Newton step from there.

What an expansion leaves out does not show in it, but in the robust objective's gradient at the
prediction, which takes a pass over the data. A Newton step with H, relative to the step that was
predicted, is about the relative error of the predicted parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from .problem import LinearProblem
from .shared_attack import attacked_slopes

Array = NDArray[np.float64]


def departure(problem: LinearProblem, step: Array, eps: float) -> float | None:
    """√(gᵀH⁻¹g / ΔᵀHΔ) of g = ∇R_ε(θ̂ + Δ), the robust objective's gradient after a step.

    None where the solve would take passes of its own, and where numbers of every row would have
    to come from other machines.
    """
    if problem.is_iterative:
        return None
    shared = problem.sharing.is_shared
    if shared and problem.executor.is_remote(problem.source):
        return None
    theta = problem.params + step
    with np.errstate(over="ignore", invalid="ignore"):
        predicted = float(step @ problem.hess_vec(step))
        if not predicted > 0.0:
            return None
        gradient = (_shared_gradient if shared else _own_gradient)(problem, theta, eps)
        if not np.isfinite(gradient).all():
            return np.inf
        gradient = problem.with_penalty(gradient, theta)
        square = float(gradient @ problem.solve(gradient))
        return float(np.sqrt(max(square, 0.0) / predicted))


def _own_gradient(problem: LinearProblem, theta: Array, eps: float) -> Array:
    """The mean loss's gradient where every sample has a budget of its own."""
    m, reach = problem.model.n_features, eps * problem.radius
    kappa = reach * problem.ball.gain(theta[:m])
    sums = problem.sweep.run(theta, c.NEED_GRADIENT, kappa=kappa)
    gradient = np.array(sums.gradient)
    gradient[:m] += reach * sums.gain * problem.ball.gain_gradient(theta[:m])
    return gradient


def _shared_gradient(problem: LinearProblem, theta: Array, eps: float) -> Array:
    """The same where samples share a budget, block by block of rows."""
    m, source, basis = problem.model.n_features, problem.source, problem.model.basis
    _, slopes, push = attacked_slopes(problem, theta, eps, quick=True)
    gradient = np.zeros(len(theta))
    gradient[:m] = push
    gradient[m:] = slopes.sum()
    for start, stop in source.chunks():
        gradient[:m] += slopes[start:stop] @ basis.transform(source.inputs(start, stop))
    return gradient

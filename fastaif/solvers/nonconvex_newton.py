"""Newton's method for smooth objectives that need not be convex: damped, and past saddles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cholesky import Factor, factorize
from .newton import Local, NewtonResult

Array = NDArray[Any]

_LEAST, _MOST = 1e-10, 1e6  # of the damping, in units of the Hessian's mean diagonal
_REACH = 0.5 ** np.arange(20)
_AFTER = 100  # steps at most after those of another method
_SADDLES = 3  # that are left, one after the other


def minimize_nonconvex(
    evaluate: Callable[[Array], Local], x: Array, *, tol: float = 1e-12, max_iter: int = 100
) -> NewtonResult:
    """A local minimum near x by Newton's method, H + λ standing in for an indefinite H.

    λ grows while steps do not lower the objective and shrinks while they do. Where the
    gradient meets the tolerance at a saddle, the next step is along the direction of least
    curvature. One more step is taken after the end, where that still gains digits.

    Parameters
    ----------
    evaluate : callable
        x (d,) to `Local`.
    x : array (d,)
    tol : float
        Bound on the gradient's norm relative to its yardstick.
    max_iter : int
        Evaluations of the Hessian.

    Returns
    -------
    NewtonResult
        `singular`: H is not positive definite there.
    """
    x, here, n_iter = _descend(evaluate, x, tol, max_iter)
    met = bool(np.isfinite(here.value) and here.residual <= tol)
    return NewtonResult(x, here, n_iter, met, factorize(here.hessian) is None)


def steps_after(n_iter: int, max_iter: int) -> int:
    """Newton steps that are left after another method's: a twentieth where it took them all.

    From where others ended early they are many, and each has the price of a Hessian.
    """
    return min(_AFTER, max(max_iter - n_iter, max_iter // 20))


def past_saddles(
    evaluate: Callable[[Array], Local], found: NewtonResult,
    descend: Callable[[Array], NewtonResult],
) -> NewtonResult:  # fmt: skip
    """Down from a stationary point that is no minimum, by another descent.

    Gradients are zero where two units of a network are the same and would be lower apart, and
    descents that begin with such units end there.

    Parameters
    ----------
    evaluate : callable
        x (d,) to `Local`; the Hessian may be a part of it that is no larger.
    found : NewtonResult
        Where a descent has ended.
    descend : callable
        From x to where another one ends.
    """
    for _ in range(_SADDLES):
        if not found.converged or factorize(found.local.hessian) is not None:
            break
        moved = _leave_saddle(evaluate, found.x, found.local)
        if moved is None:
            break
        found = descend(moved[0])
    return found


def _descend(
    evaluate: Callable[[Array], Local], x: Array, tol: float, max_iter: int
) -> tuple[Array, Local, int]:
    """Where the steps led, what is known there, and their number."""
    here, damping, met, n_iter = evaluate(x), 0.0, False, 0
    while n_iter < max_iter and np.isfinite(here.value) and here.residual > 0.0:
        factor, damping = _damped_factor(here.hessian, damping)
        if factor is None:
            break
        n_iter += 1
        was_met, met = met, here.residual <= tol
        if met and damping > 0.0 and factorize(here.hessian) is None:
            moved = _leave_saddle(evaluate, x, here)
            if moved is None:
                break
            (x, here), met, damping = moved, False, 0.0
            continue
        step = factor.solve(here.gradient)
        there = evaluate(x - step)
        ratio = _ratio(here, there, step, damping)
        if ratio > 1e-4:
            x, here = x - step, there
        elif met:
            break
        damping = _next_damping(damping, ratio, _scale(here.hessian))
        if was_met or damping > _MOST * _scale(here.hessian):
            break
    return x, here, n_iter


def _scale(H: Array) -> float:
    return float(np.abs(np.diagonal(H)).mean())


def _damped_factor(H: Array, damping: float) -> tuple[Factor | None, float]:
    """The factor of H + λ, λ the least from `damping` on by fours for which there is one.

    Where λ had to grow it is doubled once more: a matrix that is barely definite gives
    steps that are far too long.
    """
    scale, first = _scale(H), damping
    if not np.isfinite(H).all():
        return None, damping
    while damping <= _MOST * scale:
        factor = factorize(H + damping * np.eye(len(H)))
        if factor is not None and damping == first:
            return factor, damping
        if factor is not None:
            return factorize(H + 2.0 * damping * np.eye(len(H))), 2.0 * damping
        damping = max(4.0 * damping, 1e-8 * scale)
    return None, damping


def _next_damping(damping: float, ratio: float, scale: float) -> float:
    """Less where the quadratic model was good, more where it was not."""
    if ratio > 0.75:
        return 0.2 * damping if damping > _LEAST * scale else 0.0
    if ratio > 0.25:
        return damping
    return max(4.0 * damping, _LEAST * scale)


def _ratio(here: Local, there: Local, step: Array, damping: float) -> float:
    """The decrease relative to that of the quadratic model; by the gradient where rounding
    hides it."""
    if not np.isfinite(there.value):
        return -np.inf
    predicted = 0.5 * float(here.gradient @ step) + 0.5 * damping * float(step @ step)
    if predicted > 1e-13 * abs(here.value):
        return (here.value - there.value) / predicted
    close = there.value <= here.value + 1e-13 * abs(here.value)
    return 1.0 if close and there.residual < here.residual else -1.0


def _leave_saddle(
    evaluate: Callable[[Array], Local], x: Array, here: Local
) -> tuple[Array, Local] | None:
    """The longest step along the least eigenvector that lowers the objective, or None."""
    from scipy.linalg import eigh

    values, vectors = eigh(here.hessian, subset_by_index=[0, 0])
    if values[0] >= -1e-13 * _scale(here.hessian):
        return None
    reach = float(np.linalg.norm(x)) or 1.0
    for size in reach * _REACH:
        for side in (size, -size):
            there = evaluate(x + side * vectors[:, 0])
            if there.value < here.value - 1e-12 * abs(here.value):
                return x + side * vectors[:, 0], there
    return None

"""Kinks of the robust path of differentiable models, along θ̂ + εI.

A sample's attack turns round where its input gradient vanishes on its way to the other
side: for a loss ℓ(f(x), y) where ℓ' changes sign. For p = ∞ and p = 1 directions of
attack also jump: the first place is bisected for, from where a first order predicts it.
Where samples share a budget those whose gradients vanish have no part of it.
How far a ball may grow before an
input gradient vanishes within it is not known of a loss that is a black box.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .validity import Kinks, direction_changes

if TYPE_CHECKING:
    from .autodiff_problem import AutodiffProblem
    from .autodiff_rows import Batch

Array = NDArray[Any]

_STEPS = 40
_CLOSE = 1e-10
_SMALL = 1e-6
_DOUBLINGS = 20
_WIDTH = 1e-9


def find(problem: AutodiffProblem, influence: Array) -> Kinks:
    """The kinks that can be predicted."""
    when = np.full(problem.source.n_rows, np.inf)
    for batch in () if problem.sharing.is_shared else problem.batches():
        when[batch.rows] = _reversals(problem, influence, batch)
    kept = np.isfinite(when)
    order = np.argsort(when[kept], kind="stable")
    flips, shares = when[kept][order], problem.shares[kept][order]
    first = float(flips[0]) if flips.size else np.inf
    jump = _first_jump(problem, influence)
    reason = "a sample's input gradient vanishes and turns round"
    if jump < first:
        reason = "the direction of a sample's attack jumps"
    elif np.isinf(first):
        reason = (
            "none that is known: how the samples' shares may jump is not looked for"
            if problem.sharing.is_shared
            else "none that is known: an input gradient may vanish somewhere in its ball"
        )
    return Kinks(flips, shares, min(first, jump), reason)


def _reversals(problem: AutodiffProblem, influence: Array, batch: Batch) -> Array:
    """The ε > 0 at which ∇_x ℓ_i(θ̂ + εI) vanishes, (k,); inf where none is found.

    Newton's method on ⟨c² ∘ ∇_x ℓ_i(θ̂), ∇_x ℓ_i(θ̂ + εI)⟩ from ε = 0, every sample by
    itself. Where that settles the gradient may also have turned by a right angle alone.
    """
    weights = problem.ball.weights
    slopes = weights * _slopes(problem, problem.params, batch)
    largest = np.abs(slopes).max(axis=1, keepdims=True)
    slopes = slopes / np.where(largest > 0, largest, 1.0)
    path = (problem.params, influence, batch.X, batch.y)
    rest = (*path, weights * slopes)
    start = problem.derivatives("overlaps", np.zeros(len(slopes)), *rest)
    eps = np.zeros(len(slopes))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(_STEPS):
            value = problem.derivatives("overlaps", eps, *rest)
            step = -value / problem.derivatives("overlap_slopes", eps, *rest)
            settled = (np.abs(value) <= _CLOSE * np.abs(start)) & (start > 0)
            if np.all(settled | ~np.isfinite(step) | (eps < 0)):
                break
            eps = np.where(settled, eps, eps + step)
    end = weights * problem.derivatives("row_slopes", np.where(settled, eps, 0.0), *path)
    vanishes = np.abs(end).max(axis=1) <= _SMALL * largest[:, 0]
    return np.where(settled & vanishes & (eps > 0), eps, np.inf)


def _slopes(problem: AutodiffProblem, theta: Array, batch: Batch) -> Array:
    return problem.derivatives("input_gradients", theta, batch.X, batch.y)


def _first_jump(problem: AutodiffProblem, influence: Array) -> float:
    """An ε at which some sample's direction of attack has just jumped; inf if none is found."""
    ball = problem.ball
    free = ball.scale > 0
    if 1 < ball.p < np.inf and np.count_nonzero(free) > 1:
        return np.inf
    high = np.inf
    for batch in problem.batches():
        move = problem.derivatives("input_moves", batch.X, problem.params, batch.y, influence)
        slopes = ball.weights * _slopes(problem, problem.params, batch)
        high = min(high, direction_changes(slopes, ball.weights * move, ball.p, free)[0])
    if np.isinf(high):
        return high
    low = 0.0
    for _ in range(_DOUBLINGS):
        if _has_jumped(problem, influence, high):
            break
        low, high = high, 2.0 * high
    else:
        return np.inf
    while high - low > _WIDTH * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if _has_jumped(problem, influence, middle) else (middle, high)
    return high


def _has_jumped(problem: AutodiffProblem, influence: Array, eps: float) -> bool:
    """Whether a sample is attacked in another direction at θ̂ + εI than at θ̂ (p = 1, ∞)."""
    ball = problem.ball
    for batch in problem.batches():
        before = ball.weights * _slopes(problem, problem.params, batch)
        after = ball.weights * _slopes(problem, problem.params + eps * influence, batch)
        if ball.p == 1:
            rows = np.arange(len(before))
            top = np.abs(before).argmax(axis=1)
            if np.any(np.abs(after).argmax(axis=1) != top):
                return True
            before, after = before[rows, top], after[rows, top]
        if np.any(before * np.sign(after) < 0.0):
            return True
    return False

"""Kinks of the robust path of differentiable models, along θ̂ + εI.

A sample's attack turns round where its input gradient vanishes on its way to the other
side: for a loss ℓ(f(x), y) where ℓ' changes sign. For p = ∞ and p = 1 directions of
attack also jump: the first place is bisected for, from where a first order predicts it.
Where samples share a budget those whose gradients vanish have no part of it, which is no
kink. How far a ball may grow before an input gradient vanishes within it is not known of
a loss that is a black box.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kinks import Kinks
from .rows import AutodiffRows, Batch

Array = NDArray[Any]

_STEPS = 40
_CLOSE = 1e-10
_SMALL = 1e-6
_DOUBLINGS = 20
_WIDTH = 1e-9


def find(problem: AutodiffRows, influence: Array) -> Kinks:
    """The kinks that can be predicted."""
    when = np.full(problem.source.n_rows, np.inf)
    for batch in problem.batches():
        when[batch.rows] = _reversals(problem, influence, batch)
    kept = np.isfinite(when)
    order = np.argsort(when[kept], kind="stable")
    flips, shares = when[kept][order], problem.shares[kept][order]
    own = flips.size > 0 and not problem.sharing.is_shared
    first = float(flips[0]) if own else np.inf
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


def _reversals(problem: AutodiffRows, influence: Array, batch: Batch) -> Array:
    """The ε > 0 at which ∇_x ℓ_i(θ̂ + εI) vanishes, (k,); inf where none is found.

    Newton's method from ε = 0, every sample by itself, on two functions that vanish with
    it: the slope of ℓ_i along the path, ⟨∇_θ ℓ_i, I⟩, which passes zero nowhere else where
    a convex loss has predictions linear in θ; and ⟨c² ∘ ∇_x ℓ_i(θ̂), ∇_x ℓ_i(θ̂ + εI)⟩.
    Where either settles, the prediction may have stopped, the gradient have turned by a right
    angle alone, or the loss have become flat: the gradient itself decides.
    """
    units, n = problem.ball.units, len(batch.X)

    def felt(slopes: Array) -> Array:
        return problem.felt(batch, units * slopes)[0]

    slopes = felt(_slopes(problem, problem.params, batch))
    largest = np.abs(slopes).max(axis=1, keepdims=True)
    slopes = slopes / np.where(largest > 0, largest, 1.0)
    path = (problem.params, influence, batch.X, batch.y)
    along = units * slopes
    first = np.full(n, np.inf)
    for name, rest in (("path_slopes", path), ("overlaps", (*path, along))):
        eps = _first_zero(problem, name, rest, n)
        at = np.where(np.isfinite(eps), eps, 0.0)
        before, end, after = (
            felt(problem.derivatives("row_slopes", scale * at, *path))
            for scale in (1.0 - _SMALL, 1.0, 1.0 + _SMALL)
        )
        vanishes = np.abs(end).max(axis=1) <= _SMALL * largest[:, 0]
        turns = vanishes & (np.einsum("ij,ij->i", before, after) < 0) & (eps > 0)
        first = np.where(turns, np.minimum(first, eps), first)
    return first


def _first_zero(problem: AutodiffRows, name: str, rest: tuple[Array, ...], n: int) -> Array:
    """Where Newton's method from ε = 0 finds a zero of each row's function; inf elsewhere."""
    eps, settled = np.zeros(n), np.zeros(n, dtype=bool)
    start = np.abs(problem.derivatives(name, eps, *rest))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(_STEPS):
            value = problem.derivatives(name, eps, *rest)
            step = -value / problem.derivatives(f"{name}_in_eps", eps, *rest)
            settled = (np.abs(value) <= _CLOSE * start) & (start > 0)
            if np.all(settled | ~np.isfinite(step) | (eps < 0)):
                break
            eps = np.where(settled, eps, eps + step)
    return np.where(settled, eps, np.inf)


def _slopes(problem: AutodiffRows, theta: Array, batch: Batch) -> Array:
    return problem.derivatives("input_gradients", theta, batch.X, batch.y)


def _first_jump(problem: AutodiffRows, influence: Array) -> float:
    """An ε at which some sample's direction of attack has just jumped; inf if none is found."""
    if not problem.ball.has_turns:
        return np.inf
    high = np.inf
    for batch in problem.batches():
        move = problem.derivatives("input_moves", batch.X, problem.params, batch.y, influence)
        slopes = _slopes(problem, problem.params, batch)
        high = min(high, problem.ball.first_turn(*problem.felt(batch, slopes, move)).eps)
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


def _has_jumped(problem: AutodiffRows, influence: Array, eps: float) -> bool:
    """Whether a sample is attacked in another direction at θ̂ + εI than at θ̂ (p = 1, ∞)."""
    for batch in problem.batches():
        before = _slopes(problem, problem.params, batch)
        after = _slopes(problem, problem.params + eps * influence, batch)
        if problem.ball.has_turned(*problem.felt(batch, before, after)):
            return True
    return False

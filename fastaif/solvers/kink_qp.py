"""Small convex quadratics over a box and a simplex whose matrix is known by its factor.

    min ½ ‖u‖² − oᵀλ + ½ ridge,   u = u₀ − Wᵀ(λ − λ₀),

λ as in `box_qp`. Of many entries k in few dimensions d the matrix WWᵀ is never formed: coordinate
descent tells which few are at their bounds, and a system of the others is solved.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from . import box_qp

Array = NDArray[Any]

_RIDGE = 1e-11  # of the diagonal, about the start: more entries than dimensions leave it singular
_SLACK = 1e-11  # of a slope's natural size: as small is zero
_HARD = 0.5  # of the hardest pull: what is pulled less waits
_ROUNDS = 8  # of changes of many at once
_SWEEPS = (20, 100, 500, 3000)  # of coordinate descent, which mostly ends after five
_FORMED = 400  # entries of a matrix where sweeps do not do


class Problem(NamedTuple):
    """A quadratic about a start.

    Attributes
    ----------
    columns : array (k, d)
        W.
    offsets : array (k,)
        o.
    n_box : int
        The first n_box entries are in the box, the others in the simplex.
    start : array (k,)
        λ₀, which is feasible.
    move : array (d,)
        u₀.
    """

    columns: Array
    offsets: Array
    n_box: int
    start: Array
    move: Array


class Minimum(NamedTuple):
    """λ (k,), and u (d,) there."""

    shares: Array
    move: Array


def minimise(problem: Problem) -> Minimum:
    """The minimum, by sweeps of coordinate descent and the active set that they lead to."""
    shares, move = problem.start.copy(), problem.move.copy()
    sweep = get("kink_descent")
    for n_sweeps in _SWEEPS:
        sweep(problem.columns, problem.offsets, shares, move, problem.n_box, n_sweeps)
        found = _settled(problem, shares)
        if found is not None:
            return found
    return _formed(problem, Minimum(shares, move))


def _settled(problem: Problem, near: Array) -> Minimum | None:
    """The minimum from which entries seem to be at their bounds; None where that cycles.

    What is free and out of its range is held at the bound, what is held and pulled inwards is
    freed.
    """
    W, offsets, n_box, start, first = problem
    simplex = np.arange(start.size) >= n_box
    low, high = np.where(simplex, 0.0, -1.0), np.where(simplex, np.inf, 1.0)
    held = np.where(near >= high, 1.0, 0.0) - np.where(near <= low, 1.0, 0.0)
    squares = np.einsum("ij,ij->i", W, W)
    lengths, length, x = np.sqrt(squares), float(np.linalg.norm(first)), near
    for _ in range(_ROUNDS):
        x = np.where(held > 0.0, high, np.where(held < 0.0, low, x))
        free = np.flatnonzero((held == 0.0) & (squares > 0.0))
        tied = free >= n_box
        if n_box < x.size:
            if not tied.any():
                return None
            x[free[tied]] += (1.0 - x[n_box:].sum()) / tied.sum()
        move = first - (x - start) @ W
        step = _step(W[free], _RIDGE * (x - start)[free], move, offsets[free], tied)
        if step is None:
            return None
        x[free] += step
        move -= step @ W[free]
        change = x - start
        slopes = _RIDGE * squares * change - W @ move - offsets
        if not np.isfinite(slopes).all():
            return None
        size = np.abs(offsets) + lengths * (length + float(lengths @ np.abs(change)))
        pull = box_qp.pull(slopes, held, simplex) / np.where(size > 0.0, size, 1.0)
        wrong, over, under = pull > _SLACK, x > high, x < low
        if not (wrong.any() or over.any() or under.any()):
            return Minimum(x, move)
        held[pull > max(_HARD * float(pull.max()), _SLACK)] = 0.0
        held[over], held[under] = 1.0, -1.0
    return None


def _step(W: Array, ridge: Array, move: Array, offsets: Array, tied: Array) -> Array | None:
    """To the minimum over entries that are free, those that are `tied` keeping their sum; None
    where rounding leaves none."""
    n = offsets.size
    if not n:
        return np.empty(0)
    right = W @ move + offsets
    bordered = np.zeros((n + 1, n + 1))
    inner = bordered[:n, :n]
    np.matmul(W, W.T, out=inner)
    diagonal = np.arange(n)
    squares = inner[diagonal, diagonal]
    right -= ridge * squares
    inner[diagonal, diagonal] += _RIDGE * squares
    try:
        if not tied.any():
            return box_qp.scaled_solution(inner, right)
        bordered[n, :n] = bordered[:n, n] = tied
        return box_qp.scaled_solution(bordered, np.append(right, 0.0))[:n]
    except np.linalg.LinAlgError:
        return None


def _formed(problem: Problem, near: Minimum) -> Minimum:
    """The minimum by a matrix: of the entries that are least sure to be at their bounds, where
    there are many."""
    W, offsets, n_box, _, _ = problem
    shares, move = near
    simplex = np.arange(shares.size) >= n_box
    sure = np.where(simplex | (np.abs(shares) < 1.0), -1.0, np.abs(W @ move + offsets))
    which = np.sort(np.argsort(sure, kind="stable")[:_FORMED])
    W, start, box = W[which], shares[which], int(np.searchsorted(which, n_box))
    G = W @ W.T
    ridge = _RIDGE * G.diagonal()
    right = -(W @ move) - offsets[which] - G @ start - ridge * start
    G[np.diag_indices_from(G)] += ridge
    shares = shares.copy()
    shares[which] = box_qp.minimise(G, right, box, start=start, guess=True).x
    return Minimum(shares, move - (shares[which] - start) @ W)

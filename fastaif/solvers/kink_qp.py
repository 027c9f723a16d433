"""Small convex quadratics over a box and a simplex whose matrix is known by its factor.

    min ½ ‖u‖² − oᵀλ + ½ ridge,   u = u₀ − Wᵀ(λ − λ₀),

λ as in `box_qp`. Of many entries k in few dimensions d the matrix WWᵀ is never formed: coordinate
descent tells which are at their bounds, and a system of the few others is solved.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from . import box_qp

Array = NDArray[Any]

_RIDGE = 1e-11  # of the diagonal, about the start: more entries than dimensions leave it singular
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
    """The minimum from which entries seem to be at their bounds; None where that cycles."""
    W, offsets, n_box, start, first = problem
    shares, move = near.copy(), np.empty_like(first)
    if get("kink_settle")(W, offsets, start, first, n_box, _RIDGE, shares, move):
        return Minimum(shares, move)
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

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
_NEARLY = 1e-2  # of a fall, that may be left of it in place of the minimum
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


def minimise(problem: Problem, enough: float = np.inf) -> Minimum:
    """The minimum, by sweeps of coordinate descent and the active set that they lead to.

    Where these do not settle, what is nearly the minimum will do for falls of `enough` or more.
    """
    shares, move = problem.start.copy(), problem.move.copy()
    sweep = get("kink_descent")
    for n_sweeps in _SWEEPS:
        sweep(problem.columns, problem.offsets, shares, move, problem.n_box, n_sweeps)
        found = _settled(problem, shares)
        if found is not None:
            return found
        near = Minimum(shares, move)
        fall = decrease(problem, near)
        if fall >= enough and _lack(problem, near) <= _NEARLY * fall:
            return near
    return _formed(problem, Minimum(shares, move))


def decrease(problem: Problem, found: Minimum) -> float:
    """How far the model, of which this is the dual, falls at most from v = 0 to its minimum.

    The model is ½ ‖v‖² − (u₀ + Wᵀλ₀)ᵀv + Σ |o_i + w_iᵀv| + max_j (o_j + w_jᵀv), where the largest
    of the o_j is 0.
    """
    offsets, n_box, (shares, move) = problem.offsets, problem.n_box, found
    spare = np.abs(offsets[:n_box]) - shares[:n_box] * offsets[:n_box]
    fall = 0.5 * float(move @ move) + float(np.maximum(spare, 0.0).sum())
    if shares.size > n_box:
        fall -= min(float(shares[n_box:] @ offsets[n_box:]), 0.0)
    return fall


def _lack(problem: Problem, found: Minimum) -> float:
    """How far the model at v = u is above its minimum, at most."""
    n_box, (shares, move) = problem.n_box, found
    ends = problem.columns @ move + problem.offsets
    lack = float((np.abs(ends[:n_box]) - shares[:n_box] * ends[:n_box]).sum())
    if shares.size > n_box:
        lack += float(ends[n_box:].max() - shares[n_box:] @ ends[n_box:])
    return lack


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

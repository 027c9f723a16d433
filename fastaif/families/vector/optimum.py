"""The robust optimum of several predictions to the last digits, and which attacks are as bad there.

A robust fit says roughly where. Newton steps on the manifold of attacks that stay as bad lead
there, for the right rows: those whose shares are positive, with no attack of any row that is worse.
The problem is convex, so that these conditions prove the optimum for the attacks that are known.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .manifold import State, Ties
from .pieces import Attacks
from .rivals import Rivals, floors, worst
from .robust import RobustObjective

Array = NDArray[Any]

# Of a lead and its floor: rivals that may be as bad at the optimum. From a fit that is not exact
# some seem so that are not, and are left out next time.
_TIES = (1e-4, 1e-5, 1e-6, 1e-7)
EQUAL = 1e-9  # the same, of what is as bad
_ROUNDS, _STEPS = 3, 12  # of looking for rivals by all of these, and Newton steps between
_PARTS = (1.0, 0.5, 0.1)  # of a step: for p > 2 curvatures may be unbounded
_SOLVED, _EXACT = 1e-9, 1e-14  # of the gradient's yardstick: enough, and what rounding leaves
_NOTHING = 1e-7  # of a row's weight: a share of nothing
_HELD = 1e-6  # of the largest: coefficients that are held at none
_INSIDE = 1.0 - 1e-6  # of the most that attacks can do for a coefficient that they hold
_WAY_OUT = "take another eps, p=2, or robust_path and differences of its optima"


class Solved(NamedTuple):
    """An optimum on its manifold, and the other attacks that are nearly as bad there."""

    state: State
    rivals: Rivals


def unknown(eps: float, why: str) -> ValueError:
    return ValueError(
        f"the derivative of the robust optimum at eps={eps:g} is not known: {why}; {_WAY_OUT}"
    )


def solve(objective: RobustObjective, z: Array) -> Solved:
    """Newton's method between looks for attacks that are as bad, until nothing changes."""
    state, eps = _begun(objective, z), objective.eps
    for tie in _ROUNDS * _TIES:
        state = _looked(state, tie)
        state = _descended(state)
        seen = state.search(np.arange(state.problem.n_rows))
        main, left = worst(seen, objective.settings is None)
        missed = seen.leads(main) - seen.leads(state.ties.attacks.main)
        known = np.all(missed <= EQUAL * floors(seen, seen.leads(main)))
        if state.residual <= _SOLVED and known and _is_settled(state):
            _refuse_loose_columns(state)
            return Solved(state, _not_tied(state, left))
    why = "the attacks that are as bad there are too many to be told apart"
    raise unknown(eps, why)


def _begun(objective: RobustObjective, z: Array) -> State:
    """Where a robust fit has ended, with coefficients of nothing at kinks of the norm held."""
    problem, own = objective.problem, objective.problem.ball.own
    nothing, free = np.empty(0, dtype=int), np.empty((0, own.n_free))
    none = Ties(Attacks(np.zeros((problem.n_rows, own.n_free)), nothing, free), np.empty(0))
    cells = z.reshape(problem.model.frame.shape[1], -1).copy()
    sizes, natural = (
        np.abs(own.slopes(Z)).max(axis=0)
        for Z in (cells, objective.z(problem.params).reshape(cells.shape))
    )
    if sizes.max() <= _HELD * natural.max():
        raise unknown(objective.eps, "no attackable coefficient is left")
    held = (sizes <= _HELD * sizes.max()) & own.is_sharp_at_zero
    cells[:, own.free[held]] = 0.0
    return State(objective, cells.ravel(), held, none)


def _looked(state: State, tie: float) -> State:
    """With the worst attacks at its θ, and shares of those that may be as bad."""
    everywhere = state.search(np.arange(state.problem.n_rows))
    main, rivals = worst(everywhere, state.objective.settings is None)
    ties = rivals.within(tie * floors(everywhere, everywhere.leads(main)))
    ties = _weighted(ties, state.problem.shares)
    attacks = Attacks(main, ties.rows, ties.attacks)
    at = dataclasses.replace(state, ties=Ties(attacks, np.zeros(ties.rows.size)))
    if not ties.rows.size:
        return at
    shares, weight = _shares(at), state.problem.shares[ties.rows]
    kept, alone = shares > _NOTHING * weight, shares > (1.0 - _NOTHING) * weight
    main[ties.rows[alone]] = ties.attacks[alone]
    kept &= ~np.isin(ties.rows, ties.rows[alone])
    attacks = Attacks(main, ties.rows[kept], ties.attacks[kept])
    return dataclasses.replace(state, ties=Ties(attacks, shares[kept]))


def _weighted(rivals: Rivals, shares: Array) -> Rivals:
    kept = shares[rivals.rows] > 0.0
    return Rivals(rivals.rows[kept], rivals.attacks[kept], rivals.gaps[kept])


def _shares(state: State) -> Array:
    """Shares (k,) of attacks that may be as bad under which least of the gradient is left."""
    from scipy.optimize import lsq_linear

    H = (state.sums.hessian + state.penalty)[np.ix_(state.free, state.free)]
    scale = 1.0 / np.sqrt(np.maximum(H.diagonal(), np.finfo(float).tiny))
    H = H * scale[:, None] * scale
    H[np.diag_indices_from(H)] += 1e-12
    factor = np.linalg.cholesky(H)
    left = np.linalg.solve(factor, scale * state.gradient[state.free])
    most = state.problem.shares[state.ties.attacks.rows]
    columns = np.linalg.solve(factor, scale[:, None] * state.sums.columns[state.free]) * most
    found = lsq_linear(columns, -left, (0.0, 1.0), method="bvls")
    return np.asarray(most * found.x)


def _descended(state: State) -> State:
    """Newton steps while they lower what is left of the gradient and of differences."""
    for _ in range(_STEPS):
        left = _left(state)
        if left <= _EXACT:
            break
        step = state.newton_step()
        there = (state.moved(step, part) for part in _PARTS)
        lower = next((at for at in there if _left(at) < left), None)
        if lower is None:
            break
        state = lower
    return state


def _left(state: State) -> float:
    gaps = np.abs(state.sums.gaps).max(initial=0.0) / (abs(state.sums.value) or 1.0)
    return max(state.residual, float(gaps))


def _is_settled(state: State) -> bool:
    """Whether all shares are positive."""
    rows, shares = state.ties.attacks.rows, state.ties.shares
    weight = state.problem.shares
    rest = weight.copy()
    np.subtract.at(rest, rows, shares)
    inside = shares > _NOTHING * weight[rows]
    return bool(inside.all() and np.all(rest[rows] > _NOTHING * weight[rows]))


def _not_tied(state: State, rivals: Rivals) -> Rivals:
    """Those that are not among the attacks that have shares."""
    rivals, at = _weighted(rivals, state.problem.shares), state.ties.attacks
    other = np.ones(rivals.rows.size, dtype=bool)
    for row, t in zip(at.rows, at.others, strict=True):
        for known in (t, at.main[row]):
            near = np.abs(rivals.attacks - known).max(axis=1, initial=0.0) <= 1e-5 * state.rho
            other &= ~((rivals.rows == row) & near)
    return Rivals(rivals.rows[other], rivals.attacks[other], rivals.gaps[other])


def _refuse_loose_columns(state: State) -> None:
    """Refuse coefficients that are near zero by themselves: attacks must hold them there."""
    from scipy.optimize import lsq_linear

    problem, own = state.problem, state.problem.ball.own
    if not own.is_box or not state.held.any():
        return
    steep = state.rho * (problem.shares[:, None] * state.pieces.pulls(state.ties.shares)).T
    cells = state.gradient.reshape(len(steep), -1)
    for place in np.flatnonzero(state.held):
        wanted = -cells[:, own.free[place]] / state.pieces.weights[place]
        signs = np.linalg.lstsq(steep, wanted, rcond=None)[0]
        if np.abs(signs).max() > _INSIDE:
            found = lsq_linear(steep, wanted, (-_INSIDE, _INSIDE))
            signs = found.x
        left, size = (float(np.linalg.norm(v)) for v in (steep @ signs - wanted, wanted))
        if left > 1e-8 * max(size, 1e-12):
            name = problem.model.feature_names[own.free[place]]
            why = f"the coefficients of {name} are nearly the same everywhere, but not held there"
            raise unknown(state.objective.eps, why)



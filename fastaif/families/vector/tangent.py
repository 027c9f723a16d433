"""dθ_ε/dε at a robust optimum of several predictions, ε > 0.

    [H C; Cᵀ 0] [θ'; μ'] = −[Φ; ċ],        Φ = s E ∂²F/∂θ∂ρ,

ċ the rates at which ε takes rows' attacks apart that are as bad. Which rows have several such is
told by shares that are positive, and by no other attack of any row being worse.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...solvers.limits import cholesky_fits
from ...threat.ascent_settings import PgdSettings
from ..kinks import Event
from ..path import PathTangent
from ..problem import too_many_parameters
from . import robust
from .manifold import State
from .optimum import EQUAL, Solved, solve, unknown
from .pieces import NoStrictMaximum
from .problem import VectorProblem
from .rivals import Rivals, floors

Array = NDArray[Any]

_FEW = 60  # evaluations of a robust fit that may be enough
_KEPT = 1e-6  # of a lead and its floor, over ε: how fast what is as bad may seem to become worse


def tangent_at(
    problem: VectorProblem, start: Array, eps: float, settings: PgdSettings | None
) -> PathTangent:
    """The robust path about an ε > 0, solved from θ = `start`.

    Raises
    ------
    ValueError
        Attacks are not told apart there, so that the derivative is not known.
    """
    size = problem.model.frame.shape[1] * problem.sweep.n_entries
    if not cholesky_fits(size):
        raise too_many_parameters(len(problem.params))
    objective = robust.RobustObjective(problem, eps, settings)
    with single_threaded_blas():
        for limit in (_FEW, None):  # a fit far from its end may show the kinks that it ends at
            theta = robust.solve(objective, start, 1e-12, limit).theta
            try:
                return _tangent(solve(objective, objective.z(theta)))
            except (NoStrictMaximum, np.linalg.LinAlgError):
                why = "some sample's worst attack is no strict maximum, others beside it are as bad"
                failed = unknown(eps, why)
            except ValueError as error:
                failed = error
            start = theta
    raise failed


def _tangent(solved: Solved) -> PathTangent:
    state, problem = solved.state, solved.state.problem
    s, sums = problem.radius, solved.state.sums
    step, rates = state.solve(-s * sums.mixed, -s * sums.rates)
    event, held = _first_event(solved, step, rates), int(np.count_nonzero(state.held))
    objective = abs(sums.value + 0.5 * float(state.z @ (state.penalty @ state.z))) or 1.0
    left, _ = state.solve(state.gradient, np.zeros(rates.size))
    gap = 0.5 * abs(float(state.gradient[state.free] @ left[state.free])) / objective
    return PathTangent(
        state.objective.eps, state.theta, state.objective.leave(step),
        state.objective.leave_gradient(s * sums.mixed),
        state.objective.leave_form(sums.hessian), s * sums.speed, gap,
        event, len(np.unique(state.ties.attacks.rows)), problem.model.frame.shape[1] * held,
    )  # fmt: skip


def _first_event(solved: Solved, step: Array, rates: Array) -> Event:
    """The next kink along the tangent: another attack becomes as bad, or one no longer is."""
    state, rivals, eps = solved.state, solved.rivals, solved.state.objective.eps
    events = [Event(math.inf, "none is foreseen")]
    if rivals.rows.size:
        closing = _closing(state, rivals, step)
        rivals, closing = _not_as_bad(state, rivals, closing)
        with np.errstate(divide="ignore"):
            when = np.where(closing > 0.0, rivals.gaps / closing, math.inf)
        what = "another attack on a sample becomes as bad"
        events.append(Event(eps + float(when.min(initial=math.inf)), what))
    if rates.size:
        weight, rows = state.problem.shares, state.ties.attacks.rows
        rest, fall = weight.copy(), np.zeros(weight.size)
        np.subtract.at(rest, rows, state.ties.shares)
        np.add.at(fall, rows, rates)
        left = np.append(state.ties.shares, rest[rows])
        falls = np.append(-rates, fall[rows])
        with np.errstate(divide="ignore"):
            when = np.where(falls > 0.0, left / falls, math.inf)
        what = "an attack on a sample is no longer as bad as another"
        events.append(Event(eps + float(when.min()), what))
    first = min(events, key=lambda event: event.eps)
    return events[0] if math.isinf(first.eps) else first


def _not_as_bad(state: State, rivals: Rivals, closing: Array) -> tuple[Rivals, Array]:
    """Those that are less bad; where others are as bad, the path must not make them worse.

    Raises
    ------
    ValueError
        It would: then they have shares that are not known.
    """
    search = state.search(rivals.rows)
    floor = floors(search, search.leads(state.ties.attacks.main[rivals.rows]))
    equal = rivals.gaps <= EQUAL * floor
    if np.any(closing[equal] > _KEPT * floor[equal] / state.objective.eps):
        raise unknown(state.objective.eps, "the attacks that are as bad there change right after")
    return Rivals(*(part[~equal] for part in rivals)), closing[~equal]


def _closing(state: State, rivals: Rivals, step: Array) -> Array:
    """How fast ε takes away what rivals' leads lack, (k,)."""
    problem, m = state.problem, state.problem.model.n_features
    matrix = problem.model.layout.matrix(state.objective.leave(step))
    moved = problem.sweep.predictions(matrix)[rivals.rows]
    own, search = problem.ball.own, state.search(rivals.rows)
    speeds = np.where(state.held, 0.0, own.slopes(matrix[:, :m]))

    def rate(t: Array) -> Array:
        _, pulls = search.loss.leads(search.z + t @ search.slopes.T, search.y)
        grow = problem.radius / state.rho * (t @ search.slopes.T)
        return np.asarray(np.sum(pulls * (moved + t @ speeds.T + grow), axis=1))

    return rate(rivals.attacks) - rate(state.ties.attacks.main[rivals.rows])

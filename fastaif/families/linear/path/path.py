"""A linear predictor's robust optima at any ε, as callers of any family ask for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....data.blas import single_threaded_blas
from ....solvers.limits import cholesky_fits
from ...kinks import Event
from ...path import NODES, Path, PathTangent
from ...solution import RobustSolution
from ..problem import LinearProblem
from .corrector import Step, step_from
from .dense import Knot
from .events import next_event
from .local import refreshed
from .searched import Found, searched, suits
from .tangent import motion, phi, tangent
from .trace import Trace

Array = NDArray[Any]

_AT_ONCE = 1 << 23  # numbers of rows at all radii that are solved together
_EXACT = 1e-3  # of the tolerance, before a last step: θ is then right to its root
_TIGHT = 1e-16  # of J: from there derivatives are right


class LinearPath(Path):
    """The path of a problem whose H can be formed.

    Parameters
    ----------
    problem : LinearProblem
    eps : float
        The end of the range.
    tol : float
        Of the objective, relative.
    asked : sequence of float
        Radii that will be asked for: knots are at these.
    fit : callable, optional
        A robust fit by itself, for radii at which the path ends short of the tolerance, as it may
        near the kink at β = 0.
    """

    def __init__(
        self, problem: LinearProblem, eps: float, tol: float, asked: Sequence[float] = (),
        fit: Callable[[float], RobustSolution] | None = None,
    ) -> None:  # fmt: skip
        self._trace, self._tol, self._fit = Trace.of(problem, tol), tol, fit
        self._is_exact, self._more_passes = True, 0
        with single_threaded_blas():
            self._knots = self._trace.knots(eps, np.unique(asked))
        self.zero_radius = self._trace.zero_radius

    @property
    def n_passes(self) -> int:  # type: ignore[override]
        """Readings of the rows, products with them included."""
        return self._trace.inner.readings.n_passes + self._more_passes

    @property
    def n_hessians(self) -> int:
        """Those which summed a Hessian."""
        return self._trace.inner.readings.n_hessians

    @property
    def converged(self) -> bool:  # type: ignore[override]
        """Whether all that was asked for came within the tolerance."""
        return self._is_exact

    def nodes(self, eps: float) -> Array:
        """A grid, knots where the path bends most, and the zero radius."""
        own = [knot.eps for knot in self._knots if knot.eps <= eps]
        return np.union1d(np.linspace(0.0, eps, NODES + 1), own)

    def solve(self, eps: Sequence[float]) -> list[RobustSolution]:
        """The robust optima, all together."""
        found: dict[float, RobustSolution] = {}
        for knot in self._knots:
            found[knot.eps] = self._solution(knot.eps, knot.theta, knot.objective, knot.gap)
        last = self._knots[-1]
        for e in eps:
            if e > last.eps:
                found[e] = self._solution(e, last.theta, last.objective, last.gap)
        for one in self._searched(sorted(set(eps) - set(found))):
            found[one.eps] = self._solution(one.eps, one.theta, one.objective, one.gap)
        for step, e in self._steps([e for e in eps if e not in found], _EXACT * self._tol):
            theta, value = step.landing
            found[e] = self._solution(e, theta, value, step.relative)
        for e in dict.fromkeys(eps):
            if not found[e].gap <= self._tol and self._fit is not None:
                found[e] = self._fit(e)
                self._more_passes += found[e].n_iter
            self._is_exact &= found[e].gap <= self._tol
        return [found[e] for e in eps]

    def slopes(self, eps: Sequence[float]) -> Array:
        """dθ/dε to the right; takes a Hessian each where the loss is not a square."""
        first, last, s = self._knots[0], self._knots[-1], self._trace.problem.radius
        found: dict[float, Array] = {}
        if first.tangent is not None:
            found[first.eps] = first.tangent
        inner = [e for e in eps if 0.0 < e <= last.eps and not (e == last.eps and self._ends)]
        for step, e in self._steps(inner, _TIGHT):
            at = step.at if step.at.problem.loss.is_quadratic else refreshed(step.at)
            self._is_exact &= step.relative <= self._tol
            found[e] = tangent(step_from(at), s)
        nothing = np.zeros_like(first.theta)
        slopes = np.column_stack([found.get(e, nothing) for e in eps])
        return np.asarray(self._trace.leave(slopes).T)

    @property
    def _ends(self) -> bool:
        """Whether the range reaches the zero radius."""
        return self._knots[-1].tangent is None

    def _searched(self, eps: list[float]) -> list[Found]:
        trace, (first, *_) = self._trace, self._knots
        if not eps or not suits(trace.inner, eps):
            return []
        with single_threaded_blas():
            tol = _EXACT * self._tol
            found = list(searched(trace.inner, first, eps, trace.problem.radius, tol))
        trace.inner.readings.n_passes += math.ceil(sum(one.n_passes for one in found))
        return [one for one in found if one.gap < np.inf]

    def _steps(self, eps: Sequence[float], exact: float) -> list[tuple[Step, float]]:
        radii = sorted(set(eps))
        n = self._trace.inner.readings.targets.size
        with single_threaded_blas():
            at_once = max(1, _AT_ONCE // max(n, 1))
            steps, known = self._trace.at(self._knots, np.array(radii), exact, at_once)
        if len(known) <= at_once:  # whose sides fit: others may start from these
            self._knots = known
        return list(zip(steps, radii, strict=True))

    def _solution(self, eps: float, theta: Array, objective: float, gap: float) -> RobustSolution:
        residual, done = float("nan"), gap <= self._tol
        return RobustSolution(
            self._trace.leave(theta), eps, objective, residual, gap, 0, done, "exact"
        )


def is_traceable(problem: LinearProblem) -> bool:
    """Whether steps can be found: H is regular and formed, and rows are in this process."""
    if not problem.ball.has_dual_norm or problem.executor.is_remote(problem.source):
        return False
    d = len(problem.params)
    return cholesky_fits(d) and (problem.n_rows > d or problem.alpha > 0.0)


def tangent_at(problem: LinearProblem, eps: float) -> PathTangent:
    """The path about one ε > 0, without the rest of it."""
    trace, s = Trace.of(problem, _TIGHT), problem.radius
    with single_threaded_blas():
        zero = trace.zero()
        if eps >= zero.eps:
            return _beyond(trace, zero, eps)
        step = step_from(refreshed(trace.cold(eps).at))
        moves = motion(step, s)
        event = next_event(step, moves, s, problem.names)
    at = step.at
    size = trace.inner.norm.value(at.theta[: trace.inner.m])
    coefs = moves.coefs.what.size + bool(at.norm.in_simplex and moves.coefs.what.size)
    return PathTangent(
        eps, trace.leave(at.theta), trace.leave(moves.slope), trace.raw(phi(at, s)),
        trace.raw_matrix(at.hessian()), s * size * at.sums.along_kappa, step.relative,
        event._replace(eps=eps + event.eps), moves.rows.what.size, coefs,
    )  # fmt: skip


def _beyond(trace: Trace, zero: Knot, eps: float) -> PathTangent:
    """From the zero radius on nothing moves."""
    d = zero.theta.size
    event = Event(np.inf, "nothing is left to attack")
    matrix = trace.natural_hessian(zero.theta) if zero.matrix is None else zero.matrix
    return PathTangent(
        eps, trace.leave(zero.theta), np.zeros(d), np.zeros(d), trace.raw_matrix(matrix), 0.0,
        0.0, event, 0, int(trace.inner.norm.free.sum()),
    )  # fmt: skip

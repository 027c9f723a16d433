"""The robust optima of a linear predictor at every ε.

Both ends of a range are solved. Where two knots foresee the middle of a stretch well, as the local
model there tells, and the Hessian changes little along it, that stretch is left; else its middle is
solved, and both halves are looked at. At any other ε a solve then starts close and needs no Hessian
of its own: many are solved together, by products of all their steps with the rows. Kinks of the
path need not be found for that: every solve finds those that hold at its ε.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....utils.caching import cached_property
from ..problem import LinearProblem
from ..robust.design import Design
from ..zero import zero_model
from .corrector import Step, correct, step_from, steps_from
from .dense import Knot, Segment
from .local import Multipliers, Place, Problem, place, places
from .ray import Ray
from .readings import Readings
from .tangent import tangent

Array = NDArray[Any]

_EXACT = 1e-14  # of J: the decrease at which the first knot is solved
_KNOWN = 1e-3  # of the tolerance, at which others are
_SLOW = 0.001  # of the last decrease: a knot's matrix is then made anew
_HARDLY = 0.3  # the same at other ε, of which there are many
_FORESEEN = 1e-3  # of J: so well the middle of a stretch has to be foreseen from its ends
_BENDS = 0.7  # by this much the matrix's diagonal, in logarithms, may change along a stretch
_BENDS_MUCH = 2.0  # the same where nothing is asked for between: decreases tell little beyond that
_MOST = 100  # knots
_PARTS = 6  # of a stretch between two knots, whose ends are solved together


@dataclass
class Trace:
    """A path as it is traced.

    Attributes
    ----------
    problem : LinearProblem
    inner : Problem
    tol : float
    zero_radius : float
        Once it is known; ∞ before.
    ray : Ray or None
        Down from the model there, once that is known.
    """

    problem: LinearProblem
    inner: Problem
    tol: float
    zero_radius: float = np.inf
    ray: Ray | None = None

    @classmethod
    def of(cls, problem: LinearProblem, tol: float) -> Trace:
        """Of a problem whose H can be formed."""
        work, penalized = problem.coordinates, problem.penalized
        if work is not None:
            penalized = work.penalized(penalized)
        norm = problem.ball.dual_norm(None if work is None else work.units)
        readings = Readings(Design(problem.working_sweep()))
        ridge = 2.0 * problem.alpha * np.asarray(penalized)
        return cls(problem, Problem(readings, problem.model.loss, norm, ridge), tol)

    # --- knots ------------------------------------------------------------------------------

    def start(self) -> Knot:
        """ε = 0: the natural optimum, and the influence there."""
        inner = self.inner
        theta = self.problem.enter(self.problem.params)
        at = place(inner, theta, 0.0, Multipliers.none())
        (step,) = self._corrected([step_from(at)], _EXACT, _SLOW)
        theta, problem = step.at.theta, self.problem
        if theta is not at.theta:
            problem = problem.at(self.leave(theta))
            inner.readings.n_passes += 1
            inner.readings.n_hessians += 1
        slope = problem.enter(problem.influence())
        return self._knot(step, 0.0, slope)

    def zero(self) -> Knot:
        """The zero radius, from which on nothing that can be attacked is left."""
        problem, inner = self.problem, self.inner
        model = zero_model(problem)
        inner.readings.n_passes += 2
        theta = problem.enter(model.theta)
        f = inner.readings.predict(theta)
        loss, y, w = inner.loss, inner.readings.targets, inner.readings.weights
        slope = loss.slope(f, y)
        pulled = inner.readings.pull((w * slope)[:, None])[: inner.m, 0]
        steep = model.radius * problem.radius * float(w @ np.abs(slope))
        n = np.where(inner.norm.free, -pulled / (steep or 1.0), 0.0)
        known = Multipliers(np.empty(0, dtype=int), np.empty(0), n)
        matrix = None if loss.is_quadratic else self.natural_hessian(theta)
        value = inner.value(f, theta, 0.0)
        self.ray = Ray.of(inner, theta, f, pulled, value)
        return Knot(model.radius, theta, None, known, value, 0.0, slope >= 0.0, matrix)

    def natural_hessian(self, theta: Array) -> Array:
        """H of the natural objective, penalty included, in working coordinates."""
        inner = self.inner
        readings = inner.readings
        curvature = inner.loss.curvature(readings.predict(theta), readings.targets)
        bend = readings.weights * curvature
        matrix = np.array(readings.gram(bend, bend[:, None])[0])
        matrix[np.diag_indices_from(matrix)] += inner.ridge
        return matrix

    def _solved(self, steps: list[Step], eps: list[float]) -> list[Knot]:
        """The knots that first steps lead to."""
        exact = max(_EXACT, _KNOWN * self.tol)
        found = steps_from([step.at for step in self._corrected(steps, exact, _SLOW)])
        s = self.problem.radius
        slopes = [
            tangent(step, s) if step.relative < np.inf else np.zeros(step.move.size)
            for step in found
        ]
        return [
            self._knot(step, e, slope) for step, e, slope in zip(found, eps, slopes, strict=True)
        ]

    def _knot(self, step: Step, eps: float, slope: Array | None) -> Knot:
        at, known = step.at, step.known
        inside = np.abs(known.sides) < 1.0
        pinned = Multipliers(known.rows[inside], known.sides[inside], known.slope)
        theta, value = (at.theta, at.value) if slope is not None else step.landing
        return Knot(eps, theta, slope, pinned, value, step.relative, at.is_above(), at.matrix)

    def leave(self, theta: Array) -> Array:
        """θ in the model's coordinates, (d,) or (d, k)."""
        work = self.problem.coordinates
        return theta if work is None else np.asarray(work.leave(theta))

    def raw(self, gradient: Array) -> Array:
        """A gradient in working coordinates as one in the model's: the transpose of `enter`."""
        return self._enters.T @ gradient

    def raw_matrix(self, matrix: Array) -> Array:
        """The same of a Hessian."""
        return np.asarray(self._enters.T @ matrix @ self._enters)

    @cached_property
    def _enters(self) -> Array:
        """θ in working coordinates, as a matrix (d, d)."""
        d = len(self.problem.params)
        return np.column_stack([self.problem.enter(unit) for unit in np.eye(d)])

    def cold(self, eps: float) -> Step:
        """A place solved from θ̂, without the rest of the path."""
        inner = self.inner
        theta = self.problem.enter(self.problem.params)
        at = place(inner, theta, eps * self.problem.radius, Multipliers.none())
        if self.ray is not None and not at.value < self.ray.objective:
            at = place(inner, self._below(at), at.rho, Multipliers.none())
        return self._corrected([step_from(at)], _EXACT * 1e-4, _SLOW)[0]

    # --- from the start to the end ------------------------------------------------------------

    def knots(self, eps: float, asked: Array) -> list[Knot]:
        """Knots from 0 to ε, or to the zero radius where that comes first.

        As many as it takes for what is between to be foreseen, and the Hessians there; at radii
        that are asked for, if any are. Where the Hessian is the same everywhere, `at` makes do with
        both ends.
        """
        last = self.zero()
        self.zero_radius = last.eps
        if last.eps == 0.0:  # nothing to attack is left of the natural optimum itself
            return [last]
        first = self.start()
        if eps == 0.0:
            return [first]
        if eps < last.eps:
            (last,) = self._solved(self.steps([Segment(first, last)], [eps]), [eps])
        found, open_ = [first, last], [Segment(first, last)]
        if asked.size and self.inner.loss.is_quadratic:
            return found
        while open_ and len(found) < _MOST:
            open_ = [seg for seg in open_ if seg.divides(asked) or seg.bends > _BENDS_MUCH]
            if not open_:
                break
            middles = [segment.middle(asked) for segment in open_]
            steps = self.steps(open_, middles)
            where = [
                j for j, step in enumerate(steps)
                if step.relative > _FORESEEN or open_[j].bends > _BENDS
            ]  # fmt: skip
            if not where:
                break
            new = self._solved([steps[j] for j in where], [middles[j] for j in where])
            found += new
            halves = [(open_[j], knot) for j, knot in zip(where, new, strict=True)]
            open_ = [
                half for segment, knot in halves
                for half in (Segment(segment.left, knot), Segment(knot, segment.right))
            ]  # fmt: skip
        return sorted(found, key=lambda knot: knot.eps)

    def steps(self, segments: list[Segment], eps: list[float], exact: float = 0.0) -> list[Step]:
        """First steps at several ε, from what their segments foresee: one reading, and more where
        that is no good."""
        rhos = np.array(eps) * self.problem.radius
        shares = [seg.share(e) for seg, e in zip(segments, eps, strict=True)]
        foreseen = [self._foreseen(seg, t) for seg, t in zip(segments, shares, strict=True)]
        known = [seg.multipliers(t) for seg, t in zip(segments, shares, strict=True)]
        matrices = [self._matrix(seg, t) for seg, t in zip(segments, shares, strict=True)]
        found = places(self.inner, np.column_stack(foreseen), rhos, known, matrices)
        poor = [j for j, at in enumerate(found) if not at.value < segments[j].right.objective]
        if poor:
            better = self._from_ends([segments[j] for j in poor], [found[j] for j in poor])
            for j, at in zip(poor, better, strict=True):
                found[j] = at
        return steps_from(found, exact)

    def _from_ends(self, segments: list[Segment], between: list[Place]) -> list[Place]:
        """The places where J is least: those that are given, or an end's, with its multipliers;
        of the end at the zero radius one that is below it."""
        inner, ends = self.inner, [end for seg in segments for end in (seg.left, seg.right)]
        twice = [at for at in between for _ in range(2)]
        thetas = [
            end.theta if end.tangent is not None else self._below(at)
            for at, end in zip(twice, ends, strict=True)
        ]
        rhos, matrices = np.array([at.rho for at in twice]), [at.matrix for at in twice]
        known = [end.known for end in ends]
        found = places(inner, np.column_stack(thetas), rhos, known, matrices)
        return [
            min(at, *found[2 * j : 2 * j + 2], key=lambda one: one.value)
            for j, at in enumerate(between)
        ]

    def _below(self, at: Place) -> Array:
        """θ at the ε of a place where J is less than at the zero radius."""
        return at.theta if self.ray is None else self.ray.lowest(at.rho)

    def _foreseen(self, segment: Segment, t: float) -> Array:
        """θ at a share of the length.

        Where the norm has kinks the path bends at each that it meets: derivatives lead on as if it
        did not, while the line between both ends keeps to the kinks that these have in common.
        """
        return segment.at(np.array([t]))[:, 0] if self.inner.norm.is_smooth else segment.on_line(t)

    def _matrix(self, segment: Segment, t: float) -> Array:
        """Between those of both ends."""
        left, right = segment.left.matrix, segment.right.matrix
        assert left is not None
        if right is None or right is left:
            return left
        return np.asarray((1.0 - t) * left + t * right)

    def at(
        self, knots: list[Knot], eps: Array, exact: float, at_once: int
    ) -> tuple[list[Step], list[Knot]]:
        """Solved places at any ε in the range of some knots, in its order, and these as knots too.

        In rounds: some of those between two that are solved, evenly spread, then some between each
        two of these. The nearer the neighbours the better a start is foreseen, kinks included; the
        more there are in a round the fewer readings of the rows.

        Parameters
        ----------
        knots : list of Knot
        eps : array (k,)
        exact : float
            The decrease, relative to J, that ends a solve.
        at_once : int
            How many are solved together.
        """
        known, found = list(knots), dict[float, Step]()
        while (left := np.setdiff1d(eps, list(found))).size:
            chosen = _next(known, left)
            for k in range(0, len(chosen), at_once):
                segments, now = zip(*chosen[k : k + at_once], strict=True)
                steps = self.steps(list(segments), list(now), exact)
                found.update(zip(now, self._corrected(steps, exact, _HARDLY), strict=True))
            new = {e for _, e in chosen}.difference(knot.eps for knot in known)
            known = _with_more(known, [self._knot(found[e], e, None) for e in new])
        return [found[float(e)] for e in eps], known

    def _corrected(self, steps: list[Step], exact: float, slow: float) -> list[Step]:
        return correct(steps, exact, slow)


def _next(knots: list[Knot], eps: Array) -> list[tuple[Segment, float]]:
    """Which of some ascending radii come next, each with what foresees it: those at knots, and of
    those between two knots the one in the middle."""
    segments, wanted = [Segment(*pair) for pair in pairwise(knots)], set(eps.tolist())
    found = [(segment, segment.left.eps) for segment in segments if segment.left.eps in wanted]
    for segment in segments:
        first = np.searchsorted(eps, segment.left.eps, side="right")
        inside = eps[first : np.searchsorted(eps, segment.right.eps)]
        if inside.size:
            places = np.unique(inside.size * np.arange(1, _PARTS) // _PARTS)
            found += [(segment, e) for e in inside[places].tolist()]
    last = segments[-1]
    return found + [(last, last.right.eps)] * (last.right.eps in wanted)


def _with_more(knots: list[Knot], new: list[Knot]) -> list[Knot]:
    """Knots in order; the new ones have the tangent of the parabola through both neighbours."""
    found = sorted([*knots, *new], key=lambda knot: knot.eps)
    added = {knot.eps for knot in new}
    for j in range(1, len(found) - 1):
        if found[j].eps in added:
            left, here, right = found[j - 1 : j + 2]
            before, after = here.eps - left.eps, right.eps - here.eps
            slope = (here.theta - left.theta) * (after / before)
            slope += (right.theta - here.theta) * (before / after)
            found[j] = dataclasses.replace(here, tangent=slope / (before + after))
    return found

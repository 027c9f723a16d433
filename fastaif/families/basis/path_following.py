"""The robust optimum of quadratic models for p = 2, kinks and all.

R has kinks where both ends of a sample are equally bad, where the maximum over a ball is
reached in more than one place, and where all coefficients are zero. Newton's method follows the
minimisers of the smoothed R (see `smooth_robust`) to where the adversary's strategy, a
byproduct, bounds the minimum as closely as wanted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bases.expansion import Expansion
from ...solvers.continuation import Centre, Path, find_centre, newton_step
from ...solvers.newton import Local, minimize
from .extremes import Extremes
from .problem import BasisProblem
from .smooth_objective import Smoothing, SmoothRobust

Array = NDArray[Any]

_WIDEST, _NARROWEST = 0.3, 1e-13
_FACTOR, _QUICK_FACTOR = 0.1, 0.01  # by which the width falls; where Newton has an easy time
_REACH = 10.0  # the bound holds for θ that differ by this many times θ's own size
_LEAST_GOAL = 3e-11  # relative gap: rounding leaves little to win below


class Found(NamedTuple):
    """The best θ known, R there, a lower bound on min R, and the strategy's residual."""

    theta: Array
    objective: float
    bound: float
    residual: float

    @property
    def gap(self) -> float:
        """R(θ) less the bound, relative to R(θ)."""
        return max(self.objective - self.bound, 0.0) / (abs(self.objective) or 1.0)


@dataclass
class Follower:
    """Follows the path for one robust problem.

    Attributes
    ----------
    problem, basis, penalized, radius
        As `SmoothRobust` takes them.
    objective : callable
        R of θ.
    limit : int
        Passes over the data.
    """

    problem: BasisProblem
    basis: Expansion
    penalized: Array
    radius: float
    objective: Callable[[Array], float]
    limit: int
    n_passes: int = 0

    def run(self, start: Array, goal: float) -> Found:
        """The optimum to a relative gap of `goal`, from θ = `start`."""
        goal, path, width = max(goal, _LEAST_GOAL), Path(), _WIDEST
        constant = constant_model(self.problem, start.size)
        if hides_everything(self.problem, self.radius):
            value = self.objective(constant)
            return Found(constant, value, value, 0.0)
        found = self._shortened(start, constant)
        start = found.theta
        scales, stalled = self._scales(start), 0
        while True:
            smoothing = _smoothing(scales, width)
            centre = self._centre(smoothing, width, path, start)
            path.add(width, centre)
            found = self._better(found, centre.x, path.at(0.0), constant)
            last = width <= _NARROWEST or self.n_passes >= self.limit
            if last or width <= 1e3 * goal:
                bound, residual = self._bound(smoothing, centre, found.objective)
                stalled = 0 if bound > found.bound else stalled + 1
                if stalled == 0:
                    found = found._replace(bound=bound, residual=residual)
                if last or found.gap <= goal or stalled == 2:
                    return found
            width *= _QUICK_FACTOR if centre.n_iter <= 2 and width < 1e-3 else _FACTOR

    def _shortened(self, start: Array, constant: Array) -> Found:
        """The start, brought nearer to the constant model while R is far above that model's.

        Attacks on the start may be so bad that they say nothing about sizes at the optimum.
        """
        theta, least = start, self.objective(constant)
        value = self.objective(theta)
        for _ in range(60):
            if value <= least + 3.0 * abs(least):
                break
            theta = constant + 0.5 * (theta - constant)
            value = self.objective(theta)
        return Found(theta, value, -np.inf, np.inf)

    def _smooth(self, smoothing: Smoothing, theta: Array) -> SmoothRobust:
        return SmoothRobust(
            self.problem, self.basis, self.penalized, self.radius, smoothing, theta
        )

    def _scales(self, start: Array) -> Smoothing:
        """ν, μ at width 1, and the unit of widths: the reach of attacks on f and on the loss."""
        problem, d = self.problem, self.problem.model.n_coefs
        extremes = Extremes(self.basis, start[:d], problem.ball, self.radius, True)
        source, loss = problem.source, problem.model.loss
        reach, spread = np.empty(source.n_rows), np.empty(source.n_rows)

        def block(first: int, stop: int) -> None:
            U = self.basis.inner(source.inputs(first, stop))
            f = self.basis.features_at(U) @ start[:d] + float(start[d:].sum())
            up, down = extremes.end(U, 1.0).change, extremes.end(U, -1.0).change
            reach[first:stop] = 0.5 * (up - down)
            y = source.targets(first, stop)
            spread[first:stop] = np.maximum(loss.change(f, up, y), loss.change(f, down, y))

        problem.executor.map_rows(source, problem.in_blocks(block))
        half, gap = source.mean(reach) or 1.0, source.mean(spread) or 1.0
        return Smoothing(half / (extremes.own.n_free + 1.0), gap, half / self.radius**2)

    def _centre(
        self, smoothing: Smoothing, width: float, path: Path, start: Array
    ) -> Centre:
        """The minimiser of the smoothed R, from where the path points to."""

        def evaluate(theta: Array) -> Local:
            self.n_passes += 1
            self.problem.executor.tick()
            return self._smooth(smoothing, theta).local()

        x = path.at(width) if path.points else start
        here = evaluate(x)
        if path.points:
            last, before = path.points[-1]
            # The objectives differ by about as much as their widths.
            worst = before.local.value + last * abs(before.local.value)
            if not here.value <= worst:
                x = before.x
                here = evaluate(x)
        accuracy = max(1e-6 * width**2, 1e-24) * abs(here.value)
        return find_centre(evaluate, x, here, accuracy)

    def _better(self, found: Found, *candidates: Array) -> Found:
        """The best of what was found before and of some more θ; the last wins ties."""
        for theta in candidates:
            value = self.objective(theta)
            # Of values that are equal but for rounding the later is taken.
            if value <= found.objective + 1e-14 * abs(found.objective):
                found = found._replace(theta=theta, objective=value)
        return found

    def _bound(self, smoothing: Smoothing, centre: Centre, value: float) -> tuple[float, float]:
        """What no θ within reach falls below, and the residual against the strategy at θ.

        Directions that the strategy leaves (nearly) flat are held by a small square with
        as small a constant below; what is left of the gradient counts along the whole reach.
        """
        theta = centre.x
        strategy = dataclasses.replace(
            self._smooth(smoothing, theta), step=-newton_step(centre.local)
        )
        here = strategy.bound(theta)
        diagonal = np.diagonal(here.hessian)
        metric = np.maximum(diagonal, 1e-12 * float(diagonal.max(initial=0.0)) + 1e-300)
        size = abs(value) or 1.0
        reach = _REACH**2 * (float(metric @ theta**2) + size)
        hold = 0.1 * _LEAST_GOAL * size / reach

        def evaluate(other: Array) -> Local:
            self.n_passes += 1
            local, step = strategy.bound(other), other - theta
            hessian = local.hessian + 2.0 * hold * np.diag(metric)
            pull = hold * metric * step
            return Local(
                local.value + float(pull @ step) - hold * reach, local.gradient + 2.0 * pull,
                hessian, local.yardstick,
            )

        found = minimize(evaluate, theta, tol=1e-14, max_iter=8).local
        steepest = np.sqrt(float(np.sum(found.gradient**2 / metric)))
        bound = found.value - steepest * np.sqrt(reach)
        return float(bound) if np.isfinite(bound) else -np.inf, here.residual


def hides_everything(problem: BasisProblem, radius: float) -> bool:
    """Whether one point is within every sample's reach, and the model has an intercept.

    Moved there, the samples look the same: no θ does better than a constant.
    """
    source, attack_set = problem.source, problem.ball
    if not problem.model.fit_intercept or attack_set.free.size < source.n_columns:
        return False
    low, high = np.full((2, source.n_columns), np.inf) * [[1.0], [-1.0]]

    def blocks() -> Iterator[Array]:
        for rows in source.chunks():
            x, w = source.inputs(*rows), source.weights(*rows)
            yield x[w > 0] if w.size else x

    for x in blocks():
        low = np.minimum(low, x.min(axis=0, initial=np.inf))
        high = np.maximum(high, x.max(axis=0, initial=-np.inf))
    middle = low + 0.5 * (high - low)
    return all(np.all(attack_set.contains(middle - x, radius)) for x in blocks())


def constant_model(problem: BasisProblem, size: int) -> Array:
    """The best θ (size,) without coefficients: it feels no attack."""
    theta = np.zeros(size)
    if not problem.model.fit_intercept:
        return theta
    source, loss = problem.source, problem.model.loss
    y = source.targets()

    def evaluate(b: Array) -> Local:
        f = np.full(len(y), b[0])
        slope = loss.slope(f, y)
        return Local(
            source.mean(loss.value(f, y)), np.array([source.mean(slope)]),
            np.array([[source.mean(loss.curvature(f, y))]]), source.mean(np.abs(slope)),
        )  # fmt: skip

    with np.errstate(over="ignore", invalid="ignore"):
        first = np.array([loss.null_prediction(source.mean(y))])
        found = minimize(evaluate, first, tol=1e-15, max_iter=50)
    theta[-1] = found.x[0] if np.isfinite(found.local.value) else first[0]
    return theta


def _smoothing(scales: Smoothing, width: float) -> Smoothing:
    return Smoothing(width * scales.barrier, width * scales.width, scales.unit)

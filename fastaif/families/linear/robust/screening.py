"""Exact robust fits of the squared error with few passes over all rows.

ψ = (|r| + κ)² has its kink at r = 0. A row whose residual keeps its sign s through a search
adds (s r + κ)², a quadratic in (θ, κ): all such *far* rows together are one, expanded about a
reference θ₀, and only the *near* ones, with small residuals at θ₀, are passed over again and
again. Whatever the signs, (s r + κ)² ≤ ψ: the screened objective lies below J everywhere and
touches it where no far row has changed its sign. So a minimum of the screened objective at
which none has is J's. Otherwise the rows are split anew at the point that was found.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....passes.sums import InfluenceSums
from . import solve as whole
from .active_set import polish
from .objective import NEED, PassLimit, RobustProblem
from .solve import KINKS_SHOW, RobustOptimum, approach, descend, narrow, report, silent

Array = NDArray[Any]
_FEWEST_ROWS = 5_000  # below, a pass over all rows costs no more than Python's part of a step


@dataclass
class _FarRows:
    """Σ w (s r + κ)² over rows of fixed signs, expanded about θ₀ at κ = 0."""

    reference: Array
    raw: c.Sums
    fit_intercept: bool

    def _vector(self, vector: int, scalar: int) -> Array:
        tail = self.raw.scalars[[scalar]] if self.fit_intercept else self.raw.scalars[:0]
        return np.concatenate([self.raw.vectors[vector], tail])

    def add_to(self, raw: c.Sums, theta: Array, kappa: float) -> None:
        """Add these rows' sums at θ to those of the near ones."""
        far, m = self.raw, self.raw.hessian.shape[0]
        step = theta - self.reference
        lower = np.tril(far.hessian)
        bend = lower @ step[:m] + np.tril(far.hessian, -1).T @ step[:m]
        bend_intercept = 0.0
        if self.fit_intercept:
            bend += far.vectors[c.V_FF] * step[m]
            bend_intercept = float(far.vectors[c.V_FF] @ step[:m] + far.scalars[c.S_FF] * step[m])
        signs = self._vector(c.V_FK, c.S_FK)
        gradient = self._vector(c.V_F, c.S_F)
        along = float(signs @ step)
        curved = float(bend @ step[:m]) + bend_intercept * float(step[m:].sum())
        weight, gain = far.scalars[c.S_WEIGHT], far.scalars[c.S_K]
        raw.hessian[...] += lower
        raw.vectors[c.V_F] += far.vectors[c.V_F] + bend + kappa * far.vectors[c.V_FK]
        raw.vectors[c.V_FK] += far.vectors[c.V_FK]
        raw.vectors[c.V_FF] += far.vectors[c.V_FF]
        total = raw.scalars
        total[c.S_F] += far.scalars[c.S_F] + bend_intercept + kappa * far.scalars[c.S_FK]
        total[c.S_K] += gain + along + 2.0 * weight * kappa
        total[c.S_LOSS] += (
            far.scalars[c.S_LOSS] + float(gradient @ step) + 0.5 * curved
            + kappa * (gain + along) + weight * kappa**2
        )  # fmt: skip
        total[c.S_KK] += 2.0 * weight
        for place in (c.S_WEIGHT, c.S_W2, c.S_FF, c.S_FK, c.S_YARDSTICK):
            total[place] += far.scalars[place]


@dataclass
class _Screened(RobustProblem):
    """The screened objective: passes go over the near rows, `far` stands for the others."""

    far: _FarRows | None = None

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> InfluenceSums:
        """The near rows' pass and the far rows' quadratic."""
        assert self.far is not None
        found = super().sums(theta, kappa, smoothing, multiplier)
        self.far.add_to(found.raw, theta, kappa)
        return found

    @property
    def reference(self) -> Array:
        """θ₀."""
        assert self.far is not None
        return self.far.reference

    @property
    def total_weight(self) -> float:
        """Σ w over all rows."""
        assert self.far is not None
        return super().total_weight + float(self.far.raw.scalars[c.S_WEIGHT])


@silent
def solve(problem: RobustProblem, theta: Array, tol: float = 1e-12) -> RobustOptimum:
    """Minimise J from θ̂; see `whole.solve`, which does it where screening cannot help."""
    n, quadratic = problem.sweep.source.n_rows, problem.sweep.loss.name == "squared_error"
    if not quadratic or n < max(_FEWEST_ROWS, 50 * theta.size):
        return whole.solve(problem, theta, tol)
    try:
        found = _search(problem, theta, tol)
    except PassLimit:
        return report(problem, theta, tol)
    return whole.solve(problem, theta, tol) if found is None else found


def _search(problem: RobustProblem, theta: Array, tol: float) -> RobustOptimum | None:
    """The stages of `solve.py`, with the first and the last on screened objectives.

    None where far rows kept changing their signs.
    """
    n = problem.sweep.source.n_rows
    count = max(20 * theta.size, n // 50)
    split = _Split(problem, theta, count)
    polish(split.screened, theta, None, tol, 12)
    found = split.optimum(tol)
    if found is not None:
        return found
    stage = approach(problem, theta, tol)
    if stage is None:
        return report(problem, theta, tol)
    while stage.width > KINKS_SHOW * problem.size:
        descend(problem, stage, tol)
    while count < n // 2:
        split = _Split(problem, stage.x, count)
        narrow(split.screened, dataclasses.replace(stage), tol)
        found = split.optimum(tol)
        if found is not None:
            return found
        # Not near enough: the smoothed path of all rows leads there, and more rows are near.
        descend(problem, stage, tol)
        count *= 2
    return None


class _Split:
    """The rows split at θ₀ into near and far ones."""

    def __init__(self, problem: RobustProblem, theta: Array, count: int) -> None:
        self.problem = problem
        self.residuals = self._residuals(theta)
        self.near = np.sort(np.argpartition(np.abs(self.residuals), count)[:count])
        self.screened = self._screen(theta)

    def _residuals(self, theta: Array) -> Array:
        sweep = self.problem.sweep
        return np.asarray(sweep.predictions(theta) - sweep.source.targets())

    def _screen(self, theta: Array) -> _Screened:
        problem, sweep, source = self.problem, self.problem.sweep, self.problem.sweep.source
        weight = None if source.weight is None else np.asarray(source.weight)[self.near]
        part = source._replace(x=source.x[self.near], y=source.y[self.near], weight=weight)
        near = dataclasses.replace(sweep, source=part)
        everything = problem.sums(theta, 0.0).raw
        mine = near.run(theta, NEED).raw
        far = c.Sums(*(whole - some for whole, some in zip(everything, mine, strict=True)))
        return _Screened(
            near, problem.alpha, problem.penalized, problem.weights, problem.p, problem.q,
            problem.rho, size=problem.size, smooth_optimum=problem.smooth_optimum,
            far=_FarRows(theta.copy(), far, sweep.fit_intercept),
        )  # fmt: skip

    def optimum(self, tol: float) -> RobustOptimum | None:
        """What was found on the screened objective, if it is J's optimum too."""
        self.problem.n_passes += self.screened.n_passes * self.near.size // self.residuals.size
        if not self.screened.solved(tol):
            return None
        found = report(self.screened, self.screened.reference, tol)
        after = self._residuals(found.theta)
        changed = np.sign(after) * np.sign(self.residuals) <= 0.0
        changed[self.near] = False
        if changed.any():
            return None
        return dataclasses.replace(found, n_passes=self.problem.n_passes)

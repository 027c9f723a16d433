"""Rows whose worse end is settled: smooth, and seen through their sums alone."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from .design import Design, blocks
from .objective import RobustProblem
from .systems import Quadratic

Array = NDArray[Any]


class FarRows(Protocol):
    """Their part of E ψ at (θ, κ), the share that they have of the weight counted."""

    value: float
    gradient: Array
    along_kappa: float
    yardstick: float
    is_pass: bool  # whether derivatives take a look at the rows

    def refresh(self, theta: Array, kappa: float) -> None:
        """Derivatives at (θ, κ)."""

    @property
    def quadratic(self) -> Quadratic:
        """Second derivatives there."""

    def turn(self, dtheta: Array) -> None:
        """A step is about to be searched along."""

    def value_after(self, t: float, kappa: float) -> float:
        """The value after a step of length t, which leads to κ."""

    def sides(self, f: Array, kappa: float) -> Array:
        """(n,) ±1 at which end rows are taken to be worse, near ones anyhow."""

    def crossed(self, f: Array, kappa: float) -> Array:
        """Numbers of those whose other end is worse at (f, κ)."""

    def change(self, f: Array, kappa: float, near: Array) -> None:
        """Others are near now; those that are no more are settled as at (f, κ)."""


def far_rows(
    problem: RobustProblem, design: Design, theta: Array, f: Array, near: Array
) -> FarRows:
    """All rows but `near`, settled at θ, where predictions are f."""
    if problem.folds:
        return _Squares(problem, design, theta, f, near)
    return _Sums(problem, design, theta, f, near)


def ends(problem: RobustProblem, design: Design, f: Array, kappa: float) -> Array:
    """(n,) ±1, at which end each row is worse; an eighth of what floats would take."""
    out = np.empty(f.size, dtype=np.int8)
    for rows in blocks(f.size):
        out[rows] = problem.sweep.loss.worse_end(f[rows], design.targets[rows], kappa)
    return out


class _Settled:
    """Which rows, and their ends."""

    def __init__(
        self, problem: RobustProblem, design: Design, theta: Array, f: Array, near: Array
    ) -> None:
        self._problem, self._design, self._near = problem, design, near
        kappa = problem.rho * problem.norm(theta)
        self._side = ends(problem, design, f, kappa)

    def sides(self, f: Array, kappa: float) -> Array:
        return self._side

    def crossed(self, f: Array, kappa: float) -> Array:
        wrong = ends(self._problem, self._design, f, kappa) != self._side
        wrong[self._near] = False
        return np.flatnonzero(wrong)

    def _settle(self, f: Array, kappa: float, near: Array) -> Array:
        """The rows whose end is another than before."""
        worse = ends(self._problem, self._design, f, kappa)
        turned = np.flatnonzero(worse != self._side)
        self._side, self._near = worse, near
        return turned


class _Squares(_Settled):
    """Of the squared error they are a quadratic in θ and κ, about a reference.

    Σ w (σ r + κ)² = Δᵀ A Δ + 2 bᵀΔ + c + 2κ (hᵀΔ + h₀) + κ² W, Δ = θ − θ₀
    """

    is_pass = False

    def __init__(
        self, problem: RobustProblem, design: Design, theta: Array, f: Array, near: Array
    ) -> None:
        super().__init__(problem, design, theta, f, near)
        self._about = theta
        sums = problem.sums(theta, 0.0, multiplier=design.spread(self._side.astype(float)))
        self._gram, self._slope = 0.5 * sums.hessian, 0.5 * sums.gradient
        self._mixed, self._yardstick = 0.5 * sums.mixed_direction, sums.yardstick
        self._square, self._size = sums.loss, 0.5 * sums.gain
        self._take_out()

    def _take_out(self) -> None:
        """All rows less the near ones."""
        near, w = self._near, self._design.weights[self._near]
        self.quadratic = Quadratic(2.0 * self._gram, 2.0 * self._mixed, 2.0)
        self._b, self._h, self._c, self._h0 = self._slope, self._mixed, self._square, self._size
        self._W = 1.0
        self.yardstick = self._yardstick * float(1.0 - w.sum())
        if not near.size:
            return
        part = self._design.part(near)
        side = self._side[near]
        r = part.predict(self._about) - self._design.targets[near]
        pulled = part.pull(np.column_stack([w * r, w * side]))
        self._b, self._h = self._b - pulled[:, 0], self._h - pulled[:, 1]
        self._c -= float(w @ r**2)
        self._h0 -= float((w * side) @ r)
        self._W = float(1.0 - w.sum())
        gram = self._gram - part.square(w)
        self.quadratic = Quadratic(2.0 * gram, 2.0 * self._h, 2.0 * self._W)

    def refresh(self, theta: Array, kappa: float) -> None:
        """Derivatives at (θ, κ)."""
        move = theta - self._about
        bent = 0.5 * self.quadratic.gram @ move
        mixed = float(self._h @ move) + self._h0
        self.gradient = 2.0 * (bent + self._b + kappa * self._h)
        self.along_kappa = 2.0 * (mixed + kappa * self._W)
        self.value = float(move @ (bent + 2.0 * self._b)) + self._c
        self.value += kappa * (2.0 * mixed + kappa * self._W)

    def turn(self, dtheta: Array) -> None:
        raise NotImplementedError("a quadratic needs no search")

    def value_after(self, t: float, kappa: float) -> float:
        raise NotImplementedError("a quadratic needs no search")

    def change(self, f: Array, kappa: float, near: Array) -> None:
        """Others are near now."""
        turned = self._settle(f, kappa, near)
        if turned.size > f.size // 10:
            self._mixed, self._size = self._signed(self._design, self._design.weights, self._side)
        elif turned.size:
            w, side = self._design.weights[turned], self._side[turned]
            mixed, size = self._signed(self._design.part(turned), w, side, turned)
            self._mixed, self._size = self._mixed + 2.0 * mixed, self._size + 2.0 * size
        self._take_out()

    def _signed(
        self, rows: Design, w: Array, side: Array, which: Any = slice(None)
    ) -> tuple[Array, float]:
        """Σ w σ z and Σ w σ r of some rows, at the reference."""
        signed = w * side
        mixed = rows.pull(signed[:, None])[:, 0]
        signed *= rows.predict(self._about)
        size = float(signed.sum())
        np.multiply(w, side, out=signed)
        return mixed, size - float(signed @ self._design.targets[which])


class _Sums(_Settled):
    """By a pass at each iterate."""

    is_pass = True

    def __init__(
        self, problem: RobustProblem, design: Design, theta: Array, f: Array, near: Array
    ) -> None:
        super().__init__(problem, design, theta, f, near)
        self._count()

    def _count(self) -> None:
        problem, design = self._problem, self._design
        self._w, sweep = design.weights, problem.sweep
        if self._near.size:
            self._w = self._w.copy()
            self._w[self._near] = 0.0
            source = sweep.source._replace(weight=design.spread(self._w))
            sweep = dataclasses.replace(sweep, source=source)
        self._total = float(self._w.sum())
        # Passes are counted where the iterates are.
        self._part = dataclasses.replace(problem, sweep=sweep, limit=1 << 60, best=None)
        kinks = problem.has_kinks
        self._multiplier = design.spread(self._side.astype(float)) if kinks else c.EMPTY

    def refresh(self, theta: Array, kappa: float) -> None:
        """Derivatives at (θ, κ)."""
        sums = self._part.sums(theta, kappa, multiplier=self._multiplier)
        share, self._theta = self._total, theta
        self.value, self.gradient = share * sums.loss, share * sums.gradient
        self.along_kappa, self.yardstick = share * sums.gain, share * sums.yardstick
        self.quadratic = Quadratic(
            share * sums.hessian, share * sums.mixed_direction, share * sums.scalar(c.S_KK)
        )

    def turn(self, dtheta: Array) -> None:
        """A step is about to be searched along."""
        self._f, self._df = self._design.predict(self._theta), self._design.predict(dtheta)

    def value_after(self, t: float, kappa: float) -> float:
        """The value after a step of length t, which leads to κ."""
        f, y = self._f + t * self._df, self._design.targets
        if self._problem.has_kinks:
            with np.errstate(over="ignore"):
                values = self._problem.sweep.loss.value(f + kappa * self._side, y)
            value = float(self._w @ np.where(self._w > 0.0, values, 0.0))
        else:
            value = self._problem.worst(f, y, kappa, self._w)
        return value if np.isfinite(value) else np.inf

    def change(self, f: Array, kappa: float, near: Array) -> None:
        """Others are near now."""
        self._settle(f, kappa, near)
        self._count()

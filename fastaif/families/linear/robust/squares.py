"""Robust fits with the squared error to a few digits, from one matrix of all rows.

    J(θ) = E r² + 2κ E|r| + κ² + α θᵀPθ,   κ = ρ‖Dβ‖_q

E r² is known everywhere from G = E zzᵀ, a pass. E|r| = max E λr over |λ| ≤ 1, and for p = ∞ the
norm is such a maximum as well. Newton's method on the augmented Lagrangian, in which λ is a shifted
r/μ, cut at ±1, goes through the few rows alone that are not cut, and makes Zθ and Zᵀλ. Any λ and u
with ‖u‖_p ≤ 1 prove a bound: with x = E λr, k = ρDu and κᵤ = kᵀθ

    J ≥ E r² − x² + max(x + κᵤ, 0)² + α θᵀPθ,

a convex function of θ, quadratic where x + κᵤ ≥ 0, whose minimum is a solve away from the iterate.
The bound is off by the square of the gradient that is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import get
from ...._compute import types as c
from .design import Design
from .objective import RobustProblem
from .squares_norms import Model, bent, norm_of, solved

Array = NDArray[Any]
_STEPS, _PATIENT = 25, 60  # at most, and from a start that meets the targets
_SOON, _CLOSE = 6, 1e-3  # steps, and a share of J: who is further off by then needs another way
_SLOW, _LATELY = 0.9, 3  # of what λ lacked so many steps ago
_FIRST, _SHRINKS = 0.1, 0.2  # μ over the residuals' size at first, and by how much it falls
_INNER = 0.2  # of what λ lacks, that a step would bring at most: it is λ's turn
_MET, _STILL = 0.3, 0.1  # of what is asked for: what λ lacks no more, and a step brings no more
_MEETS, _BACK = 1e-2, tuple(0.1 * k for k in range(1, 11))  # of the targets' size; shares of θ̂
_VANISHED = 1e-3  # of κ at first is left: where the norm has a kink that it cannot be expanded at
_ROUNDING = 1e-15  # of J, that a bound may be off by
_RARE = 4  # rows, of which one is turned, until it costs less to go through all
_NEARLY, _TRIALS = 0.1, 12  # of the slope at first that may be left of it, and trials until then


def suits(problem: RobustProblem) -> bool:
    """Whether J is of this form, and its norm one that the search can take."""
    if problem.l1 is not None or not problem.folds or np.isinf(problem.q):
        return False
    # More columns would leave moves that no row sees: the bound's matrix is singular.
    design = problem.design
    return problem.alpha > 0.0 or design.n_columns <= design.weights.size


class SquaresSearch:
    """An iterate (θ, λ, u).

    Attributes
    ----------
    theta : array (d,)
    value, bound : float
        J, and the largest number that is proven to be nowhere above it.
    is_done : bool
        Whether steps have been made.
    """

    def __init__(self, problem: RobustProblem, design: Design, theta: Array) -> None:
        """At the start of the fit."""
        self.problem, self.design, self.theta = problem, design, theta.copy()
        self.y, self.w = design.targets, design.weights
        self._counted = problem.natural is None
        self.push = problem.alpha * problem.penalized
        natural = problem.natural or problem.without_attack(theta)
        self.twice, self.right = natural.hessian, 0.5 * natural.gradient  # E rz + αPθ
        self.value, self.bound = np.inf, -np.inf
        self.is_done = self._has_start = False
        self._residual: float | None = None

    def _start(self) -> None:
        """Numbers of the start, where steps are made here."""
        if self._has_start:
            return
        problem, self._has_start = self.problem, True
        self.r = self.design.predict(self.theta) - self.y
        self.kappa = problem.rho * problem.norm(self.theta)
        square = self._draw_back()
        self.mu = _FIRST * max(float(np.sqrt(square)), _FIRST * self.kappa)
        twice = 2.0 * float(self.w @ np.abs(self.r))
        self.value = square + self.kappa * (twice + self.kappa) + problem.penalty(self.theta)

    def _draw_back(self) -> float:
        """From a start that (nearly) meets the targets to the best point between it and zero.

        There all rows are near their kinks at first, so that more steps are worth it. E r² there.
        """
        w, kappa, square = self.w, self.kappa, float(self.w @ self.r**2)
        self._is_far = square <= _MEETS * float(w @ self.y**2)
        if not self._is_far:
            return square
        f, penalty = self.r + self.y, self.problem.penalty(self.theta)
        values = [
            float(w @ (np.abs(t * f - self.y) + t * kappa) ** 2) + t**2 * penalty for t in _BACK
        ]
        t = _BACK[int(np.argmin(values))]
        self.right = self.right - 0.5 * (1.0 - t) * (self.twice @ self.theta)
        self.theta, self.r, self.kappa = t * self.theta, t * f - self.y, t * kappa
        return float(w @ self.r**2)

    def _begin(self) -> None:
        """What steps from the start go from, where they are made here."""
        self._start()
        problem = self.problem
        self._read, self.about = 0, np.zeros(self.r.size)
        self.free = np.flatnonzero(problem.weights > 0.0)
        self.scale = problem.rho * problem.weights[self.free]
        self.norm = norm_of(problem.q)
        self.balance = np.zeros(self.r.size)
        self.h = np.zeros(self.theta.size)
        self._rebalance()
        self._refresh()

    @property
    def v(self) -> Array:
        """ρDβ of the attacked coefficients."""
        return np.asarray(self.scale * self.theta[self.free])

    @property
    def gap(self) -> float:
        """How far J is at most above its minimum."""
        return max(self.value - self.bound, 0.0)

    def _refresh(self) -> None:
        """Numbers of the iterate, from r, λ and h."""
        w, r, v = self.w, self.r, self.v
        self.x = float((w * self.balance) @ r)
        self.size = float(w @ np.abs(r))
        self.soft = self.x - 0.5 * self.mu * float(w @ (self.balance - self.about) ** 2)
        self.kappa, _ = self.norm.at(v, v)
        pulled = (self.right + self.kappa * self.h)[self.free] / self.scale
        self.k = np.zeros(self.theta.size)
        self.k[self.free] = self.scale * self.norm.pull(v, -pulled / (self.x + self.kappa))
        square = float(w @ r**2) + self.problem.penalty(self.theta)
        self.value = square + self.kappa * (2.0 * self.size + self.kappa)
        # J less the bound's own value here.
        self.split = max(2.0 * self.kappa * (self.size - self.x), 0.0)

    def _prove(self) -> None:
        slope = 2.0 * (self.right + self.kappa * self.h + (self.x + self.kappa) * self.k)
        move = solved(bent(self.twice, self.h, self.k, 2.0), -slope)
        if move is not None and self.x + self.kappa + float((self.h + self.k) @ move) >= 0.0:
            bound = (1.0 - _ROUNDING) * self.value - self.split + 0.5 * float(slope @ move)
            self.bound = max(self.bound, bound)

    def _newton(self) -> tuple[Array | None, float]:
        """The step, and what it should lower the augmented Lagrangian by."""
        matrix, kappa = self.twice, self.kappa
        near = np.flatnonzero(np.abs(self._shifted) < 1.0)
        if near.size:
            self._read += near.size
            if self._read >= self.r.size:  # a pass in all
                self.problem.count_pass()
                self._read -= self.r.size
            weights = (2.0 * kappa / self.mu) * self.w[near]
            matrix = matrix + self.design.square_of(near, weights)
        return self.norm.step(Model(
            self.theta, self.free, self.scale, matrix, 2.0 * (self.right + kappa * self.h),
            self.h, self.soft + kappa, kappa,
        ))  # fmt: skip

    def proves(self, tol: float, wary: bool = False) -> bool:
        """Whether few steps lead to a relative duality gap within `tol`.

        Who is wary makes none where J is not lower than at Dβ = 0, so far as that is known
        without looking for it.
        """
        if wary and not (self.problem.weights > 0.0).all():
            return False
        Z = self.design.matrix
        if Z is None:
            return self._proves_by_passes(tol, wary)
        return self._proves_in_memory(Z, tol, wary)

    def _count(self) -> None:
        """Steps are made: the pass before them counts, whoever has made it."""
        self.is_done = True
        if not self._counted:
            self._counted = True
            self.problem.count_pass()

    def _proves_in_memory(self, Z: Array, tol: float, wary: bool) -> bool:
        """All steps at once, where the rows are at hand."""
        problem, d, n = self.problem, self.theta.size, self.y.size
        scale, numbers = np.zeros(d), np.zeros(c.N_SQUARES_NUMBERS)
        scale[: problem.m] = problem.rho * problem.weights
        theta = self.theta.copy()
        get("squares_search")(
            np.ascontiguousarray(Z), self.w, c.Squares(self.twice, self.push, scale, problem.q),
            tol, wary + (wary and d > problem.m),
            c.SquaresPoint(
                theta, self.y.copy(), self.right.copy(), np.zeros(n), np.zeros(d), numbers
            ),
        )  # fmt: skip
        value, bound, residual, read, proven, _ = numbers.tolist()
        if proven < 0.0:
            return False
        self._count()
        self.theta, self.value, self.bound, self._residual = theta, value, bound, residual
        for _ in range(int(read) // n):
            problem.count_pass()
        return proven > 0.0

    def _is_above_zero(self) -> bool:
        """Whether J is not lower than where all coefficients, which are attacked, are zero."""
        has_constant = self.theta.size > self.problem.m
        middle = float(self.w @ self.y) if has_constant else 0.0
        return not self.value < float(self.w @ (self.y - middle) ** 2)

    def _proves_by_passes(self, tol: float, wary: bool) -> bool:
        self._start()
        if self.kappa == 0.0 or (wary and self._is_above_zero()):
            return False
        self._count()
        self._begin()
        lacked: list[float] = []
        begun = self.kappa
        for step in range(_PATIENT if self._is_far else _STEPS):
            if not self._step(tol):
                return False
            if self.gap <= tol * self.value:
                return True
            lacked.append(self.split)
            if not self._is_far and step + 1 == _SOON and self.split > _CLOSE * self.value:
                return False
            late = not self._is_far and step >= _SOON + _LATELY and self.split > tol * self.value
            if late and self.split > _SLOW * lacked[step - _LATELY]:
                return False
            if self.problem.q > 1.0 and self.kappa < _VANISHED * begun:
                return False
        return False

    def _step(self, tol: float) -> bool:
        """One Newton step; False where there is none."""
        enough = tol * self.value
        if self.split <= enough:
            self._prove()
            if self.gap <= enough:
                return True
        move, fall = self._newton()
        met = self.split <= _MET * enough  # then harder would only make kinks harder to find
        if fall <= (_STILL * enough if met else _INNER * self.split):
            self._tighten(1.0 if met else _SHRINKS)
            move, fall = self._newton()
        return move is not None and self._take(move)

    def _tighten(self, by: float) -> None:
        """Shift by the multipliers, and hold harder."""
        self.about, self.mu = self.balance, by * self.mu
        self._rebalance()
        self._refresh()

    def _rebalance(self) -> None:
        """λ at the present residuals, and what it pulls."""
        before = self.balance
        self._shifted = self.about + self.r / self.mu
        self.balance = np.clip(self._shifted, -1.0, 1.0)
        turned = np.flatnonzero(self.balance != before)
        if _RARE * turned.size <= self.r.size:
            change = self.w[turned] * (self.balance - before)[turned]
            self.h = self.h + self.design.pull_of(turned, change)
        else:
            self.h = self.design.pull((self.w * self.balance)[:, None])[:, 0]

    def _take(self, move: Array) -> bool:
        dr, turned = self.design.predict(move), 0.5 * (self.twice @ move)
        t = self._length(move, dr, float(move @ turned))
        if t == 0.0:
            return False
        self.theta, self.r = self.theta + t * move, self.r + t * dr
        self.right = self.right + t * turned
        self._rebalance()
        self._refresh()
        return True

    def _length(self, move: Array, dr: Array, bend: float) -> float:
        """How far along a move the augmented Lagrangian falls; 0 where it does not.

        Its slope there needs no more of the rows than those that are, or come to be, not cut.
        """
        slope = 2.0 * float(self.right @ move)
        shifted, other = self._shifted, self._shifted + dr / self.mu
        turning = np.flatnonzero(
            (np.minimum(shifted, other) < 1.0) & (np.maximum(shifted, other) > -1.0)
        )
        w, r, dr, about = (part[turning] for part in (self.w, self.r, dr, self.about))
        start, still = shifted[turning], float(self.h @ move)
        v, dv = self.v, self.scale * move[self.free]
        side = np.where(v != 0.0, v, dv)

        def soft(t: float) -> tuple[float, float]:
            balance = np.clip(start + t * dr / self.mu, -1.0, 1.0)
            pulled, off = w * balance, balance - about
            mean = pulled @ (r + t * dr) - 0.5 * self.mu * (w * off) @ off
            return float(mean), float(pulled @ dr)

        base, steep = soft(0.0)
        base, still = self.soft - base, still - steep

        def rise(t: float) -> float:
            mean, along = soft(t)
            mean, along = mean + base + t * still, along + still
            kappa, u = self.norm.at(v + t * dv, side)
            return slope + 2.0 * (t * bend + float(u @ dv) * (mean + kappa) + kappa * along)

        return _root(rise)

    def residual(self) -> float:
        """A subgradient of J, relative to what it is small or large against."""
        if self._residual is not None:
            return self._residual
        side = np.sign(self.r) - self.balance
        turned = np.flatnonzero(side)
        h = self.h
        if turned.size:
            change = self.w[turned] * side[turned]
            h = h + self.design.pull_of(turned, change)
        gradient = self.right + self.kappa * h + (self.size + self.kappa) * self.k
        yardstick = self.design.yardstick(self.w * (np.abs(self.r) + self.kappa))
        return float(np.linalg.norm(gradient)) / (yardstick or 1.0)


def _root(rise: Callable[[float], float]) -> float:
    """Where an increasing function that is negative at 0 has (nearly) reached zero, at most 1."""
    low, high = 0.0, 1.0
    below, above = rise(low), rise(high)
    enough = _NEARLY * abs(below)
    if not below < 0.0:
        return 0.0
    if above <= enough:
        return high
    side, t = 0, high
    for _ in range(_TRIALS):
        t = low - below * (high - low) / (above - below)
        slope = rise(t)
        if abs(slope) <= enough:
            break
        if slope < 0.0:
            low, below, above = t, slope, above * (0.5 if side < 0 else 1.0)
            side = -1
        else:
            high, above, below = t, slope, below * (0.5 if side > 0 else 1.0)
            side = 1
    return t

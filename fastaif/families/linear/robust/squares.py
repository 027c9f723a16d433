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

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....norms import dual_direction, lp_norm, smooth_norm
from .design import Design
from .objective import Point, RobustProblem

Array = NDArray[Any]
_STEPS = 12
_SOON, _CLOSE = 3, 1e-3  # steps, and a share of J: who is further off by then needs another way
_SLOW = 0.5  # of what λ and u lacked `_SOON` steps ago
_FIRST, _SHRINKS = 0.3, 0.2  # μ over the residuals' size at first, and by how much it falls
_INNER = 0.5
_HALVINGS = 6
_WEAK = 0.2  # of the budget that leaves nothing


def suits(problem: RobustProblem, theta: Array, zero: Point) -> bool:
    """Whether J is of this form about θ, and its norm one that Newton's method can take: for p = ∞
    the more coefficients end at zero the nearer the attack is to the one that leaves none."""
    if problem.l1 is not None or not problem.folds or np.isinf(problem.q):
        return False
    if not problem.norm(theta) > 0.0:
        return False
    free = problem.weights > 0.0
    pull = zero.local.gradient[: problem.m][free] / problem.weights[free]
    share = problem.rho * zero.slope / (float(lp_norm(pull, problem.p)) or 1.0)
    return problem.q > 1.0 or share <= _WEAK


class NormPiece(Protocol):
    """The norm as max u·v − ½ν‖u − about‖², v = Dβ of the attacked coefficients."""

    u: Array
    lost: float  # ½ν‖u − about‖²

    def update(self) -> None:
        """At the search's θ."""

    def bend(self, H: Array, weight: float) -> None:
        """Add `weight` times its second derivatives in θ."""

    def tighten(self, by: float) -> None:
        """Shift by the multipliers, and hold harder."""


class SquaresSearch:
    """An iterate (θ, λ, u).

    Attributes
    ----------
    theta : array (d,)
    value, gap : float
        J, and how far it is above what is proven to be a lower bound.
    """

    def __init__(self, problem: RobustProblem, design: Design, theta: Array) -> None:
        """At the start of the fit."""
        self.problem, self.design, self.theta = problem, design, theta.copy()
        self.y, self.w = design.targets, design.weights
        if problem.natural is not None:
            problem.count_pass()  # somebody has made it
        sums = problem.natural or problem.sums(theta, 0.0)
        self.gram = 0.5 * sums.hessian
        push = problem.alpha * problem.penalized
        self.gram[np.arange(theta.size), np.arange(theta.size)] += push
        self.right = 0.5 * sums.gradient + push * theta  # E rz + αPθ
        self.free = np.flatnonzero(problem.weights > 0.0)
        self.D = problem.weights[self.free]
        self.r = design.predict(theta) - self.y
        size = float(np.sqrt(self.w @ self.r**2))
        self.mu, self.about = _FIRST * size, np.zeros(self.r.size)
        nu = _FIRST * float(lp_norm(self.v, problem.q)) / self.free.size
        self.piece: NormPiece = SplitNorm(self, nu) if problem.q == 1.0 else SmoothNorm(self)
        self.gap, self._read = np.inf, 0
        self.balance = np.clip(self.r / self.mu, -1.0, 1.0)
        self.h = design.pull((self.w * self.balance)[:, None])[:, 0]
        self._refresh()

    @property
    def v(self) -> Array:
        """Dβ of the attacked coefficients."""
        return np.asarray(self.D * self.theta[self.free])

    def _refresh(self) -> None:
        """Numbers of the iterate, from r, λ, h and the norm's piece."""
        w, r, rho = self.w, self.r, self.problem.rho
        self.x = float((w * self.balance) @ r)
        self.size = float(w @ np.abs(r))
        self.soft = self.x - 0.5 * self.mu * float(w @ (self.balance - self.about) ** 2)
        self.kappa = rho * float(lp_norm(self.v, self.problem.q))
        self.k = np.zeros(self.theta.size)
        self.k[self.free] = rho * self.D * self.piece.u
        self.ku = float(self.k @ self.theta)
        self.soft_kappa = self.ku - rho * self.piece.lost
        square = float(w @ r**2) + self.problem.penalty(self.theta)
        self.value = square + self.kappa * (2.0 * self.size + self.kappa)
        self.merit = square + self.soft_kappa * (2.0 * self.soft + self.soft_kappa)
        # J less the bound's own value here.
        split = 2.0 * (self.kappa * self.size - self.ku * self.x)
        self.split = max(split + (self.kappa - self.ku) * (self.kappa + self.ku), 0.0)

    def _slopes(self, kappa: float, x: float) -> Array:
        return 2.0 * (self.right + kappa * self.h + (x + kappa) * self.k)

    def _model(self) -> Array:
        """Half of the bound's Hessian."""
        cross = np.outer(self.h, self.k)
        return np.asarray(self.gram + cross + cross.T + np.outer(self.k, self.k))

    def _prove(self, model: Array) -> None:
        gradient = self._slopes(self.ku, self.x)
        move = _solve(model, -0.5 * gradient)
        if move is not None and self.x + self.ku + float((self.h + self.k) @ move) >= 0.0:
            self.gap = self.split - 0.5 * float(gradient @ move)

    def _newton(self, model: Array) -> tuple[Array | None, float]:
        """The step, and what it should lower the augmented Lagrangian by."""
        H, kappa, rho = 2.0 * model, self.soft_kappa, self.problem.rho
        near = np.flatnonzero(np.abs(self.about + self.r / self.mu) < 1.0)
        if near.size:
            self._read += near.size
            if self._read >= self.r.size:  # a pass in all
                self.problem.count_pass()
                self._read -= self.r.size
            H += (2.0 * kappa / self.mu) * self.design.square_of(near, self.w[near])
        self.piece.bend(H, 2.0 * rho * max(self.soft + kappa, 0.0))
        gradient = self._slopes(kappa, self.soft)
        move = _solve(H, -gradient)
        return move, np.inf if move is None else -0.5 * float(gradient @ move)

    def proves(self, tol: float) -> bool:
        """Whether few steps lead to a relative duality gap within `tol`."""
        lacked: list[float] = []
        for step in range(_STEPS):
            if not self._step(tol):
                return False
            if self.gap <= tol * self.value:
                return True
            lacked.append(self.split)
            if step + 1 == _SOON and self.split > _CLOSE * self.value:
                return False
            if step >= 2 * _SOON and self.split > _SLOW * lacked[step - _SOON]:
                return False
        return False

    def _step(self, tol: float) -> bool:
        """One Newton step; False where there is none."""
        model = self._model()
        enough = tol * self.value
        if self.split <= enough:
            self._prove(model)
            if self.gap <= enough:
                return True
        move, fall = self._newton(model)
        if fall <= _INNER * self.split and self.split > 0.3 * enough:
            self._tighten()
            move, fall = self._newton(self._model())
        return move is not None and self._take(move)

    def _tighten(self) -> None:
        """Shift by the multipliers, and hold harder."""
        self.about, self.mu = self.balance, _SHRINKS * self.mu
        self.piece.tighten(_SHRINKS)
        balance = np.clip(self.about + self.r / self.mu, -1.0, 1.0)
        turned = np.flatnonzero(balance != self.balance)
        if turned.size:
            change = self.w[turned] * (balance - self.balance)[turned]
            self.h = self.h + self.design.pull_of(turned, change)
        self.balance = balance
        self._refresh()

    def _take(self, move: Array) -> bool:
        dr, before = self.design.predict(move), self.merit
        theta, r, t = self.theta, self.r, 1.0
        for _ in range(_HALVINGS):
            self.theta, self.r = theta + t * move, r + t * dr
            self.balance = np.clip(self.about + self.r / self.mu, -1.0, 1.0)
            self.piece.update()
            self._refresh()
            if self.merit <= before * (1.0 + 1e-13):
                break
            t *= 0.5
        else:
            self.theta = theta
            return False
        self.right = self.right + t * (self.gram @ move)
        self.h = self.design.pull((self.w * self.balance)[:, None])[:, 0]
        return True

    def residual(self) -> float:
        """A subgradient of J, relative to what it is small or large against."""
        side = np.sign(self.r) - self.balance
        turned = np.flatnonzero(side)
        h, problem = self.h, self.problem
        if turned.size:
            change = self.w[turned] * side[turned]
            h = h + self.design.pull_of(turned, change)
        k = np.zeros(self.theta.size)
        k[self.free] = problem.rho * self.D * dual_direction(self.v, problem.p)
        gradient = self.right + self.kappa * h + (self.size + self.kappa) * k
        yardstick = self.design.yardstick(self.w * (np.abs(self.r) + self.kappa))
        return float(np.linalg.norm(gradient)) / (yardstick or 1.0)


class SmoothNorm:
    """1 < q < ∞."""

    def __init__(self, search: SquaresSearch) -> None:
        self._search, self.lost = search, 0.0
        self.update()

    def update(self) -> None:
        """At the present θ."""
        s = self._search
        _, self.u, self._bend = smooth_norm(s.v, s.problem.q, 0.0)

    def bend(self, H: Array, weight: float) -> None:
        """Add the norm's second derivatives."""
        s = self._search
        H[np.ix_(s.free, s.free)] += weight * s.D[:, None] * self._bend * s.D

    def tighten(self, by: float) -> None:
        """Nothing to do."""


class SplitNorm:
    """q = 1, the largest of u·v over |u| ≤ 1."""

    def __init__(self, search: SquaresSearch, nu: float) -> None:
        self._search, self._nu = search, nu
        self._about = np.zeros(search.free.size)
        self.update()

    def update(self) -> None:
        """At the present θ."""
        s = self._search
        self._shifted = self._about + s.v / self._nu
        self.u = np.clip(self._shifted, -1.0, 1.0)
        self.lost = 0.5 * self._nu * float(np.sum((self.u - self._about) ** 2))

    def bend(self, H: Array, weight: float) -> None:
        """Add the norm's second derivatives."""
        s = self._search
        H[s.free, s.free] += weight * s.D**2 * (np.abs(self._shifted) < 1.0) / self._nu

    def tighten(self, by: float) -> None:
        """Shift by the multipliers, and hold harder."""
        self._about, self._nu = self.u, by * self._nu
        self.update()


def _solve(matrix: Array, right: Array) -> Array | None:
    """By Cholesky's factor; None where the matrix is singular beyond rounding."""
    from scipy.linalg.lapack import dposv

    unit = 1.0 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    factor, found, info = dposv(matrix * unit * unit[:, None], unit * right, lower=1)
    if info != 0 or not float(factor.diagonal().min()) > 1e-6:
        return None
    return np.asarray(unit * found)

"""The robust problem of a linear-predictor model, as its solvers see it.

    J(θ) = E ψ(f_i, κ) + α ‖β‖² + Σ λ_j |β_j|,   ψ = max ℓ(f ± κ) = S + |c|,   κ = ρ ‖Dβ‖_q

S and c are half the sum and half the difference of the loss at the two ends. J is convex,
with kinks where some c_i = 0, where the norm has one, and with an l1 penalty where β_j = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....norms import lp_norm
from ....passes.linear import Sweep
from ....passes.sums import InfluenceSums
from ....solvers.l1_quadratic import least_subgradient
from ....solvers.newton import Local
from ....utils.caching import cached_property
from .design import Design, blocks
from .dual_points import DualPoint, at_ends
from .row_terms import RowTerms, row_terms

Array = NDArray[Any]
NEED = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK


@dataclass(frozen=True)
class Point:
    """A point with a subgradient: the smallest found, not necessarily the least."""

    theta: Array
    local: Local
    gradient: Array
    residual: float
    slope: float  # E|ψ_κ|
    rows: DualPoint | None = None


@dataclass(frozen=True)
class Kinks:
    """Kinks that a solution seems to be on.

    Attributes
    ----------
    rows : array
        Numbers of the samples that are as bad at either end.
    multipliers : array
        λ of those.
    coefs : array (m,)
        For p = ∞ the coefficients at zero, for p = 1 those tied at the maximum; boolean.
    zeros : array (d,)
        The entries that an l1 penalty holds at zero; boolean.
    """

    rows: Array
    multipliers: Array
    coefs: Array
    zeros: Array

    def same(self, other: Kinks) -> bool:
        """Whether these are the others' kinks."""
        mine, theirs = ((k.rows, k.coefs, k.zeros) for k in (self, other))
        return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


class PassLimit(Exception):  # noqa: N818 - ends a search, and is no error
    """The bound on passes over the data was reached."""


@dataclass
class RobustProblem:
    """J and its parts.

    Attributes
    ----------
    sweep : Sweep
    alpha : float
    penalized : array (d,)
    weights : array (m,)
        D; 0 where a feature cannot be attacked.
    p, q, rho : float
        The attack's norm, its dual exponent, and the budget ρ = ε s.
    limit, n_passes : int
        Bound on the passes over the data, and how many there were so far.
    best : Point or None
        The point of smallest subgradient met so far.
    natural : Local or None
        E ℓ and the penalty at the start, where somebody knows them.
    l1 : array (d,) or None
        λ; None: there is no such term.
    """

    sweep: Sweep
    alpha: float
    penalized: Array
    weights: Array
    p: float
    q: float
    rho: float
    limit: int = 1000
    n_passes: int = 0
    best: Point | None = None
    natural: Local | None = None
    l1: Array | None = None

    @cached_property
    def design(self) -> Design:
        """The rows, for products with them."""
        return Design(self.sweep)

    @property
    def has_kinks(self) -> bool:
        """Whether J has kinks where the two ends of a sample are as bad."""
        return self.sweep.loss.has_kinks

    @property
    def is_quadratic(self) -> bool:
        """Whether ψ is a quadratic where it is smooth."""
        return self.sweep.loss.is_quadratic

    @property
    def stays_dense(self) -> bool:
        """Whether systems are of the columns, however many there are."""
        return False

    @property
    def least_gap(self) -> float:
        """Where kinks cannot be told apart, a gap as small as this will do."""
        return 1e-11

    @property
    def furthest(self) -> Any:
        """How many κ the prediction of a row may be moved by."""
        return 1.0

    @property
    def folds(self) -> bool:
        """Whether rows with a worse end that stays are a quadratic together."""
        return self.has_kinks and self.sweep.loss.is_quadratic

    @property
    def is_penalized(self) -> bool:
        """Whether coefficients cannot grow for ever."""
        return self.alpha > 0.0 or self.l1 is not None

    @property
    def m(self) -> int:
        """The number of coefficients."""
        return self.weights.size

    @property
    def total_weight(self) -> float:
        """Σ w."""
        w = self.sweep.source.weights()
        return float(w.sum()) if w.size else float(self.sweep.source.n_rows)

    def norm(self, theta: Array) -> float:
        """‖Dβ‖_q."""
        return float(lp_norm(self.weights * theta[: self.m], self.q))

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> InfluenceSums:
        """One pass at θ.

        Raises
        ------
        PassLimit
            There were as many as allowed.
        """
        self.count_pass()
        return self.sweep.run(theta, NEED, kappa=kappa, smoothing=smoothing, multiplier=multiplier)

    def approached(self, theta: Array) -> Array | None:
        """The minimum but for rounding, where that costs next to nothing; None where it does not,
        or the norm may vanish there."""
        return None

    def count_pass(self) -> None:
        """Another pass is made.

        Raises
        ------
        PassLimit
            There were as many as allowed.
        """
        if self.n_passes >= self.limit:
            raise PassLimit
        self.n_passes += 1

    def offer(self, point: Point) -> None:
        """Keep a point if it is the best so far.

        Where a loss only reaches its infimum at infinity its slopes vanish on the way, and
        a small gradient there proves nothing.
        """
        escaping = not self.sweep.loss.attains_minimum and not self.is_penalized
        if escaping and point.slope < 1e-12:
            return
        if self.best is None or point.residual < self.best.residual:
            self.best = point

    def solved(self, tol: float) -> bool:
        """Whether some point met the tolerance."""
        return self.best is not None and self.best.residual <= tol

    def penalty(self, theta: Array) -> float:
        """α ‖θ_pen‖² + Σ λ |θ|."""
        squares = self.alpha * float(self.penalized @ theta**2)
        return squares if self.l1 is None else squares + float(self.l1 @ np.abs(theta))

    def least(self, gradient: Array, theta: Array) -> Array:
        """What a gradient of all but the l1 term leaves as the least subgradient with it."""
        return gradient if self.l1 is None else least_subgradient(gradient, theta, self.l1)

    def without_attack(self, theta: Array) -> Local:
        """E ℓ and the penalty but for its l1 term at θ, by a pass."""
        sums, push = self.sums(theta, 0.0), 2.0 * self.alpha * self.penalized
        hessian = sums.hessian
        hessian.flat[:: theta.size + 1] += push
        value = sums.loss + self.penalty(theta)
        return Local(value, sums.gradient + push * theta, hessian, sums.yardstick)

    def objective(self, theta: Array) -> float:
        """J(θ)."""
        return self.sums(theta, self.rho * self.norm(theta)).loss + self.penalty(theta)

    def worst(self, f: Array, y: Array, kappa: float, w: Array) -> float:
        """E ψ(f, κ), from predictions (n,), targets and normalised weights."""
        loss, total = self.sweep.loss, 0.0
        for rows in blocks(f.size):
            total += float(w[rows] @ loss.worst(f[rows], y[rows], kappa))
        return total

    def worst_between(self, ends: tuple[Array, Array], t: float, kappa: float) -> float:
        """E ψ at the predictions f + t (g − f), without an array of them."""
        (f, g), y, w = ends, self.design.targets, self.design.weights
        return sum(
            self.worst(f[rows] + t * (g[rows] - f[rows]), y[rows], kappa, w[rows])
            for rows in blocks(f.size)
        )

    def dual_point(self, f: Array, y: Array, w: Array, kappa: float, balance: Array) -> DualPoint:
        """The dual point that goes with λ at (f, κ)."""
        return at_ends(self.sweep.loss, y, w, f, kappa, balance)

    def row_terms(self, y: Array, w: Array) -> RowTerms:
        """E ψ as an interior-point method sees it."""
        return row_terms(self.sweep.loss, y, w)

    def shared_rows(self, theta: Array, f: Array) -> Any:
        """The same of rows that have more than κ in common; None where they have not."""
        return None

    def at_zero(self, f: Array, slope: Array) -> tuple[float, DualPoint]:
        """E ψ_κ at κ = 0, from predictions and ℓ' (n,), and the dual point that goes with it."""
        y, w = self.design.targets, self.design.weights
        side = np.where(slope > 0.0, 1, -1).astype(np.int8)
        return float(w @ np.abs(slope)), at_ends(self.sweep.loss, y, w, f, 0.0, side)


def assemble(
    problem: RobustProblem, theta: Array, sums: InfluenceSums, k: Array, bend: Array
) -> Local:
    """Value, gradient and Hessian of J from the sums in (f, κ) and κ's derivatives; of its
    gradient all but the l1 term's.

    ∇J = E ψ_f (v,1) + E ψ_κ k + 2αθ_pen and
    ∇²J = E ψ_ff (v,1)(v,1)ᵀ + h kᵀ + k hᵀ + E ψ_κκ kkᵀ + E ψ_κ ∇²κ + 2α, h = E ψ_fκ (v,1).
    """
    gradient = sums.gradient + sums.gain * k + 2.0 * problem.alpha * problem.penalized * theta
    cross = np.outer(sums.mixed_direction, k)
    hessian = sums.hessian + cross + cross.T + sums.scalar(c.S_KK) * np.outer(k, k)
    hessian += max(sums.gain, 0.0) * bend
    if problem.alpha > 0.0:
        hessian.flat[:: theta.size + 1] += 2.0 * problem.alpha * problem.penalized
    value = sums.loss + problem.penalty(theta)
    if not np.isfinite(value):
        value = np.inf
    return Local(value, gradient, hessian, sums.yardstick)

"""The robust objective about a point of the path, with what is near its kinks apart.

    J(θ + v) ≈ J_s + rᵀv + ½ vᵀHv + Σ_rows w̄_i |c_i + ∇c_iᵀv| + ρ P_κ (the norm's kinks),

c half the difference of a row's loss at its two ends. A multiplier λ_i in [−1, 1] attacks the ends
with shares (1 ± λ_i)/2; off kinks it is the sign of c_i. With ψ^λ = ½(ℓ₊ + ℓ₋) + λc, k = ρ∇N and
h = E ψ_fκ z,

    H = E ψ_ff zzᵀ + hkᵀ + khᵀ + E ψ_κκ kkᵀ + ρ E ψ_κ ∇²N + 2αP.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....losses import Loss
from ....solvers.cholesky import Factor, factorize
from ....threat.attack_set import DualNorm
from ....threat.near_norm import NearNorm
from ....utils.caching import cached_property
from .readings import Readings

Array = NDArray[Any]

_RIDGES = (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6)  # of H's diagonal
_PER_COLUMN, _MOST = 3, 600  # rows near their kinks that a step looks at


@dataclass(frozen=True)
class Problem:
    """What stays the same along a path, in working coordinates.

    Attributes
    ----------
    readings : Readings
    loss : Loss
    norm : DualNorm
    ridge : array (d,)
        2αP.
    """

    readings: Readings
    loss: Loss
    norm: DualNorm
    ridge: Array

    @property
    def m(self) -> int:
        """The number of coefficients."""
        return int(self.norm.weights.size)

    def value(self, f: Array, theta: Array, rho: float) -> float:
        """J(θ) from predictions f (n,); ∞ where it overflows."""
        kappa = rho * self.norm.value(theta[: self.m])
        with np.errstate(over="ignore", invalid="ignore"):
            y = self.readings.targets
            if self.loss.is_monotone:
                worst = self.loss.value(f - kappa * y, y)
            else:
                worst = self.loss.worst(f, y, kappa)
            total = float(self.readings.weights @ worst) + self.penalty(theta)
        return total if np.isfinite(total) else np.inf

    def penalty(self, theta: Array) -> float:
        """α θᵀPθ."""
        return 0.5 * float(self.ridge @ theta**2)


class Multipliers(NamedTuple):
    """What is at its kinks, and by which multipliers.

    Attributes
    ----------
    rows, sides : arrays (k,)
        Rows at, or near, a kink and their λ.
    slope : array (m,) or None
        The subgradient of N.
    """

    rows: Array
    sides: Array
    slope: Array | None

    @classmethod
    def none(cls) -> Multipliers:
        """Nothing is known."""
        return cls(np.empty(0, dtype=int), np.empty(0), None)


class Rows(NamedTuple):
    """ψ^λ of every row, times its weight, (n,) each, and sums."""

    along_f: Array
    bend: Array
    cross: Array
    along_kappa: float
    curvature: float
    gap: Array  # c_i / κ
    ends: tuple[Array, Array]  # ½(ℓ'₊ − ℓ'₋), ½(ℓ'₊ + ℓ'₋)


@np.errstate(over="ignore", invalid="ignore")
def row_terms(problem: Problem, f: Array, kappa: float, gap: Array, sides: Array) -> Rows:
    """ψ^λ at (f, κ), where c = κ gap."""
    loss, y, w = problem.loss, problem.readings.targets, problem.readings.weights
    if not loss.has_kinks:  # no row has two ends that matter
        end = f + sides * kappa
        slope, bend = w * loss.slope(end, y), w * loss.curvature(end, y)
        total = float(sides @ slope)
        return Rows(slope, bend, sides * bend, total, float(bend.sum()), gap, (slope, slope))
    up, down = loss.slope(f + kappa, y), loss.slope(f - kappa, y)
    bend_up, bend_down = loss.curvature(f + kappa, y), loss.curvature(f - kappa, y)
    upper, lower = 0.5 * (1.0 + sides) * w, 0.5 * (1.0 - sides) * w
    bend, cross = upper * bend_up + lower * bend_down, upper * bend_up - lower * bend_down
    return Rows(
        upper * up + lower * down, bend, cross, float(upper @ up - lower @ down), float(bend.sum()),
        gap, (0.5 * (up - down), 0.5 * (up + down)),
    )  # fmt: skip


def sides_of(gap: Array, known: Multipliers) -> Array:
    """λ (n,): the sign of c, or what is known."""
    sides = np.where(gap < 0.0, -1.0, 1.0)
    sides[known.rows] = known.sides
    return sides


@dataclass(frozen=True)
class Place:
    """The objective about θ at ρ.

    Attributes
    ----------
    problem : Problem
    theta, f : arrays (d,), (n,)
    rho, kappa : float
    rows : Rows
    sides : array (n,)
    norm : NearNorm
    matrix : array (d, d)
        E ψ_ff zzᵀ + 2αP, here or nearby.
    pulled : array (d, 2)
        E ψ_f z and h = E ψ_fκ z.
    known : Multipliers
    """

    problem: Problem
    theta: Array
    f: Array
    rho: float
    kappa: float
    rows: Rows
    sides: Array
    norm: NearNorm
    matrix: Array
    pulled: Array
    known: Multipliers

    @property
    def slope(self) -> Array:
        """k = ρ n (d,), with the present multipliers."""
        out = np.zeros(self.theta.size)
        out[: self.problem.m] = self.rho * self.norm.slope(self.norm.shares)
        return out

    @property
    def gradient(self) -> Array:
        """Of J with the present multipliers, (d,)."""
        steep = self.rows.along_kappa * self.slope
        return np.asarray(self.pulled[:, 0] + steep + self.problem.ridge * self.theta)

    @cached_property
    def value(self) -> float:
        """J(θ)."""
        return self.problem.value(self.f, self.theta, self.rho)

    def hessian(self, bound: bool = False) -> Array:
        """H (d, d), or a matrix above it that is definite whatever the matrix.

        A matrix of elsewhere need not be above hhᵀ/c̄, as that of this place is.
        """
        k, h, m = self.slope, self.pulled[:, 1], self.problem.m
        cross = np.outer(h, k)
        H = self.matrix + cross + cross.T + self.rows.curvature * np.outer(k, k)
        if bound:
            H += np.outer(h, h) / self.rows.curvature
        weight = self.rho * max(self.rows.along_kappa, 0.0)
        inner = np.arange(m)
        H[inner, inner] += weight * self.norm.bend
        if self.norm.curl:
            H[:m, :m] -= weight * self.norm.curl * np.outer(self.norm.gradient, self.norm.gradient)
        return np.asarray(H)

    def factor(self) -> Factor:
        """Of H, raised by as little as makes it definite."""
        found = factorize(self.hessian())
        if found is not None:
            return found
        H = self.hessian(bound=not self.problem.loss.is_quadratic)
        for ridge in _RIDGES:
            raised = H.copy()
            raised[np.diag_indices_from(H)] *= 1.0 + ridge
            found = factorize(raised)
            if found is not None:
                return found
        raise np.linalg.LinAlgError("the robust objective has no curvature in some direction")

    def kink_slopes(self, which: Array) -> Array:
        """∇c_i (k, d) of some rows."""
        along_f, along_kappa = (part[which] for part in self.rows.ends)
        rows = self.problem.readings.rows(which)
        return along_f[:, None] * rows + np.outer(along_kappa, self.slope)

    def candidates(self) -> Array:
        """Rows near their kinks."""
        if not self.problem.loss.has_kinks or not self.rho > 0.0:
            return np.empty(0, dtype=int)
        n, d = self.f.size, self.theta.size
        count = min(n, _PER_COLUMN * d + 30, _MOST)
        spread = np.maximum(self.rows.ends[0] / max(self.kappa, 1e-300), 1e-300)
        distance = np.abs(self.rows.gap) / spread
        distance[self.known.rows[np.abs(self.known.sides) < 1.0]] = 0.0
        if count == n:
            return np.arange(n)
        return np.sort(np.argpartition(distance, count)[:count])


def places(
    problem: Problem, thetas: Array, rhos: Array, known: list[Multipliers], matrices: list[Array],
    f: Array | None = None,
) -> list[Place]:  # fmt: skip
    """Places at several θ (d, k): two readings of the rows for all of them."""
    if f is None:
        f = problem.readings.predict(thetas)
    parts = [
        _unpulled(problem, thetas[:, j], f[:, j], float(rhos[j]), known[j])
        for j in range(len(known))
    ]
    numbers = [part for _, _, rows, _ in parts for part in (rows.along_f, rows.cross)]
    pulled = problem.readings.pull(np.column_stack(numbers))
    return [
        Place(
            problem, thetas[:, j], f[:, j], float(rhos[j]), kappa, rows, sides, norm, matrices[j],
            pulled[:, 2 * j : 2 * j + 2], known[j],
        )
        for j, (kappa, sides, rows, norm) in enumerate(parts)
    ]  # fmt: skip


def place(
    problem: Problem, theta: Array, f: Array, rho: float, known: Multipliers, matrix: Array | None
) -> Place:
    """The place at θ; without a matrix it is summed here, in the same reading."""
    kappa, sides, rows, norm = _unpulled(problem, theta, f, rho, known)
    numbers = np.column_stack([rows.along_f, rows.cross])
    if matrix is None:
        matrix, pulled = problem.readings.gram(rows.bend, numbers)
        matrix = matrix.copy()
        matrix[np.diag_indices_from(matrix)] += problem.ridge
    else:
        pulled = problem.readings.pull(numbers)
    return Place(problem, theta, f, rho, kappa, rows, sides, norm, matrix, pulled, known)


def _unpulled(
    problem: Problem, theta: Array, f: Array, rho: float, known: Multipliers
) -> tuple[float, Array, Rows, NearNorm]:
    beta = theta[: problem.m]
    kappa = rho * problem.norm.value(beta)
    norm = problem.norm.near(beta, known.slope)
    loss, y = problem.loss, problem.readings.targets
    gap = -y if loss.is_monotone else loss.end_gap(f, y, kappa)
    sides = sides_of(gap, known)
    return kappa, sides, row_terms(problem, f, kappa, gap, sides), norm


def refreshed(at: Place) -> Place:
    """The same with its own matrix: a reading that sums a Hessian."""
    again = place(at.problem, at.theta, at.f, at.rho, at.known, None)
    return dataclasses.replace(at, matrix=again.matrix)

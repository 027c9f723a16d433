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

from ...._compute import get
from ...._compute import types as c
from ....losses import Loss
from ....solvers.cholesky import Factor, factorize
from ....threat.attack_set import DualNorm
from ....threat.near_norm import NearNorm
from ....utils.caching import cached_property
from .readings import Readings

Array = NDArray[Any]

_RIDGES = (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6)  # of H's diagonal
_PER_COLUMN, _MOST = 20, 1200  # rows near their kinks that a step looks at
_REACH = 3.0  # times how far a plain step moves predictions: rows as near may meet their kinks
_SCALE = 100.0  # times what rows bend here: a matrix as large is of elsewhere
AT_KINK = 1e-9  # of a row's scale: c as small is zero


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

    @cached_property
    def slope_at_nothing(self) -> Array:
        """E ℓ'(0) z (d,): a reading."""
        y, w = self.readings.targets, self.readings.weights
        return self.readings.pull((w * self.loss.slope(np.zeros_like(y), y))[:, None])[:, 0]

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
    """ψ^λ of rows, times their weights, (k,) each."""

    along_f: Array
    along_kappa: Array
    bend: Array
    cross: Array


class Sums(NamedTuple):
    """Over all rows: E ψ, E ψ_κ, E ψ_κκ; E ψ_f z and h = E ψ_fκ z, (d, 2)."""

    value: float
    along_kappa: float
    curvature: float
    pulled: Array


@np.errstate(over="ignore", invalid="ignore")
def at_one_end(problem: Problem, rows: slice, f: Array, kappa: float) -> tuple[float, Rows]:
    """E ψ over some rows, and their ψ^λ, each attacked at its worse end."""
    loss, y, w = problem.loss, problem.readings.targets[rows], problem.readings.weights[rows]
    sides = _ends(loss, f, y, kappa)
    end = f + sides * kappa
    slope, bend = w * loss.slope(end, y), w * loss.curvature(end, y)
    return float(w @ loss.value(end, y)), Rows(slope, sides * slope, bend, sides * bend)


def row_terms(problem: Problem, which: Any, f: Array, kappa: float, sides: Array) -> Rows:
    """ψ^λ of rows whose predictions are f."""
    loss, y, w = problem.loss, problem.readings.targets[which], problem.readings.weights[which]
    if not loss.has_kinks:  # no row has two ends that matter
        end = f + sides * kappa
        slope, bend = w * loss.slope(end, y), w * loss.curvature(end, y)
        return Rows(slope, sides * slope, bend, sides * bend)
    up, down = loss.slope(f + kappa, y), loss.slope(f - kappa, y)
    bend_up, bend_down = loss.curvature(f + kappa, y), loss.curvature(f - kappa, y)
    upper, lower = 0.5 * (1.0 + sides) * w, 0.5 * (1.0 - sides) * w
    along_f, along_kappa = upper * up + lower * down, upper * up - lower * down
    bend, cross = upper * bend_up + lower * bend_down, upper * bend_up - lower * bend_down
    return Rows(along_f, along_kappa, bend, cross)


def _ends(loss: Loss, f: Array, y: Array, kappa: float) -> Array:
    """±1: at which end rows are worse."""
    if loss.is_symmetric:
        return np.where(f < y, -1.0, 1.0)
    return -np.sign(y) if loss.is_monotone else loss.worse_end(f, y, kappa)


@dataclass(frozen=True)
class Place:
    """The objective about θ at ρ.

    Attributes
    ----------
    problem : Problem
    theta, f : arrays (d,), (n,)
    rho, kappa : float
    at_ends : Sums
        With every row at its worse end.
    matrix : array (d, d)
        E ψ_ff zzᵀ + 2αP, here or nearby.
    known : Multipliers
    """

    problem: Problem
    theta: Array
    f: Array
    rho: float
    kappa: float
    at_ends: Sums
    matrix: Array
    known: Multipliers

    @cached_property
    def norm(self) -> NearNorm:
        """N about β."""
        return self.problem.norm.near(self.theta[: self.problem.m], self.known.slope)

    @cached_property
    def sums(self) -> Sums:
        """With the multipliers that are known."""
        return _with_known(self.problem, self.at_ends, self.f, self.kappa, self.known)

    @cached_property
    def slope(self) -> Array:
        """k = ρ n (d,), with the present multipliers."""
        out = np.zeros(self.theta.size)
        out[: self.problem.m] = self.rho * self.norm.slope(self.norm.shares)
        return out

    @property
    def gradient(self) -> Array:
        """Of J with the present multipliers, (d,)."""
        steep = self.sums.along_kappa * self.slope
        return np.asarray(self.sums.pulled[:, 0] + steep + self.problem.ridge * self.theta)

    @cached_property
    def value(self) -> float:
        """J(θ)."""
        total = self.at_ends.value + self.problem.penalty(self.theta)
        return total if np.isfinite(total) else np.inf

    def sides(self, which: Any = slice(None)) -> Array:
        """λ of some rows, in their order."""
        loss, y = self.problem.loss, self.problem.readings.targets
        sides = np.array(_ends(loss, self.f[which], y[which], self.kappa))
        if isinstance(which, slice):
            sides[self.known.rows] = self.known.sides
            return sides
        places = np.searchsorted(which, self.known.rows)
        inside = places < which.size
        inside[inside] = which[places[inside]] == self.known.rows[inside]
        sides[places[inside]] = self.known.sides[inside]
        return sides

    @cached_property
    def rows(self) -> Rows:
        """ψ^λ of every row."""
        return row_terms(self.problem, slice(None), self.f, self.kappa, self.sides())

    def is_above(self) -> Array:
        """Whether c_i ≥ 0, of every row: it is worse at its upper end."""
        if self.problem.loss.is_symmetric:
            return np.asarray(self.f >= self.problem.readings.targets)
        return np.asarray(self.gaps() >= 0.0)

    def gaps(self, which: Any = slice(None)) -> Array:
        """c_i / κ of some rows."""
        y = self.problem.readings.targets[which]
        loss = self.problem.loss
        return -y if loss.is_monotone else loss.end_gap(self.f[which], y, self.kappa)

    @np.errstate(over="ignore", invalid="ignore")
    def ends(self, which: Any = slice(None)) -> tuple[Array, Array]:
        """½(ℓ'₊ − ℓ'₋) and ½(ℓ'₊ + ℓ'₋) of some rows: ∂c/∂f and ∂c/∂κ."""
        loss, f, y = self.problem.loss, self.f[which], self.problem.readings.targets[which]
        up, down = loss.slope(f + self.kappa, y), loss.slope(f - self.kappa, y)
        return 0.5 * (up - down), 0.5 * (up + down)

    def hessian(self, bound: bool = False) -> Array:
        """H (d, d), or a matrix above it that is definite whatever the matrix.

        A matrix of elsewhere need not be above hhᵀ/c̄, as that of this place is.
        """
        k, h, m = self.slope, self.sums.pulled[:, 1], self.problem.m
        cross = (h + 0.5 * self.sums.curvature * k)[:, None] * k
        H = cross + cross.T
        H += self.matrix
        if bound:
            H += h[:, None] * (h / self.sums.curvature)
        weight = self.rho * max(self.sums.along_kappa, 0.0)
        if self.norm.curl:
            g = self.norm.gradient
            H[:m, :m] -= (weight * self.norm.curl * g)[:, None] * g
        H.reshape(-1)[: m * (k.size + 1) : k.size + 1] += weight * self.norm.bend
        return np.asarray(H)

    def factor(self) -> Factor:
        """Of H, raised by as little as makes it definite.

        Raises
        ------
        numpy.linalg.LinAlgError
            H has no curvature in some direction, or overflows.
        """
        found = self.definite
        if found is None:
            raise np.linalg.LinAlgError(
                "the robust objective has no curvature in some direction: fit the model with a "
                "penalty (alpha > 0), or leave out columns that others determine"
            )
        return found

    @cached_property
    def definite(self) -> Factor | None:
        """The factor, if there is one."""
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
        return None

    @property
    def is_out_of_scale(self) -> bool:
        """Whether the matrix is of where losses bend a hundred times more, or less, than here.

        By a matrix that is too large J would seem to be at its minimum.
        """
        squares = self.problem.readings.squares
        if squares is None or self.problem.loss.is_quadratic or not np.isfinite(self.value):
            return False
        here = self.sums.curvature * squares
        used = here > 0.0
        with np.errstate(over="ignore"):
            there = (self.matrix.diagonal() - self.problem.ridge)[used] / here[used]
        middle = there.size // 2
        size = float(np.partition(there, middle)[middle]) if there.size else 1.0
        return not 1.0 / _SCALE <= size <= _SCALE

    def kink_slopes(self, which: Array) -> Array:
        """w̄_i ∇c_i (k, d) of some rows."""
        along_f, along_kappa = self.ends(which)
        weights, found = self.problem.readings.weights[which], self.problem.readings.rows(which)
        found *= (weights * along_f)[:, None]
        found += (weights * along_kappa)[:, None] * self.slope
        return found

    def candidates(self, move: Array) -> Array:
        """Rows that steps about as long as this may take to a kink, and those that are there."""
        problem = self.problem
        if not problem.loss.has_kinks or not self.rho > 0.0:
            return np.empty(0, dtype=int)
        distance = self._distances
        size = problem.readings.reach + max(float(self.f.max()), -float(self.f.min()))
        reach = max(_REACH * self._speed(move), AT_KINK * (size + self.kappa))
        near = distance <= reach
        held = self.known.rows[np.abs(self.known.sides) < 1.0]
        near[held] = True
        which = np.flatnonzero(near)
        most = min(_PER_COLUMN * self.theta.size + 30, _MOST)
        if which.size > most:
            distance[held] = 0.0
            which = np.sort(which[np.argpartition(distance[which], most)[:most]])
        return which

    @property
    def _distances(self) -> Array:
        """How far the predictions of rows are from their kinks, (n,)."""
        if self.problem.loss.is_symmetric:
            return np.abs(self.f - self.problem.readings.targets)
        spread = np.maximum(self.ends()[0] / max(self.kappa, 1e-300), 1e-300)
        return np.asarray(np.abs(self.gaps()) / spread)

    def _speed(self, move: Array) -> float:
        """By how much a move changes predictions, in the mean square, and κ."""
        problem = self.problem
        square = float(move @ (self.matrix @ move - problem.ridge * move))
        speed = np.sqrt(max(square, 0.0) / max(self.sums.curvature, 1e-300))
        return float(speed + (0.0 if problem.loss.is_symmetric else abs(self.slope @ move)))


@np.errstate(over="ignore", invalid="ignore")
def places(
    problem: Problem, thetas: Array, rhos: Array, known: list[Multipliers], matrices: list[Array]
) -> list[Place]:
    """Places at several θ (d, k), N(β) > 0 unless ρ is 0: one reading of the rows for all."""
    k, m = len(known), problem.m
    kappas = [float(r) * problem.norm.value(thetas[:m, j]) for j, r in enumerate(rhos)]
    straight = problem.loss.is_quadratic and matrices[0].size > 0

    def see(rows: slice, f: Array) -> tuple[Array, Array]:
        numbers, totals = np.empty((2 * k, f.shape[1])), np.empty((k, 3))
        if problem.loss.is_symmetric or problem.loss.is_monotone:
            numbers, totals = _seen(problem, rows, f, kappas, numbers)
            return numbers[1::2] if straight else numbers, totals
        for j, kappa in enumerate(kappas):
            value, terms = at_one_end(problem, rows, f[j], kappa)
            numbers[2 * j], numbers[2 * j + 1] = terms.along_f, terms.cross
            totals[j] = value, terms.along_kappa.sum(), terms.bend.sum()
        return numbers, totals.ravel()

    f, pulled, totals = problem.readings.through(thetas, see, k if straight else 2 * k)
    if straight:
        pulled = _with_slopes(problem, thetas, np.array(kappas), matrices, pulled)
    found = []
    for j, kappa in enumerate(kappas):
        value, along_kappa, bend = map(float, totals[3 * j : 3 * j + 3])
        sums = Sums(value, along_kappa, bend, pulled[2 * j : 2 * j + 2].T)
        theta, rho = thetas[:, j], float(rhos[j])
        found.append(Place(problem, theta, f[j], rho, kappa, sums, matrices[j], known[j]))
    return found


def _with_slopes(
    problem: Problem, thetas: Array, kappas: Array, matrices: list[Array], crossed: Array
) -> Array:
    """E ψ_f z and E ψ_fκ z by turns, (2k, d), of a loss of constant curvature from the latter.

    ψ_f = ℓ'(0) + ℓ''f + κ ψ_fκ is linear in f: the matrix tells it, and the rows need not.
    """
    found = np.empty((2 * len(kappas), crossed.shape[1]))
    found[1::2] = crossed
    for j, matrix in enumerate(matrices):
        theta = thetas[:, j]
        found[2 * j] = matrix @ theta - problem.ridge * theta + kappas[j] * crossed[j]
    found[::2] += problem.slope_at_nothing
    return found


def _seen(
    problem: Problem, rows: slice, f: Array, kappas: list[float], numbers: Array
) -> tuple[Array, Array]:
    """`at_one_end` of several predictors, by a compiled operation.

    Of losses whose worse end is told by a sign alone: those that tell it by a difference of
    exponentials would have ends of their own at kinks.
    """
    readings, scalars = problem.readings, np.zeros((len(kappas), c.N_SCALARS))
    get("end_slopes")(
        f, readings.targets[rows], readings.weights[rows], problem.loss.inner(), np.array(kappas),
        numbers, scalars,
    )  # fmt: skip
    return numbers, scalars[:, [c.S_LOSS, c.S_K, c.S_FF]].ravel()


@np.errstate(over="ignore", invalid="ignore")
def _with_known(problem: Problem, sums: Sums, f: Array, kappa: float, known: Multipliers) -> Sums:
    """Sums with some rows' multipliers in place of their worse ends."""
    which, loss = known.rows, problem.loss
    if not which.size or not loss.has_kinks:
        return sums
    f, y = f[which], problem.readings.targets[which]
    more = 0.5 * problem.readings.weights[which] * (known.sides - _ends(loss, f, y, kappa))
    up, down = loss.slope(f + kappa, y), loss.slope(f - kappa, y)
    bend_up, bend_down = loss.curvature(f + kappa, y), loss.curvature(f - kappa, y)
    numbers = np.column_stack([more * (up - down), more * (bend_up + bend_down)])
    pulled = problem.readings.rows(which).T @ numbers
    along_kappa = sums.along_kappa + float(more @ (up + down))
    bend = sums.curvature + float(more @ (bend_up - bend_down))
    return Sums(sums.value, along_kappa, bend, sums.pulled + pulled)


def place(problem: Problem, theta: Array, rho: float, known: Multipliers) -> Place:
    """The place at θ, with its own matrix: a reading that sums it, and one before."""
    nothing = np.empty((0, 0))
    (at,) = places(problem, theta[:, None], np.array([rho]), [known], [nothing])
    return refreshed(at)


def refreshed(at: Place) -> Place:
    """The same with its own matrix: a reading that sums it."""
    bend = at.rows.bend
    matrix, _ = at.problem.readings.gram(bend, bend[:, None])
    matrix = matrix.copy()
    matrix[np.diag_indices_from(matrix)] += at.problem.ridge
    return dataclasses.replace(at, matrix=matrix)

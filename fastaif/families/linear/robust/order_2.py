"""Least squares under attacks whose budget samples share with order 2.

There the inner maximum is closed: Ψ(θ, κ) = (A + κ)² with A = √(E r²), for every norm. It
takes the place of E ψ(f_i, κ) in a `RobustProblem`; samples have no kinks, and all
derivatives come from the sums at κ = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....losses import Loss
from ....passes.sums import InfluenceSums
from ....solvers.newton import Local, minimize
from ....utils.caching import cached_property
from .dual_points import DualPoint
from .norm_kinks import norm_piece
from .objective import NEED, RobustProblem, assemble
from .root_faces import Square, least_on_faces, vanishes
from .row_terms import RowTerms, SmoothTerms

Array = NDArray[Any]
_NEAR, _STEPS = 1e-9, 30  # a residual of which passes make one of 1e-16, and steps until then


@dataclass(frozen=True)
class RootSums:
    """Ψ and its derivatives in (θ, κ), with the names that `InfluenceSums` has for E ψ's."""

    natural: InfluenceSums | Square
    kappa: float
    soft: float = 0.0

    @cached_property
    def root(self) -> float:
        """A = √(E r² + σ²)."""
        return math.hypot(math.sqrt(self.natural.loss), self.soft)

    @property
    def loss(self) -> float:
        """(A + κ)²."""
        return (self.root + self.kappa) ** 2

    @property
    def gain(self) -> float:
        """Ψ_κ = 2 (A + κ)."""
        return 2.0 * (self.root + self.kappa)

    @property
    def mixed_direction(self) -> Array:
        """Ψ_θκ = 2 ∇A."""
        return self.natural.gradient / self.root

    @property
    def gradient(self) -> Array:
        """Ψ_θ = 2 (A + κ) ∇A."""
        return (1.0 + self.kappa / self.root) * self.natural.gradient

    @property
    def hessian(self) -> Array:
        """Ψ_θθ = 2 ∇A ∇Aᵀ + 2 (A + κ) ∇²A, ∇²A = (½∇²A² − ∇A ∇Aᵀ)/A."""
        ratio, slope = self.kappa / self.root, 0.5 * self.mixed_direction
        return (1.0 + ratio) * self.natural.hessian - 2.0 * ratio * np.outer(slope, slope)

    def scalar(self, place: int) -> float:
        """Ψ_κκ = 2."""
        if place != c.S_KK:
            raise ValueError(f"no such sum: {place}")
        return 2.0

    @property
    def yardstick(self) -> float:
        """What gradients are small or large against."""
        return (1.0 + self.kappa / self.root) * self.natural.yardstick

    @property
    def is_finite(self) -> bool:
        """Whether the residuals do not all vanish, where A has a kink, and are finite."""
        return self.natural.is_finite and self.root > 0.0


@dataclass(frozen=True)
class RootMultipliers:
    """k (A + κ) − ¼k² with A ≥ hᵀ(f − y): a lower bound of (A + κ)² for all Σ h²/w̄ ≤ 1.

    Attributes
    ----------
    y, w : array (n,)
    direction : array (n,)
        h.
    slope : float
        k.
    """

    y: Array
    w: Array
    direction: Array
    slope: float

    @property
    def along_f(self) -> Array:
        return self.slope * self.direction

    @property
    def along_kappa(self) -> float:
        return self.slope

    def lost(self, f: Array, kappa: float) -> float:
        """Of the square, and of A."""
        r = f - self.y
        root = float(np.sqrt(self.w @ r**2))
        off = root + kappa - 0.5 * self.slope
        return off**2 + self.slope * max(root - float(self.direction @ r), 0.0)

    def light(self) -> RootMultipliers:
        """These are no predictions'."""
        return self

    def at(self, f: Array) -> RootMultipliers:
        """These are no predictions'."""
        return self

    def raised(self, ratio: float) -> RootMultipliers:
        """A shorter direction."""
        return RootMultipliers(self.y, self.w, self.direction / ratio, self.slope)


def _root(r: Array, w: Array, soft: float) -> float:
    """√(E r² + σ²)."""
    return math.hypot(math.sqrt(w @ r**2), soft)


class _RootTerms(SmoothTerms):
    """(A + κ)²."""

    def __init__(self, loss: Loss, y: Array, w: Array, soft: float = 0.0) -> None:
        super().__init__(loss, y, w)
        self._soft = soft

    def _root_of(self, f: Array) -> float:
        return _root(f - self._y, self._w, self._soft)

    def _total(self, f: Array, kappa: float) -> float:
        return (self._root_of(f) + kappa) ** 2

    def refresh(self, f: Array, kappa: float) -> None:
        self._r, self._kappa = f - self._y, kappa
        self._root = self._root_of(f) or 1e-300
        self.value = (self._root + kappa) ** 2

    @property
    def _direction(self) -> Array:
        return np.asarray(self._w * self._r / self._root)

    @property
    def slopes(self) -> tuple[Array, float]:
        k = 2.0 * (self._root + self._kappa)
        return k * self._direction, k

    def curvature(self) -> tuple[Array, Array, float, float]:
        ratio = self._kappa / self._root
        return 2.0 * (1.0 + ratio) * self._w, 2.0 * self._direction, 2.0, -0.5 * ratio

    def multipliers(self) -> tuple[Array, Array]:
        raise NotImplementedError("rows have no shares of a root")


@dataclass
class RootProblem(RobustProblem):
    """J = (√(E r² + σ²) + ρ‖Dβ‖_q)² + α ‖β‖², σ mostly zero.

    Where all targets are met √(E r²) has a kink, to which σ leads.
    """

    soft: float = 0.0

    def sums(
        self, theta: Array, kappa: float, smoothing: float = 0.0, multiplier: Array = c.EMPTY
    ) -> Any:
        """One pass at θ; samples are not smoothed."""
        return RootSums(super().sums(theta, 0.0), kappa, self.soft)

    def approached(self, theta: Array) -> Array | None:
        """The minimum as E r² at θ knows it, off which rounding alone keeps it: of more rows than
        columns, where some coefficient is attacked and is not zero there. Steps take no pass."""
        if self.design.weights.size <= self.design.n_columns or self.l1 is not None:
            return None
        self.count_pass()
        found = self.sweep.run(theta, NEED)
        square = Square(found.loss, found.gradient, found.hessian, found.yardstick)
        if vanishes(self, square, theta):
            return None
        if not 1.0 < self.q < np.inf:
            return least_on_faces(self, square, theta)
        there = self._least_smoothly(square, theta)
        return there if np.isfinite(there).all() else None

    def _least_smoothly(self, square: Square, theta: Array) -> Array:
        norm = norm_piece(self, theta, None)

        def evaluate(x: Array) -> Local:
            kappa = self.rho * norm.value(x)
            moved = square.moved(x - theta)
            if not (kappa > 0.0 and moved.loss > 0.0):
                return Local(np.inf, x, np.empty((0, 0)), 1.0)
            k, bend = norm.derivatives(x)
            sums: Any = RootSums(moved, kappa, self.soft)
            return assemble(self, x, sums, self.rho * k, self.rho * bend)

        return minimize(evaluate, theta, tol=_NEAR, max_iter=_STEPS).x

    @property
    def has_kinks(self) -> bool:
        """No sample has two worst ends."""
        return False

    def worst(self, f: Array, y: Array, kappa: float, w: Array) -> float:
        """(A + κ)²."""
        return (_root(f - y, w, self.soft) + kappa) ** 2

    def worst_between(self, ends: tuple[Array, Array], t: float, kappa: float) -> float:
        """(A + κ)²; rows share A."""
        f, g = ends
        return self.worst(f + t * (g - f), self.design.targets, kappa, self.design.weights)

    def dual_point(self, f: Array, y: Array, w: Array, kappa: float, balance: Array) -> DualPoint:
        """The one of the gradient."""
        r = f - y
        root = _root(r, w, self.soft) or 1e-300
        return RootMultipliers(y, w, w * r / root, 2.0 * (root + kappa))

    def at_zero(self, f: Array, slope: Array) -> tuple[float, DualPoint]:
        """2 A, and the one of the gradient."""
        y, w = self.design.targets, self.design.weights
        point = self.dual_point(f, y, w, 0.0, slope)
        return point.along_kappa, point

    def row_terms(self, y: Array, w: Array) -> RowTerms:
        """All rows together."""
        return _RootTerms(self.sweep.loss, y, w, self.soft)

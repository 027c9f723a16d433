"""The rows, as an interior-point method sees them: near their kinks, and far from them.

Rows whose worse end may yet change have slacks and multipliers (`row_terms`), and are gone through
one by one. For all others the worse end is settled: ψ is smooth in them, and their sums are all
that is asked for. Of the squared error these sums are a quadratic in (θ, κ), made once. Which rows
are which is looked at again as the barrier falls; that some were taken for settled wrongly shows
in the duality gap, which is all rows'.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .barrier import Pairs
from .design import Design
from .dual_points import DualPoint, RowMultipliers, Shares
from .far_rows import FarRows, far_rows
from .norm_terms import Curvature
from .objective import RobustProblem
from .systems import Dense, Quadratic, System, Wide

Array = NDArray[Any]
# Times as far from one end as from the other, and as little pulled by it, that settle a row at a
# gap of one: on a kink these stay what they are as gaps fall, elsewhere they grow as gaps fall.
_SETTLED, _LEAST = 2.0, 200.0


@dataclass
class NearRows:
    """Rows gone through one by one.

    Attributes
    ----------
    numbers : array (k,)
        Among the rows of positive weight.
    design : Design
        These rows.
    """

    numbers: Array
    design: Design
    weights: Array

    @classmethod
    def of(cls, design: Design, numbers: Array) -> NearRows:
        if numbers.size in (0, design.weights.size):
            return cls(numbers, design, design.weights[numbers])
        return cls(numbers, design.part(numbers), design.weights[numbers])


class Rows:
    """E ψ at an iterate (θ, κ), its derivatives and its part in the Newton steps.

    Attributes
    ----------
    value : float
        E ψ.
    gradient : array (d,)
    along_kappa : float
        Its derivatives, at the multipliers.
    """

    def __init__(
        self, problem: RobustProblem, design: Design, theta: Array, f: Array, near: Array,
        wide: bool, far: FarRows | None = None,
    ) -> None:  # fmt: skip
        self._problem, self._design, self._wide = problem, design, wide
        self.far = far
        if near.size == design.weights.size:
            self.far = None
        elif far is None:
            self.far = far_rows(problem, design, theta, f, near)
        self._returned = np.zeros(f.size, dtype=bool)  # never settled again
        self._see(near)

    def _see(self, near: Array) -> None:
        self.near = NearRows.of(self._design, near)
        self.terms = self._problem.row_terms(self.near.design.targets, self.near.weights)

    @property
    def is_pass(self) -> bool:
        """Whether derivatives at an iterate take a look at rows."""
        return self.near.numbers.size > 0 or (self.far is not None and self.far.is_pass)

    @property
    def pairs(self) -> Pairs | None:
        """Of the rows near their kinks."""
        return self.terms.pairs if self.near.numbers.size else None

    @property
    def n_pairs(self) -> int:
        """How many products s z there are."""
        return self.terms.n_pairs if self.near.numbers.size else 0

    def start(self, f: Array, kappa: float, mu: float) -> None:
        """Onto the central path, from all predictions f (n,)."""
        self._f = f[self.near.numbers]
        if self.near.numbers.size:
            self.terms.start(self._f, kappa, mu)

    def refresh(self, theta: Array, kappa: float) -> None:
        """Derivatives at (θ, κ)."""
        self.value, self.along_kappa, self.yardstick = 0.0, 0.0, 0.0
        self.gradient = np.zeros(theta.size)
        if self.near.numbers.size:
            self.terms.refresh(self._f, kappa)
            along, self.along_kappa = self.terms.slopes
            self.value = self.terms.value
            self.gradient += self._pull(along)
            self.yardstick = self.near.design.yardstick(along)
        if self.far is not None:
            self.far.refresh(theta, kappa)
            self.value += self.far.value
            self.gradient += self.far.gradient
            self.along_kappa += self.far.along_kappa
            self.yardstick += self.far.yardstick

    def _predict(self, theta: Array) -> Array:
        near = self.near
        return near.design.predict(theta) if near.numbers.size else np.empty(0)

    def _pull(self, numbers: Array) -> Array:
        return np.asarray(self.near.design.pull(numbers[:, None])[:, 0])

    @property
    def residual(self) -> float:
        """What the rows' own conditions lack."""
        return self.terms.residual if self.near.numbers.size else 0.0

    def system(
        self, free: Array, scale: Array, diagonal: Array, rho: float, norm: Curvature
    ) -> System:
        """The Newton steps' system at this iterate."""
        if self._wide:
            ff, f_kappa, corner, shared = self.terms.curvature()
            cross = self._pull(rho * f_kappa)
            return Wide(
                self._design, ff, Quadratic(None, cross, rho**2 * corner), shared / rho**2,
                free, scale, diagonal, norm,
            )  # fmt: skip
        total = self._near_quadratic()
        if self.far is not None:
            total = total.plus(self.far.quadratic)
        scaled = Quadratic(total.gram, rho * total.cross, rho**2 * total.corner)
        return Dense(scaled, free, scale, diagonal, norm)

    def _near_quadratic(self) -> Quadratic:
        d = self._design.n_columns
        if not self.near.numbers.size:
            return Quadratic(np.zeros((d, d)), np.zeros(d), 0.0)
        ff, f_kappa, corner, _ = self.terms.curvature()
        return Quadratic(self.near.design.square(ff), self._pull(f_kappa), corner)

    def right(self, mu: float, second: bool) -> tuple[Array, float]:
        """Derivatives in θ (d,) and κ of what the Newton step minimises."""
        gradient, along_kappa = np.zeros(self._design.n_columns), 0.0
        if self.near.numbers.size:
            numbers, along_kappa = self.terms.right(mu, second)
            gradient += self._pull(numbers)
        if self.far is not None:
            gradient += self.far.gradient
            along_kappa += self.far.along_kappa
        return gradient, along_kappa

    def turn(self, dtheta: Array, dkappa: float) -> None:
        """The rows' own step."""
        self._dtheta, self._dkappa = dtheta, dkappa
        self._df = self._predict(dtheta)
        if self.near.numbers.size:
            self.terms.turn(self._df, dkappa)

    def prepare_search(self) -> None:
        """The step is about to be searched along."""
        if self.far is not None:
            self.far.turn(self._dtheta)

    def merit(self, kappa: float, t: float, mu: float) -> float:
        """The barrier's value after a step of length t, which leads to κ."""
        value = 0.0 if self.far is None else self.far.value_after(t, kappa)
        if self.near.numbers.size:
            value += self.terms.merit(self._f + t * self._df, kappa, t, mu)
        return value

    def advance(self, t: float) -> None:
        """Take it."""
        self._f = self._f + t * self._df
        if self.near.numbers.size:
            self.terms.advance(t)

    def kinks(self) -> tuple[Array, Array]:
        """Rows whose multipliers outweigh their slacks at both ends, and λ of those."""
        pairs = self.pairs
        if pairs is None:
            return np.empty(0, dtype=int), np.empty(0)
        part = pairs.multiplier / pairs.multiplier.sum(axis=0)
        on = np.all(part * self.terms.spread > pairs.slack, axis=0)
        return self._design.numbers(self.near.numbers[on]), (part[0] - part[1])[on]

    def multipliers(self, f: Array, kappa: float) -> DualPoint:
        """The dual point, with all predictions f (n,) at this iterate."""
        problem, y, w = self._problem, self._design.targets, self._design.weights
        if self.far is not None:
            point = problem.dual_point(f, y, w, kappa, self.far.sides(f, kappa))
        elif self.n_pairs == 0:  # of rows that nothing keeps apart the point is their slopes'
            return problem.dual_point(f, y, w, kappa, problem.sweep.loss.worse_end(f, y, kappa))
        else:
            point = problem.dual_point(f, y, w, kappa, np.broadcast_to(0.0, y.shape))
        if not self.near.numbers.size:
            return point
        assert isinstance(point, RowMultipliers)
        return dataclasses.replace(point, own=Shares(self.near.numbers, *self.terms.multipliers()))

    def sort(
        self, f: Array, theta: Array, kappa: float, mu: float, gap: float, settles: bool
    ) -> bool:
        """Take in rows that crossed their kinks and, if it `settles`, leave those that are far
        from theirs by now; True where there are any."""
        pairs = self.pairs
        if self._wide or not self._problem.has_kinks:
            return False
        numbers = self.near.numbers
        stays = np.empty(0, dtype=bool)
        if pairs is not None:
            stays = ~(_settled(pairs, gap) & settles) | self._returned[numbers]
        crossed = np.empty(0, dtype=int)
        if self.far is not None:
            crossed = self.far.crossed(f, kappa)
        if stays.all() and not crossed.size:
            return False
        self._returned[crossed] = True
        chosen = np.union1d(numbers[stays], crossed)
        old, old_numbers = self.terms, numbers
        self._see(chosen)
        self._f = f[chosen]
        if chosen.size:
            self.terms.start(self._f, kappa, mu, far=True)
            if stays.any():
                mine = np.searchsorted(chosen, old_numbers[stays])
                self.terms.carry(old, mine, np.flatnonzero(stays))
        if chosen.size == self._design.weights.size:
            self.far = None
        elif self.far is None:
            self.far = far_rows(self._problem, self._design, theta, f, chosen)
        else:
            self.far.change(f, kappa, chosen)
        return True


def _settled(pairs: Pairs, gap: float) -> Array:
    """(k,) whether one end is so much worse that a row's kink is far."""
    low, high = pairs.slack.min(axis=0), pairs.slack.max(axis=0)
    little, much = pairs.multiplier.min(axis=0), pairs.multiplier.max(axis=0)
    ratio = max(_LEAST, _SETTLED / np.sqrt(gap))
    return np.asarray((high > ratio * low) & (much > ratio * little))

"""The largest and the smallest prediction of a basis model within each sample's ball.

The worst attack on a loss convex in f is at one of the two. Everything happens in the
ball's own units, t = δ / c over the attackable features, so that u moves by D t.

For the quadratic basis and p = 2 both are trust-region subproblems, solved exactly for
all samples from one eigendecomposition of D A D; elsewhere projected gradient ascent
climbs from the sample itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ...bases.builtin import Quadratic
from ...bases.expansion import Expansion
from ...threat.attack_set import AttackSet
from ...threat.own_units import OwnUnits
from ...utils.caching import cached_property

Array = NDArray[Any]

_GROW, _SHRINK, _LONGEST = 2.0, 0.25, 1e4


class Climb(NamedTuple):
    """How projected gradient ascent climbs.

    `step` is the first, in units of the ball's radius; it grows where it succeeds and
    shrinks where it fails, for each row. A `leap` goes along φ(∇f) first: right from the
    middle of a small ball, but from other points it would forget where they were.
    """

    n_steps: int = 40
    step: float = 2.0
    leap: bool = True


_DEFAULT_CLIMB = Climb()


class End(NamedTuple):
    """One end of the range of predictions: where (t, (k, m_free)) and by how much f moves."""

    t: Array
    change: Array


def is_exact(basis: Expansion, attack_set: AttackSet) -> bool:
    """Whether the extremes within the attacks of a sample are known exactly."""
    return basis.basis.is_quadratic and attack_set.is_ellipsoid


@dataclass(frozen=True)
class Extremes:
    """The two ends of f = βᵀv + b over balls of one radius.

    Attributes
    ----------
    basis : Expansion
    beta : array (d,)
    ball : AttackSet
    radius : float
        ρ = ε s.
    exact : bool
        Trust-region subproblems in place of ascent.
    climb : Climb
    """

    basis: Expansion
    beta: Array
    ball: AttackSet
    radius: float
    exact: bool
    climb: Climb = _DEFAULT_CLIMB

    @property
    def own(self) -> OwnUnits:
        """The units of attacks."""
        return self.ball.own

    def moved(self, U: Array, t: Array) -> Array:
        """The scaled inputs U after the attack t."""
        out = np.array(U, dtype=np.float64)
        self.own.move_inner(out, t)
        return out

    def slopes(self, U: Array) -> Array:
        """∇_t f, shape (k, m_free)."""
        return np.ascontiguousarray(self.own.slopes(self.basis.gradients_at(U, self.beta)))

    def end(self, U: Array, side: float) -> End:
        """The end towards which side · f grows, for a block of scaled inputs."""
        if self.radius == 0.0:
            return End(np.zeros((len(U), self.own.n_free)), np.zeros(len(U)))
        if self.exact:
            return self._trust_region(U, side)
        start = np.zeros((len(U), self.own.n_free))
        return self.ascend(U, start, lambda change: (side * change, np.full(len(U), side)))

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        A = Quadratic.matrix(self.basis.slope(self.beta), self.basis.m)
        values, vectors = np.linalg.eigh(self.own.form(A))
        return values, vectors

    def _trust_region(self, U: Array, side: float) -> End:
        values, vectors = self._spectrum
        if side > 0:  # the largest first
            values, vectors = values[::-1], vectors[:, ::-1]
        h = np.ascontiguousarray(side * (self.slopes(U) @ vectors))
        z, gains = np.empty(h.shape), np.empty(len(h))
        get("ball_ascent")(h, np.ascontiguousarray(side * values), self.radius, z, gains)
        return End(z @ vectors.T, side * gains)

    def changes(self, U: Array, base: Array, t: Array, slopes: Array) -> tuple[Array, Array]:
        """f's change by the attack t, and ∇_t f there; `base` and `slopes` are at t = 0."""
        there = self.moved(U, t)
        slopes_there = self.slopes(there)
        if self.basis.basis.is_quadratic:
            # Exact for a quadratic, and free of cancellation.
            return 0.5 * np.einsum("ij,ij->i", slopes + slopes_there, t), slopes_there
        return self.basis.features_at(there) @ self.beta - base, slopes_there

    def ascend(
        self,
        U: Array,
        t: Array,
        objective: Callable[[Array], tuple[Array, Array]],
        climb: Climb | None = None,
    ) -> End:
        """Projected gradient ascent from t.

        `objective` takes f's changes to what is to grow, and to the sides (±1) on which f
        has to move for that.
        """
        climb = self.climb if climb is None else climb
        base, slopes = self.basis.features_at(U) @ self.beta, self.slopes(U)
        step = np.full(len(U), climb.step * self.radius)
        moved = np.empty(t.shape)
        change, here = self.changes(U, base, t, slopes)
        value, side = objective(change)
        for n in range(climb.n_steps):
            t, here = map(np.ascontiguousarray, (t, here))
            self.own.climb(t, here, side * step, self.radius, moved, climb.leap and n == 0)
            trial, there = self.changes(U, base, moved, slopes)
            new_value, new_side = objective(trial)
            # Rounding is no reason to stop: the last digits of t come from the gradient.
            better = new_value >= value - 1e-15 * (np.abs(base) + np.abs(trial))
            if n > 0 and np.abs(moved - t).max(initial=0.0) <= 1e-14 * self.radius:
                break
            t = np.where(better[:, None], moved, t)
            here = np.where(better[:, None], there, here)
            change, value = np.where(better, trial, change), np.where(better, new_value, value)
            side = np.where(better, new_side, side)
            step = np.clip(step * np.where(better, _GROW, _SHRINK), 0.0, _LONGEST * self.radius)
        return End(t, change)

"""Attacks with a shared budget on models whose gradients differ from input to input.

The attacks t_i = δ_i/c lie in the convex set (E ‖t_i‖_p^u)^{1/u} ≤ ρ. The best of them for
the linear part of the loss is ρ τ_i φ(g_i), g_i = ∇_{t_i} ℓ_i, with the shares τ of
`Sharing`. The ascent leaps there from where it is, or goes as far on the way as the loss
rises; it ends where nothing rises, at a stationary point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.sources import LazyRows
from ..threat.ascent_settings import PgdSettings
from ..threat.budget import Sharing
from ..threat.own_units import OwnUnits
from .adversary import Adversary, Ground, Place
from .problem import InfluenceProblem
from .solution import RobustSolution

Array = NDArray[Any]

_HALVINGS = 30
_VERTICES = 3
_ROUNDING = 1e-15  # of the mean loss
_STILL = 1e-15  # of the budget


def ascend(
    at: Callable[[Array], Place],
    shape: tuple[int, int],
    omega: Array,
    own: OwnUnits,
    sharing: Sharing,
    budget: float,
    n_steps: int,
) -> Array:
    """The attack (n, k) where the best of several ascents ends.

    They start from no attack, and from attacks on each of the steepest samples alone: where
    the loss bends the best place for a budget of low order is not where it is steepest.

    Parameters
    ----------
    at : callable
        From an attack t (n, k) to a Place.
    shape : (n, k)
    omega : array (n,)
        Weights, which sum to 1.
    own, sharing, budget
        The units of attacks, the order and ρ = ε s.
    n_steps : int
    """
    sharing = sharing.exactly()
    slopes = at(np.zeros(shape)).slopes
    gains = np.where(omega > 0.0, own.gains(slopes), 0.0)
    starts = [np.zeros(shape)]
    for j in np.argsort(-gains, kind="stable")[:_VERTICES]:
        start = np.zeros(shape)
        if gains[j] > 0.0:
            start[j] = budget * sharing.alone(omega[j]) * own.directions(slopes[j])
        starts.append(start)
    ends = [_climb(at, t, omega, own, sharing, budget, n_steps) for t in starts]
    return max(ends, key=lambda end: end[1])[0]


def _climb(
    at: Callable[[Array], Place],
    t: Array,
    omega: Array,
    own: OwnUnits,
    sharing: Sharing,
    budget: float,
    n_steps: int,
) -> tuple[Array, float]:
    """The attack where the ascent from t ends, and the mean loss there."""
    here, last = at(t), np.inf
    for _ in range(n_steps):
        lengths = budget * sharing.budgets(own.gains(here.slopes), omega)
        move = lengths[:, None] * own.directions(here.slopes) - t
        change = float(np.abs(move).max(initial=0.0))
        found = _rise(at, t, here, move, change < 0.9 * last)
        if found is None or change <= _STILL * budget:
            break
        (t, here), last = found, change
    return t, here.value


def _rise(
    at: Callable[[Array], Place], t: Array, here: Place, move: Array, shrinks: bool
) -> tuple[Array, Place] | None:
    """As far along a move as the loss rises; halved until it does.

    Where rounding hides whether it does, moves that shrink still lead to the maximum: it is the
    last half of the digits that come from the gradient alone.
    """
    size, least = 1.0, here.value - _ROUNDING * abs(here.value)
    for _ in range(_HALVINGS):
        there = at(t + size * move)
        if there.value > here.value or (shrinks and size == 1.0 and there.value >= least):
            return t + size * move, there
        size *= 0.5
    return None


@dataclass(frozen=True)
class SharedBudget(Adversary[InfluenceProblem]):
    """A family's adversary whose budget all samples share: by ascent from that family's ground.

    Attributes
    ----------
    own : Adversary
        That of budgets of one's own.
    """

    own: Adversary[Any]

    @property
    def is_convex(self) -> bool:  # type: ignore[override]
        """Whether the objective is convex in θ, as that of the family."""
        return self.own.is_convex

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is not."""
        return False

    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i."""
        ground = self.own.ground(theta, eps)
        out[...] = ground.attacked(self._climbed(ground, eps, settings))

    def loss(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E ℓ under such an attack, without the penalty."""
        if isinstance(self.problem.source.x, LazyRows):
            raise TypeError(
                f"X is read block by block, but ascent at order={self.problem.sharing.order:g}, "
                "where all samples share a budget, moves all of its rows at once: give an array"
            )
        ground = self.own.ground(theta, eps)
        if ground.loss is None:
            return self.loss_of_rows(theta, eps, settings)
        return ground.loss(self._climbed(ground, eps, settings))

    def _climbed(self, ground: Ground, eps: float, settings: PgdSettings | None) -> Array:
        """The attack t (n, k) where the ascent ends."""
        problem, settings = self.problem, settings or PgdSettings()
        return ascend(
            ground.at, ground.shape, ground.shares, problem.ball.own, problem.sharing,
            eps * problem.radius, settings.n_steps,
        )  # fmt: skip

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """Refused: robust fits of finite order are for linear predictors only.

        Raises
        ------
        ValueError
            Always.
        """
        raise self._untrained()

    def gain(self, theta: Array, eps: float) -> float:
        """Refused, as `train` is."""
        raise self._untrained()

    def _untrained(self) -> ValueError:
        return ValueError(
            f"order={self.problem.sharing.order:g}: robust fits whose attack's budget is shared "
            "between samples are implemented for linear predictors, not for a "
            f"{self.problem.model.kind} model; aif, attack and adversarial_loss do take finite "
            "orders"
        )

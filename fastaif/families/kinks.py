"""How far ε may go: the kinks of the robust path along θ̂ + εI.

The expansion is smooth until (a) some ℓ'_i changes sign, so that this sample's attack
turns round, or (b) the attack's direction changes: for p = ∞ when an attackable
coefficient changes sign, for p = 1 when another coefficient becomes the largest. Where
∇_x f varies with x this may happen at any sample, and (c) the ball may grow so large that
∇_x f can vanish within it. The first such ε bounds smoothness, not accuracy: where there is
none, robust training still makes the loss less steep in the inputs, and the path ends
where nothing is left of that, such as at β = 0.

Where samples share a budget one whose ℓ' passes zero has no share of it then, so that (a)
is no kink; of order 1 there is one where another sample becomes the steepest. How many
have turned round says how far θ̂ + εI is from θ̂ there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..passes.linear import Sweep

Array = NDArray[Any]


@dataclass(frozen=True)
class Kinks:
    """Predicted kinks of the robust path.

    Attributes
    ----------
    flips : array, sorted
        The ε at which a sample's ℓ' changes sign; samples that never flip are left out.
    flip_weights : array
        Their shares of the total weight, in the same order.
    first : float
        The least ε of all kinks; inf if there is none.
    reason : str
        What happens there.
    """

    flips: Array
    flip_weights: Array
    first: float
    reason: str

    def up_to(self, event: Event) -> Kinks:
        """The same, with another place where smoothness ends."""
        return replace(self, first=event.eps, reason=event.what) if event.eps < self.first else self

    def ending_at(self, eps: float) -> Kinks:
        """The same, with the ε by which a path without a kink must end: nothing is left to attack.

        That is no kink of θ̂ + εI, and so no bound on its smoothness.
        """
        if np.isfinite(self.first) or np.isinf(eps):
            return self
        end = f"by ε = {eps:.2g} the loss would no longer be steep in the inputs at all"
        return replace(self, reason=f"{self.reason}; {end}")

    def flip_fraction(self, eps: Array) -> Array:
        """The share of the weight that has flipped by ε."""
        cumulated = np.concatenate([[0.0], np.cumsum(self.flip_weights)])
        return cumulated[np.searchsorted(self.flips, eps, side="right")]


class Event(NamedTuple):
    """An ε, and what happens there."""

    eps: float
    what: str


def linear_kinks(
    sweep: Sweep,
    theta: Array,
    influence: Array,
    moves: tuple[Array, Array],
    names: Sequence[str],
    shared: Event | None = None,
) -> Kinks:
    """The kinks of a linear-predictor model.

    Parameters
    ----------
    sweep : Sweep
        With the attack's ball.
    theta, influence : array (d,)
    moves : pair of arrays (n,)
        The predictions at θ, and their derivative along the influence.
    names : sequence of str
        Of the coefficients, for the reason.
    shared : Event, optional
        What takes the place of samples' flips where they share a budget.
    """
    ball = sweep.ball
    assert ball is not None
    m = sweep.source.n_columns
    flips, shares, (sample, what) = _sample_events(sweep, moves, shared)
    direction, place = ball.first_turn(theta[:m], influence[:m])
    if np.isinf(min(sample, direction)):
        reason = "none is foreseen"
    elif sample <= direction:
        reason = what
    else:
        reason = f"the coefficient of {names[place]} {ball.turning}"
    return Kinks(flips, shares, min(sample, direction), reason)


def rowwise_kinks(sweep: Sweep, moves: tuple[Array, Array], *events: Event) -> Kinks:
    """The kinks of a linear-predictor model whose rows have attacks of their own.

    Parameters
    ----------
    sweep : Sweep
    moves : pair of arrays (n,)
        The predictions at θ̂, and their derivative along the influence.
    *events : Event
        The first jump of a direction, and the first row that meets its bounds.
    """
    flips, shares, sample = _sample_events(sweep, moves, None)
    first, reason = min([sample, *events], key=lambda event: event.eps)
    return Kinks(flips, shares, first, reason if np.isfinite(first) else "none is foreseen")


def basis_kinks(
    sweep: Sweep,
    moves: tuple[Array, Array],
    turn: tuple[float, str],
    reach: float | None,
    shared: Event | None = None,
) -> Kinks:
    """The kinks of a basis model.

    Parameters
    ----------
    sweep : Sweep
    moves : pair of arrays (n,)
        The predictions at θ̂, and their derivative along the influence.
    turn : float and str
        The first ε at which some sample's direction of attack changes, and what happens.
    reach : float or None
        An ε below which no sample's ∇_x f can vanish within its ball; None if unknown.
    shared : Event, optional
        As for `linear_kinks`.
    """
    flips, shares, sample = _sample_events(sweep, moves, shared)
    events = [
        sample,
        turn,
        (np.inf if reach is None else reach, "a sample's input gradient may vanish in its ball"),
    ]
    first, reason = min(events, key=lambda event: event[0])
    if np.isinf(first):
        reason = "none is foreseen"
        if reach is None:
            reason = "none that is known: an input gradient may vanish somewhere in its ball"
    return Kinks(flips, shares, first, reason)


def lengths_of(gains: Array, budgets: Array, varies: bool) -> Array:
    """Gains (k,) in units of each sample's budget: how large a ball vanishing gradients are out of.

    Samples without a budget stay, and so do those that bounds let no attack follow.
    """
    stay = (budgets <= 0.0) | (varies & (gains == 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(stay, np.inf, gains / budgets)


def overtaken(gains: Array, speeds: Array) -> float:
    """The first ε at which some gain + ε speed, each (n,), passes the largest gain's."""
    steepest = int(np.argmax(gains))
    with np.errstate(divide="ignore", invalid="ignore"):
        when = (gains[steepest] - gains) / (speeds - speeds[steepest])
    return float(np.min(when[when > 0.0], initial=np.inf))


def _sample_events(
    sweep: Sweep, moves: tuple[Array, Array], shared: Event | None
) -> tuple[Array, Array, Event]:
    """Flips, their shares of the weight, and the first kink of a single sample."""
    flips, shares = _sample_flips(sweep, *moves)
    if shared is not None:
        return flips, shares, shared
    first = float(flips[0]) if flips.size else np.inf
    return flips, shares, Event(first, "a sample's loss slope changes sign")


def _sample_flips(sweep: Sweep, f: Array, speed: Array) -> tuple[Array, Array]:
    """f_i moves by ε⟨(v_i, 1), I⟩ towards the prediction at which ℓ'_i vanishes."""
    source = sweep.source
    if not sweep.loss.has_kinks:
        return np.empty(0), np.empty(0)
    target = sweep.loss.zero_slope_prediction(source.targets())
    with np.errstate(divide="ignore", invalid="ignore"):
        flips = (target - f) / speed
    w = source.weights()
    w = w if w.size else np.ones(source.n_rows)
    kept = np.isfinite(flips) & (flips > 0) & (w > 0)
    order = np.argsort(flips[kept], kind="stable")
    return flips[kept][order], (w[kept] / w.sum())[order]

"""Where along its tangent a robust path meets its next kink.

A row is *hit* where c_i reaches zero, and *released* where its multiplier reaches ±1; so are
coefficients, at zero under p = ∞ and tied with the largest under p = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kinks import Event
from .corrector import Step
from .tangent import Motion

Array = NDArray[Any]


def next_event(step: Step, motion: Motion, s: float, names: Sequence[str]) -> Event:
    """How far from here, in ε, and what happens there; to first order."""
    none = Event(np.inf, "none is foreseen")
    events = [none, *_rows(step, motion, s), *_coefs(step, motion, names)]
    return min(events, key=lambda event: event.eps)


def _first(distances: Array) -> tuple[float, int]:
    """The least positive one, and where it is."""
    ahead = np.where(distances > 0.0, distances, np.inf)
    if not ahead.size:
        return np.inf, 0
    return float(ahead.min()), int(np.argmin(ahead))


def _ratio(room: Array, rate: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = room / rate
    return np.asarray(np.where(np.isfinite(found), found, np.inf))


def _rows(step: Step, motion: Motion, s: float) -> list[Event]:
    at = step.at
    if not at.problem.loss.has_kinks:
        return []
    moved = at.problem.readings.predict(motion.slope)
    size = at.problem.norm.value(at.theta[: at.problem.m])
    speed = s * size + float(at.slope @ motion.slope)
    along_f, along_kappa = at.ends()
    rate = along_f * moved + along_kappa * speed
    hits = _ratio(-at.kappa * at.gaps(), rate)
    hits[motion.rows.what] = np.inf
    sides = np.sign(motion.row_rates) - motion.rows.multipliers
    releases = _ratio(sides, motion.row_rates)
    return [
        Event(_first(hits)[0], "a sample comes to be as bad at either end"),
        Event(_first(releases)[0], "a sample that was as bad at either end leaves its kink"),
    ]


def _coefs(step: Step, motion: Motion, names: Sequence[str]) -> list[Event]:
    at, held = step.at, motion.coefs
    near, slope = at.norm, motion.slope
    if not near.places.size:
        return []
    rates = near.factors * slope[near.places]
    size = near.factors * at.theta[near.places]
    own = np.isin(near.places, held.what)
    if near.in_simplex:
        top = int(np.argmax(size))
        tied = own | (size >= (1.0 - 1e-9) * size[top])
        hits = np.where(tied, np.inf, _ratio(size[top] - size, rates - rates[top]))
        room = np.where(motion.coef_rates < 0.0, -held.multipliers, np.inf)
        words = "comes to be tied with the largest", "is tied with the largest no more"
    else:
        hits = np.where(own, np.inf, _ratio(-size, rates))
        room = np.sign(motion.coef_rates) - held.multipliers
        words = "becomes zero", "is zero no more"
    events = []
    hit, j = _first(hits)
    events.append(Event(hit, f"the coefficient of {names[near.places[j]]} {words[0]}"))
    left, j = _first(_ratio(room, motion.coef_rates))
    if np.isfinite(left):
        events.append(Event(left, f"the coefficient of {names[held.what[j]]} {words[1]}"))
    return events

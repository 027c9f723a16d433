"""How attacks by projected gradient ascent run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PgdSettings:
    """How projected gradient ascent runs.

    Attributes
    ----------
    n_steps : int
    step : float or None
        In units of the attack's size; None: 2.5 / n_steps.
    n_restarts : int
        Starts: the sample itself, the antipode of where that led, random points.
    seed : int
    """

    n_steps: int = 40
    step: float | None = None
    n_restarts: int = 1
    seed: int = 0

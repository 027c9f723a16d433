"""How attacks by projected gradient ascent run."""

from __future__ import annotations

from dataclasses import dataclass

ENOUGH = 1e-8  # of what an attack gains, where nothing is solved with it


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
    enough : float
        Of what attacks gain to first order: a sample whose steps promise, or bring, less than
        that stops where ascents look at samples one by one. 0: it goes on for as long as it moves.
    """

    n_steps: int = 40
    step: float | None = None
    n_restarts: int = 1
    seed: int = 0
    enough: float = 0.0

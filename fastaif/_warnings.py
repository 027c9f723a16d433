"""The warnings that fastaif raises about its own results."""

from __future__ import annotations


class InfluenceWarning(UserWarning):
    """Base of all warnings about an influence and what is derived from it."""


class ZeroGradientWarning(InfluenceWarning):
    """Some samples have a zero input gradient: Theorem 4.1 assumes there are none."""


class TieWarning(InfluenceWarning):
    """The attack direction is not unique, so the robust path has a kink at ε = 0."""


class StationarityWarning(InfluenceWarning):
    """θ̂ does not minimise the objective on the data given."""


class FlipWarning(InfluenceWarning):
    """At this ε more than 5 % of the samples have left the smooth part of the path."""


class SolverWarning(InfluenceWarning):
    """A solver stopped before its tolerance was reached."""

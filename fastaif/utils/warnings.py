"""The warnings that fastaif raises about its own results."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1])


class InfluenceWarning(UserWarning):
    """Base of all warnings about an influence and what is derived from it."""


class ZeroGradientWarning(InfluenceWarning):
    """Some samples have a zero input gradient: Theorem 4.1 assumes there are none."""


class TieWarning(InfluenceWarning):
    """The attack direction is not unique, so the robust path has a kink at ε = 0."""


class StationarityWarning(InfluenceWarning):
    """θ̂ does not minimise the objective on the data given."""


class RangeWarning(InfluenceWarning):
    """At this ε the expansion is rough."""


class FlipWarning(RangeWarning):
    """The same: the attacks of more than 5 % of the samples have turned round."""


class SolverWarning(InfluenceWarning):
    """A solver stopped before its tolerance was reached."""


def warn(message: str, category: type[InfluenceWarning]) -> None:
    """Warn at the line, outside the package, that called into it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_once(
    told: set[type[InfluenceWarning]], message: str, category: type[InfluenceWarning]
) -> None:
    """Warn unless `told` has the category or a special case of it; then note it there.

    Messages that have numbers in them differ from call to call, so that the filters of
    `warnings` take each for a new one.
    """
    if not any(issubclass(kind, category) for kind in told):
        warn(message, category)
        told.add(category)

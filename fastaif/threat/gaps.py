"""Attacks on samples some of whose cells are missing, and stay as an imputer fills them.

The set is another one at every sample, and a sample's own numbers tell which: a column that has
missing cells has a mark, which stands in all of these and nowhere else. Such a cell has no room
either way, as if it were at two bounds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from .attack_set import AttackSet, register
from .ball import example_balls
from .bounded import Bounded

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Gaps(Bounded):
    """A ball of attacks, perhaps within bounds, that leave missing cells as they are.

    Parameters
    ----------
    ball : Ball
    low, high : arrays (m,)
        Of cells that are not missing; infinite where a feature is free.
    marks : array (m,)
        What stands in a column's missing cells, in raw units; NaN where there are none.
    """

    marks: Array

    @property
    def _is_compiled(self) -> bool:
        """No: operations know bounds of columns."""
        return False

    @property
    def has_compiled_norm(self) -> bool:
        """No: missing cells are left out."""
        return False

    def __str__(self) -> str:
        within = np.isfinite(self.low).any() or np.isfinite(self.high).any()
        return f"{self.ball}{', bounds' * bool(within)} and missing cells"

    def describe(self) -> dict[str, Any]:
        """What makes a set the same, by the names that users know it by."""
        return {**super().describe(), "the missing cells": self.marks}

    def compiled_norm(self) -> c.NormOf:
        """Refused: operations know no norms of some cells."""
        self._refuse("a norm within a compiled pass")

    def norms(self, rows: Array) -> Array:
        """‖x/c‖_p of raw inputs (k, m), of the cells that are there."""
        return self.ball.norms(np.where(self._missing(rows), self.norm_shift, rows))

    def _missing(self, rows: Array) -> Array:
        return np.asarray(rows == self.marks)

    def ends(self, rows: Array) -> tuple[Array, Array]:
        """Where missing cells are, and the bounds of the others, (n, m)."""
        missing = self._missing(rows)
        return np.where(missing, rows, self.low), np.where(missing, rows, self.high)

    # --- samples --------------------------------------------------------------------------

    def in_type(self, kind: np.dtype[Any]) -> Gaps:
        """The set itself: cells that an imputer has filled are float64."""
        return self

    def refuse_outside(self, rows: Array, first: int, names: Sequence[str]) -> None:
        """Refuse a sample that is outside of the bounds as it is, in cells that are there.

        Those that are next to a mark are so by a rounding unit at most.
        """
        inside = np.clip(rows, self.low, self.high)
        within = self._missing(rows) | (np.abs(rows - inside) <= np.spacing(np.abs(inside)))
        super().refuse_outside(np.where(within, inside, rows), first, names)

    def surely_keeps(self, attacked: Array, size: Any, samples: Array) -> Array:
        """None, without a closer look."""
        return AttackSet.surely_keeps(self, attacked, size, samples)

    def keep_within(self, attacked: Array) -> None:
        """Cut attacked rows off at the bounds, in place; missing cells have not moved."""
        missing = attacked == self.marks.astype(attacked.dtype)
        attacked[...] = np.where(missing, attacked, np.clip(attacked, self.low, self.high))


def _examples() -> list[AttackSet]:
    """Of every kind of exponent; samples of zeros have a missing cell."""
    marks = np.array([np.nan, 0.0, np.nan, np.nan, 3.0])
    low, high = np.full(5, -np.inf), np.array([np.inf, np.inf, 0.2, np.inf, 2.0])
    return [
        Gaps(ball, low, end, marks)
        for p in (1.0, 1.5, 2.0, np.inf)
        for ball in example_balls(p)
        for end in (high, -low)
    ]


register(Gaps, _examples)

"""What passes ask of an attack set: its norm of the inputs, and its directions.

Sets whose norm no operation knows are asked for it row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..threat.attack_set import AttackSet
from ..utils.arrays import read_only

Array = NDArray[Any]

_NO_NORM = c.NormOf(2.0, c.EMPTY, c.EMPTY)


def norm_of(ball: AttackSet | None, need: int) -> c.NormOf:
    """The norm of the inputs as operations take it, where it is asked for and they know it."""
    if ball is not None and need & c.NEED_NORM and need & c.NEED_YARDSTICK:
        raise ValueError("the attack's norm and the yardstick's cannot come from one pass")
    if ball is None or need & c.NEED_YARDSTICK or not need & c.NEED_NORM:
        return _NO_NORM
    return ball.compiled_norm() if ball.has_compiled_norm else _NO_NORM


def norms_by_rows(ball: AttackSet | None, need: int) -> bool:
    """Whether the norm is asked for, and no operation knows it."""
    return ball is not None and bool(need & c.NEED_NORM) and not ball.has_compiled_norm


def sum_of_norms(ball: AttackSet | None, rows: c.Rows) -> float:
    """Σ w ‖x/c‖ of some rows, in the attack's own norm."""
    assert ball is not None
    norms = ball.norms(rows.x.astype(np.float64, copy=False))
    return float(rows.weight @ norms if rows.weight.size else norms.sum())


def attack_of(ball: AttackSet | None, m: int, need: int) -> c.Attack:
    """The set's directions as operations take them, where mixed sums ask for these."""
    if ball is None or not need & c.NEED_MIXED:
        return c.Attack(2.0, read_only(np.ones(m)))
    return ball.compiled()

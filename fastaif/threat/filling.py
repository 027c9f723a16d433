"""The most that attacks gain inside a ball and a box: max ⟨b, t⟩ over ‖t‖_p ≤ size, 0 ≤ t ≤ room.

Everything is a row a sample, and b ≥ 0: signs are the caller's. At the maximum t is what the ball
alone would allow for a larger size, cut off at the rooms; how much larger is a matter of sorting
the entries by when they are full.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def fill(b: Array, room: Array, size: Array, p: float) -> Array:
    """The best t (n, k).

    Parameters
    ----------
    b, room : arrays (n, k), not negative
        Rooms may be infinite.
    size : array (n,)
    p : float
        From 1 on, and finite.
    """
    room = np.minimum(room, size[:, None])
    if p == 1:
        return _greedy(b, room, size)
    return _water(b, room, size, p)


def _greedy(b: Array, room: Array, size: Array) -> Array:
    """p = 1: the entries of the largest b have all their room, as long as the budget lasts."""
    order = np.argsort(-b, axis=1, kind="stable")
    wanted = np.take_along_axis(np.where(b > 0.0, room, 0.0), order, axis=1)
    before = _sums_before(wanted)
    spent = np.clip(size[:, None] - before, 0.0, wanted)
    out = np.empty(b.shape)
    np.put_along_axis(out, order, spent, axis=1)
    return out


def _sums_before(entries: Array) -> Array:
    """The sums of each row's earlier entries."""
    out = np.zeros(entries.shape)
    np.cumsum(entries[:, :-1], axis=1, out=out[:, 1:])
    return out


def _water(b: Array, room: Array, size: Array, p: float) -> Array:
    """1 < p < ∞: t = min(level · b^{q−1}, room), at the level at which ‖t‖_p = size."""
    unit = np.where(size > 0.0, size, 1.0)[:, None]
    largest = np.max(b, axis=1, keepdims=True, initial=0.0)
    v = (b / np.where(largest > 0.0, largest, 1.0)) ** (1.0 / (p - 1.0))
    rooms = np.where(v > 0.0, room / unit, 0.0)  # at most 1
    with np.errstate(divide="ignore", invalid="ignore"):
        full = np.where(v > 0.0, rooms / v, np.inf)  # the level at which an entry is full
    order = np.argsort(full, axis=1, kind="stable")
    sorted_full = np.take_along_axis(full, order, axis=1)
    spent = np.take_along_axis(rooms, order, axis=1) ** p
    growing = np.take_along_axis(v, order, axis=1) ** p
    # Before the j-th is full: the j first ones are, and the others grow.
    kept = _sums_before(spent)
    rest = np.cumsum(growing[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        level = np.maximum(1.0 - kept, 0.0) / rest
    level = np.where(rest > 0.0, level, np.inf) ** (1.0 / p)
    # The first entry that is not full yet when the budget is spent.
    stops = level <= sorted_full
    stops[:, -1] = True
    place = np.argmax(stops, axis=1)[:, None]
    found = np.take_along_axis(level, place, axis=1)
    with np.errstate(invalid="ignore"):
        filled = np.where(v > 0.0, found * v, 0.0)
    return np.asarray(np.minimum(filled, rooms) * unit * (size[:, None] > 0.0))

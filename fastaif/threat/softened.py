"""Support functions without their kinks, whose gradients are attacks in the set at any width.

A ball's dual norm has its entries rounded off, √(u² + width²), or a log-sum-exp for its maximum;
within bounds it is the same for p = ∞. For p = 2 it is then max ⟨b, t⟩ − ½ width ‖t‖², whose
gradient is the projection of b/width on the set.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..norms import conjugate, smooth_norm

Array = NDArray[Any]


class Soft(NamedTuple):
    """A softened support function of one gradient b.

    Attributes
    ----------
    value : float
    attack : array (k,)
        Its gradient.
    bend : array (k, k)
        Its Hessian.
    """

    value: float
    attack: Array
    bend: Array


class SoftRows(NamedTuple):
    """The same of a set a row: values (n,), attacks (n, k), and Hessians diag(D_i) − v_i v_iᵀ."""

    values: Array
    attacks: Array
    diagonals: Array
    vectors: Array


def soft_norm(b: Array, p: float, width: float) -> Soft:
    """Of the unit ball ‖t‖_p ≤ 1."""
    return Soft(*smooth_norm(b, conjugate(p), width))


def soft_interval(b: Array, low: Array, high: Array, width: float) -> SoftRows:
    """Of −low_k ≤ t_k ≤ high_k, both at most 1 (p = ∞), a row a set (n, k)."""
    low, high = np.minimum(low, 1.0), np.minimum(high, 1.0)
    root, middle, half = np.hypot(b, width), 0.5 * (high - low), 0.5 * (high + low)
    values = np.sum(b * middle + root * half, axis=1)
    bends = half * (width / root) ** 2 / root
    return SoftRows(values, middle + half * b / root, bends, np.zeros(b.shape))


def soft_water(b: Array, room: Array, width: float) -> SoftRows:
    """Of ‖t‖₂ ≤ 1 with b_k t_k ≥ 0 and |t_k| ≤ room_k, a row a set (n, k)."""
    size, rooms = np.abs(b), np.minimum(room, 1.0)
    level, spent = _water_level(size, rooms, width)
    t, growing = np.minimum(level * size, rooms), level * size < rooms
    lengths = np.sqrt(np.sum(np.where(growing, size, 0.0) ** 2, axis=1, keepdims=True))
    curl = np.sqrt(np.where(spent, level, 0.0)) / np.where(lengths > 0.0, lengths, 1.0)
    values = np.sum(size * t, axis=1) - 0.5 * width * np.sum(t * t, axis=1)
    diagonals = np.where(growing, np.broadcast_to(level, b.shape), 0.0)
    return SoftRows(values, np.sign(b) * t, diagonals, np.where(growing, curl * b, 0.0))


def _water_level(size: Array, rooms: Array, width: float) -> tuple[Array, Array]:
    """The level (n, 1) of t = min(level · |b|, room) with ‖t‖₂ ≤ 1, at most 1/width, and whether
    the ball is what stops it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        full = np.where(size > 0.0, rooms / size, np.inf)
    order = np.argsort(full, axis=1, kind="stable")
    ends = np.take_along_axis(full, order, axis=1)
    spent = np.take_along_axis(np.where(size > 0.0, rooms, 0.0), order, axis=1) ** 2
    kept = np.zeros(size.shape)
    np.cumsum(spent[:, :-1], axis=1, out=kept[:, 1:])
    rest = np.cumsum((np.take_along_axis(size, order, axis=1) ** 2)[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.sqrt(np.maximum(1.0 - kept, 0.0) / rest)
    level = np.where(rest > 0.0, level, np.inf)
    stops = level <= ends
    stops[:, -1] = True
    found = np.take_along_axis(level, np.argmax(stops, axis=1)[:, None], axis=1)
    return np.minimum(found, 1.0 / width), found < 1.0 / width

"""Support functions without their kinks, whose gradients are attacks in the set at any width.

A ball's dual norm has its entries rounded off, √(u² + width²), or a log-sum-exp for its maximum;
within bounds it is the same for p = ∞. For 1 < p ≤ 2 it is then max ⟨b, t⟩ − width ‖t‖_p^p / p. For
p = 1 each way of an entry is filled to a share σ((±b − price)/width) of its room, and

    min over prices of price + width (Σ rooms log(1 + e^{(±b − price)/width}) + e^{−price/width}),

whose last term is what is left of the budget.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..norms import conjugate, smooth_norm

Array = NDArray[Any]

_SEARCHES, _SAME = 80, 1e-15  # steps to a price, and prices of the same digits


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


def soft_greedy(b: Array, low: Array, high: Array, width: float) -> SoftRows:
    """Of ‖t‖₁ ≤ 1 with −low_k ≤ t_k ≤ high_k, a row a set (n, k)."""
    from scipy.special import expit

    rooms = np.minimum(np.stack([high, low], axis=1), 1.0).reshape(len(b), -1)
    slopes = np.stack([b, -b], axis=1).reshape(len(b), -1)
    base = _hard_price(slopes, rooms)
    # Prices are told from where the hard one is: both may share all but their last digits.
    gaps, spare = (slopes - base) / width, base / width
    price = _price(gaps, rooms, spare)
    with np.errstate(under="ignore"):
        filled, left = rooms * expit(gaps - price), np.exp(-price - spare)
    bends = filled * expit(price - gaps)
    values = base + width * (price + left)
    values += width * np.sum(rooms * np.logaddexp(0.0, gaps - price), axis=1, keepdims=True)
    filled /= np.maximum(filled.sum(axis=1, keepdims=True), 1.0)  # 1 but for rounding
    speeds = np.sqrt(width * (bends.sum(axis=1, keepdims=True) + left))
    (up, down), (rising, falling) = (np.split(part, 2, axis=1) for part in (filled, bends))
    with np.errstate(divide="ignore", invalid="ignore"):
        vectors = np.where(speeds > 0.0, (rising - falling) / speeds, 0.0)
    return SoftRows(values[:, 0], up - down, (rising + falling) / width, vectors)


def _hard_price(slopes: Array, rooms: Array) -> Array:
    """The slope at which rooms of larger ones make up 1, 0 where they do not, (n, 1)."""
    order = np.argsort(-slopes, axis=1, kind="stable")
    spent = np.cumsum(np.take_along_axis(rooms, order, axis=1), axis=1) >= 1.0
    last = np.take_along_axis(order, np.argmax(spent, axis=1)[:, None], axis=1)
    found = np.take_along_axis(slopes, last, axis=1)
    return np.where(spent.any(axis=1, keepdims=True), np.maximum(found, 0.0), 0.0)


def _price(gaps: Array, rooms: Array, spare: Array) -> Array:
    """The x (n, 1) at which the shares σ(gap − x) of rooms and e^{−x − spare} make up 1."""
    from scipy.special import expit

    low, high = _bracket(gaps, rooms, spare)
    found = np.clip(0.0, low, high)
    x, left = found, np.arange(len(gaps))  # the rows that are not done
    for _ in range(_SEARCHES):
        with np.errstate(under="ignore"):
            share, unspent = expit(gaps - x), np.exp(-x - spare)
        filled = rooms * share
        over = filled.sum(axis=1, keepdims=True) + unspent - 1.0
        fall = np.sum(filled * (1.0 - share), axis=1, keepdims=True) + unspent
        low, high = np.where(over > 0.0, x, low), np.where(over > 0.0, high, x)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            after = x + over / fall
        after = np.where((after >= low) & (after <= high), after, 0.5 * (low + high))
        near = np.abs(after - x) <= _SAME * (1.0 + np.abs(x))
        more = np.flatnonzero(~(near | (np.abs(over) <= _SAME)))
        found[left] = x
        if not more.size:
            break
        left, x, low, high = left[more], after[more], low[more], high[more]
        gaps, rooms, spare = gaps[more], rooms[more], spare[more]
    return found


def _bracket(gaps: Array, rooms: Array, spare: Array) -> tuple[Array, Array]:
    """Between which x (n, 1) that is."""
    total = rooms.sum(axis=1, keepdims=True) + 1.0
    larger = np.sum(rooms * (gaps > 0.0), axis=1, keepdims=True)  # less than 1
    enough = np.sum(rooms * (gaps >= 0.0), axis=1, keepdims=True)  # 1 at least, or nothing is short
    with np.errstate(divide="ignore", invalid="ignore"):
        short = np.log(total / np.maximum(1.0 - larger, 0.0))
        over = -np.log1p(-1.0 / np.maximum(enough, 1.0))
    high = np.minimum(short, np.max(gaps, axis=1, keepdims=True) + np.log(total))
    return -np.minimum(over, 0.5 * spare), high


def soft_water(b: Array, room: Array, p: float, width: float) -> SoftRows:
    """Of ‖t‖_p ≤ 1 with b_k t_k ≥ 0 and |t_k| ≤ room_k, a row a set (n, k); 1 < p ≤ 2."""
    size, rooms, power = np.abs(b), np.minimum(room, 1.0), 1.0 / (p - 1.0)
    unit = np.max(size, axis=1, keepdims=True, initial=0.0)
    unit = np.where(unit > 0.0, unit, 1.0)
    share = size / unit
    shape = share**power
    level, spent = _water_level(shape, rooms, p, (unit / width) ** power)
    t, growing = np.minimum(level * shape, rooms), level * shape < rooms
    norms = np.sum(np.where(growing, t, 0.0) ** p, axis=1, keepdims=True)
    norms = np.where(norms > 0.0, norms, 1.0) * unit
    curl = np.sqrt(power * np.where(spent, level, 0.0) ** (p - 1.0) / norms)
    values = np.sum(size * t, axis=1) - width * np.sum(t**p, axis=1) / p
    diagonals = np.where(growing, power * level * share ** (power - 1.0) / unit, 0.0)
    attacks = np.sign(b) * t
    return SoftRows(values, attacks, diagonals, np.where(growing, curl * attacks, 0.0))


def _water_level(shape: Array, rooms: Array, p: float, limit: Array) -> tuple[Array, Array]:
    """The level (n, 1) of t = min(level · shape, room) with ‖t‖_p ≤ 1, up to a limit, and whether
    the ball is what stops it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        full = np.where(shape > 0.0, rooms / shape, np.inf)
    order = np.argsort(full, axis=1, kind="stable")
    ends = np.take_along_axis(full, order, axis=1)
    spent = np.take_along_axis(np.where(shape > 0.0, rooms, 0.0), order, axis=1) ** p
    kept = np.zeros(shape.shape)
    np.cumsum(spent[:, :-1], axis=1, out=kept[:, 1:])
    rest = np.cumsum((np.take_along_axis(shape, order, axis=1) ** p)[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        level = (np.maximum(1.0 - kept, 0.0) / rest) ** (1.0 / p)
    level = np.where(rest > 0.0, level, np.inf)
    stops = level <= ends
    stops[:, -1] = True
    found = np.take_along_axis(level, np.argmax(stops, axis=1)[:, None], axis=1)
    return np.minimum(found, limit), found < limit

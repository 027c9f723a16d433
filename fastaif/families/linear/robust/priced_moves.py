"""What an attack does with each sample where moves have a price.

A budget that samples share, Σ ω t^u ≤ 1 with moves κ t_i of predictions, has one multiplier, the
price μ. At a price each sample is by itself,

    s(f, κ, μ) = max over ends ± and sizes 0 ≤ t ≤ ω^(−1/u) of ℓ(f ± κt) − μ t^u,

and the least of μ + Σ ω s over μ bounds what any attack within the budget achieves. At the best
price the sizes spend the budget: then the bound is attained. Where the best size of a sample jumps
at that price no size in between will do, and the bound is that of attacks which move a share of
the sample's weight far and leave the rest near.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....losses import Loss

Array = NDArray[Any]
_SCANNED = 24  # sizes of an interval that are looked at before the best is refined
_LEAST = 1e-7  # of the largest: the least of them, but for zero
_REFINED = 80
_PRICES, _FEW = 200, 8
_STILL = 1e-13  # of a size, beyond which a Newton step leaves nothing
_CLOSE = 1e-14
_ROUGHLY = 1e-2  # of the budget
_FAR = 1.5  # from the price at which rows were scanned
_SHRINKS = 0.5  # of the budget that is left, by Newton's steps
_MET, _NEAR = 1e-14, 1e-10  # of the budget, that may be left, and that rounding may leave


@dataclass
class Pricing:
    """Rows and the order of the budget.

    Attributes
    ----------
    loss : Loss
    y : array (n,)
    order : float
        u, finite.
    """

    loss: Loss
    y: Array
    order: float
    _last: tuple[Array, float, Moves] | None = field(default=None, init=False, repr=False)

    def best(self, f: Array, w: Array, kappa: float) -> Moves:
        """`best_moves`, from the price of the last predictions; for the same ones the same."""
        last = self._last
        if last is not None and last[1] == kappa and np.array_equal(last[0], f):
            return last[2]
        found = best_moves(self, f, w, kappa, None if last is None else last[2].price)
        if np.isfinite(found.bound):
            self._last = f, kappa, found
        return found

    def roughly(self, f: Array, w: Array, kappa: float) -> float:
        """Not much more than the least bound on what attacks add to E ℓ."""
        start = None if self._last is None else self._last[2].price
        return best_moves(self, f, w, kappa, start, _ROUGHLY).bound

    def of(self, rows: Array) -> Pricing:
        """Some of the rows, in any order."""
        return Pricing(self.loss, self.y[rows], self.order)

    def rise(self, f: Array, moves: Array, price: float, sizes: Array, y: Array) -> Array:
        """ℓ(f + moves) − ℓ(f) − μ t^u, to the digits of the move."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.loss.change(f, moves, y) - price * sizes**self.order

    def steepness(self, f: Array, turn: Array, price: float, t: Array) -> tuple[Array, Array]:
        """d/dt of ℓ(f + κ± t) − μ t^u for signed κ (n,), and the negative of d²/dt²."""
        u, there = self.order, f + turn * t
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            first = turn * self.loss.slope(there, self.y) - u * price * t ** (u - 1.0)
            bend = u * (u - 1.0) * price * t ** (u - 2.0)
            return first, bend - turn**2 * self.loss.curvature(there, self.y)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def best_sizes(
    rows: Pricing, f: Array, turn: Array, price: float, low: Array, high: Array
) -> tuple[Array, Array]:
    """The t in [low, high] of the largest ℓ(f + κ± t) − μ t^u, for signed κ (n,), and the numbers
    of rows that have a second peak."""
    parts = np.append(0.0, np.geomspace(_LEAST, 1.0, _SCANNED))[:, None]
    sizes = low + (high - low) * parts
    values = rows.rise(f, turn * sizes, price, sizes, rows.y)
    values = np.where(np.isnan(values), -np.inf, values)
    peaks = np.ones(values.shape, dtype=bool)
    peaks[1:] &= values[1:] >= values[:-1]
    peaks[:-1] &= values[:-1] >= values[1:]
    place = np.argmax(peaks, axis=0)
    t = _refined(rows, f, turn, price, sizes, place)
    other = _SCANNED - np.argmax(peaks[::-1], axis=0)
    two = np.flatnonzero(other > place + 1)
    if two.size:
        few = rows.of(two)
        far = _refined(few, f[two], turn[two], price, sizes[:, two], other[two])
        better = few.rise(f[two], turn[two] * far, price, far, few.y) > few.rise(
            f[two], turn[two] * t[two], price, t[two], few.y
        )
        t[two] = np.where(better, far, t[two])
    return t, two


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def near_sizes(
    rows: Pricing, f: Array, turn: Array, price: float, low: Array, high: Array, start: Array
) -> Array:
    """The same where there is one peak, from sizes nearby: no interval is scanned."""
    top, _ = rows.steepness(f, turn, price, high)
    out, left = high.copy(), np.flatnonzero(top < 0.0)
    start = np.where(start > low, start, low + _LEAST * (high - low))
    _climb(rows, f, turn, price, left, start[left], low[left], high[left], out)
    return out


def _refined(
    rows: Pricing, f: Array, turn: Array, price: float, sizes: Array, place: Array
) -> Array:
    """The peaks between the sizes next to these: rows leave as soon as theirs is found."""
    along = np.arange(f.size)
    a, b = sizes[np.maximum(place - 1, 0), along], sizes[np.minimum(place + 1, _SCANNED), along]
    out = sizes[place, along]
    first, _ = rows.steepness(f, turn, price, out)
    ended = ((place == _SCANNED) & (first >= 0.0)) | ((place == 0) & (first <= 0.0))
    a, b = np.where(first > 0.0, out, a), np.where(first > 0.0, b, out)
    # The slope at size zero alone would lead here, and slopes rise on the way.
    steep = np.maximum(turn * rows.loss.slope(f, rows.y), 0.0)
    short = (steep / (rows.order * price)) ** (1.0 / (rows.order - 1.0))
    a = np.where((place <= 1) & (short < b), np.maximum(a, short), a)
    left = np.flatnonzero(~ended)
    t = np.where(place[left] <= 1, np.maximum(a[left], 1e-300), out[left])
    a, b = a[left], b[left]
    _climb(rows, f, turn, price, left, t, a, b, out)
    return out


def _climb(
    rows: Pricing, f: Array, turn: Array, price: float, left: Array, t: Array, a: Array, b: Array,
    out: Array,
) -> None:  # fmt: skip
    """Newton's steps to the peaks in the brackets [a, b] of the rows `left`, which go into `out`;
    rows leave as soon as theirs is found."""
    for _ in range(_REFINED):
        some = rows.of(left)
        first, bend = some.steepness(f[left], turn[left], price, t)
        a, b = np.where(first > 0.0, t, a), np.where(first > 0.0, b, t)
        newton = t + first / bend
        good = (bend > 0.0) & (newton >= a) & (newton <= b)
        following = np.where(good, newton, 0.5 * (a + b))
        moves = np.abs(following - t) > _STILL * t
        out[left] = following
        if not moves.any():
            break
        left, t, a, b = left[moves], following[moves], a[moves], b[moves]


@dataclass(frozen=True)
class Moves:
    """The best price, and the sizes on both sides of it.

    Attributes
    ----------
    price : float
    sizes : array (2, n)
        Within the budget, and beyond it where sizes jump; else twice the same.
    share : float
        Of the second, so that in the mean the budget is spent.
    side : array (2, n)
        ±1, the ends.
    bound : float
        μ + Σ ω s − Σ ω ℓ(f), the least that is certain to be no less than any attack's rise.
    """

    price: float
    sizes: Array
    share: float
    side: Array
    bound: float

    @property
    def jumps(self) -> bool:
        """Whether some sample's size jumps at the price."""
        return bool(0.0 < self.share < 1.0 and np.any(self.sizes[0] != self.sizes[1]))


def ends_of(loss: Loss, f: Array, y: Array) -> list[Array]:
    """The ends ±1 (n,) that may be the worse ones, whatever the size of the move."""
    if loss.is_monotone or loss.is_symmetric:
        return [loss.worse_end(f, y, 0.0)]
    return [np.ones(f.size), -np.ones(f.size)]


@dataclass(frozen=True)
class _Offer:
    """What is done at a price."""

    price: float
    size: Array
    side: Array
    rise: float
    spent: float

    @property
    def bound(self) -> float:
        """μ + Σ ω s."""
        return self.price + self.rise

    @property
    def slope(self) -> float:
        """Its derivative."""
        return 1.0 - self.spent

    def agrees(self, other: _Offer, enough: float) -> bool:
        """Whether rows do the same here, but for rounding."""
        rises = abs(self.rise - other.rise) <= _NEAR * abs(self.rise)
        return rises and abs(self.spent - other.spent) <= max(_NEAR * self.spent, enough)

    @property
    def is_near(self) -> bool:
        """Whether the budget is spent but for the rounding of sizes."""
        return abs(self.slope) <= _NEAR


class _Offers:
    """The best sizes at one price after the other, for the same predictions."""

    def __init__(self, rows: Pricing, f: Array, w: Array, kappa: float) -> None:
        self._rows, self._f, self._w, self._kappa = rows, f, w, kappa
        self._cap = w ** (-1.0 / rows.order)
        self._ends = ends_of(rows.loss, f, rows.y)
        self._known: list[tuple[Array, Array]] = []
        self._scanned = np.nan

    def at(self, price: float, fresh: bool) -> _Offer:
        """All rows are scanned if `fresh`, and where the price is far from that of the last scan;
        else those alone that had two peaks."""
        fresh = fresh or not (self._scanned < _FAR * price and price < _FAR * self._scanned)
        if fresh:
            self._known, self._scanned = [], price
        parts = [self._best(k, end, price, fresh) for k, end in enumerate(self._ends)]
        size, side, gain = parts[0]
        for here, end, value in parts[1:]:
            better = value > gain
            size, side = np.where(better, here, size), np.where(better, end, side)
            gain = np.where(better, value, gain)
        w, u = self._w, self._rows.order
        return _Offer(price, size, side, float(w @ gain), float(w @ size**u))

    def newton(self, here: _Offer) -> float:
        """The price of Newton's step on the logarithms of spending and price; NaN if too long."""
        w, u, size, price = self._w, self._rows.order, here.size, here.price
        _, bend = self._rows.steepness(self._f, here.side * self._kappa, price, size)
        inner = (bend > 0.0) & (size > 0.0) & (size < self._cap)
        moved = np.where(inner, w * u * size ** (2.0 * (u - 1.0)) * u / bend, 0.0)
        fall = price * float(moved.sum())
        step = here.spent * np.log(here.spent) / fall if fall > 0.0 and here.spent > 0.0 else np.inf
        return price * float(np.exp(step)) if abs(step) < 3.0 else np.nan

    def _best(
        self, k: int, end: Array, price: float, fresh: bool
    ) -> tuple[Array, Array, Array]:
        rows, f, turn, zero = self._rows, self._f, end * self._kappa, np.zeros(self._f.size)
        if fresh:
            size, two = best_sizes(rows, f, turn, price, zero, self._cap)
            self._known.append((size, two))
        else:
            start, two = self._known[k]
            size = near_sizes(rows, f, turn, price, zero, self._cap, start)
            if two.size:
                size[two], _ = best_sizes(
                    rows.of(two), f[two], turn[two], price, zero[two], self._cap[two]
                )
        return size, end, rows.rise(f, turn * size, price, size, rows.y)


def first_price(rows: Pricing, f: Array, w: Array, kappa: float) -> float:
    """The price where moves are short: κ (E|ℓ'|^v)^(1/v) / u."""
    slopes = np.abs(rows.loss.slope(f, rows.y))
    peak = float(slopes.max()) or 1.0
    v = rows.order / (rows.order - 1.0)
    return kappa * peak * float(w @ (slopes / peak) ** v) ** (1.0 / v) / rows.order or 1e-300


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def best_moves(
    rows: Pricing, f: Array, w: Array, kappa: float, start: float | None = None,
    enough: float = _MET,
) -> Moves:  # fmt: skip
    """The best price for predictions f (n,), weights w that sum to one and κ > 0; u > 1.

    The search starts at a price and ends where all but a part `enough` of the budget is spent.
    """
    offers = _Offers(rows, f, w, kappa)
    price = start or first_price(rows, f, w, kappa)
    low, high = _bracket(offers, price, False, enough)
    if low is not high or not offers.at(low.price, True).agrees(low, enough):
        low, high = _bracket(offers, low.price, True, enough)  # a second peak had come up
    return _between(low, high)


def _bracket(
    offers: _Offers, price: float, fresh: bool, enough: float
) -> tuple[_Offer, _Offer]:
    """What is done below and above the best price, as close to it as floats are; the same twice
    where that spends the budget."""
    low: _Offer | None = None
    high: _Offer | None = None
    times, before = 0, np.inf  # that the same end moved, and the last slope
    for _ in range(_PRICES if fresh else _FEW):
        here = offers.at(price, fresh)
        smooth = abs(here.slope) <= _SHRINKS * before or not np.isfinite(before)
        newton = offers.newton(here) if smooth else np.nan
        if abs(here.slope) <= enough or (here.is_near and abs(newton - price) <= _STILL * price):
            return here, here
        if here.slope < 0.0:
            low, times = here, max(times, 0) + 1
        else:
            high, times = here, min(times, 0) - 1
        if low is not None and high is not None and high.price <= (1.0 + _CLOSE) * low.price:
            break
        before = abs(here.slope)
        price = _next_price(here, low, high, newton, times)
    return low or here, high or here


def _between(low: _Offer, high: _Offer) -> Moves:
    """The mixture of both ends of a bracket that spends the budget."""
    more = low.spent - high.spent
    share = (1.0 - high.spent) / more if more > 0.0 else 0.0
    best = min(low, high, key=lambda one: one.bound)
    sizes, side = np.vstack([high.size, low.size]), np.vstack([high.side, low.side])
    return Moves(best.price, sizes, min(max(share, 0.0), 1.0), side, best.bound)


def _next_price(
    here: _Offer, low: _Offer | None, high: _Offer | None, newton: float, times: int
) -> float:
    """Newton's step on the logarithms of spending and price; where sizes jump, or it leads out of
    the bracket, to where the tangents of the bound meet, at its kinks."""
    least = 0.0 if low is None else low.price
    most = np.inf if high is None else high.price
    if least < newton < most:
        return newton
    if high is None:
        return 4.0 ** min(times, 6) * here.price
    if low is None:
        return 0.25 ** min(-times, 6) * here.price
    met = (high.bound - low.bound + low.slope * low.price - high.slope * high.price) / (
        low.slope - high.slope
    )
    # Past it, once one end has come close: the other follows.
    beyond = met + (met - here.price) * min(abs(times) - 1, 4)
    if least < beyond < most:
        return float(beyond)
    return 0.5 * (least + most)

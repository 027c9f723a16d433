"""Rows that share a budget, as an interior-point method sees them.

    min μ + Σ ω_i e_i,   e_i ≥ ℓ(f_i ± κt) − μ t^u for all sizes t that the budget allows one row

With the price μ a variable of its own, rows are by themselves but for it, and all is convex in
(θ, κ, μ). A *piece* is the best of one end and an interval of sizes: smooth, with the curvature
that the best size's own move adds. Rows whose best size may jump have two intervals, and a price
that makes two pieces equal splits the row's weight between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .barrier import Pairs
from .design import Design
from .norm_terms import Curvature
from .priced_moves import Pricing, best_sizes, ends_of, near_sizes
from .shared_points import SharedMultipliers
from .systems import Dense, Quadratic

Array = NDArray[Any]
_SCANNED = 40  # sizes at which a row is looked at for a second peak
_LEAST = 1e-8
_CENTRED = 60
_BALANCED, _BALANCE = 20, 0.05  # of the budget, that a start may leave
_FLAT = 1e-12  # of the curvature's terms: less is rounding


class Pieces:
    """Which pieces there are: (P,) each.

    Attributes
    ----------
    row : array of int, rising
    side : array
        ±1, the end.
    low, high : array
        The interval of sizes.
    """

    def __init__(self, row: Array, side: Array, low: Array, high: Array, n: int) -> None:
        order = np.lexsort((high, -side, row))
        self.row, self.side = row[order], side[order]
        self.low, self.high = low[order], high[order]
        self._n = n
        self.alone = np.bincount(self.row, minlength=n)[self.row] == 1

    @property
    def ends(self) -> Array:
        """How many pieces each row has at either end (n,), as a complex number."""
        n = self._n
        return np.bincount(self.row, self.side > 0.0, n) + 1j * np.bincount(
            self.row, self.side < 0.0, n
        )

    def beyond(self, other: Pieces) -> Array:
        """Which rows have more pieces at an end than others had (n,), booleans."""
        more = self.ends, other.ends
        return (more[0].real > more[1].real) | (more[0].imag > more[1].imag)

    def of_rows(self, which: Array, others: Pieces) -> Pieces:
        """These of some rows (n,), booleans, and others of all other rows."""
        mine, theirs = which[self.row], ~which[others.row]
        row, side, low, high = (
            np.concatenate([getattr(self, name)[mine], getattr(others, name)[theirs]])
            for name in ("row", "side", "low", "high")
        )
        return Pieces(row, side, low, high, self._n)


def pieces_of(
    rows: Pricing, f: Array, w: Array, kappa: float, price: float
) -> Pieces:
    """The pieces of all rows about (f, κ, μ)."""
    n, u = f.size, rows.order
    cap = w ** (-1.0 / u)
    everyone, zero = np.arange(n), np.zeros(n)
    ends = ends_of(rows.loss, f, rows.y)
    if rows.loss.has_kinks:
        ends = [np.ones(n), -np.ones(n)]
    if u == 1.0:  # to convex losses the ends of the interval of sizes are all
        parts = [(everyone, end, cap, cap) for end in ends] + [(everyone, zero + 1.0, zero, zero)]
    else:
        parts = []
        for end in ends:
            valley = _valleys(rows, f, end * kappa, price, cap)
            two = np.flatnonzero(np.isfinite(valley))
            top = np.where(np.isfinite(valley), valley, cap)
            parts += [(everyone, end, zero, top), (two, end[two], top[two], cap[two])]
    row, side, low, high = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Pieces(row, side, low, high, n)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _valleys(rows: Pricing, f: Array, turn: Array, price: float, cap: Array) -> Array:
    """A size between a row's two peaks, (n,); NaN where it has one."""
    sizes = cap * np.append(0.0, np.geomspace(_LEAST, 1.0, _SCANNED))[:, None]
    wide = Pricing(rows.loss, np.broadcast_to(rows.y, sizes.shape), rows.order)
    rising = wide.steepness(f, turn, price, sizes)[0] > 0.0
    met = ~rising[:-1] & rising[1:]
    met[0] &= rising[0]  # from zero sizes rise or not: nothing is before it
    place = np.argmax(met, axis=0)
    low = np.where(place == 0, 0, place)
    found = np.where(met.any(axis=0), sizes[low, np.arange(f.size)], np.nan)
    return np.where(found > 0.0, found, np.nan)


def centred(g: Array, row: Array, w: Array, mu: float) -> Array:
    """The levels e (n,) with Σ μ/(e − g) = w over each row's pieces."""
    n = w.size
    top = np.full(n, -np.inf)
    np.maximum.at(top, row, g)
    above = np.full(n, mu) / w
    below = top[row] - g
    for _ in range(_CENTRED):
        part = 1.0 / (above[row] + below)
        lacks = mu * np.bincount(row, part, n) - w
        step = lacks / (mu * np.bincount(row, part**2, n))
        above = above + step
        if np.all(np.abs(step) <= 1e-15 * above):
            break
    return above


class SharedRows:
    """The rows' part of the barrier problem at an iterate (θ, κ), the price μ included.

    Attributes
    ----------
    value : float
    gradient : array (d,)
    along_kappa, yardstick : float
    """

    far = None

    def __init__(
        self, rows: Pricing, design: Design, f: Array, kappa: float, price: float
    ) -> None:
        self._rows, self._design, self._w = rows, design, design.weights
        self._f, self._price = f, price
        self._take(pieces_of(rows, f, self._w, kappa, price))

    def _take(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._own = self._rows.of(pieces.row)
        self._some = np.flatnonzero(~pieces.alone)
        self._moving = np.flatnonzero(pieces.high > pieces.low)
        self._moved = self._rows.of(pieces.row[self._moving])
        self._t: Array | None = None

    @property
    def n_pairs(self) -> int:
        """How many products s z there are; μ ≥ 0 has one."""
        return self._some.size + 1

    @property
    def is_pass(self) -> bool:
        """Derivatives take a look at rows."""
        return True

    def _totals(self, values: Array, which: Array | None = None) -> Array:
        """Sums over each row's pieces (n,)."""
        row = self._pieces.row if which is None else self._pieces.row[which]
        return np.bincount(row, values, self._w.size)

    def _sizes(self, f: Array, kappa: float, price: float) -> Array:
        part, moving = self._pieces, self._moving
        t = part.high.copy()
        if moving.size:
            here, turn = f[part.row[moving]], part.side[moving] * kappa
            low, high = part.low[moving], part.high[moving]
            if self._t is None:
                t[moving], _ = best_sizes(self._moved, here, turn, price, low, high)
            else:
                near = self._t[moving]
                t[moving] = near_sizes(self._moved, here, turn, price, low, high, near)
        return t

    def _values(self, f: Array, kappa: float, price: float, t: Array) -> Array:
        """g (P,)."""
        part = self._pieces
        ends = f[part.row] + part.side * kappa * t
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._rows.loss.value(ends, self._own.y)
            return np.asarray(values - price * t**self._rows.order)

    def start(self, f: Array, kappa: float, mu: float) -> None:
        """Onto the central path at (f, κ)."""
        self._f = f
        low, high = self._price, np.inf
        for _ in range(_BALANCED):
            over = self._centre(kappa, mu)
            if abs(over) <= _BALANCE:
                break
            low, high = (self._price, high) if over > 0.0 else (low, self._price)
            if low < self._price or np.isfinite(high):
                self._price = float(np.sqrt(low * high)) if np.isfinite(high) else 4.0 * low
            else:
                self._price = 4.0 * low

    def _centre(self, kappa: float, mu: float) -> float:
        """Levels and multipliers at this price; by how much the budget is overspent then."""
        f, row = self._f, self._pieces.row
        t = self._t = self._sizes(f, kappa, self._price)
        g = self._values(f, kappa, self._price, t)
        above = centred(g, row, self._w, mu)
        top = np.full(f.size, -np.inf)
        np.maximum.at(top, row, g)
        self._e = top + above
        slack = np.append((above[row] + (top[row] - g))[self._some], self._price)
        self.pairs = Pairs.centred(slack, mu / slack)
        z = self._w[row]
        z[self._some] = self.pairs.multiplier[:-1]
        return float(z @ t**self._rows.order) + float(self.pairs.multiplier[-1]) - 1.0

    def refresh(self, theta: Array, kappa: float) -> None:
        """Derivatives at (f, κ, μ)."""
        part, loss, u = self._pieces, self._rows.loss, self._rows.order
        f, price = self._f, self._price
        t = self._t = self._sizes(f, kappa, price)
        ends = f[part.row] + part.side * kappa * t
        first, second = loss.slope(ends, self._own.y), loss.curvature(ends, self._own.y)
        g = loss.value(ends, self._own.y) - price * t**u
        z = self._z = self._w[part.row]
        z[self._some] = self.pairs.multiplier[:-1]
        self._slope = first
        self._along = np.vstack([first, part.side * t * first, -(t**u)])
        self._bend = self._bends(kappa, t, first, second)
        slack = self._e[part.row[self._some]] - g[self._some]
        self.pairs.defect = self.pairs.slack - np.append(slack, price)
        alone = part.alone
        self._e[part.row[alone]] = g[alone]
        self.value = price + float(self._w @ self._e)
        self._slopes = self._totals(z * first)
        self.along_kappa = float(z @ self._along[1])
        self.gradient = self._design.pull(self._slopes[:, None])[:, 0]
        self.yardstick = self._design.yardstick(self._slopes)
        lacks = 1.0 - self.pairs.multiplier[-1] + float(z @ self._along[2])
        self.residual = abs(lacks)

    def _bends(self, kappa: float, t: Array, first: Array, second: Array) -> Array:
        """∇²g of (f, κ, μ), (6, P): ff, fκ, fμ, κκ, κμ, μμ."""
        part, u, price = self._pieces, self._rows.order, self._price
        move = part.side * t
        zero = np.zeros(t.size)
        bend = np.vstack([second, second * move, zero, second * move**2, zero, zero])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            own = u * (u - 1.0) * price * t ** (u - 2.0)
            room = own - kappa**2 * second
            soft = (t > part.low) & (t < part.high) & (room > _FLAT * own)
            c = np.vstack([
                part.side * kappa * second, part.side * first + t * kappa * second,
                -u * t ** (u - 1.0),
            ])  # fmt: skip
            more = np.vstack([c[0] * c, c[1] * c[1:], c[2] * c[2:]]) / room
        return bend + np.where(soft, more, 0.0)

    def _curvature(self) -> Array:
        """The second derivatives of each row's part after its level is eliminated, (6, n)."""
        part, some = self._pieces, self._some
        total = np.vstack([self._totals(self._z * bend) for bend in self._bend])
        ratio = self.pairs.ratio[:-1]
        row, along = part.row[some], self._along[:, some]
        self._weight = self._totals(ratio, some)
        weight = np.where(self._weight > 0.0, self._weight, 1.0)
        self._mean = np.vstack([self._totals(ratio * one, some) / weight for one in along])
        off = along - self._mean[:, row]
        products = np.vstack([off[0] * off, off[1] * off[1:], off[2] * off[2:]])
        return total + np.vstack([self._totals(ratio * one, some) for one in products])

    def system(
        self, free: Array, scale: Array, diagonal: Array, rho: float, norm: Curvature
    ) -> SharedRows:
        """The Newton steps' system at this iterate: θ and μ, then τ."""
        ff, fk, fm, kk, km, mm = self._curvature()
        d = self._design.n_columns
        gram = np.empty((d + 1, d + 1))
        gram[:d, :d] = self._design.square(ff)
        pulled = self._design.pull(np.column_stack([fk, fm]))
        gram[d, :d] = gram[:d, d] = pulled[:, 1]
        gram[d, d] = mm.sum() + self.pairs.ratio[-1]
        cross = np.append(pulled[:, 0], km.sum())
        whole = Quadratic(gram, rho * cross, rho**2 * float(kk.sum()))
        self._dense = Dense(whole, free, scale, np.append(diagonal, 0.0), norm)
        return self

    def solve(self, right: Array, right_tau: float) -> tuple[Array, float]:
        """The step of θ and τ; that of μ is kept."""
        step, dtau = self._dense.solve(np.append(right, self._right_price), right_tau)
        self._dprice = float(step[-1])
        return step[:-1], dtau

    def right(self, mu: float, second: bool) -> tuple[Array, float]:
        """Derivatives in θ (d,) and κ of what the Newton step minimises."""
        part, some = self._pieces, self._some
        pull = self.pairs.pull(mu, second)
        self._pull, row = pull, part.row[some]
        self._over = np.zeros(self._w.size)
        has = self._weight > 0.0
        lever = self._totals(pull[:-1], some) - self._w
        self._over[has] = lever[has] / self._weight[has]
        z = self._w[part.row]
        z[some] = pull[:-1] - self.pairs.ratio[:-1] * self._over[row]
        self._right_price = 1.0 - float(pull[-1]) + float(z @ self._along[2])
        numbers = self._totals(z * self._along[0])
        return self._design.pull(numbers[:, None])[:, 0], float(z @ self._along[1])

    def turn(self, dtheta: Array, dkappa: float) -> None:
        """The rows' own step."""
        row, some = self._pieces.row[self._some], self._some
        self._df = self._design.predict(dtheta)
        moved = np.empty((3, self._df.size))
        moved[0], moved[1], moved[2] = self._df, dkappa, self._dprice
        self._de = self._over + (self._mean * moved).sum(axis=0)
        opening = self._de[row] - (self._along[:, some] * moved[:, row]).sum(axis=0)
        self.pairs.turn(self._pull, np.append(opening, self._dprice))

    def prepare_search(self) -> None:
        """Nothing is made for it."""

    def merit(self, kappa: float, t: float, mu: float) -> float:
        """The barrier's value after a step of length t, which leads to κ."""
        part, some = self._pieces, self._some
        f, price = self._f + t * self._df, self._price + t * self._dprice
        if not (price > 0.0 and kappa > 0.0):
            return np.inf
        g = self._values(f, kappa, price, self._sizes(f, kappa, price))
        e = self._e + t * self._de
        e[part.row[part.alone]] = g[part.alone]
        slack = self.pairs.slack + t * self.pairs.d_slack
        defect = slack - np.append(e[part.row[some]] - g[some], price)
        value = price + float(self._w @ e) + self.pairs.merit(t, mu, defect)
        return value if np.isfinite(value) else np.inf

    def advance(self, t: float) -> None:
        """Take it."""
        self._f = self._f + t * self._df
        self._e = self._e + t * self._de
        self._price += t * self._dprice
        self.pairs.advance(t)

    def sort(
        self, f: Array, theta: Array, kappa: float, mu: float, gap: float, settles: bool
    ) -> bool:
        """Look again at which rows have two peaks; True if others have."""
        new = pieces_of(self._rows, f, self._w, kappa, self._price)
        old = self._pieces
        # Two pieces where one would do by now cover the same sizes; starting anew with one would
        # lose how much of the row's weight each end has.
        more = new.beyond(old)
        if not more.any():
            return False
        new, kept = new.of_rows(more, old), ~more
        e, price, theirs = self._e, self._price, kept[old.row] & ~old.alone
        slack, multiplier = np.zeros(old.row.size), self._z
        slack[self._some] = self.pairs.slack[:-1]
        last = self.pairs.slack[-1], self.pairs.multiplier[-1]
        self._take(new)
        self._f = f
        self._centre(kappa, mu)
        self._price, self._e[kept] = price, e[kept]
        mine = np.flatnonzero(kept[new.row[self._some]])
        self.pairs.slack[mine], self.pairs.multiplier[mine] = slack[theirs], multiplier[theirs]
        self.pairs.slack[-1], self.pairs.multiplier[-1] = last
        self.refresh(theta, kappa)
        return True

    def kinks(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows are no kinks of the objective as a function of θ alone."""
        return np.empty(0, dtype=int), np.empty(0)

    def multipliers(self, f: Array, kappa: float) -> SharedMultipliers:
        """The dual point at this iterate."""
        part = self._pieces
        return SharedMultipliers(
            self._rows, self._w, part.row, self._z * (self._w / self._totals(self._z))[part.row],
            part.side * self._t, self._slope,
        ).within_budget()  # fmt: skip

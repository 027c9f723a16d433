"""The inner maxima of all rows, as an interior-point method sees them.

ψ(f, κ) = max ℓ(f ± κ) is the least h(e) with e ≥ g±(f, κ). For a loss of |r| alone, r = f − y,
the *level* e = |r| + κ gives linear constraints, g± = κ ± r and h(e) = ℓ(y + e); for others
g± = ℓ(f ± κ) and h(e) = e. A loss that only ever falls towards its label has one end, f − yκ,
and needs no constraint.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....losses import Loss
from .barrier import Pairs

Array = NDArray[Any]


class RowTerms(Protocol):
    """Σ w̄ ψ, with what stands between it and its barrier."""

    @property
    def pairs(self) -> Pairs | None:
        """What keeps the ends of rows apart, if anything."""

    @property
    def n_pairs(self) -> int:
        """How many products s z they have."""

    def start(self, f: Array, kappa: float, mu: float, far: bool = False) -> None:
        """Onto the central path at (f, κ); rows that are `far` from its kinks at μ are given the
        μ at which they are not."""

    def refresh(self, f: Array, kappa: float) -> None:
        """Derivatives at (f, κ)."""

    @property
    def value(self) -> float:
        """Σ w̄ h(e)."""

    @property
    def spread(self) -> Array:
        """(n,) what slacks are small or large against: how far κ moves the ends."""

    @property
    def slopes(self) -> tuple[Array, float]:
        """The multipliers of f (n,) and κ."""

    @property
    def residual(self) -> float:
        """What e's own condition lacks, relative to the multipliers."""

    def curvature(self) -> tuple[Array, Array, float, float]:
        """Second derivatives after e and the pairs are eliminated: ff (n,), fκ (n,), κκ; and a
        number that multiplies the outer product of Zᵀ fκ with itself, in θ."""

    def right(self, mu: float, second: bool) -> tuple[Array, float]:
        """Derivatives in f (n,) and κ of what the Newton step minimises."""

    def turn(self, df: Array, dkappa: float) -> None:
        """The step of e and the pairs that goes with one of f and κ."""

    def merit(self, f: Array, kappa: float, t: float, mu: float) -> float:
        """The barrier's value after a step of length t, which leads to (f, κ)."""

    def advance(self, t: float) -> None:
        """Take it."""

    def multipliers(self) -> tuple[Array, Array]:
        """Shares of the ends and slopes there, (2, n) each."""

    def carry(self, other: RowTerms, mine: Array, theirs: Array) -> None:
        """Take the state of some of another's rows."""


def row_terms(loss: Loss, y: Array, w: Array) -> RowTerms:
    """The terms of a loss."""
    if loss.is_monotone:
        return _OneEnd(loss, y, w)
    return _Levels(loss, y, w) if loss.is_symmetric else _Values(loss, y, w)


class SmoothTerms:
    """Terms without kinks, of which nothing is kept apart; subclasses say which."""

    pairs: Pairs | None = None
    n_pairs = 0
    spread = np.ones(1)
    residual = 0.0

    def __init__(self, loss: Loss, y: Array, w: Array) -> None:
        self._loss, self._y, self._w = loss, y, w

    def _total(self, f: Array, kappa: float) -> float:
        """Their sum."""
        raise NotImplementedError

    def start(self, f: Array, kappa: float, mu: float, far: bool = False) -> None:
        pass

    @property
    def slopes(self) -> tuple[Array, float]:
        raise NotImplementedError

    def right(self, mu: float, second: bool) -> tuple[Array, float]:
        return self.slopes

    def turn(self, df: Array, dkappa: float) -> None:
        pass

    def merit(self, f: Array, kappa: float, t: float, mu: float) -> float:
        value = self._total(f, kappa)
        return value if np.isfinite(value) else np.inf

    def advance(self, t: float) -> None:
        pass

    def carry(self, other: RowTerms, mine: Array, theirs: Array) -> None:
        pass


class _OneEnd(SmoothTerms):
    """ψ = ℓ(f − yκ)."""

    def _total(self, f: Array, kappa: float) -> float:
        return float(self._w @ self._loss.value(f - self._y * kappa, self._y))

    def refresh(self, f: Array, kappa: float) -> None:
        end = f - self._y * kappa
        self.value = self._total(f, kappa)
        self._slope = self._loss.slope(end, self._y)
        self._bend = self._w * self._loss.curvature(end, self._y)

    @property
    def slopes(self) -> tuple[Array, float]:
        along = self._w * self._slope
        return along, -float(self._y @ along)

    def curvature(self) -> tuple[Array, Array, float, float]:
        return self._bend, -self._y * self._bend, float(self._bend.sum()), 0.0

    def multipliers(self) -> tuple[Array, Array]:
        upper = self._y < 0
        share = np.where(np.vstack([upper, ~upper]), self._w, 0.0)
        return share, np.vstack([self._slope, self._slope])


class _TwoEnds:
    """e with its two constraints; subclasses say what g± and h are."""

    pairs: Pairs

    def __init__(self, loss: Loss, y: Array, w: Array) -> None:
        self._loss, self._y, self._w = loss, y, w
        self.n_pairs = 2 * y.size

    def _ends(self, f: Array, kappa: float) -> Array:
        """g± (2, n)."""
        raise NotImplementedError

    def _end_slopes(self, f: Array, kappa: float) -> tuple[Array, Array]:
        """∂g±/∂f and ∂²g±/∂f², (2, n) each."""
        raise NotImplementedError

    def _outer(self, e: Array) -> tuple[Array, Array, Array]:
        """h, h' and h'' (n,)."""
        raise NotImplementedError

    def start(self, f: Array, kappa: float, mu: float, far: bool = False) -> None:
        ends = self._ends(f, kappa)
        mid, half = 0.5 * (ends[0] + ends[1]), 0.5 * np.abs(ends[0] - ends[1])
        width = mu / (self._w * np.maximum(self._outer(mid + half)[1], 1e-300))
        if far:
            width = np.maximum(width, half)
        # Where the slope at the top is nothing the row is far from mattering at all.
        width = np.minimum(width, self._widest(mid, half))
        self._e = mid + width + np.hypot(width, half)
        slack = self._e - ends
        multiplier = 1.0 / slack
        multiplier *= self._w * self._outer(self._e)[1] / multiplier.sum(axis=0)
        self.pairs = Pairs.centred(slack, multiplier)

    def _widest(self, mid: Array, half: Array) -> float:
        """A bound on the first slacks."""
        return float(self._w @ (np.abs(mid) + half)) + 1e-300

    def refresh(self, f: Array, kappa: float) -> None:
        self.pairs.defect = self.pairs.slack - (self._e - self._ends(f, kappa))
        self._slope, self._bend = self._end_slopes(f, kappa)
        h, first, second = self._outer(self._e)
        self.value = float(self._w @ h)
        self._first, self._second = self._w * first, self._w * second
        self._kappa = kappa

    @property
    def spread(self) -> Array:
        return np.asarray(self._kappa * np.abs(self._slope).max(axis=0))

    @property
    def slopes(self) -> tuple[Array, float]:
        along = self.pairs.multiplier * self._slope
        return along.sum(axis=0), float((along[0] - along[1]).sum())

    @property
    def residual(self) -> float:
        lacks = np.abs(self._first - self.pairs.multiplier.sum(axis=0)).sum()
        return float(lacks / self.pairs.multiplier.sum())

    def curvature(self) -> tuple[Array, Array, float, float]:
        ratio = self.pairs.ratio
        self._ratio, self._total = ratio, self._second + ratio[0] + ratio[1]
        own = ratio * (self._second + ratio[::-1]) / self._total
        square = own * self._slope**2 + self.pairs.multiplier * self._bend
        both = -(ratio[0] * ratio[1] / self._total) * (self._slope[0] * self._slope[1])
        along_f = square[0] + square[1] + 2.0 * both
        along_kappa = float((square[0] + square[1] - 2.0 * both).sum())
        return along_f, square[0] - square[1], along_kappa, 0.0

    def right(self, mu: float, second: bool) -> tuple[Array, float]:
        self._pull = self.pairs.pull(mu, second)
        self._rise = (self._pull[0] + self._pull[1] - self._first) / self._total
        along = (self._pull - self._ratio * self._rise) * self._slope
        return along[0] + along[1], float((along[0] - along[1]).sum())

    def turn(self, df: Array, dkappa: float) -> None:
        ends = self._slope * np.vstack([df + dkappa, df - dkappa])
        self._de = self._rise + (self._ratio * ends).sum(axis=0) / self._total
        self.pairs.turn(self._pull, self._de - ends)

    def merit(self, f: Array, kappa: float, t: float, mu: float) -> float:
        e = self._e + t * self._de
        slack = self.pairs.slack + t * self.pairs.d_slack
        defect = slack - (e - self._ends(f, kappa))
        value = float(self._w @ self._outer(e)[0]) + self.pairs.merit(t, mu, defect)
        return value if np.isfinite(value) else np.inf

    def advance(self, t: float) -> None:
        self._e = self._e + t * self._de
        self.pairs.advance(t)

    def carry(self, other: RowTerms, mine: Array, theirs: Array) -> None:
        assert isinstance(other, _TwoEnds)
        self._e[mine] = other._e[theirs]
        self.pairs.slack[:, mine] = other.pairs.slack[:, theirs]
        self.pairs.multiplier[:, mine] = other.pairs.multiplier[:, theirs]


class _Levels(_TwoEnds):
    """e = |r| + κ."""

    def _ends(self, f: Array, kappa: float) -> Array:
        r = f - self._y
        return np.vstack([kappa + r, kappa - r])

    def _end_slopes(self, f: Array, kappa: float) -> tuple[Array, Array]:
        ones = np.ones(f.size)
        return np.vstack([ones, -ones]), np.zeros((2, f.size))

    def _outer(self, e: Array) -> tuple[Array, Array, Array]:
        f = self._y + e
        loss, y = self._loss, self._y
        return loss.value(f, y), loss.slope(f, y), loss.curvature(f, y)

    def multipliers(self) -> tuple[Array, Array]:
        total = self.pairs.multiplier.sum(axis=0)
        slope = total / self._w
        return self.pairs.multiplier * (self._w / total), np.vstack([slope, -slope])


class _Values(_TwoEnds):
    """e = ψ itself."""

    def _ends(self, f: Array, kappa: float) -> Array:
        return np.vstack(
            [self._loss.value(f + kappa, self._y), self._loss.value(f - kappa, self._y)]
        )

    def _end_slopes(self, f: Array, kappa: float) -> tuple[Array, Array]:
        up, down, y, loss = f + kappa, f - kappa, self._y, self._loss
        return (
            np.vstack([loss.slope(up, y), loss.slope(down, y)]),
            np.vstack([loss.curvature(up, y), loss.curvature(down, y)]),
        )

    def _outer(self, e: Array) -> tuple[Array, Array, Array]:
        return e, np.ones(e.size), np.zeros(e.size)

    def multipliers(self) -> tuple[Array, Array]:
        total = self.pairs.multiplier.sum(axis=0)
        return self.pairs.multiplier * (self._w / total), self._slope

"""The path between its knots: cubics that have the derivatives of both ends, or lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .local import Multipliers

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Knot:
    """A robust optimum on the path, in working coordinates.

    Attributes
    ----------
    eps : float
    theta : array (d,)
    tangent : array (d,) or None
        dθ/dε; to the right at ε = 0. None at the zero radius, where the path ends in a kink.
    known : Multipliers
        Of what is at its kinks there.
    objective, gap : float
        J, and about how far that is above its minimum, relative to it.
    is_above : array (n,) of bool
        Which rows are attacked at their upper end.
    matrix : array (d, d) or None
        E ψ_ff zzᵀ + 2αP, there or nearby; None where it is not known.
    """

    eps: float
    theta: Array
    tangent: Array | None
    known: Multipliers
    objective: float
    gap: float
    is_above: Array
    matrix: Array | None = None


@dataclass(frozen=True)
class Segment:
    """The path from one knot to the next."""

    left: Knot
    right: Knot

    @property
    def length(self) -> float:
        """In ε."""
        return self.right.eps - self.left.eps

    @property
    def bends(self) -> float:
        """How much the matrix changes: the largest of its diagonal's logarithms."""
        left, right = self.left.matrix, self.right.matrix
        if left is None or right is None or left is right:
            return 0.0
        a, b = left.diagonal(), right.diagonal()
        used = (a > 0.0) & (b > 0.0)
        return float(np.abs(np.log(a[used] / b[used])).max(initial=0.0))

    def divides(self, asked: Array) -> bool:
        """Whether a radius that is asked for, if any are, is between both ends."""
        return not asked.size or bool(((asked > self.left.eps) & (asked < self.right.eps)).any())

    def middle(self, asked: Array) -> float:
        """The middle, or of the radii that are asked for the one nearest to it."""
        middle = 0.5 * (self.left.eps + self.right.eps)
        inside = asked[(asked > self.left.eps) & (asked < self.right.eps)]
        return float(inside[np.argmin(np.abs(inside - middle))]) if inside.size else middle

    def share(self, eps: float) -> float:
        """How far along ε is."""
        return (eps - self.left.eps) / self.length

    def at(self, t: Array) -> Array:
        """θ (d, k) at shares t (k,) of the length."""
        left, right, h = self.left, self.right, self.length
        assert left.tangent is not None
        jump = (right.theta - left.theta)[:, None]
        start, base = h * left.tangent[:, None], left.theta[:, None]
        if right.tangent is None:
            return np.asarray(base + t * start + t**2 * (jump - start))
        end = h * right.tangent[:, None]
        cubic = t * (1.0 - t) * ((1.0 - t) * (start - jump) - t * (end - jump))
        return np.asarray(base + t * jump + cubic)

    def on_line(self, t: float) -> Array:
        """θ (d,) at a share of the length, straight from end to end."""
        return np.asarray((1.0 - t) * self.left.theta + t * self.right.theta)

    def multipliers(self, t: float) -> Multipliers:
        """Between those of both ends."""
        left, right = self.left, self.right
        rows = np.union1d(left.known.rows, right.known.rows)
        sides = (1.0 - t) * _sides(left, rows) + t * _sides(right, rows)
        slope = None
        if left.known.slope is not None and right.known.slope is not None:
            slope = (1.0 - t) * left.known.slope + t * right.known.slope
        return Multipliers(rows, sides, slope)


def _sides(knot: Knot, rows: Array) -> Array:
    sides = np.where(knot.is_above[rows], 1.0, -1.0)
    place = np.searchsorted(rows, knot.known.rows)
    sides[place] = knot.known.sides
    return sides

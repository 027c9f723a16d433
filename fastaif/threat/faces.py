"""Where a dual norm N(β) = ‖Dβ‖_q is smooth: the faces on which a convex solver moves.

For 1 < p < ∞ that is everywhere but at zero. For p = ∞ N is linear as long as no entry changes
sign, entries at zero being held there; for p = 1 as long as the same entries are the largest.
A solver minimises on a face, goes as far as it reaches, and asks which of its conditions to drop.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_STEEP = 1e12  # curvature of |u|^q, q < 2, near u = 0, in units of that at the norm's own size
_INSIDE = 1e-10  # by so much a multiplier may be out of range and count as inside
PINNED = 1e-13  # of the largest |D_j β_j|: entries as small are zero, entries as near are tied


class Local(NamedTuple):
    """N on a face about a point.

    Attributes
    ----------
    value : float
    gradient : array (m,)
        Of N on the face.
    bend : array (m,) or None
        The diagonal part of its Hessian, which is diag(bend) − curl · gradient gradientᵀ.
    curl : float
    """

    value: float
    gradient: Array
    bend: Array | None = None
    curl: float = 0.0


class Face(ABC):
    """A face of N, which `advance` and `release` change.

    Parameters
    ----------
    weights : array (m,)
        D; 0 where an entry does not count.
    beta : array (m,)
        Where it starts.
    doubt : array (m,), optional
        By how much entries of β may be off; of p = 1 and ∞ those count as on a kink that may be.
    """

    def __init__(self, weights: Array, beta: Array, doubt: Array | None = None) -> None:
        self.weights, self.m = weights, weights.size

    @property
    def n_held(self) -> int:
        """How many entries are held at a kink."""
        return len(self.conditions[0])

    @abstractmethod
    def generators(self) -> tuple[Array, Array, bool]:
        """∂N at a point of the face: a gradient (m,) plus columns (m, k) times λ (k,).

        λ is in [−1, 1], or in the unit simplex where the last number says so.
        """

    @property
    def conditions(self) -> tuple[Array, Array]:
        """The linear conditions that keep β on the face, one a row: places and coefficients."""
        return np.empty((0, 1), dtype=int), np.empty((0, 1))

    @abstractmethod
    def local(self, beta: Array) -> Local:
        """N about β."""

    def reach(self, beta: Array, step: Array) -> float:
        """The largest t ≤ 1 such that β + t step is on the closed face."""
        return 1.0

    def advance(self, beta: Array) -> Array:
        """β with what the last `reach` stopped at held from now on."""
        return beta

    def project(self, beta: Array) -> Array | None:
        """β brought onto the face's closure at once, what this moves being held from now on.

        None where there is no such shortcut.
        """
        return None

    def release(self, multipliers: Array, weight: float) -> bool:
        """Drop a condition whose multiplier, over the weight of N, is out of range, if one is."""
        return False

    def copy(self) -> Face:
        """An independent copy."""
        twin = object.__new__(type(self))
        twin.__dict__ = {
            key: value.copy() if isinstance(value, np.ndarray | list) else value
            for key, value in self.__dict__.items()
        }
        return twin


class Smooth(Face):
    """1 < q < ∞."""

    def __init__(self, weights: Array, beta: Array, q: float) -> None:
        super().__init__(weights, beta)
        self.q, self._start = q, beta

    @property
    def n_held(self) -> int:
        """None: there is no kink."""
        return 0

    def generators(self) -> tuple[Array, Array, bool]:
        """The gradient alone."""
        return self.local(self._start).gradient, np.empty((self.m, 0)), False

    def local(self, beta: Array) -> Local:
        """N about β, which must not be zero."""
        u = self.weights * beta
        largest = float(np.abs(u).max())
        if self.q == 2.0:
            size = largest * math.sqrt(float(np.square(u / largest).sum()))
            return Local(size, self.weights * (u / size), self.weights**2 / size, 1.0 / size)
        unit = np.abs(u) / largest
        norm = float(np.sum(unit**self.q)) ** (1.0 / self.q)
        ratio, size = unit / norm, largest * norm
        gradient = self.weights * np.sign(u) * ratio ** (self.q - 1.0)
        with np.errstate(divide="ignore"):
            power = np.minimum(ratio ** (self.q - 2.0), _STEEP)
        bend = (self.q - 1.0) * self.weights**2 * power / size
        return Local(size, gradient, bend, (self.q - 1.0) / size)


class Signs(Face):
    """q = 1: entries keep their signs, or stay at zero."""

    def __init__(self, weights: Array, beta: Array, doubt: Array | None = None) -> None:
        super().__init__(weights, beta)
        size = np.abs(weights * beta)
        small = size <= PINNED * size.max(initial=0.0)
        if doubt is not None:
            small |= size <= weights * doubt
        self.pinned = (weights > 0) & small
        self.side = np.where((weights > 0) & ~self.pinned, np.sign(beta), 0.0)
        self._stop = 0

    @property
    def conditions(self) -> tuple[Array, Array]:
        """e_j for every entry at zero."""
        places = np.flatnonzero(self.pinned)[:, None]
        return places, np.ones(places.shape)

    def generators(self) -> tuple[Array, Array, bool]:
        """D_j e_j for every entry at zero, with λ in [−1, 1]."""
        places = np.flatnonzero(self.pinned)
        columns = np.zeros((self.m, places.size))
        columns[places, np.arange(places.size)] = self.weights[places]
        return self.weights * self.side, columns, False

    def local(self, beta: Array) -> Local:
        """N about β."""
        return Local(float(self.weights @ np.abs(beta)), self.weights * self.side)

    def reach(self, beta: Array, step: Array) -> float:
        """To the first change of sign."""
        with np.errstate(divide="ignore", invalid="ignore"):
            when = np.where(self.side * step < 0.0, -beta / step, np.inf)
        self._stop = int(np.argmin(when))
        return min(float(when[self._stop]), 1.0)

    def advance(self, beta: Array) -> Array:
        """Hold the entry that reached zero."""
        return self._held(beta, np.array([self._stop]))

    def project(self, beta: Array) -> Array | None:
        """Hold every entry that changed its sign."""
        crossed = np.flatnonzero(self.side * beta < 0.0)
        return self._held(beta, crossed)

    def _held(self, beta: Array, places: Array) -> Array:
        self.side[places], self.pinned[places] = 0.0, True
        out = beta.copy()
        out[places] = 0.0
        return out

    def release(self, multipliers: Array, weight: float) -> bool:
        """Of the entries at zero let go the one that is pulled hardest."""
        places = np.flatnonzero(self.pinned)
        if not places.size:
            return False
        pull = multipliers / (weight * self.weights[places])
        hardest = int(np.argmax(np.abs(pull)))
        if not abs(pull[hardest]) > 1.0 + _INSIDE:
            return False
        j = places[hardest]
        self.pinned[j], self.side[j] = False, np.sign(pull[hardest])
        return True


class Largest(Face):
    """q = ∞: the same entries are the largest, and equal."""

    def __init__(self, weights: Array, beta: Array, doubt: Array | None = None) -> None:
        super().__init__(weights, beta)
        size = np.abs(weights * beta)
        first = int(np.argmax(size))
        least = (1.0 - PINNED) * size[first]
        spare = np.zeros(self.m) if doubt is None else weights * doubt + (weights * doubt)[first]
        self.tied = [int(j) for j in np.flatnonzero((size + spare >= least) & (weights > 0.0))]
        self.side = np.where(beta < 0.0, -1.0, 1.0)
        self._stop = (0, 1.0)

    @property
    def conditions(self) -> tuple[Array, Array]:
        """D_j σ_j e_j − D_k σ_k e_k for every entry j that is tied with the first, k."""
        signed, first, others = self.weights * self.side, self.tied[0], np.array(self.tied[1:], int)
        firsts = np.full(others.size, first)
        coefficients = np.column_stack([signed[others], -signed[firsts]])
        return np.column_stack([others, firsts]), coefficients

    def generators(self) -> tuple[Array, Array, bool]:
        """D_j σ_j e_j for every tied entry, with λ in the simplex."""
        columns = np.zeros((self.m, len(self.tied)))
        columns[self.tied, np.arange(len(self.tied))] = (self.weights * self.side)[self.tied]
        if len(self.tied) == 1:
            return columns[:, 0], np.empty((self.m, 0)), False
        return np.zeros(self.m), columns, True

    def local(self, beta: Array) -> Local:
        """N about β; along the face every subgradient is as good as the first entry's."""
        first, gradient = self.tied[0], np.zeros(self.m)
        gradient[first] = self.weights[first] * self.side[first]
        return Local(float(np.max(np.abs(self.weights * beta))), gradient)

    def reach(self, beta: Array, step: Array) -> float:
        """To where another entry becomes as large."""
        u, rate = self.weights * beta, self.weights * step
        first, best = self.tied[0], 1.0
        level, fall = u[first] * self.side[first], rate[first] * self.side[first]
        others = self.weights > 0
        others[self.tied] = False
        for side in (1.0, -1.0):
            speed = side * rate - fall
            with np.errstate(divide="ignore", invalid="ignore"):
                when = np.where(others & (speed > 0.0), (level - side * u) / speed, np.inf)
            j = int(np.argmin(when))
            if when[j] < best:
                best, self._stop = max(float(when[j]), 0.0), (j, side)
        return best

    def advance(self, beta: Array) -> Array:
        """Tie the entry that became as large."""
        j, side = self._stop
        self.tied.append(j)
        self.side[j] = side
        return beta

    def release(self, multipliers: Array, weight: float) -> bool:
        """Of the tied entries let go the one whose share of the subgradient is most negative."""
        if len(self.tied) == 1:
            return False
        shares = multipliers / weight
        shares = np.append(1.0 - shares.sum(), shares)
        least = int(np.argmin(shares))
        if not shares[least] < -_INSIDE:
            return False
        self.tied.pop(least)
        return True


def face_at(weights: Array, p: float, beta: Array, doubt: Array | None = None) -> Face:
    """The face of ‖Dβ‖_q, 1/p + 1/q = 1, on which β is, or may be, if in doubt."""
    if np.isinf(p):
        return Signs(weights, beta, doubt)
    if p == 1:
        return Largest(weights, beta, doubt)
    return Smooth(weights, beta, p / (p - 1.0))

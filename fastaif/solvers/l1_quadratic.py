"""A quadratic and a weighted l1 norm, minimised exactly on an active set.

    min_v  gᵀv + ½ vᵀHv + Σ_j w_j |x_j + v_j|,   H positive semi-definite, w ≥ 0

On entries whose signs are given this is a linear system. A step to its solution that would carry
entries through zero leaves them there, where that lowers the objective, and else ends at the first
of them; zeros that are pulled by more than w_j join. Each round lowers the objective, so that no
set comes twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cholesky import factorize

Array = NDArray[Any]

_PROJECTED = 200  # rounds in which many entries at once may be left at zero
_MOST = 10_000
_NULL = 1e-9  # of a gradient: what H does not see of it
_JOIN = 8  # zeros that join beside half as many as there are


def least_subgradient(gradient: Array, x: Array, weights: Array) -> Array:
    """The least subgradient of a smooth function and Σ w |x|, given the smooth one's gradient."""
    within = np.sign(gradient) * np.maximum(np.abs(gradient) - weights, 0.0)
    return np.where(x == 0.0, within, gradient + weights * np.sign(x))


def minimise(H: Array, g: Array, x: Array, weights: Array, slack: float = 0.0) -> Array:
    """The minimising v (d,), such that entries of x + v are zero exactly or not at all.

    Parameters
    ----------
    H : array (d, d)
    g, x, weights : arrays (d,)
    slack : float
        By how much a zero's pull may exceed its weight.
    """
    search = _ActiveSet(H, g, x, weights)
    for k in range(_MOST):
        if not search.step(project=k < _PROJECTED) and not search.widen(slack):
            break
    return search.z - x


class _ActiveSet:
    """z = x + v, the quadratic's gradient there, and the entries that may move."""

    def __init__(self, H: Array, g: Array, x: Array, weights: Array) -> None:
        self._H, self._w = H, weights
        self.z, self._gradient = x.copy(), g.copy()
        self._active = (weights == 0.0) | (x != 0.0)
        self._sign = np.sign(x) * (weights > 0.0)
        self._strongest = -1

    def step(self, project: bool) -> bool:
        """Towards the minimum with these signs; False once that is where z is."""
        A = np.flatnonzero(self._active)
        move, endless = self._move(A)
        z, sign, bound = self.z[A], self._sign[A], self._w[A] > 0.0
        after = z + move
        crosses = bound & (sign * move < 0.0) & ((sign * after < 0.0) | endless)
        if not crosses.any():
            if not endless:
                self._take(A, move)
            return False
        if project and not endless and self._projects(A, np.where(crosses, 0.0, after)):
            return True
        when = np.full(A.size, np.inf)
        when[crosses] = -z[crosses] / move[crosses]
        t = float(when.min())
        stopped = when <= t
        if t <= 0.0 and self._strongest >= 0 and np.all(stopped | (self._strongest != A)):
            stopped = self._all_but_strongest(A)
        self._take(A, t * move)
        self._drop(A[stopped])
        return True

    def _all_but_strongest(self, A: Array) -> Array:
        """Of entries that have just joined, the others, if they get in its way."""
        fresh = (self.z[A] == 0.0) & (self._w[A] > 0.0)
        return fresh & (self._strongest != A)

    def _move(self, A: Array) -> tuple[Array, bool]:
        """The step on A, and whether it is one along which the objective falls for ever."""
        right = -(self._gradient[A] + self._w[A] * self._sign[A])
        if not A.size:
            return right, False
        part = self._H[np.ix_(A, A)]
        factor = factorize(part)
        if factor is not None:
            return factor.solve(right), False
        unit = 1.0 / np.sqrt(np.maximum(part.diagonal(), 1e-300))
        unit[part.diagonal() <= 0.0] = 1.0
        values, vectors = np.linalg.eigh(part * unit * unit[:, None])
        along = vectors.T @ (unit * right)
        seen = values > A.size * np.finfo(float).eps * max(float(values[-1]), 0.0)
        size = float(np.abs(along).max(initial=0.0))
        if np.linalg.norm(along[~seen]) > _NULL * size:
            return unit * (vectors[:, ~seen] @ along[~seen]), True
        return unit * (vectors[:, seen] @ (along[seen] / values[seen])), False

    def _projects(self, A: Array, after: Array) -> bool:
        """Leave entries that would cross at zero, if that lowers the objective."""
        move = after - self.z[A]
        turned = self._H[:, A] @ move
        change = float(self._gradient[A] @ move + 0.5 * move @ turned[A])
        change += float(self._w[A] @ (np.abs(after) - np.abs(self.z[A])))
        if not change < 0.0:
            return False
        self.z[A] = after
        self._gradient = self._gradient + turned
        self._drop(A[(after == 0.0) & (self._w[A] > 0.0)])
        return True

    def _take(self, A: Array, move: Array) -> None:
        self.z[A] += move
        self._gradient = self._gradient + self._H[:, A] @ move

    def _drop(self, places: Array) -> None:
        self.z[places], self._active[places], self._sign[places] = 0.0, False, 0.0

    def widen(self, slack: float) -> bool:
        """Let zeros move that are pulled by more than their weights; False where there are none."""
        self._drop(np.flatnonzero(self._active & (self.z == 0.0) & (self._w > 0.0)))
        excess = np.where(self._active, 0.0, np.abs(self._gradient) - self._w)
        places = np.flatnonzero(excess > slack)
        if not places.size:
            return False
        most = _JOIN + np.count_nonzero(self._active) // 2
        chosen = places[np.argsort(-excess[places], kind="stable")[:most]]
        self._strongest = int(chosen[0])
        self._active[chosen], self._sign[chosen] = True, -np.sign(self._gradient[chosen])
        return True

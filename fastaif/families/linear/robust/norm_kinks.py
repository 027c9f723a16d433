"""The norm ‖Dβ‖_q near its kinks, as an active-set method sees it.

A `NormPiece` is the norm on a manifold on which it is smooth: for q = 1 (p = ∞) some
coefficients are fixed at zero and the others have signs; for q = ∞ (p = 1) some
|D_j β_j| are tied at the maximum; else the norm is smooth off zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....norms import lp_norm, smooth_norm
from .objective import Kinks, RobustProblem

Array = NDArray[Any]
_TIE = 1e-14  # of the maximum: entries that were put there are off it by rounding


class NormPiece(Protocol):
    """What the active-set method asks of a norm."""

    def value(self, x: Array) -> float:
        """‖Dβ‖_q."""

    def snap(self, x: Array) -> Array:
        """The point of the manifold near x."""

    def derivatives(self, x: Array) -> tuple[Array, Array]:
        """Gradient (d,) and Hessian (d, d) along the manifold."""

    def push(self, d: int) -> Any:
        """The gradient (d,) of an l1 penalty along the manifold; 0 without one."""

    def tangent(self, x: Array) -> Array:
        """A basis (d, k) of the manifold's directions."""

    def move(self, x: Array, step: Array) -> Array:
        """The point that a Newton step leads to."""

    def reduce_gradient(self, x: Array, gradient: Array, weight: float) -> tuple[Array, bool]:
        """What is left of the gradient after the best norm multipliers, and whether those
        are in range; `weight` is what multiplies the norm in the objective."""

    def update(self, new: Array, gradient: Array, weight: float) -> bool:
        """Change the active set after a step to `new`, where the gradient is predicted
        to be `gradient`; True if it changed."""


def norm_piece(problem: RobustProblem, x: Array, kinks: Kinks | None) -> NormPiece:
    """The piece at x; the kinks given start active."""
    coefs = None if kinks is None else kinks.coefs
    l1, zeros = problem.l1, None if kinks is None else kinks.zeros
    if problem.q == 1.0:
        if coefs is not None and zeros is not None:
            coefs = coefs | zeros[: problem.m]
        return _SumOfMagnitudes(problem.weights, x, coefs, l1)
    if np.isinf(problem.q):
        largest = _LargestMagnitude(problem.weights, x, coefs)
        return largest if l1 is None else _WithL1(lambda _: largest, l1, x, zeros)

    def smooth(zero: Array) -> NormPiece:
        return _Smooth(np.where(zero[: problem.m], 0.0, problem.weights), problem.q)

    none = np.zeros(x.size, dtype=bool)
    return smooth(none) if l1 is None else _WithL1(smooth, l1, x, zeros)


class _NoL1:
    """A norm by itself."""

    def push(self, d: int) -> Any:
        return 0.0


class _Smooth(_NoL1):
    """1 < q < ∞: smooth wherever Dβ ≠ 0.

    For q < 2 the second derivative is infinite where an entry is zero, and the first has
    a vertical tangent. Small entries therefore take their Newton step in the dual
    variable z = sgn(u) (|u|/N)^(q−1), in which the condition is smooth.
    """

    _FLOOR = 1e-290
    _SMALL = 0.1

    def __init__(self, weights: Array, q: float) -> None:
        self._free = np.flatnonzero(weights > 0)
        self._scale = weights[self._free]
        self._q = q
        self._p = q / (q - 1.0)

    def value(self, x: Array) -> float:
        return float(lp_norm(self._scale * x[self._free], self._q))

    def snap(self, x: Array) -> Array:
        if self._q >= 2.0 or not self._free.size:
            return x
        out = x.copy()
        u = self._scale * out[self._free]
        floor = self._FLOOR * np.abs(u).max()
        out[self._free] = np.where(np.abs(u) < floor, np.copysign(floor, u), u) / self._scale
        return out

    def derivatives(self, x: Array) -> tuple[Array, Array]:
        _, z, curvature = smooth_norm(self._scale * x[self._free], self._q, 0.0)
        gradient, hessian = np.zeros(x.size), np.zeros((x.size, x.size))
        gradient[self._free] = self._scale * z
        block = np.ix_(self._free, self._free)
        hessian[block] = self._scale[:, None] * curvature * self._scale
        return gradient, hessian

    def tangent(self, x: Array) -> Array:
        return np.eye(x.size)

    def move(self, x: Array, step: Array) -> Array:
        new = x + step
        if self._q >= 2.0:
            return new
        u, du = self._scale * x[self._free], self._scale * step[self._free]
        norm = lp_norm(u, self._q)
        ratio = np.abs(u) / norm
        small = ratio < self._SMALL
        z = np.sign(u) * ratio ** (self._q - 1.0)
        dz = (self._q - 1.0) * ratio ** (self._q - 2.0) * du / norm
        z_new = np.clip(z + dz, -1.0, 1.0)
        dual = norm * np.sign(z_new) * np.abs(z_new) ** (self._p - 1.0)
        new[self._free] = np.where(small, dual, u + du) / self._scale
        return self.snap(new)

    def reduce_gradient(self, x: Array, gradient: Array, weight: float) -> tuple[Array, bool]:
        return gradient, True

    def update(self, new: Array, gradient: Array, weight: float) -> bool:
        return False


class _SumOfMagnitudes:
    """q = 1: Σ D_j |β_j|, with some β_j fixed at zero; an l1 penalty is a part of it that stays."""

    def __init__(self, weights: Array, x: Array, zero: Array | None, l1: Array | None) -> None:
        self._weights = weights
        self._m = weights.size
        self._l1 = np.zeros(self._m) if l1 is None else l1[: self._m]
        self._bound = (weights > 0) | (self._l1 > 0)
        at_zero = x[: self._m] == 0.0
        self._zero = self._bound & (at_zero if zero is None else zero | at_zero)
        self._side = np.where(x[: self._m] < 0, -1.0, 1.0)

    def value(self, x: Array) -> float:
        return float(np.sum(self._weights * np.abs(x[: self._m])))

    def snap(self, x: Array) -> Array:
        out = x.copy()
        out[: self._m][self._zero] = 0.0
        return out

    def derivatives(self, x: Array) -> tuple[Array, Array]:
        gradient = np.zeros(x.size)
        gradient[: self._m] = np.where(self._zero, 0.0, self._weights * self._side)
        return gradient, np.zeros((x.size, x.size))

    def push(self, d: int) -> Any:
        out = np.zeros(d)
        out[: self._m] = np.where(self._zero, 0.0, self._l1 * self._side)
        return out

    def tangent(self, x: Array) -> Array:
        kept = np.ones(x.size, dtype=bool)
        kept[: self._m] = ~self._zero
        return np.eye(x.size)[:, kept]

    def move(self, x: Array, step: Array) -> Array:
        return x + step

    def reduce_gradient(self, x: Array, gradient: Array, weight: float) -> tuple[Array, bool]:
        left = gradient.copy()
        head = left[: self._m]
        budget = weight * self._weights + self._l1
        shrunk = np.sign(head) * np.maximum(np.abs(head) - budget, 0.0)
        head[self._zero] = shrunk[self._zero]
        agree = self._side * x[: self._m] >= 0
        return left, bool(np.all(agree | ~self._bound))

    def update(self, new: Array, gradient: Array, weight: float) -> bool:
        crossed = self._bound & ~self._zero & (self._side * new[: self._m] < 0)
        # A fixed coefficient leaves zero against its gradient if nothing can hold it.
        head = gradient[: self._m]
        force = np.abs(head)
        budget = weight * self._weights + self._l1
        freed = self._zero & (force > budget * (1 + 1e-9))
        self._side[freed] = -np.sign(head[freed])
        self._zero = (self._zero & ~freed) | crossed
        return bool(crossed.any() or freed.any())


class _WithL1:
    """A norm without kinks at zero, and an l1 penalty that holds some entries there.

    Parameters
    ----------
    made : callable
        From the entries at zero, booleans (d,), to the norm's own piece.
    l1 : array (d,)
        λ.
    x, zeros
        As `norm_piece` has them.
    """

    def __init__(
        self, made: Callable[[Array], NormPiece], l1: Array, x: Array, zeros: Array | None
    ) -> None:
        self._made, self._l1 = made, l1
        at_zero = x == 0.0
        self._zero = (l1 > 0) & (at_zero if zeros is None else zeros | at_zero)
        self._side = np.where(x < 0, -1.0, 1.0)
        self._inner = made(self._zero)

    def value(self, x: Array) -> float:
        return self._inner.value(x)

    def snap(self, x: Array) -> Array:
        return np.where(self._zero, 0.0, self._inner.snap(x))

    def derivatives(self, x: Array) -> tuple[Array, Array]:
        return self._inner.derivatives(x)

    def push(self, d: int) -> Any:
        return np.where(self._zero, 0.0, self._l1 * self._side)

    def tangent(self, x: Array) -> Array:
        basis = self._inner.tangent(x)
        return basis[:, ~np.any(basis[self._zero] != 0.0, axis=0)]

    def move(self, x: Array, step: Array) -> Array:
        return np.where(self._zero, 0.0, self._inner.move(x, step))

    def reduce_gradient(self, x: Array, gradient: Array, weight: float) -> tuple[Array, bool]:
        left = gradient.copy()
        held = np.sign(left) * np.maximum(np.abs(left) - self._l1, 0.0)
        left[self._zero] = held[self._zero]
        agree = (self._side * x >= 0) | (self._l1 == 0.0)
        left, inside = self._inner.reduce_gradient(x, left, weight)
        return left, inside and bool(np.all(agree))

    def update(self, new: Array, gradient: Array, weight: float) -> bool:
        crossed = (self._l1 > 0) & ~self._zero & (self._side * new < 0)
        freed = self._zero & (np.abs(gradient) > self._l1 * (1 + 1e-9))
        self._side[freed] = -np.sign(gradient[freed])
        self._zero = (self._zero & ~freed) | crossed
        changed = bool(crossed.any() or freed.any())
        if changed:
            self._inner = self._made(self._zero)
        return self._inner.update(new, gradient, weight) or changed


class _LargestMagnitude(_NoL1):
    """q = ∞: max D_j |β_j|, with a set of entries tied at the maximum."""

    def __init__(self, weights: Array, x: Array, tied: Array | None) -> None:
        self._weights = weights
        self._m = weights.size
        size = weights * np.abs(x[: self._m])
        largest = size >= (1.0 - _TIE) * size.max()
        self._tied = (weights > 0) & (largest if tied is None else tied | largest)
        self._side = np.where(x[: self._m] < 0, -1.0, 1.0)

    def value(self, x: Array) -> float:
        return float(np.max(self._weights * np.abs(x[: self._m])))

    def _level(self, x: Array) -> float:
        tied = self._tied
        return float(np.mean(self._weights[tied] * self._side[tied] * x[: self._m][tied]))

    def snap(self, x: Array) -> Array:
        out = x.copy()
        tied = self._tied
        out[: self._m][tied] = self._side[tied] * self._level(x) / self._weights[tied]
        return out

    def derivatives(self, x: Array) -> tuple[Array, Array]:
        """Any subgradient on the ties agrees along the manifold: their mean is used."""
        gradient = np.zeros(x.size)
        tied = self._tied
        gradient[: self._m][tied] = self._weights[tied] * self._side[tied] / tied.sum()
        return gradient, np.zeros((x.size, x.size))

    def tangent(self, x: Array) -> Array:
        kept = np.ones(x.size, dtype=bool)
        kept[: self._m] = ~self._tied
        together = np.zeros(x.size)
        together[: self._m][self._tied] = self._side[self._tied] / self._weights[self._tied]
        return np.column_stack([np.eye(x.size)[:, kept], together])

    def move(self, x: Array, step: Array) -> Array:
        """A step that would carry the level through zero stops at a tenth of it."""
        level, change = self._level(x), self._level(step)
        if level > 0.0 and level + change < 0.1 * level:
            return x - 0.9 * level / change * step
        return x + step

    def _shares(self, gradient: Array, weight: float) -> Array:
        """z_j of the ties: what each would need of the multiplier's unit sum."""
        tied = self._tied
        unit = weight * self._weights[tied] * self._side[tied]
        return 1.0 / tied.sum() - gradient[: self._m][tied] / unit

    def reduce_gradient(self, x: Array, gradient: Array, weight: float) -> tuple[Array, bool]:
        left = gradient.copy()
        tied = self._tied
        signed = self._side * self._weights * x[: self._m]
        level = np.abs(signed[tied]).max()
        lower = np.all(np.abs(signed[~tied]) <= level * (1 + 1e-13))
        inside = bool(lower and np.all(signed[tied] > 0))
        if weight <= 0:
            return left, inside
        wanted = self._shares(gradient, weight)
        given = _nearest_share(wanted)
        left[: self._m][tied] = (given - wanted) * weight * self._weights[tied] * self._side[tied]
        return left, inside

    def update(self, new: Array, gradient: Array, weight: float) -> bool:
        tied = self._tied.copy()
        if tied.sum() > 1 and weight > 0:
            shares = self._shares(gradient, weight)
            places = np.flatnonzero(tied)
            leaving = places[shares < -1e-9]
            if leaving.size < tied.sum():
                tied[leaving] = False
        head = new[: self._m]
        level = np.mean(self._weights[tied] * self._side[tied] * head[tied])
        above = (self._weights > 0) & ~self._tied
        above &= self._weights * np.abs(head) > level * (1 + 1e-13)
        self._side[above] = np.where(head[above] < 0, -1.0, 1.0)
        tied |= above
        changed = bool(np.any(tied != self._tied))
        self._tied = tied
        return changed


def _nearest_share(wanted: Array) -> Array:
    """The nearest point of the unit simplex."""
    if not np.isfinite(wanted).all():
        return np.full(wanted.size, np.nan)
    ordered = np.sort(wanted)[::-1]
    excess = (np.cumsum(ordered) - 1.0) / np.arange(1, wanted.size + 1)
    threshold = excess[ordered >= excess][-1]
    return np.maximum(wanted - threshold, 0.0)

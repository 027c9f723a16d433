"""Working coordinates: centred, evenly scaled columns for solvers.

A column far from zero hides its own variation in a Hessian, and columns of very unlike
scales hide each other in a gradient's norm. Solvers therefore see (v − μ)/ς in place of
v; ς is a power of two, and 1 unless a column's scale is extreme, so that ordinary data
are only shifted.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...data.rows import RowSource
from ...data.sources.sparse import SparseRows
from ...passes.executor import Executor
from ...passes.sums import InfluenceSums
from ...solvers.cholesky import Inverse

Array = NDArray[Any]

_FAR = 1000.0**0.5  # deviations from zero, some 32
_VERY_FAR = 1e5  # the same, where digits are lost
_EXTREME = 2.0**13  # scales beyond this, either way, are brought to about 1


@dataclass(frozen=True)
class Coordinates:
    """u = (v − means) / units, so that θ_u = (β ∘ units, b + meansᵀβ).

    Attributes
    ----------
    means, units : array (m,)
        means are zero where there is no intercept to take them up.
    """

    means: Array
    units: Array

    are_the_models: ClassVar[bool] = False

    @property
    def are_far(self) -> bool:
        """Whether a column is very far from zero, for its spread."""
        return bool(np.any(np.abs(self.means) > _VERY_FAR * self.units))

    @property
    def m(self) -> int:
        """The number of columns."""
        return self.means.size

    def basis(self, basis: Any) -> Any:
        """The basis of u, given that of v."""
        return basis.rescaled(self.means, self.units)

    def enter(self, theta: Array) -> Array:
        """θ (or a step in it) in working coordinates."""
        out = np.array(theta, dtype=float)
        out[: self.m] *= self.units
        out[self.m :] += self.means @ theta[: self.m]
        return out

    def leave(self, theta: Array) -> Array:
        """θ_u (d,) or (d, k) in the model's coordinates."""
        out = np.array(theta, dtype=float)
        out[: self.m] /= self.units if out.ndim == 1 else self.units[:, None]
        out[self.m :] -= self.means @ out[: self.m]
        return out

    def gradient(self, g: Array) -> Array:
        """A gradient in θ, (d,) or (d, k), as one in θ_u."""
        out = np.array(g, dtype=float)
        for last in out[self.m :]:
            out[: self.m] -= np.multiply.outer(self.means, last)
        out[: self.m] /= self.units if out.ndim == 1 else self.units[:, None]
        return out

    def cancelled(self, theta: Array) -> float:
        """|β|ᵀ|means|: the terms of f that its intercept takes back."""
        return float(np.abs(theta[: self.m]) @ np.abs(self.means))

    def carry(self, sums: InfluenceSums, before: Coordinates | None) -> InfluenceSums:
        """Natural sums of u = (v − μ)/ς as those of u' = (v − μ')/ς' = a ∘ u + b."""
        means, units = (0.0, 1.0) if before is None else (before.means, before.units)
        a, b = units / self.units, (means - self.means) / self.units
        return sums.carried(a, b)

    def damping(self, d: int) -> Array:
        """The identity on θ as a quadratic form in θ_u, (d, d)."""
        leave = self.leave(np.eye(d))
        return np.asarray(leave.T @ leave)

    def damping_diagonal(self, d: int) -> Array:
        """The diagonal of `damping(d)`, without the rest of it."""
        out = np.ones(d)
        out[: self.m] = (1.0 + (self.means**2 if d > self.m else 0.0)) / self.units**2
        return out

    def penalized(self, entries: Array) -> Array:
        """Weights of a diagonal penalty on β, (d,), in θ_u."""
        out = entries.copy()
        out[: self.m] /= self.units**2
        return out

    def inverse_diagonal(self, factor: Inverse) -> Array:
        """diag(H⁻¹) in θ, given the factor of H in θ_u."""
        diagonal = factor.inverse_diagonal()
        diagonal[: self.m] /= self.units**2
        if diagonal.size > self.m:
            last = np.append(-self.means / self.units, 1.0)
            diagonal[self.m] = last @ factor.solve(last)
        return diagonal


_SUB_BLOCK = 1 << 17  # entries of v at a time: several temporaries of a block are alive


def measure(
    source: RowSource, basis: Any, centre: bool, executor: Executor
) -> Coordinates:
    """Coordinates from one pass: weighted means (if `centre`) and root mean squares of v.

    Moments are taken about the first row, so that an offset does not swamp them.
    """
    plain = isinstance(basis, Linear) and basis.is_identity
    sparse = source.x if isinstance(source.x, SparseRows) and plain else None
    origin = basis.transform(np.asarray(source.x[:1], dtype=np.float64))[0]
    if sparse is not None:
        origin = np.zeros_like(origin)
    d = max(origin.size, 1)

    def work(start: int, stop: int) -> Array:
        if sparse is not None:
            return _sparse_moments(sparse.matrix[start:stop], source.weights(start, stop))
        quick = basis.moments(functools.partial(source.rows, start, stop), origin)
        if quick is not None:
            return quick
        return _moments(source, basis, origin, start, stop)

    total, largest, squares, weight = executor.reduce(
        source, source.chunks(columns=d), work, _merged, source.n_rows * d
    )
    mean, ratio = total / weight, squares / weight
    if centre:
        spread = largest * np.sqrt(np.maximum(ratio - (mean / largest) ** 2, 0.0))
        if sparse is not None:  # centred, all of its zeros would have to be there
            mean[np.abs(mean) <= _FAR * spread] = 0.0
        return Coordinates(origin + mean, _units(spread))
    size_of = np.hypot(origin + mean, largest * np.sqrt(ratio))
    return Coordinates(np.zeros(mean.size), _units(size_of))


def _moments(source: RowSource, basis: Any, origin: Array, start: int, stop: int) -> Array:
    """Of v − origin in a range of rows: totals, largest sizes, squares in their units, weights."""

    def part(start: int, stop: int) -> Array:
        block = basis.transform(source.inputs(start, stop).astype(np.float64, copy=False)) - origin
        w = source.weights(start, stop)
        w = w if w.size else np.ones(stop - start)
        # Divided by its largest entry, so that squares cannot overflow.
        largest = np.maximum(block.max(axis=0), -block.min(axis=0))
        largest = np.maximum(largest, np.finfo(float).tiny)
        total = w @ block
        block /= largest
        with np.errstate(under="ignore"):
            squares = w @ np.square(block, out=block)
        return np.vstack([total, largest, squares, np.full(largest.size, w.sum())])

    size = max(64, _SUB_BLOCK // max(origin.size, 1))
    parts = [part(k, min(k + size, stop)) for k in range(start, stop, size)]
    return functools.reduce(_merged, parts)


def _merged(a: Array, b: Array) -> Array:
    """The moments of both sets of rows."""
    largest = np.maximum(a[1], b[1])
    with np.errstate(under="ignore"):
        squares = a[2] * (a[1] / largest) ** 2 + b[2] * (b[1] / largest) ** 2
    return np.vstack([a[0] + b[0], largest, squares, a[3] + b[3]])


def _sparse_moments(X: Any, w: Array) -> Array:
    """`_moments` of sparse rows, about zero."""
    w = w if w.size else np.ones(X.shape[0])
    largest = np.maximum(abs(X).max(axis=0).toarray().ravel(), np.finfo(float).tiny)
    unit = X.copy()
    unit.data = unit.data / largest[unit.indices]
    squares = unit.power(2).T @ w
    return np.vstack([X.T @ w, largest, squares, np.full(largest.size, w.sum())])


def _units(spread: Array) -> Array:
    """The power of two nearest each extreme spread; 1 for ordinary and constant columns."""
    extreme = (spread > 0) & ((spread > _EXTREME) | (spread < 1.0 / _EXTREME))
    exponents = np.round(np.log2(np.where(extreme, spread, 1.0)))
    return np.asarray(np.exp2(np.clip(exponents, -1020, 1020)))


def are_needed(hessian: Array, m: int, total: float) -> bool:
    """Whether a Hessian shows columns far from zero (`_FAR`) or of extreme scale.

    `total` is E ℓ'', the entry that a column of ones has.
    """
    squares = hessian.diagonal()[:m]
    small, large = total / _EXTREME**2, total * _EXTREME**2
    entries = squares.tolist()
    if max(entries, default=0.0) > large:
        return True
    if min(entries, default=small) < small and any(0.0 < entry < small for entry in entries):
        return True
    if hessian.shape[0] == m:  # no intercept
        return False
    # The cosine of a column and the constant, by roots: squares might overflow.
    shares = math.sqrt(total * (1.0 - 1.0 / _FAR**2)) * np.sqrt(squares)
    return bool(np.count_nonzero(np.abs(hessian[m, :m]) > shares))

"""Regularised systems of a Gram matrix K, without squaring its condition number.

`shifted_gram` factors C = K + diag(shift) in K's own lower triangle. With shift = α/ω that
is kernel ridge regression in its RKHS norm. For the penalty α ‖x‖² the normal equations
KΩK + αI have the squared condition number; here they are solved as the least squares

    min ‖Ω^½ K x − b₁‖² + ‖√α x − b₂‖²

in the variable z = Tx with T = Ω^½ K + √α I = Ω^½ (K + √α Ω^-½), which is a shifted Gram
matrix again. There Ω^½ K = T − √α I, so that the operators are I − G and G with
G = √α T⁻¹; for equal weights G is symmetric with eigenvalues in (0, 1], the condition
number is at most √2 whatever K and α, and conjugate gradients gain a digit in each of some
twenty steps. The digits are those of C: of the square root of the normal equations'.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cholesky import Factor, factorize
from .shifted_gram import ShiftedGram, along, shifted_gram

Array = NDArray[Any]

TIGHT = 4e-15  # tolerance of conjugate gradients
_MAX_ITER = 500
_SAME = 4e-15  # of K_ii + K_jj: rows as near are one
_EQUAL = 1e-10  # of the largest: right-hand sides of equal rows are as near
_PATIENCE = 6  # steps in which the slope has to halve


class Solved(NamedTuple):
    """A solution, the method that found it, its steps and the residual it left."""

    x: Array
    method: str = "cholesky"
    steps: int = 0
    residual: float = 0.0


class GramSystem(ABC):
    """K with weights Ω, Σω = 1, and a penalty αP: solves (KΩK + αP) x = KΩu + v."""

    @abstractmethod
    def multiply(self, b: Array) -> Array:
        """K b for b (n,) or (n, k)."""

    @abstractmethod
    def solve(self, first: Array, second: Array | None, tol: float = TIGHT) -> Solved:
        """x for u = `first` and v = `second`, each (n,) or (n, k); None: v = 0."""


@dataclass(frozen=True)
class _Split:
    """The rows of positive weight, whose Gram matrix is factored, and K between both parts."""

    gram: ShiftedGram
    weights: Array
    alpha: float
    full: Array | None = None
    coupling: Array | None = None

    @property
    def kept(self) -> Array:
        """The rows of positive weight."""
        return self.weights > 0

    def multiply(self, b: Array) -> Array:
        """K b for b (n,) or (n, k)."""
        return self.gram.multiply(b) if self.full is None else np.asarray(self.full @ b)


class NormPenalty(_Split, GramSystem):
    """P = I: conjugate gradients in the variable z = Tx.

    Rows of weight zero have none in C: there z = √α x.
    """

    def _forward(self, z: Array) -> Array:
        """Gz = √α T⁻¹ z."""
        root, kept = np.sqrt(self.alpha), self.kept
        if self.coupling is None:
            return root * self.gram.solve(z / along(np.sqrt(self.weights), z))
        out = np.array(z)
        scaled = z[kept] / along(np.sqrt(self.weights[kept]), z)
        out[kept] = root * self.gram.solve(scaled - self.coupling @ z[~kept] / root)
        return out

    def _backward(self, z: Array) -> Array:
        """Gᵀz."""
        root, kept = np.sqrt(self.alpha), self.kept
        if self.coupling is None:
            return root * self.gram.solve(z) / along(np.sqrt(self.weights), z)
        out = np.array(z)
        inner = self.gram.solve(z[kept])
        out[kept] = root * inner / along(np.sqrt(self.weights[kept]), z)
        out[~kept] -= self.coupling.T @ inner
        return out

    def solve(self, first: Array, second: Array | None, tol: float = TIGHT) -> Solved:
        """x; the residual is that of the normal equations in z, relative to z = 0."""
        root = np.sqrt(self.alpha)
        if self.alpha == 0.0:  # x = K⁻¹ (u + Ω⁻¹ K⁻¹ v)
            extra = 0.0 if second is None else self.gram.solve(second)
            return Solved(self.gram.solve(first + extra / along(self.weights, first)))
        top = first * along(np.sqrt(self.weights), first)
        bottom = np.zeros(top.shape) if second is None else second / root
        found, steps, residual = self._least_squares(top, bottom, tol)
        return Solved(found / root, "conjugate gradients", steps, residual)

    def _least_squares(self, top: Array, bottom: Array, tol: float) -> tuple[Array, int, float]:
        """Gz where z minimises ‖z − Gz − top‖² + ‖Gz − bottom‖², column by column.

        Ends at the tolerance, or where rounding lets the slope fall no further: beyond that
        conjugate gradients would only gather noise.
        """
        found = best = np.zeros(top.shape)
        slope = direction = top + self._backward(bottom - top)
        start = size = lowest = np.sum(slope**2, axis=0)
        steps = since = 0
        while steps < _MAX_ITER and since < _PATIENCE and np.any(size > tol**2 * start):
            moved = self._forward(direction)
            rest = direction - moved
            length = _ratio(size, np.sum(rest**2, axis=0) + np.sum(moved**2, axis=0))
            found = found + length * moved
            top, bottom = top - length * rest, bottom - length * moved
            slope = top + self._backward(bottom - top)
            before, size = size, np.sum(slope**2, axis=0)
            direction = slope + _ratio(size, before) * direction
            steps, since = steps + 1, since + 1
            better = size < lowest
            if np.any(size < 0.25 * lowest):
                since = 0
            best, lowest = np.where(better, found, best), np.minimum(size, lowest)
        return best, steps, float(np.sqrt(np.max(_ratio(lowest, start))))


class RkhsPenalty(_Split, GramSystem):
    """P = K: x = (K + αΩ⁻¹)⁻¹ u by one Cholesky factor, and by one of K where v is given.

    Rows of weight zero have x = 0 where v = 0.
    """

    def solve(self, first: Array, second: Array | None, tol: float = TIGHT) -> Solved:
        """x, directly.

        Raises
        ------
        numpy.linalg.LinAlgError
            v is given, and K is not numerically positive definite.
        """
        kept, out = self.kept, np.zeros(first.shape)
        target = first[kept]
        if second is not None:
            extra = self._inner(second)
            target = target + extra[kept] / along(self.weights[kept], first)
            if self.coupling is not None:
                out[~kept] = extra[~kept] / self.alpha
                target = target - self.coupling @ out[~kept]
        out[kept] = self.gram.solve(target)
        return Solved(out)

    def _inner(self, b: Array) -> Array:
        """K⁻¹ b."""
        K = self.gram.unpacked() if self.full is None else self.full
        factor = shifted_gram(K.copy(), np.zeros(len(K)))
        if factor is None:
            return _of_distinct(K, b)
        return factor.solve(b)


def _of_distinct(K: Array, b: Array) -> Array:
    """An x with Kx = b where rows are repeated, which share what one of them would have.

    Centers at one place are one function: how it is split between them changes no prediction.

    Raises
    ------
    numpy.linalg.LinAlgError
        K is not numerically positive definite without them, or b differs between equal rows.
    """
    size = K.diagonal()
    same = size[:, None] + size - (K + K.T) <= _SAME * (size[:, None] + size)
    first = np.argmax(same, axis=1)  # of each row, the first that is equal to it
    distinct, group, count = np.unique(first, return_inverse=True, return_counts=True)
    x = None
    if distinct.size < len(K):
        rest = np.abs(b - b[distinct][group])
        if np.all(rest <= _EQUAL * np.abs(b).max(axis=0)):
            part = np.array(K[np.ix_(distinct, distinct)], order="C")
            factor = shifted_gram(part, np.zeros(distinct.size))
            x = None if factor is None else factor.solve(b[distinct])
    if x is None:
        raise np.linalg.LinAlgError(
            "the Hessian is singular or indefinite, because the Gram matrix is (its least "
            "eigenvalue is zero to working precision): the influence on the dual coefficients "
            "is not defined; pass damping > 0, or use penalty='l2'"
        )
    return np.asarray((x / along(count, x))[group])


@dataclass(frozen=True)
class DampedSystem(GramSystem):
    """KΩK + αP + damping/2 as it stands, factored: for a damped Hessian with P = K."""

    K: Array
    weights: Array
    factor: Factor

    def multiply(self, b: Array) -> Array:
        """K b for b (n,) or (n, k)."""
        return np.asarray(self.K @ b)

    def solve(self, first: Array, second: Array | None, tol: float = TIGHT) -> Solved:
        """x, directly."""
        b = self.multiply(first * along(self.weights, first))
        return Solved(self.factor.solve(b if second is None else b + second))


def make_system(
    K: Array, weights: Array, alpha: float, penalty: str, damping: float = 0.0
) -> GramSystem | None:
    """The system for a Gram matrix, which it takes over and overwrites; None where singular.

    Parameters
    ----------
    K : array (n, n)
    weights : array (n,)
        Ω; they sum to 1.
    alpha : float
    penalty : {"l2", "rkhs"}
    damping : float
        Added to the Hessian 2(KΩK + αP), that is half of it here.
    """
    if penalty == "rkhs" and damping > 0.0:
        normal = K @ (weights[:, None] * K) + alpha * K
        normal[np.diag_indices(len(K))] += 0.5 * damping
        factor = factorize(normal)
        return None if factor is None else DampedSystem(K, weights, factor)
    kind = NormPenalty if penalty == "l2" else RkhsPenalty
    alpha = alpha + 0.5 * damping
    kept = weights > 0
    with np.errstate(over="ignore"):
        shift = alpha / weights[kept]
    shift = np.sqrt(shift) if penalty == "l2" else shift
    if kept.all():
        gram = shifted_gram(K, shift)
        return None if gram is None else kind(gram, weights, alpha)
    if alpha == 0.0:
        return None
    gram = shifted_gram(np.array(K[np.ix_(kept, kept)], order="C"), shift)
    coupling = K[np.ix_(kept, ~kept)]
    return None if gram is None else kind(gram, weights, alpha, K, coupling)


def _ratio(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is not positive."""
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=np.asarray(b) > 0)

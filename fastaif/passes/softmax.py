"""The pass over rows of softmax models, a row of Θ a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from .._compute.rooms import zero_matrices
from ..utils.arrays import fill_upper, read_only
from . import attacked
from .sums import InfluenceSums
from .vector import VectorSums, VectorSweep

Array = NDArray[Any]


@dataclass
class SoftmaxSums(VectorSums):
    """`VectorSums` of a softmax model, whose H is told by pairs of classes."""

    family: ClassVar[str] = "softmax"

    @property
    def pairs(self) -> Array:
        """P_kj = E π_k π_j (u, 1)(u, 1)ᵀ for k > j, (K(K − 1)/2, c, c); made anew at each call."""
        return np.stack([fill_upper(part / self.weight) for part in self.raw.hessian])

    @property
    def blocks(self) -> Array:
        """E S_kj (u, 1)(u, 1)ᵀ, (K, K, c, c); made anew at each call."""
        K, size = self.n_outputs, self.raw.hessian.shape[-1]
        out = np.zeros((K, K, size, size))
        for (k, j), part in zip(pairs_of(K), self.pairs, strict=True):
            out[k, j] = out[j, k] = -part
            out[k, k] += part
            out[j, j] += part
        return out

    @property
    def curvature(self) -> Array:
        """E (1 − ‖π‖²) (u, 1)(u, 1)ᵀ, (c, c): the blocks of all classes together."""
        return fill_upper(2.0 / self.weight * self.raw.hessian.sum(axis=0))


def pairs_of(n_classes: int) -> list[tuple[int, int]]:
    """The pairs of classes k > j, in the order of their matrices."""
    return [(k, j) for k in range(1, n_classes) for j in range(k)]


@dataclass(frozen=True)
class SoftmaxSweep(VectorSweep):
    """The pass of a softmax model; targets are numbers of classes."""

    kind: ClassVar[str] = "softmax"

    def run_here(self, coef: Array, need: int, *, exponent: float) -> SoftmaxSums:
        """`run` in this process."""
        K, size = self.n_outputs, self.n_entries
        given = read_only(np.array(coef, dtype=float).reshape(K, size))
        shift, inverse = self._scaling()
        norm_of = attacked.norm_of(self.ball, need)
        attack = attacked.attack_of(self.ball, self.source.n_columns, need)
        by_rows = attacked.norms_by_rows(self.ball, need)
        asked = need & ~(by_rows * c.NEED_NORM)
        arrays = given, shift, inverse, norm_of.shift, norm_of.inverse_scale, attack.weights
        fingerprint = (
            self.kind, need, exponent, norm_of.p, attack.p,
            *(array.tobytes() for array in arrays),
        )  # fmt: skip
        operation, shape = get("softmax_sums"), (K * (K - 1) // 2, size, size)

        def work(start: int, stop: int) -> SoftmaxSums:
            pairs = zero_matrices(*(shape if need & c.NEED_HESSIAN else (0, 0, 0)))
            raw = c.Sums(pairs, np.zeros((c.N_VECTORS, K * size)), np.zeros(c.N_SCALARS))
            rows = self.source.rows(start, stop)
            operation(rows, given, shift, inverse, norm_of, attack, exponent, asked, raw)
            raw.scalars[c.S_NORM] += attacked.sum_of_norms(self.ball, rows) if by_rows else 0.0
            return SoftmaxSums(fingerprint, raw, self.fit_intercept, exponent, n_outputs=K)

        source = self.source
        chunks = source.chunks(squares=len(pairs_of(K)) if need & c.NEED_HESSIAN else 1)
        found = self.executor.reduce(
            source, chunks, work, InfluenceSums.merge, source.n_rows * K * size
        )
        return cast(SoftmaxSums, found)

    def _scaling(self) -> tuple[Array, Array]:
        if self.basis.is_identity:
            return c.EMPTY, c.EMPTY
        shift, scale = self.basis.arrays(self.source.n_columns)
        return read_only(shift), read_only(1.0 / scale)

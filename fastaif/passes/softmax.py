"""The pass over rows of softmax models z = Θ(u, 1), Θ (K, c) a row a class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..data.rows import RowSource
from ..threat.attack_set import AttackSet
from ..utils.arrays import fill_upper, read_only
from .executor import Executor
from .sums import InfluenceSums

Array = NDArray[Any]


@dataclass
class SoftmaxSums(InfluenceSums):
    """`InfluenceSums` of a softmax model: gradients are Θ's, (K, c), and H is told by pairs."""

    n_classes: int = 2

    @property
    def gradient(self) -> Array:
        """E a (u, 1)ᵀ, (K, c)."""
        return self._matrix(c.V_F)

    @property
    def mixed(self) -> Array:
        """Φ/s, (K, c)."""
        return self._matrix(c.V_MIXED)

    def _matrix(self, vector: int) -> Array:
        return np.asarray(self.raw.vectors[vector].reshape(self.n_classes, -1) / self.weight)

    @property
    def pairs(self) -> Array:
        """P_kj = E π_k π_j (u, 1)(u, 1)ᵀ for k > j, (K(K − 1)/2, c, c); made anew at each call."""
        return np.stack([fill_upper(part / self.weight) for part in self.raw.hessian])

    @property
    def blocks(self) -> Array:
        """E S_kj (u, 1)(u, 1)ᵀ, (K, K, c, c); made anew at each call."""
        K, size = self.n_classes, self.raw.hessian.shape[-1]
        out = np.zeros((K, K, size, size))
        for (k, j), part in zip(pairs_of(K), self.pairs, strict=True):
            out[k, j] = out[j, k] = -part
            out[k, k] += part
            out[j, j] += part
        return out

    @property
    def curvature(self) -> Array:
        """E (1 − ‖π‖²) (u, 1)(u, 1)ᵀ, (c, c): the blocks of all classes together."""
        return np.asarray(2.0 * self.pairs.sum(axis=0))

    @property
    def hessian(self) -> Array:
        """The same as one matrix over Θ, row by row: (Kc, Kc)."""
        blocks = self.blocks
        size = len(blocks) * blocks.shape[-1]
        return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3)).reshape(size, size)


def pairs_of(n_classes: int) -> list[tuple[int, int]]:
    """The pairs of classes k > j, in the order of their matrices."""
    return [(k, j) for k in range(1, n_classes) for j in range(k)]


@dataclass(frozen=True)
class SoftmaxSweep:
    """What one pass computes: the classes, the scaling of the inputs, and the attack.

    Attributes
    ----------
    source : RowSource
        Targets are numbers of classes.
    basis : Linear
        The scaler before the model, or none.
    n_classes : int
    fit_intercept : bool
    ball : AttackSet or None
    executor : Executor
    """

    source: RowSource
    basis: Any
    n_classes: int
    fit_intercept: bool
    ball: AttackSet | None = None
    executor: Executor = field(default_factory=Executor)

    @property
    def n_entries(self) -> int:
        """c, the number of entries of a class: coefficients, and an intercept if there is one."""
        return self.source.n_columns + int(self.fit_intercept)

    def run(
        self, coef: Array, need: int, *, exponent: float = 0.0, multiplier: Array = c.EMPTY
    ) -> SoftmaxSums:
        """The sums at Θ (K, c) over all rows; a multiplier has no meaning here.

        Parameters
        ----------
        coef : array (K, c)
        need : int
            NEED_* bits.
        exponent : float
            e of shared budgets, or 0.
        """
        found: SoftmaxSums = self.executor.run(self, coef, need, {"exponent": exponent})
        return found

    def asked(self, coef: Array, need: int, options: dict[str, Any]) -> tuple[Any, ...]:
        """Everything that the sums over given rows depend on."""
        return (
            np.asarray(coef), need, options["exponent"], "softmax", self.fit_intercept,
            *self.basis.arrays(self.source.n_columns),
            None if self.ball is None else self.ball.fingerprint(),
        )  # fmt: skip

    def run_here(self, coef: Array, need: int, *, exponent: float) -> SoftmaxSums:
        """`run` in this process."""
        K, size = self.n_classes, self.n_entries
        given = read_only(np.array(coef, dtype=float).reshape(K, size))
        shift, inverse = self._scaling()
        norm_of, attack = self._norm_of(need), self._attack()
        arrays = given, shift, inverse, norm_of.shift, norm_of.inverse_scale, attack.weights
        fingerprint = (
            "softmax", need, exponent, norm_of.p, attack.p,
            *(array.tobytes() for array in arrays),
        )  # fmt: skip
        operation, shape = get("softmax_sums"), (K * (K - 1) // 2, size, size)

        def work(start: int, stop: int) -> SoftmaxSums:
            pairs = np.zeros(shape if need & c.NEED_HESSIAN else (0, 0, 0))
            raw = c.Sums(pairs, np.zeros((c.N_VECTORS, K * size)), np.zeros(c.N_SCALARS))
            rows = self.source.rows(start, stop)
            operation(rows, given, shift, inverse, norm_of, attack, exponent, need, raw)
            return SoftmaxSums(fingerprint, raw, False, exponent, n_classes=K)

        source = self.source
        found = self.executor.reduce(
            source, source.chunks(), work, InfluenceSums.merge, source.n_rows * K * size
        )
        return cast(SoftmaxSums, found)

    def _scaling(self) -> tuple[Array, Array]:
        if self.basis.is_identity:
            return c.EMPTY, c.EMPTY
        shift, scale = self.basis.arrays(self.source.n_columns)
        return read_only(shift), read_only(1.0 / scale)

    def _norm_of(self, need: int) -> c.NormOf:
        if self.ball is None or need & c.NEED_YARDSTICK or not need & c.NEED_NORM:
            return c.NormOf(2.0, c.EMPTY, c.EMPTY)
        return self.ball.compiled_norm()

    def _attack(self) -> c.Attack:
        if self.ball is None:
            return c.Attack(2.0, read_only(np.ones(self.source.n_columns)))
        return self.ball.compiled()

    # --- numbers of each row ----------------------------------------------------------------

    def inputs(self, start: int, stop: int) -> Array:
        """(u, 1) of a range of rows, (k, c)."""
        m = self.source.n_columns
        out = np.ones((stop - start, self.n_entries))
        out[:, :m] = self.source.inputs(start, stop)
        if not self.basis.is_identity:
            shift, scale = self.basis.arrays(m)
            out[:, :m] = (out[:, :m] - shift) / scale
        return out

    def logits(self, coef: Array) -> Array:
        """z of all rows, (n, K)."""
        out, columns = np.empty((self.source.n_rows, self.n_classes)), np.ascontiguousarray(coef.T)

        def work(start: int, stop: int) -> None:
            np.matmul(self.inputs(start, stop), columns, out=out[start:stop])

        self.executor.map_rows(self.source, work)
        return out

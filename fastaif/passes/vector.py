"""The pass over rows of models with several predictions, z = Θ(u, 1), Θ (K, c) a row each."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..data.rows import RowSource
from ..threat.attack_set import AttackSet
from .executor import Executor
from .sums import InfluenceSums

Array = NDArray[Any]


@dataclass
class VectorSums(InfluenceSums, ABC):
    """`InfluenceSums` of such a model: gradients are Θ's, (K, c), and H is told in parts.

    a (K,) is the derivative of a row's loss in z.
    """

    n_outputs: int = 2

    def arrays(self) -> dict[str, Array]:
        """All that it holds but for the fingerprint, as plain arrays by name."""
        return {**super().arrays(), "n_outputs": np.array(self.n_outputs)}

    @classmethod
    def more(cls, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """K."""
        return {"n_outputs": int(arrays["n_outputs"])}

    @property
    def n_columns(self) -> int:
        """m, the coefficients of a prediction."""
        return self.raw.vectors.shape[1] // self.n_outputs - int(self.fit_intercept)

    def carried(self, a: Array, b: Array) -> Self:
        """The gradient and H of u as those of a ∘ u + b; b is zero where there is no intercept."""
        raw, size = self.raw, self.raw.vectors.shape[1] // self.n_outputs
        T = np.diag(np.append(a, np.ones(size - a.size)))
        T[: a.size, a.size :] = b[:, None]
        lower = np.tril(raw.hessian)
        full = lower + np.swapaxes(np.tril(raw.hessian, -1), -1, -2)
        vectors = np.zeros(raw.vectors.shape)
        vectors[c.V_F] = (raw.vectors[c.V_F].reshape(self.n_outputs, size) @ T.T).ravel()
        moved = c.Sums(T @ full @ T.T, vectors, raw.scalars)
        return dataclasses.replace(self, raw=moved, exponent=0.0)

    @property
    def gradient(self) -> Array:
        """E a (u, 1)ᵀ, (K, c)."""
        return self._matrix(c.V_F)

    @property
    def mixed(self) -> Array:
        """Φ/s, (K, c)."""
        return self._matrix(c.V_MIXED)

    def _matrix(self, vector: int) -> Array:
        return np.asarray(self.raw.vectors[vector].reshape(self.n_outputs, -1) / self.weight)

    @property
    @abstractmethod
    def blocks(self) -> Array:
        """The natural loss's Hessian in block (k, j) of Θ's rows, (K, K, c, c)."""

    @property
    @abstractmethod
    def curvature(self) -> Array:
        """The blocks of all predictions together, (c, c)."""

    @property
    def hessian(self) -> Array:
        """The same as one matrix over Θ, row by row: (Kc, Kc)."""
        blocks = self.blocks
        size = len(blocks) * blocks.shape[-1]
        return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3)).reshape(size, size)


@dataclass(frozen=True)
class VectorSweep(ABC):
    """What one pass computes: the predictions, the scaling of the inputs, and the attack.

    Attributes
    ----------
    source : RowSource
    basis : Linear
        The scaler before the model, or none.
    n_outputs : int
        K.
    fit_intercept : bool
    ball : AttackSet or None
    executor : Executor
    """

    source: RowSource
    basis: Any
    n_outputs: int
    fit_intercept: bool
    ball: AttackSet | None = None
    executor: Executor = field(default_factory=Executor)

    kind: ClassVar[str]

    @property
    def n_entries(self) -> int:
        """c: the coefficients of a prediction, and its intercept if there is one."""
        return self.source.n_columns + int(self.fit_intercept)

    def run(
        self, coef: Array, need: int, *, exponent: float = 0.0, multiplier: Array = c.EMPTY
    ) -> Any:
        """The sums at Θ (K, c) over all rows; a multiplier has no meaning here.

        Parameters
        ----------
        coef : array (K, c)
        need : int
            NEED_* bits.
        exponent : float
            e of shared budgets, or 0.
        """
        return self.executor.run(self, coef, need, {"exponent": exponent})

    def asked(self, coef: Array, need: int, options: dict[str, Any]) -> tuple[Any, ...]:
        """Everything that the sums over given rows depend on."""
        return (
            np.asarray(coef), need, options["exponent"], self.kind, self.fit_intercept,
            *self.basis.arrays(self.source.n_columns),
            None if self.ball is None else self.ball.fingerprint(),
        )  # fmt: skip

    @abstractmethod
    def run_here(self, coef: Array, need: int, *, exponent: float) -> VectorSums:
        """`run` in this process."""

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

    def predictions(self, coef: Array) -> Array:
        """z of all rows, (n, K)."""
        out, columns = np.empty((self.source.n_rows, self.n_outputs)), np.ascontiguousarray(coef.T)

        def work(start: int, stop: int) -> None:
            np.matmul(self.inputs(start, stop), columns, out=out[start:stop])

        self.executor.map_rows(self.source, work)
        return out

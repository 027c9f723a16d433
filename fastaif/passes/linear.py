"""The sums over samples from which fits, influences and robust fits are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from .._compute.rooms import empty_matrix
from ..data.rows import RowSource
from ..data.sources.sparse import SparseRows
from ..losses import Loss
from ..threat.attack_set import AttackSet
from ..utils.arrays import frozen, read_only
from . import attacked
from .executor import Executor
from .sums import InfluenceSums

Array = NDArray[Any]

# Shares of entries up to which sparse rows take less time than dense ones: with the pairs in a row
# that the Hessian asks for, and without.
_SPARSE_PAIRS, _SPARSE = 0.1, 0.3


@dataclass(frozen=True)
class Sweep:
    """What one pass computes: the model's parts, the attack's norm and the inner maximum.

    The basis is `bases.Linear` here.
    """

    source: RowSource
    loss: Loss
    basis: Any
    fit_intercept: bool
    ball: AttackSet | None = None
    executor: Executor = field(default_factory=Executor)

    @property
    def n_coefs(self) -> int:
        """The number of coefficients, without the intercept."""
        return int(self.basis.n_outputs(self.source.n_columns))

    def run(
        self,
        theta: Array,
        need: int,
        *,
        kappa: float = 0.0,
        smoothing: float = 0.0,
        multiplier: Array = c.EMPTY,
        exponent: float = 0.0,
    ) -> InfluenceSums:
        """The sums at θ = (β, b) over all rows.

        Parameters
        ----------
        theta : array (d,)
        need : int
            NEED_* bits.
        kappa : float
            κ = ε s ‖D β‖_q; 0 for the natural loss.
        smoothing, multiplier, exponent
            See `_compute.types.Inner`.
        """
        options: dict[str, Any] = {
            "kappa": kappa, "smoothing": smoothing, "multiplier": multiplier, "exponent": exponent
        }  # fmt: skip
        return self.executor.run(self, theta, need, options)

    def asked(self, theta: Array, need: int, options: dict[str, Any]) -> tuple[Any, ...]:
        """Everything that the sums over given rows depend on."""
        return (
            np.asarray(theta), need, options["kappa"], options["smoothing"],
            np.asarray(options["multiplier"]), options["exponent"],
            self.loss, self.fit_intercept, *self.basis.arrays(self.source.n_columns),
            None if self.ball is None else self.ball.fingerprint(),
        )  # fmt: skip

    def run_here(
        self,
        theta: Array,
        need: int,
        *,
        kappa: float,
        smoothing: float,
        multiplier: Array,
        exponent: float,
    ) -> InfluenceSums:
        """`run` in this process."""
        m = self.source.n_columns
        predictor = self.predictor(theta)
        norm_of = attacked.norm_of(self.ball, need)
        operation = get("linear_sums")
        shares = read_only(multiplier)
        arrays = (
            predictor.beta, predictor.shift, predictor.inverse_scale,
            norm_of.shift, norm_of.inverse_scale,
        )  # fmt: skip
        fingerprint = (
            self.loss, self.fit_intercept, predictor.intercept, norm_of.p, kappa, smoothing, need,
            exponent, *[array.tobytes() for array in arrays],
        )  # fmt: skip

        by_rows = attacked.norms_by_rows(self.ball, need)
        sparse = None if norm_of.inverse_scale.size or by_rows else self.sparse_rows(need)

        def work(start: int, stop: int) -> InfluenceSums:
            lam = shares[start:stop] if shares.size else c.EMPTY
            inner = self.loss.inner(kappa, smoothing, lam, exponent)
            size = m if need & c.NEED_HESSIAN else 0
            hess = empty_matrix(size, size)
            hess.fill(0.0)
            raw = c.Sums(hess, np.zeros((c.N_VECTORS, m)), np.zeros(c.N_SCALARS))
            if sparse is None:
                rows = self.source.rows(start, stop)
                operation(rows, predictor, norm_of, inner, need & ~(by_rows * c.NEED_NORM), raw)
                raw.scalars[c.S_NORM] += attacked.sum_of_norms(self.ball, rows) if by_rows else 0.0
            else:
                values, columns, starts = map(frozen, sparse.block(start, stop))
                y, w = self.source.rows_without_inputs(start, stop)
                block = c.SparseBlock(values, columns, starts, y, w)
                plain = predictor._replace(shift=c.EMPTY, inverse_scale=c.EMPTY)
                get("sparse_sums")(block, plain, norm_of.p, inner, need, raw)
            return InfluenceSums(fingerprint, raw, self.fit_intercept, exponent)

        return self.executor.reduce(
            self.source, self.source.chunks(), work, InfluenceSums.merge, self.source.n_rows * m
        )

    def sparse_rows(self, need: int) -> SparseRows | None:
        """The rows, if they are so sparse that their entries alone are worth going through, and
        the model's inputs are they as they are."""
        rows = self.source.x
        if type(rows) is np.ndarray or not isinstance(rows, SparseRows):
            return None
        if not self.basis.is_identity:
            shift, scale = self.basis.arrays(rows.shape[1])
            if shift.any() or np.any(scale != 1.0):
                return None
        most = _SPARSE_PAIRS if need & c.NEED_HESSIAN else _SPARSE
        return rows if rows.density <= most else None

    def predictor(self, theta: Array) -> c.Predictor:
        """θ = (β, b) as compiled operations take it."""
        m, theta = self.source.n_columns, np.array(theta, dtype=float)
        beta, intercept = theta[:m], float(theta[m]) if self.fit_intercept else 0.0
        if self.basis.is_identity:
            return c.Predictor(beta.copy(), intercept, c.EMPTY, c.EMPTY)
        shift, scale = self.basis.arrays(m)
        return c.Predictor(beta.copy(), intercept, read_only(shift), read_only(1.0 / scale))

    def inner(self, exponent: float = 0.0) -> c.Inner:
        """The natural loss, and e of shared budgets, as compiled operations take them."""
        return self.loss.inner(exponent=exponent)

    def predictions(self, theta: Array) -> Array:
        """f_i = βᵀv(x_i) + b for all rows, shape (n,)."""
        m = self.source.n_columns
        beta = np.asarray(theta[:m], dtype=float)
        intercept = float(theta[m]) if self.fit_intercept else 0.0
        if not self.basis.is_identity:
            shift, scale = self.basis.arrays(m)
        out = np.empty(self.source.n_rows)

        sparse = self.sparse_rows(c.NEED_GRADIENT)

        def work(start: int, stop: int) -> None:
            if sparse is not None:
                out[start:stop] = sparse.matrix[start:stop] @ beta + intercept
                return
            block = self.source.inputs(start, stop).astype(np.float64, copy=False)
            if not self.basis.is_identity:
                block = (block - shift) / scale
            out[start:stop] = block @ beta + intercept

        self.executor.map_rows(self.source, work)
        return out

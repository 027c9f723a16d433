"""The sums over samples from which fits, influences and robust fits are made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..data import parallel
from ..data.rows import RowSource, frozen, map_rows
from ..data.sources.sparse import SparseRows
from ..losses import Loss
from ..threat.attack_set import AttackSet
from ..utils import progress
from ..utils.arrays import fill_upper, read_only
from . import checkpoint as checkpoints
from . import distributed
from .fourth_moments import expanded

Array = NDArray[Any]

# Shares of entries up to which sparse rows take less time than dense ones: with the pairs in a row
# that the Hessian asks for, and without.
_SPARSE_PAIRS, _SPARSE = 0.1, 0.3


@dataclass
class InfluenceSums:
    """One pass over rows: totals that merge by addition.

    The derivatives are those of ψ(f, κ) = max ℓ(f ± κ); at κ = 0 they are the natural
    loss's, and the mixed ones are the ingredients of Theorem 4.1's Φ. Vectors have an
    entry per coefficient, then the intercept's.
    """

    fingerprint: tuple[Any, ...]
    raw: c.Sums
    fit_intercept: bool
    exponent: float = 0.0
    by_moments: bool = False

    def merge(self, other: InfluenceSums) -> InfluenceSums:
        """Add another part's totals to these; both must be sums of the same thing."""
        if self.fingerprint != other.fingerprint:
            raise ValueError("sums of different models, losses or attacks cannot be merged")
        peak = max(self.peak, other.peak)
        if self.exponent > 0.0:  # shares of the budget relative to the same gain
            for sums in (self, other):
                get("raise_peak")(peak, self.exponent, sums.raw)
        for mine, theirs in zip(self.raw, other.raw, strict=True):
            mine += theirs
        self.raw.scalars[c.S_PEAK] = peak
        return self

    def _with_intercept(self, vector: int, scalar: int) -> Array:
        head = self.raw.vectors[vector]
        tail = self.raw.scalars[[scalar]] if self.fit_intercept else self.raw.scalars[:0]
        return np.concatenate([head, tail]) / self.weight

    def scalar(self, place: int) -> float:
        """The weighted mean of one of the scalar sums."""
        return float(self.raw.scalars[place]) / self.weight

    @property
    def weight(self) -> float:
        """W = Σ w."""
        return float(self.raw.scalars[c.S_WEIGHT])

    @property
    def effective_size(self) -> float:
        """(Σ w)² / Σ w²."""
        return self.weight**2 / float(self.raw.scalars[c.S_W2])

    @property
    def loss(self) -> float:
        """E ψ."""
        return self.scalar(c.S_LOSS)

    @property
    def gradient(self) -> Array:
        """E ψ_f (v, 1), shape (d,)."""
        return self._with_intercept(c.V_F, c.S_F)

    @property
    def mixed_direction(self) -> Array:
        """E ψ_fκ (v, 1), shape (d,); times shares of the budget where it is shared."""
        return self._with_intercept(c.V_FK, c.S_MIXED if self.exponent > 0.0 else c.S_FK)

    @property
    def gain(self) -> float:
        """E ψ_κ: at κ = 0 the mean of |ℓ'|."""
        return self.scalar(c.S_K)

    @property
    def input_slope(self) -> float:
        """E ‖∇_x ℓ‖_q in the attack's units (passes with NEED_MIXED)."""
        return self.scalar(c.S_SLOPE)

    @property
    def mixed(self) -> Array:
        """Φ/s of Theorem 4.1, shape (d,) (passes with NEED_MIXED)."""
        return self._with_intercept(c.V_MIXED, c.S_MIXED)

    @property
    def peak(self) -> float:
        """M, the largest ‖∇_x ℓ‖_q (of linear predictors |ℓ'|), where budgets are shared."""
        return float(self.raw.scalars[c.S_PEAK])

    @property
    def power(self) -> float:
        """E (g / M)^v, where budgets are shared."""
        return self.scalar(c.S_POWER)

    @property
    def ties(self) -> int:
        """Ties of the directions of attack, over samples of positive weight (NEED_MIXED)."""
        return int(self.raw.scalars[c.S_TIES])

    @property
    def mean_norm(self) -> float:
        """E ‖x‖_p in the attack's units."""
        return self.scalar(c.S_NORM)

    @property
    def yardstick(self) -> float:
        """E |ψ_f| ‖(v, 1)‖₂: what gradients are small or large against."""
        return self.scalar(c.S_YARDSTICK)

    @property
    def zero_gradients(self) -> int:
        """Samples of positive weight with ψ_κ = 0."""
        return int(self.raw.scalars[c.S_ZERO])

    @property
    def misclassified(self) -> int:
        """Samples of positive weight with y f ≤ 0 (logistic loss, passes without a loss)."""
        return int(self.raw.scalars[c.S_WRONG])

    @property
    def lower(self) -> Array:
        """The lower triangle of Σ w ψ_ff v vᵀ, without the intercept's row; not divided by W."""
        return np.tril(self._products)

    @property
    def _products(self) -> Array:
        """Σ w ψ_ff v vᵀ, right up to the diagonal; what stands above it means nothing."""
        raw = self.raw
        if self.by_moments:
            return expanded(raw.hessian[0], raw.vectors.shape[1])
        return raw.hessian

    @property
    def hessian(self) -> Array:
        """E ψ_ff (v, 1)(v, 1)ᵀ, shape (d, d), symmetric; made anew at each call."""
        m = self.raw.vectors.shape[1]
        d = m + self.fit_intercept
        full = np.empty((d, d))
        full[:m, :m] = self._products
        if self.fit_intercept:
            full[m, :m] = self.raw.vectors[c.V_FF]
            full[m, m] = self.raw.scalars[c.S_FF]
        full /= self.weight
        return fill_upper(full)

    def plain(self) -> InfluenceSums:
        """The same with its Hessian expanded, which merges with that of any other rows."""
        if not self.by_moments:
            return self
        raw = self.raw._replace(hessian=self.lower)
        return dataclasses.replace(self, raw=raw, by_moments=False)

    @property
    def is_finite(self) -> bool:
        """Whether every total is finite: NaN or infinity anywhere in the rows shows here."""
        return all(bool(np.isfinite(part).all()) for part in self.raw)


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
    n_threads: int | None = None

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
        progress.tick()
        checkpoint = checkpoints.current()
        if checkpoint is None:
            return self._anywhere(theta, need, options)
        asked = (
            np.asarray(theta), need, kappa, smoothing, np.asarray(multiplier), exponent,
            self.loss, self.fit_intercept, *self.basis.arrays(self.source.n_columns),
            None if self.ball is None else self.ball.fingerprint(),
        )  # fmt: skip
        return checkpoint.recall(
            self.source, asked, lambda: self._anywhere(theta, need, options)
        )

    def _anywhere(self, theta: Array, need: int, options: dict[str, Any]) -> InfluenceSums:
        """`run` where the rows are: on Dask's workers, or in this process."""
        client = distributed.client_for(self.source)
        if client is not None:
            found: InfluenceSums = distributed.run(client, self, theta, need, options)
            return found
        return self._run(theta, need, **options)

    def _run(
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
        predictor = self._predictor(np.array(theta, dtype=float), m)
        norm_of = self._norm_of(need)
        operation = get("linear_sums")
        shares = read_only(multiplier)
        arrays = (
            predictor.beta, predictor.shift, predictor.inverse_scale,
            norm_of.shift, norm_of.inverse_scale,
        )  # fmt: skip
        fingerprint = (
            self.loss, self.fit_intercept, predictor.intercept, norm_of.p, kappa, smoothing, need,
            exponent, *(array.tobytes() for array in arrays),
        )  # fmt: skip

        sparse = self.sparse_rows(need) if norm_of.inverse_scale.size == 0 else None

        def work(start: int, stop: int) -> InfluenceSums:
            lam = shares[start:stop] if shares.size else c.EMPTY
            inner = c.Inner(
                self.loss.code, float(self.loss.delta), kappa, smoothing, lam, exponent
            )
            hess = np.zeros((m, m) if need & c.NEED_HESSIAN else (0, 0))
            raw = c.Sums(hess, np.zeros((c.N_VECTORS, m)), np.zeros(c.N_SCALARS))
            if sparse is None:
                rows = self.source.rows(start, stop)
                operation(rows, predictor, norm_of, inner, need, raw)
            else:
                values, columns, starts = map(frozen, sparse.block(start, stop))
                y, w = self.source.rows_without_inputs(start, stop)
                block = c.SparseBlock(values, columns, starts, y, w)
                plain = predictor._replace(shift=c.EMPTY, inverse_scale=c.EMPTY)
                get("sparse_sums")(block, plain, norm_of.p, inner, need, raw)
            return InfluenceSums(fingerprint, raw, self.fit_intercept, exponent)

        threads = parallel.resolve_threads(self.n_threads, self.source.n_rows * m)
        return parallel.reduce_chunks(
            self.source.chunks(), work, InfluenceSums.merge, threads
        )

    def sparse_rows(self, need: int) -> SparseRows | None:
        """The rows, if they are so sparse that their entries alone are worth going through, and
        the model's inputs are they as they are."""
        rows = self.source.x
        if not isinstance(rows, SparseRows):
            return None
        if not self.basis.is_identity:
            shift, scale = self.basis.arrays(rows.shape[1])
            if shift.any() or np.any(scale != 1.0):
                return None
        most = _SPARSE_PAIRS if need & c.NEED_HESSIAN else _SPARSE
        return rows if rows.density <= most else None

    def _predictor(self, theta: Array, m: int) -> c.Predictor:
        beta, intercept = theta[:m], float(theta[m]) if self.fit_intercept else 0.0
        if self.basis.is_identity:
            return c.Predictor(beta.copy(), intercept, c.EMPTY, c.EMPTY)
        shift, scale = self.basis.arrays(m)
        return c.Predictor(beta.copy(), intercept, read_only(shift), read_only(1.0 / scale))

    def _norm_of(self, need: int) -> c.NormOf:
        ball = self.ball
        if ball is not None and need & c.NEED_NORM and need & c.NEED_YARDSTICK:
            raise ValueError("the attack's norm and the yardstick's cannot come from one pass")
        if ball is None or need & c.NEED_YARDSTICK or not need & c.NEED_NORM:
            return c.NormOf(2.0, c.EMPTY, c.EMPTY)
        return ball.compiled_norm()

    def inner(self, exponent: float = 0.0) -> c.Inner:
        """The natural loss, and e of shared budgets, as compiled operations take them."""
        return c.Inner(self.loss.code, float(self.loss.delta), 0.0, 0.0, c.EMPTY, exponent)

    def attack(self) -> c.Attack:
        """The attack's norm and D as compiled operations take them."""
        if self.ball is None:
            return c.Attack(2.0, read_only(np.ones(self.source.n_columns)))
        return self.ball.compiled()

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

        map_rows(self.source, work, self.n_threads)
        return out

"""The pass over rows of models whose features v(x) are formed block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._compute import get
from .._compute import types as c
from ..bases.builtin import Linear
from ..bases.expansion import Expansion
from ..data.rows import RowSource
from ..losses import Loss
from ..norms import lp_norm
from ..threat.attack_set import AttackSet
from ..utils.arrays import columns_of
from . import attacked
from .executor import Executor
from .fourth_moments import n_moments
from .linear import Array, Sweep
from .sums import InfluenceSums

_FEWEST_INPUTS = 16  # with fewer the moments' products are too thin to be faster
_BLOCK_DOUBLES = 1 << 17  # of features that Python code holds at a time


@dataclass(frozen=True)
class BasisSweep(Sweep):
    """`Sweep` with an Expansion as its basis; the mixed sums are Theorem 4.1's Φ/s."""

    basis: Expansion

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
        """The sums at θ = (β, b) over all rows, of the natural loss (κ must be 0)."""
        if kappa != 0.0:
            raise ValueError("the inner maximum is closed for linear predictors only")
        theta = np.array(theta, dtype=float)
        add = self._add_built_in if self.basis.is_compiled else self._add_given
        d = self.n_coefs
        norm_of, attack = attacked.norm_of(self.ball, need), self._attack(need)
        by_rows = attacked.norms_by_rows(self.ball, need)
        arrays = (
            theta, *self.basis.arrays(self.basis.m), *self.basis.out_arrays(),
            attack.weights, norm_of.shift, norm_of.inverse_scale,
        )  # fmt: skip
        fingerprint = (
            self.loss, self.fit_intercept, self.basis.basis, need, attack.p, norm_of.p,
            exponent, *(array.tobytes() for array in arrays),
        )  # fmt: skip

        shape = (d, d) if need & c.NEED_HESSIAN else (0, 0)
        by_moments, asked = bool(need & c.NEED_HESSIAN) and self._repeats_moments(), need
        if by_moments:
            shape, asked = (1, n_moments(self.basis.m)), need | c.NEED_MOMENTS

        def work(start: int, stop: int) -> InfluenceSums:
            # Moments take the weights w ℓ'' of the rows, which the other sums leave in H's place.
            hess = np.zeros((1, stop - start) if by_moments else shape)
            raw = c.Sums(hess, np.zeros((c.N_VECTORS, d)), np.zeros(c.N_SCALARS))
            rows = self.source.rows(start, stop)
            plain = asked & ~(by_rows * c.NEED_NORM)
            add(rows, theta, plain, self.inner(exponent), raw)
            raw.scalars[c.S_NORM] += attacked.sum_of_norms(self.ball, rows) if by_rows else 0.0
            if by_moments:
                moments = np.zeros(shape)
                get("quadratic_moments")(rows, self.basis.compiled(), hess[0], moments[0])
                raw = raw._replace(hessian=moments)
            return InfluenceSums(fingerprint, raw, self.fit_intercept, exponent, by_moments)

        source = self.source
        return self.executor.reduce(
            source, source.chunks(columns=d), work, InfluenceSums.merge, source.n_rows * d
        )

    def _repeats_moments(self) -> bool:
        """Whether so many entries of H are equal that each of them is computed once."""
        plain = self.basis.basis.is_quadratic and self.basis.out_scale is None
        return plain and self.basis.m >= _FEWEST_INPUTS

    def _attack(self, need: int) -> c.Attack:
        return attacked.attack_of(self.ball, self.source.n_columns, need)

    def _parameters(self, theta: Array) -> tuple[Array, float]:
        d = self.n_coefs
        return theta[:d].copy(), float(theta[d]) if self.fit_intercept else 0.0

    def _add_built_in(
        self, rows: c.Rows, theta: Array, need: int, inner: c.Inner, raw: c.Sums
    ) -> None:
        """A compiled basis: one operation does it all."""
        beta, intercept = self._parameters(theta)
        predictor = c.Predictor(beta, intercept, c.EMPTY, c.EMPTY)
        get("basis_sums")(
            rows, self.basis.compiled(), predictor, attacked.norm_of(self.ball, need),
            self._attack(need), inner, need, raw,
        )  # fmt: skip

    def _add_given(
        self, rows: c.Rows, theta: Array, need: int, inner: c.Inner, raw: c.Sums
    ) -> None:
        """A Custom or kernel basis hands over its features, a block at a time."""
        beta, intercept = self._parameters(theta)
        size = max(64, _BLOCK_DOUBLES // self.n_coefs)
        for start in range(0, len(rows.x), size):
            x, y = rows.x[start : start + size], rows.y[start : start + size]
            w = rows.weight[start : start + size] if rows.weight.size else np.ones(len(y))
            U = self.basis.inner(x)
            V = self.basis.features_at(U)
            moves, directions = None, c.Directions(np.empty(0), np.empty(0))
            if need & c.NEED_MIXED:
                P, gains, ties = self.directions(U, beta)
                moves, directions = self.basis.moves_at(U, P), c.Directions(gains, ties)
            norms = self._norms(x, U, V, need)
            columns = np.array(V.T, order="C")  # used up
            block, rates = c.Block(columns, V @ beta + intercept, norms), np.empty((2, len(y)))
            get("block_sums")(
                block, directions, np.array(y), np.array(w), inner, need, rates, raw
            )
            if moves is not None:
                raw.vectors[c.V_MIXED] += rates[0] @ moves

    def _norms(self, x: Array, U: Array, V: Array, need: int) -> Array:
        if need & c.NEED_YARDSTICK:
            return lp_norm(V, 2.0)
        norm_of = attacked.norm_of(self.ball, need)
        if norm_of.inverse_scale.size == 0:
            return lp_norm(U, norm_of.p)
        return lp_norm((x - norm_of.shift) * norm_of.inverse_scale, norm_of.p)

    def directions(self, U: Array, beta: Array) -> tuple[Array, Array, Array]:
        """Directions Dφ(D∇f) in scaled inputs (k, m), gains ‖D∇f‖_q (k,) and ties (k,)."""
        g = columns_of(self.basis.gradients_at(U, beta))
        out, gains, ties = np.empty(g.shape), np.empty(len(U)), np.empty(len(U))
        get("attack_directions")(g, self._attack(c.NEED_MIXED), out, gains, ties)
        return out.T, gains, ties

    def predictions(self, theta: Array) -> Array:
        """f_i = βᵀv(x_i) + b for all rows, shape (n,)."""
        beta, intercept = self._parameters(np.asarray(theta, dtype=float))
        out = np.empty(self.source.n_rows)
        size = max(64, _BLOCK_DOUBLES // self.n_coefs)

        def work(start: int, stop: int) -> None:
            for k in range(start, stop, size):
                block = self.basis.transform(self.source.inputs(k, min(k + size, stop)))
                out[k : min(k + size, stop)] = block @ beta + intercept

        self.executor.map_rows(self.source, work)
        return out


def make_sweep(
    source: RowSource,
    loss: Loss,
    basis: Linear | Expansion,
    fit_intercept: bool,
    ball: AttackSet | None = None,
    executor: Executor | None = None,
) -> Sweep:
    """The pass that the basis asks for."""
    if isinstance(basis, Expansion):
        return BasisSweep(source, loss, basis, fit_intercept, ball, executor or Executor())
    return Sweep(source, loss, basis, fit_intercept, ball, executor or Executor())

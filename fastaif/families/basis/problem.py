"""The influence problem of basis models, whose ∇_x f varies from sample to sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...bases.expansion import Expansion
from ...data.rows import RowSource
from ...passes.basis import BasisSweep
from ...threat.attack_set import AttackSet, Turn
from ...utils.caching import cached_property
from .. import kinks as path_kinks
from ..finite_sum.model import finite
from ..finite_sum.problem import SumProblem, chosen_solver
from ..finite_sum.totals import Accumulated
from .model import ExpansionModel

Array = NDArray[Any]
_BLOCK_DOUBLES = 1 << 17
_KINKED = 0.2  # of the samples


@dataclass(frozen=True)
class BasisProblem(SumProblem):
    """A SumProblem whose v is an Expansion (section 5 of the paper)."""

    model: ExpansionModel

    @property
    def basis(self) -> Expansion:
        """v."""
        return self.model.basis

    @property
    def _needs(self) -> int:
        return super()._needs | c.NEED_MIXED

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖∇_x ℓ‖_q."""
        sums = self.sums
        return self.radius * self.sharing.value(sums.input_slope, sums)

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each sample in the attack's units, (n,)."""
        out, loss = np.empty(self.source.n_rows), self.model.loss
        f = self.sweep.predictions(self.params)

        def work(start: int, stop: int) -> None:
            slopes = self.input_slopes(start, stop, self.beta)
            first = loss.slope(f[start:stop], self.source.targets(start, stop))
            out[start:stop] = np.abs(first) * self.ball.gains(slopes)

        self.executor.map_rows(self.source, self.in_blocks(work))
        return out

    @cached_property
    def kinked_pairs(self) -> int:
        """Samples parallel to a centre of a kernel that has kinks there."""
        basis = self.basis.basis
        if not basis.has_kinks:
            return 0
        counts: list[int] = []

        def work(start: int, stop: int) -> None:
            counts.append(basis.count_kinks(self.basis.inner(self.source.inputs(start, stop))))

        self.executor.map_rows(self.source, self.in_blocks(work))
        return sum(counts)

    def refuse_kinks(self) -> None:
        """Fixed centres that are attacked inputs make the influence wrong by their share."""
        share = self.kinked_pairs / self.n_rows
        if share > _KINKED:
            raise ValueError(
                f"{share:.0%} of the samples are centres of the NTK themselves, where it has "
                "kinks: with centers='fixed' the influence would be wrong by about as much; use "
                "centers='moving', fewer centres, or centres from other data"
            )

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = s E[t (ℓ'' sgn(ℓ') ‖∇_x f‖_q (v, 1) + |ℓ'| (Jφ, 0))] (Theorem 4.1)."""
        if weights is None:
            return self.radius * self.sharing.scale(self.sums.power) * self.sums.mixed
        weighted = self.source._replace(weight=self._base_weights() * weights)
        sweep = self.model.sweep(weighted, self.ball, self.executor)
        sums = finite(sweep.run(self.params, self._needs))
        # Per-sample budgets multiply the numerators only: E stays the data's mean.
        return self.radius * (sums.weight / self.sums.weight) * sums.mixed

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        d, loss = self.model.n_coefs, self.model.loss
        out, budgets = np.empty((self.source.n_rows, len(self.params))), self.budgets
        intercept = self.params[d:].sum()

        def work(start: int, stop: int) -> None:
            U = self.basis.inner(self.source.inputs(start, stop))
            V = self.basis.features_at(U)
            P, gains, _ = cast(BasisSweep, self.sweep).directions(U, self.beta)
            f, y = V @ self.beta + intercept, self.source.targets(start, stop)
            slope = loss.slope(f, y)
            signed = gains * loss.curvature(f, y) * np.sign(slope)
            z = out[start:stop]
            z[:, :d] = V * signed[:, None]
            z[:, :d] += np.abs(slope)[:, None] * self.basis.moves_at(U, P)
            z[:, d:] = signed[:, None]
            z *= budgets[start:stop, None]
            self.share_out(z)

        self.executor.map_rows(self.source, self.in_blocks(work))
        self.share_all(out)
        return out

    def in_blocks(self, work: Any) -> Any:
        """`work(start, stop)` on blocks small enough for their features to be held."""
        size = max(64, _BLOCK_DOUBLES // self.model.n_coefs)

        def blocks(start: int, stop: int) -> None:
            for k in range(start, stop, size):
                work(k, min(k + size, stop))

        return blocks

    def kinks(self, influence: Array) -> path_kinks.Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        f, speed, _ = self.moves(influence)
        turns: list[Turn] = []
        gains: list[float] = []
        ball, budgets = self.ball, self.budgets
        along = influence[: self.model.n_coefs]

        def work(start: int, stop: int) -> None:
            w = self.source.weights(start, stop)
            kept = w > 0 if w.size else np.ones(stop - start, dtype=bool)
            slopes = self.input_slopes(start, stop, self.beta)[kept]
            speeds = self.input_slopes(start, stop, along)[kept]
            turns.append(ball.first_turn(slopes, speeds))
            with np.errstate(divide="ignore"):  # samples without a share of the budget stay
                lengths = ball.gains(slopes) / budgets[start:stop][kept]
            gains.append(float(np.min(lengths, initial=np.inf)))

        self.executor.map_rows(self.source, self.in_blocks(work))
        when, place = min(turns)
        event = f"the slope in {self.model.feature_names[place]} of a sample {ball.turning}"
        lip = self.basis.lipschitz(self.beta, ball)
        reach = None if lip is None else np.inf
        if lip:
            reach = min(gains) / (self.radius * lip)
        shared = path_kinks.Event(np.inf, "") if self.sharing.is_shared else None
        return path_kinks.basis_kinks(self.sweep, (f, speed), (when, event), reach, shared)

    def input_slopes(self, start: int, stop: int, beta: Array) -> Array:
        """∇_u (βᵀv) for a range of rows, shape (k, m)."""
        U = self.basis.inner(self.source.inputs(start, stop))
        return self.basis.gradients_at(U, beta)

    def influence_raw(self, influence: Array) -> Array:
        """The influence on the coefficients of the basis of raw inputs, (d,)."""
        return self.basis.raw_coefficients(influence)


@dataclass(frozen=True)
class AccumulatedBasis(Accumulated, BasisProblem):
    """A BasisProblem whose rows are gone."""


def basis_problem(
    model: ExpansionModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> BasisProblem:  # fmt: skip
    """The problem, with its way to H⁻¹; H is its own Gauss-Newton matrix."""
    return BasisProblem(model, source, ball, solver=chosen_solver(model, solver), **common)

"""The influence problem of basis models, whose ∇_x f varies from sample to sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...bases.expansion import Expansion
from ...data.rows import RowSource
from ...passes.basis import BasisSweep
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ..finite_sum.problem import chosen_solver
from ..finite_sum.totals import Accumulated
from ..finite_sum.varying import VaryingSums
from ..problem import Counts
from .model import ExpansionModel

Array = NDArray[Any]
_BLOCK_DOUBLES = 1 << 17
_KINKED = 0.2  # of the samples


@dataclass(frozen=True)
class BasisProblem(VaryingSums):
    """A SumProblem whose v is an Expansion (section 5 of the paper)."""

    model: ExpansionModel

    @property
    def basis(self) -> Expansion:
        """v."""
        return self.model.basis

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each sample in the attack's units, (n,)."""
        out, loss = np.empty(self.source.n_rows), self.model.loss
        f = self.sweep.predictions(self.params)

        def work(start: int, stop: int) -> None:
            slopes = self.input_slopes(start, stop, self.beta)
            first = loss.slope(f[start:stop], self.source.targets(start, stop))
            out[start:stop] = np.abs(first) * self.ball.gains(slopes)

        self.map_rows(work)
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

        self.map_rows(work)
        return sum(counts)

    @property
    def kinked_are(self) -> str:
        """What `Counts.kinked_pairs` counts, as a sentence behind the number."""
        return self.basis.basis.kinks_are

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂; entries that v does not depend on are no ties."""
        found = super().counts
        if not found.ties or not self.keeps_rows:
            return found
        first = self.basis.inner(self.source.inputs(0, 1))
        if self.basis.basis.idle(first) is None:
            return found
        ties: list[int] = []

        def work(start: int, stop: int) -> None:
            U = self.basis.inner(self.source.inputs(start, stop))
            kinks = self.ball.kinks(self.basis.gradients_at(U, self.beta))
            idle = self.basis.basis.idle(U)
            ties.append(int(np.count_nonzero(kinks if idle is None else kinks & ~idle)))

        self.map_rows(work)
        return found._replace(ties=sum(ties))

    def refuse_kinks(self) -> None:
        """Fixed centres that are attacked inputs make the influence wrong by their share."""
        share = self.kinked_pairs / self.n_rows
        if share > _KINKED and self.model.is_dual:
            raise ValueError(
                f"{share:.0%} of the samples are centres of the NTK themselves, where it has "
                "kinks: with centers='fixed' the influence would be wrong by about as much; use "
                "centers='moving', fewer centres, or centres from other data"
            )

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

        self.map_rows(work)
        self.share_all(out)
        return out

    def in_blocks(self, work: Callable[[int, int], None]) -> Callable[[int, int], None]:
        """`work(start, stop)` on blocks small enough for their features to be held."""
        size = max(64, _BLOCK_DOUBLES // self.model.n_coefs)

        def blocks(start: int, stop: int) -> None:
            for k in range(start, stop, size):
                work(k, min(k + size, stop))

        return blocks

    def map_rows(self, work: Callable[[int, int], None]) -> None:
        """Run `work(start, stop)` on such blocks, which threads share."""
        self.executor.map_rows(self.source, self.in_blocks(work))

    def predictions_along(self, step: Array) -> tuple[Array, Array]:
        """f(θ̂) and its derivative along a step, each (n,)."""
        f, speed, _ = self.moves(step)
        return f, speed

    def slopes_along(self, step: Array, start: int, stop: int) -> tuple[Array, Array]:
        """∇_u f(θ̂) and its derivative along a step in a range of rows, each (k, m)."""
        along = step[: self.model.n_coefs]
        return self.input_slopes(start, stop, self.beta), self.input_slopes(start, stop, along)

    def lipschitz(self) -> float | None:
        """By how much a unit attack can change a gain of ∇_u f; None where no bound is known."""
        return self.basis.lipschitz(self.beta, self.ball)

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
    hessian: str = "exact", kind: type[BasisProblem] = BasisProblem, **common: Any,
) -> BasisProblem:  # fmt: skip
    """The problem, of a given kind, with its way to H⁻¹; H is its own Gauss-Newton matrix."""
    return kind(model, source, ball, solver=chosen_solver(model, solver), **common)

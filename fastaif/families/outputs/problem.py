"""The influence problem of linear models of several outputs, ℓ = ‖Wu + b − y‖².

a = 2r and S = 2: nothing ties one output to another but the attack, whose direction φ_c(Wᵀr) is
that of all residuals together. H is the same for every output, so that one factor serves all.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...passes.outputs import OutputsSums, OutputsSweep, are_flat
from ...passes.vector import VectorSums, VectorSweep
from ...solvers.cholesky import factorize
from ...solvers.limits import cholesky_fits
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ...utils.validation import refuse_tiny_targets
from ..problem import Counts, refuse_solver
from ..vector.attack import Search
from ..vector.problem import VectorProblem
from ..vector.rows import RowParts
from ..vector.totals import AccumulatedVector
from .attack import OutputsSearch, certificate
from .model import OutputsModel
from .pinned import Pinned, find

Array = NDArray[Any]

_TINY = 1e-290  # squares that underflow
_EXACT = 1e-13  # of the terms of predictions: a Newton step that is rounding


class _Passed(NamedTuple):
    """A pass, and what it has found."""

    sweep: OutputsSweep
    sums: OutputsSums


@dataclass(frozen=True)
class OutputsProblem(VectorProblem):
    """The InfluenceProblem of an OutputsModel."""

    model: OutputsModel

    search: ClassVar[type[Search]] = OutputsSearch

    @property
    def sweep(self) -> VectorSweep:
        """The pass over the training rows."""
        return self._passed.sweep

    @cached_property
    def sums(self) -> OutputsSums:
        """Everything that H, Φ, s and the gradient are made of."""
        return self._passed.sums

    @property
    def hessian_size(self) -> int:
        """That of one output."""
        return super().sweep.n_entries

    @cached_property
    def _passed(self) -> _Passed:
        """The one pass, made again where θ̂ is not exact enough to tell which rows are fitted."""
        sweep = cast(OutputsSweep, super().sweep)
        found = self._summed_by(sweep)
        if found.weight > 0.0 and found.loss < _TINY:
            refuse_tiny_targets(float(np.abs(self.source.targets()).max()))
        step = self._step_left(found)
        if step is None:
            return _Passed(sweep, found)
        sweep = dataclasses.replace(sweep, step=step)
        return _Passed(sweep, self._summed_by(sweep))

    def _summed_by(self, sweep: VectorSweep) -> OutputsSums:
        return cast(OutputsSums, self._finite(sweep, self._needs, self.sharing.exponent))

    def sums_of_part(self) -> OutputsSums:
        """The one pass over rows that are not all, at which Θ̂ need not be stationary."""
        return self._summed_by(super().sweep)

    def _step_left(self, sums: OutputsSums) -> Array | None:
        """The Newton step at Θ̂ (K, c); None where it is rounding, or H has no inverse."""
        theta, m = self.model.matrix, self.model.n_features
        ridge = np.where(np.arange(theta.shape[1]) < m, 2.0 * self.alpha_at(sums.weight), 0.0)
        factor = factorize(sums.curvature + np.diag(ridge))
        if factor is None:
            return None
        step = factor.solve((sums.gradient + ridge * theta).T).T
        size = np.sqrt(np.diagonal(sums.curvature))
        exact = np.abs(step) @ size <= _EXACT * (np.abs(theta) @ size)
        return None if exact.all() else np.asarray(step)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (Theorem 4.1), (d,); budgets of samples multiply what is summed."""
        found = super().mixed(weights)
        known = self.pinned if weights is None else None
        return found if known is None else found + known.mixed

    @cached_property
    def pinned(self) -> Pinned | None:
        """The samples that are fitted exactly and stay so, and how they are attacked."""
        if self.sharing.is_shared or not self.ball.has_dual_norm or not self.sums.zero_gradients:
            return None
        flat, model, shares = np.zeros(self.n_rows, dtype=bool), self.model, self.shares

        def work(start: int, stop: int) -> None:
            residuals = self.rows(start, stop).residuals
            flat[start:stop] = ~residuals.any(axis=1) & (shares[start:stop] > 0.0)

        self.map_rows(work)
        rows, W = np.flatnonzero(flat), model.matrix[:, : model.n_features]
        each = [self.sweep.inputs(row, row + 1) for row in rows.tolist()]
        Z = np.concatenate([np.empty((0, self.sweep.n_entries)), *each])
        return find(self, model.layout, W, rows, Z, shares[rows], super().mixed())

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂; samples whose right derivative is known are told apart."""
        found, known = super().counts, self.pinned
        if known is None:
            return found
        pinned = len(known.rows)
        return found._replace(
            zero_gradients=found.zero_gradients - pinned, pinned_samples=pinned
        )

    def directions(self, at: RowParts, start: int, stop: int) -> Array:
        """The unit attacks of a range of rows (k, m)."""
        phi, known = super().directions(at, start, stop), self.pinned
        if known is not None:
            inside = (known.rows >= start) & (known.rows < stop)
            phi[known.rows[inside] - start] = known.attacks[inside]
        return phi

    @property
    def smooth_shares(self) -> Array:
        """ω of the samples whose gain has no kink at θ̂ that is solved, and 0 of the others."""
        if self.pinned is None:
            return self.shares
        shares = self.shares.copy()
        shares[self.pinned.rows] = 0.0
        return shares

    def rows(self, start: int, stop: int, kept: Any = slice(None)) -> RowParts:
        """What a range of rows has at θ̂; what is fitted but for rounding is fitted."""
        at = super().rows(start, stop, kept)
        step = self._passed.sweep.step
        flat = are_flat(at.inputs, self.model.matrix, at.y, at.z - at.y, step)
        if not flat.any():
            return at
        z = np.where(flat[:, None], at.y, at.z)
        return at._replace(z=z, terms=self.model.loss.terms(z, at.y))

    # --- solving ----------------------------------------------------------------------------------

    def form(self, sums: VectorSums) -> Array:
        """H of each output, without penalty."""
        return sums.curvature

    @property
    def hessian(self) -> Array | None:
        """∇²L(θ̂), penalty included, damping not, (d, d); None where there is no room for it."""
        return self._full_hessian if cholesky_fits(len(self.params)) else None

    def times_hessian(self, v: Array) -> Array:
        """H v, output by output."""
        layout = self.model.layout
        return layout.vector(layout.matrix(v) @ self.inner_hessian)

    @property
    def _dispersions(self) -> Array:
        """E ℓ'²/E ℓ'' of each output, (K,): twice its mean squared error."""
        return 2.0 * self.sums.squared_errors

    @property
    def least_dispersion(self) -> float:
        """The least of the outputs' dispersions."""
        return float(self._dispersions.min())

    def variances(self, inverse: Array) -> Array:
        """n times those of θ̂'s entries, (K, c)."""
        return np.multiply.outer(self._dispersions, np.diagonal(inverse))

    def certificate(self, theta: Array, eps: float) -> float:
        """A bound on E max ℓ at θ that no attack exceeds."""
        return certificate(self, theta, eps)


@dataclass(frozen=True)
class AccumulatedOutputs(AccumulatedVector, OutputsProblem):
    """An OutputsProblem whose rows are gone: those that are fitted exactly count as unattacked."""

    @property
    def sweep(self) -> VectorSweep:
        """A pass over nothing."""
        return self.model.sweep(self.source, self.ball, self.executor)

    @property
    def sums(self) -> OutputsSums:
        """The sums over all rows."""
        return cast(OutputsSums, self.totals.sums)

    @property
    def pinned(self) -> None:
        """Nothing is known of single rows."""
        return None


def outputs_problem(
    model: OutputsModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, kind: type[OutputsProblem] = OutputsProblem,
    **common: Any,
) -> OutputsProblem:  # fmt: skip
    """The problem, of a given kind, whose H is always formed, and the same by either name.

    Raises
    ------
    ValueError
        Another solver than a factor.
    """
    refuse_solver(model, solver)
    return kind(model, source, ball, **common)

"""The influence problem of linear predictors, whose ∇_x f is the same for every sample."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...passes.sums import InfluenceSums
from ...solvers.limits import cholesky_fits
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from .. import kinks as path_kinks
from ..finite_sum.problem import chosen_solver
from ..finite_sum.row_space import are_few
from ..finite_sum.totals import Accumulated
from ..problem import Counts
from .model import LinearModel
from .norm_expansion import NormExpansion
from .one_sided import OneSided, features, one_sided
from .sums import LinearSums

Array = NDArray[Any]

_TIED = 1e-11  # of the steepest sample's slope
_ALIKE = 1e-9  # of the largest pull on θ

@dataclass(frozen=True)
class LinearProblem(LinearSums):
    """The InfluenceProblem of a linear predictor: v = (x − μ)/σ."""

    @cached_property
    def one_sided(self) -> OneSided | None:
        """Where the path has a kink at ε = 0: what its right derivative is made of."""
        return one_sided(self) if self.ball.has_dual_norm else None

    @property
    def counts(self) -> Counts:
        """Ties of the direction of attack that all samples share; samples with ℓ' = 0.

        Those that the right derivative accounts for are counted apart, as pinned.
        """
        zero = 0 if self._tells_flat_rows else self.sums.zero_gradients
        ties = 0 if self.ball.has_dual_norm else self.ball.ties(self.beta)
        ties += self._tied_steepest()
        found = self.one_sided
        if found is None:
            return Counts(zero, ties)
        return Counts(
            zero, ties, pinned_samples=len(found.rows), pinned_coefficients=found.n_coefs
        )

    def _tied_steepest(self) -> int:
        """Of order 1: samples as steep as the steepest, whose attack would pull θ another way."""
        if self.sharing.order != 1.0 or not self.keeps_rows or self.executor.is_remote(self.source):
            return 0
        gains = np.where(self.row_weights > 0.0, self.input_gains(), 0.0)
        places = np.flatnonzero(gains >= (1.0 - _TIED) * gains.max())
        if places.size < 2:
            return 0
        Z, y = features(self, places), self.source.targets()[places]
        f, loss = Z @ self.params, self.model.loss
        pulls = Z * (loss.curvature(f, y) * np.sign(loss.slope(f, y)))[:, None]
        apart = np.abs(pulls - pulls[0]).max(axis=1) > _ALIKE * np.abs(pulls).max()
        return int(np.count_nonzero(apart))

    @property
    def _tells_flat_rows(self) -> bool:
        """Whether rows with ℓ' = 0, where there are any, are known one by one."""
        known = self.ball.has_dual_norm and self.keeps_rows and not self.sharing.is_shared
        remote = self.executor.is_remote(self.source)
        return known and not remote and self.model.loss.has_kinks

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = s (‖Dβ‖_q E[t ℓ'' sgn ℓ' (v, 1)] + E t|ℓ'| (D φ(Dβ), 0)) (Theorem 4.1)."""
        if weights is None and self.one_sided is not None:
            found = self.one_sided
            phi = self.gain * found.direction
            phi[: self.model.n_features] += self.shared_slope * found.slope
            return self.radius * phi
        if weights is None:
            slope, direction = self.shared_slope, self.shared_direction
        else:
            # Per-sample budgets multiply the numerators only: E stays the data's mean.
            sums = self._weighted_sums(weights)
            share = sums.weight / self.sums.weight
            slope, direction = share * sums.gain, share * sums.mixed_direction
        phi = self.gain * direction
        phi[: self.model.n_features] += slope * self.ball.gain_gradient(self.beta)
        return self.radius * phi

    def _weighted_sums(self, budgets: Array) -> InfluenceSums:
        weighted = self.source._replace(weight=self._base_weights() * budgets)
        return self.model.sweep(weighted, self.ball, self.executor).run(
            self.params, self._needs
        )

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        m, d = self.model.n_features, len(self.params)
        gain, direction = self.gain, self.ball.gain_gradient(self.beta)
        out = np.empty((self.source.n_rows, d))
        loss, basis, found = self.model.loss, self.model.basis, self.one_sided
        direction = direction if found is None else found.slope
        f, budgets = self.sweep.predictions(self.params), self.budgets

        def work(start: int, stop: int) -> None:
            y, fi = self.source.targets(start, stop), f[start:stop]
            slope, curvature = loss.slope(fi, y), loss.curvature(fi, y)
            z = out[start:stop]
            side = np.sign(slope)
            if found is not None:
                inside = (found.rows >= start) & (found.rows < stop)
                side[found.rows[inside] - start] = found.sides[inside]
            signed = gain * curvature * side
            z[:, :m] = basis.transform(self.source.inputs(start, stop)) * signed[:, None]
            z[:, :m] += np.abs(slope)[:, None] * direction
            if d > m:
                z[:, m] = signed
            z *= budgets[start:stop, None]
            self.share_out(z)

        self.executor.map_rows(self.source, work)
        self.share_all(out)
        return out

    def kinks(self, influence: Array) -> path_kinks.Kinks:
        """Where along θ̂ + εI the expansion stops being smooth, kinks at ε = 0 apart."""
        f, speed, y = self.moves(influence)
        if self.one_sided is not None:
            f[self.one_sided.rows] = np.nan
        shared = self._overtaking(f, speed, y) if self.sharing.is_shared else None
        return path_kinks.linear_kinks(
            self.sweep, self.params, influence, (f, speed), self.names, shared
        )

    def _overtaking(self, f: Array, speed: Array, y: Array) -> path_kinks.Event:
        """Of order 1: where ω_j [ℓ(f_j ± εs‖Dβ‖_q/ω_j) − ℓ(f_j)] becomes another's largest.

        Over εs‖Dβ‖_q and to first order that is |ℓ'_j| + ε ℓ''_j (t_j sgn ℓ'_j + ½s‖Dβ‖_q/ω_j),
        t_j the speed of f_j: for squares nearly all there is; others may bend much within a move
        of εs‖Dβ‖_q/ω_j, and the first kink then lies elsewhere.
        """
        when = np.inf
        if self.sharing.order == 1.0:
            w = self._base_weights()
            kept, loss = w > 0, self.model.loss
            slope, bend = loss.slope(f, y)[kept], loss.curvature(f, y)[kept]
            spent = 0.5 * self.radius * self.gain * w.sum() / w[kept]
            speeds = bend * (speed[kept] * np.sign(slope) + spent)
            when = path_kinks.overtaken(np.abs(slope), speeds)
        return path_kinks.Event(when, "another sample's loss becomes the steepest")

    @cached_property
    def norm_expansion(self) -> NormExpansion | None:
        """What is known at every ε; None of shared budgets, and where H is not formed."""
        if not self.ball.has_dual_norm or self.sharing.is_shared:
            return None
        if self.is_iterative or self.model.whitening is not None:
            return None
        if not (self.forms_hessian or cholesky_fits(len(self.params))):
            return None
        found = self.one_sided
        cross = self.shared_direction if found is None else found.direction
        return NormExpansion(self.with_hessian(), cross)

    def influence_raw(self, influence: Array) -> Array:
        """The influence on slopes in raw units, (d,): β/σ behind a scaler."""
        m = self.model.n_features
        shift, scale = self.model.basis.arrays(m)
        raw = influence.copy()
        raw[:m] /= scale
        if len(raw) > m:
            raw[m] -= shift @ raw[:m]
        return raw


@dataclass(frozen=True)
class AccumulatedLinear(Accumulated, LinearProblem):
    """A LinearProblem whose rows are gone."""


def linear_problem(
    model: LinearModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> LinearProblem:  # fmt: skip
    """The problem, with its way to H⁻¹; H is its own Gauss-Newton matrix."""
    chosen = chosen_solver(model, solver)
    found = LinearProblem(model, source, ball, solver=chosen, **common)
    if solver == "auto" and _is_wide(found):
        return dataclasses.replace(found, solver="woodbury")
    return found


def _is_wide(problem: LinearProblem) -> bool:
    """Whether a matrix of the rows does what else one of all parameters would."""
    n, d = problem.n_rows, len(problem.params)
    if not are_few(n, d) or problem.model.whitening is not None:
        return False
    if problem.executor.is_remote(problem.source):
        return False
    penalized = problem.penalized[: problem.model.n_coefs]
    return cholesky_fits(n) and bool(np.all(penalized > 0.0))

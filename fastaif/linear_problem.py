"""The influence problem of linear predictors, whose ∇_x f is the same for every sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import validity
from ._compute import _types as c
from ._sums import InfluenceSums
from .streaming import map_rows
from .sum_problem import SumProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class LinearProblem(SumProblem):
    """A SumProblem with v = (x − μ)/σ."""

    @property
    def gain(self) -> float:
        """‖D β‖_q, the dual norm of every sample's ∇_x f."""
        return self.ball.gain(self.beta)

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E‖∇_x ℓ‖_q."""
        return self.radius * self.gain * self.sums.gain

    @property
    def ties(self) -> int:
        """How many entries of the direction of attack sit on a kink of the dual norm."""
        return self.ball.ties(self.beta)

    @property
    def zero_gradients(self) -> int:
        """Samples of positive weight with ℓ' = 0."""
        return self.sums.zero_gradients

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = s (‖Dβ‖_q E[ℓ'' sgn ℓ' (v, 1)] + E|ℓ'| (D φ(Dβ), 0)) (Theorem 4.1)."""
        sums = self.sums if weights is None else self._weighted_sums(weights)
        # Per-sample budgets multiply the numerators only: E stays the data's mean.
        share = sums.weight / self.sums.weight
        phi = self.gain * sums.mixed_direction
        phi[: self.model.n_features] += sums.gain * self.ball.gain_gradient(self.beta)
        return self.radius * share * phi

    def _weighted_sums(self, budgets: Array) -> InfluenceSums:
        weighted = self.source._replace(weight=self._base_weights() * budgets)
        return self.model.sweep(weighted, self.ball, self.n_threads).run(
            self.params, c.NEED_GRADIENT | c.NEED_HESSIAN
        )

    def per_sample(self) -> Array:
        """ζ_i = −s H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        m, d = self.model.n_features, len(self.params)
        gain, direction = self.gain, self.ball.gain_gradient(self.beta)
        out = np.empty((self.source.n_rows, d))
        loss, basis = self.model.loss, self.model.basis
        f = self.sweep.predictions(self.params)

        def work(start: int, stop: int) -> None:
            y, fi = self.source.targets(start, stop), f[start:stop]
            slope, curvature = loss.slope(fi, y), loss.curvature(fi, y)
            z = out[start:stop]
            signed = gain * curvature * np.sign(slope)
            z[:, :m] = basis.transform(self.source.inputs(start, stop)) * signed[:, None]
            z[:, :m] += np.abs(slope)[:, None] * direction
            if d > m:
                z[:, m] = signed
            z[:] = -self.radius * self.solve(z.T).T

        map_rows(self.source, work, self.n_threads)
        return out

    def kinks(self, influence: Array) -> validity.Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        f, speed, _ = self.moves(influence)
        return validity.linear_kinks(self.sweep, self.params, influence, (f, speed), self.names)

    def influence_raw(self, influence: Array) -> Array:
        """The influence on slopes in raw units, (d,): β/σ behind a scaler."""
        m = self.model.n_features
        shift, scale = self.model.basis.arrays(m)
        raw = influence.copy()
        raw[:m] /= scale
        if len(raw) > m:
            raw[m] -= shift @ raw[:m]
        return raw

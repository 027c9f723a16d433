"""The influence problem of networks of any depth, with several outputs or classes.

    I = −H⁻¹Φ,   H = E ∇²ℓ_i + 2α on weights,   Φ = s E t_i ∇_θ⟨∇_x ℓ_i, φ_i⟩

(Theorem 4.1), with the exact Hessian or its Gauss-Newton part E Jᵀ ∇²_F ℓ J, J = ∂F/∂θ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...data.rows import RowSource
from ...solvers.limits import LARGEST_AUTODIFF, cholesky_fits
from ...solvers.newton import NewtonResult
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ..autodiff.problem import AutodiffProblem
from ..autodiff.rows import Batch
from ..kinks import Kinks
from ..objective import number
from ..problem import Counts
from . import kinks
from .derivatives import LayeredDerivatives
from .fit import DENSE, LayeredObjective, fit_layers
from .idle_units import flat_moves, idle_biases
from .model import LayeredModel

Array = NDArray[Any]

_NO_SLOPE = 1e-14  # of what losses are
_AT_KINK = 1e-9  # of what a unit's sum is made of


@dataclass(frozen=True)
class LayeredProblem(AutodiffProblem):
    """The InfluenceProblem of a LayeredModel.

    Attributes
    ----------
    gauss_newton : bool
        H without what bends F: positive semi-definite, but not the curvature of L where
        residuals are large.
    """

    model: LayeredModel
    gauss_newton: bool = field(default=False, kw_only=True)

    way_out_without_gradients: ClassVar[str] = ""
    least_error: ClassVar[float] = 1e-10  # what idle units let no sample move

    @property
    def derivatives(self) -> LayeredDerivatives:
        """The losses' derivatives, batch by batch."""
        return self.model.derivatives

    @property
    def curvature(self) -> LayeredDerivatives:
        """Those of which H is made."""
        own = self.derivatives
        return own.as_gauss_newton() if self.gauss_newton else own

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Heights (k,) and slopes (k, m), in one pass."""
        return self.derivatives.rising(theta, X, y)

    def compiled(self, theta: Array) -> tuple[c.Layers, c.Head]:
        """The network as compiled ascents take it."""
        return self.derivatives.compiled(theta)

    def begin(self) -> None:
        """Make one pass for everything but H; two where samples share a budget."""
        with single_threaded_blas():
            _ = self._mixed

    @property
    def is_gauged(self) -> bool:
        """Whether one number added to all outputs changes nothing: of classes."""
        return bool(self.model.loss.has_labels) and self.model.layers.sizes[-1] > 1

    @cached_property
    def flat(self) -> Array:
        """Moves of θ that change nothing (d, r): classes' common shift, biases of idle units."""
        return flat_moves(self.model.layers, self.params, self.alpha, self.is_gauged)

    @cached_property
    def loss_slope(self) -> float:
        """E ‖∇_F ℓ‖: E |ℓ'| where there is one output."""
        return number(self._mean("output_slopes"))

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖c ∘ ∇_x ℓ‖_q; 0 where that is rounding.

        A strong penalty switches off whole layers, and leaves of them what a fit's end does.
        """
        found, slope = super().value_derivative, self.loss_slope
        size = slope * slope if self.model.loss.is_of_residuals else slope
        return 0.0 if found <= _NO_SLOPE * size else found

    def _mean(self, name: str) -> float:
        total = 0.0
        for batch in self.batches():
            total += float(batch.shares @ self.derivatives(name, self.params, batch.X, batch.y))
        return total

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂: kinked pairs are rows and units of relu that sit at its kink."""
        idle = idle_biases(self.model.layers, self.params).size if self.alpha > 0.0 else 0
        return super().counts._replace(idle_units=idle, kinked_pairs=self._n_kinked)

    @property
    def kinked_are(self) -> str:
        """What `Counts.kinked_pairs` counts."""
        return (
            "pairs of a sample and a unit sit at the kink of relu, where the influence is one of "
            "several one-sided candidates"
        )

    @cached_property
    def _n_kinked(self) -> int:
        """Rows and units whose sums are zero to rounding, where σ' jumps at zero."""
        layers, found = self.model.layers, 0
        if not layers.sigma.has_kinks:
            return 0
        for batch in self.batches():
            run = layers.run(self.params, self.model.basis.transform(batch.X))
            for z, a, (W, b) in zip(run.sums, run.inputs, run.layers, strict=False):
                terms = np.abs(a) @ np.abs(W) + np.abs(b)
                found += int(np.count_nonzero((np.abs(z) <= _AT_KINK * terms) & (terms > 0.0)))
        return found

    def influence_raw(self, influence: Array) -> Array:
        """The influence on W1 and b1 as they act on raw inputs, (d,)."""
        layers = self.model.layers.unpack(np.array(influence))
        shift, scale = self.model.basis.arrays(self.model.n_features)
        W, b = layers[0]
        W = W / scale[:, None]
        return self.model.layers.pack([(W, b - shift @ W), *layers[1:]])

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI directions of attack change, or units of relu switch."""
        return kinks.find(self, self.model, influence).up_to(self.first_bound)

    # --- elsewhere ------------------------------------------------------------------------

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """F(θ̂) and F(θ̂ + step) − F(θ̂), (n,) or (n, K), and targets, on these or other rows."""
        before, after, targets = [], [], []
        for batch in self.batches(source, every=True):
            before.append(self.derivatives("outputs", self.params, batch.X))
            after.append(self.derivatives("outputs", self.params + step, batch.X))
            targets.append(batch.y)
        F, there = np.concatenate(before), np.concatenate(after)
        if F.shape[1] == 1:
            F, there = F[:, 0], there[:, 0]
        return F, there - F, np.concatenate(targets)

    def loss_change(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) − E ℓ(θ̂), as the mean of per-sample changes."""
        F, step, y = self.moves(theta - self.params, source)
        if F.ndim == 1:
            F, step = F[:, None], step[:, None]
        return number((source or self.source).mean(self.model.head.change(F, step, y)))

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ of the natural loss at θ̂, H_e exact, on these or other rows."""
        total = np.zeros(2)
        for batch in self.batches(source):
            total += self.derivatives("along", self.params, batch.X, batch.y, step) @ batch.shares
        return number(float(total[0])), number(float(total[1]))

    def objective(
        self, shares: Array, change: Callable[[Batch], Batch] = lambda batch: batch
    ) -> LayeredObjective:
        """L with weights ω (n,), on rows that `change` makes of these."""

        def batches() -> Iterator[tuple[Array, Array, Array]]:
            for batch in map(change, self.batches(shares=shares)):
                yield batch.X, batch.y, batch.shares

        return LayeredObjective(self.derivatives, batches, self.alpha, self.is_gauged)

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """Newton's method from θ̂ to the local minimum nearby."""
        if len(self.params) > DENSE:
            return super().fit_result(weights, max_iter)
        shares = self.shares if weights is None else self.shares * weights
        objective = self.objective(shares / shares.sum())
        return fit_layers(objective, self.params, max_iter=max_iter, warm=True)


def layered_problem(
    model: LayeredModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> LayeredProblem:  # fmt: skip
    """The problem, with its way to H⁻¹: "auto" forms H where there is room for it."""
    if solver == "auto":
        solver = "cholesky" if cholesky_fits(len(model.theta), LARGEST_AUTODIFF) else "cg"
    return LayeredProblem(
        model, source, ball, solver=solver, gauss_newton=hessian == "gauss_newton", **common
    )

"""The influence problem of linear models of several outputs, ℓ = ‖Wu + b − y‖².

a = 2r and S = 2: nothing ties one output to another but the attack, whose direction φ_c(Wᵀr) is
that of all residuals together. H is the same for every output, so that one factor serves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...passes.outputs import OutputsSums, are_flat
from ...passes.vector import VectorSums
from ...solvers.limits import cholesky_fits
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ...utils.validation import refuse_tiny_targets
from ..problem import refuse_solver
from ..vector.attack import Search
from ..vector.problem import VectorProblem
from ..vector.rows import RowParts
from .attack import OutputsSearch, certificate
from .model import OutputsModel

Array = NDArray[Any]

_TINY = 1e-290  # squares that underflow
_ROUNDED = 1e-11  # of targets: what is no residual


@dataclass(frozen=True)
class OutputsProblem(VectorProblem):
    """The InfluenceProblem of an OutputsModel."""

    model: OutputsModel

    search: ClassVar[type[Search]] = OutputsSearch

    @cached_property
    def sums(self) -> OutputsSums:
        """Everything that H, Φ, s and the gradient are made of, of budgets that are not shared."""
        found = cast(OutputsSums, self._finite(self.sweep, self._needs))
        if found.weight > 0.0 and found.loss < _TINY:
            refuse_tiny_targets(float(np.abs(self.source.targets()).max()))
        return found

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖∇_x ℓ‖_q."""
        if not self.sharing.is_shared:
            return self.radius * self.sums.input_slope
        return self.radius * float(self.shares @ (self.budgets * self.input_gains()))

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (Theorem 4.1), (d,); budgets of samples multiply what is summed."""
        shared = weights is None and self.sharing.is_shared
        return super().mixed(self.budgets if shared else weights)

    def rows(self, start: int, stop: int, kept: Any = slice(None)) -> RowParts:
        """What a range of rows has at θ̂; what is fitted but for rounding is fitted."""
        at = super().rows(start, stop, kept)
        flat = are_flat(at.inputs, self.model.matrix, at.y, at.z - at.y)
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
        """E ℓ'²/E ℓ'' of each output, (K,): twice its mean squared error.

        Of one that is fitted exactly it is what rounding leaves.
        """
        sums = self.sums
        return 2.0 * np.maximum(sums.squared_errors, _ROUNDED**2 * sums.squared_targets)

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


def outputs_problem(
    model: OutputsModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, **common: Any,
) -> OutputsProblem:  # fmt: skip
    """The problem, whose H is always formed, and the same by either name.

    Raises
    ------
    ValueError
        Another solver than a factor.
    """
    refuse_solver(model, solver)
    return OutputsProblem(model, source, ball, **common)

"""The influence problem of softmax models (multinomial logistic regression).

a = π − e_y and S = diag π − ππᵀ. H is singular along what changes nothing (`gauge`), and is solved
with on the contrasts between classes. Of the mean over classes a penalty is all of H.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...passes.softmax import SoftmaxSums
from ...passes.vector import VectorSums
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ..problem import refuse_solver
from ..vector.attack import Search
from ..vector.problem import VectorProblem
from ..vector.totals import AccumulatedVector
from .attack import SoftmaxSearch
from .certificate import certificate
from .fit import refuse_size
from .gauge import contrasted_pairs
from .model import SoftmaxModel

Array = NDArray[Any]


@dataclass(frozen=True)
class SoftmaxProblem(VectorProblem):
    """The InfluenceProblem of a SoftmaxModel."""

    model: SoftmaxModel

    search: ClassVar[type[Search]] = SoftmaxSearch

    def begin(self) -> None:
        """Make the one pass."""
        self.refuse_size()
        super().begin()

    def refuse_size(self) -> None:
        """Refuse a model whose Hessian has no room."""
        refuse_size(self.model.n_outputs, self.sweep.n_entries)

    @cached_property
    def sums(self) -> SoftmaxSums:
        """Everything that H, Φ, s and the gradient are made of."""
        return cast(SoftmaxSums, self._finite(self.sweep, self._needs, self.sharing.exponent))

    def form(self, sums: VectorSums) -> Array:
        """H of sums over contrasts, without penalty."""
        K, Q = self.model.n_outputs, self.model.frame
        return contrasted_pairs(sums.raw.hessian, sums.weight, K, Q)

    @property
    def has_run_away(self) -> bool:
        """Whether θ̂ classifies every sample rightly, without a penalty that would hold it."""
        return self.alpha == 0.0 and not self.sums.misclassified

    def certificate(self, theta: Array, eps: float) -> float:
        """A bound on E max ℓ at θ that no attack exceeds."""
        return certificate(self, theta, eps)

    def _solved_apart(self, cells: Array) -> Array:
        """W's mean over classes; without a penalty it stays."""
        out, m = np.zeros(cells.shape), self.model.n_features
        if self.alpha > 0.0:
            curvature = 2.0 * self.alpha + self.added_damping
            out[:, :m] = cells[:, :m].mean(axis=0) / curvature
        return out

    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping, but for what changes nothing."""
        least, largest = super().spectrum()
        if self.alpha > 0.0:  # of W's mean over classes
            least = min(least, 2.0 * self.alpha + self.added_damping)
        return least, largest

    def variances(self, inverse: Array) -> Array:
        """n times those of θ̂'s entries, (K, c): the likelihood's."""
        Q, size = self.model.frame, self.sweep.n_entries
        cells = inverse.reshape(Q.shape[1], size, Q.shape[1], size)
        return np.asarray(np.einsum("ka,ajbj,kb->kj", Q, cells, Q))


@dataclass(frozen=True)
class AccumulatedSoftmax(AccumulatedVector, SoftmaxProblem):
    """A SoftmaxProblem whose rows are gone."""

    @property
    def sums(self) -> SoftmaxSums:
        """The sums over all rows."""
        return cast(SoftmaxSums, self.totals.sums)


def softmax_problem(
    model: SoftmaxModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, kind: type[SoftmaxProblem] = SoftmaxProblem,
    **common: Any,
) -> SoftmaxProblem:  # fmt: skip
    """The problem, of a given kind, whose H is always formed, and the same by either name.

    Raises
    ------
    ValueError
        Another solver than a factor.
    """
    refuse_solver(model, solver)
    return kind(model, source, ball, **common)

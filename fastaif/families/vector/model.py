"""The description of a fitted model with several predictions z = Wu + b.

W has a row, and b an entry, for each prediction: for each class of a softmax model, for each
output of a linear one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...data.rows import RowSource
from ...losses.vector import VectorLoss
from ...passes.executor import Executor
from ...passes.vector import VectorSweep
from ...solvers.newton import NewtonResult
from ...threat.attack_set import AttackSet
from ..model import FittedModel
from .layout import Layout

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class VectorModel(FittedModel, ABC):
    """A fitted model z = Wu + b of K predictions with the penalty α ‖W‖²; θ is W by rows, then b.

    Attributes
    ----------
    basis : Linear
        The scaler before the model, or none.
    n_outputs : int
        K.
    """

    basis: Linear
    n_outputs: int

    kind: ClassVar[str]
    loss: ClassVar[VectorLoss]
    passes: ClassVar[type[VectorSweep]]
    predictions_are: ClassVar[str]  # "classes" or "outputs"

    @property
    def penalty_key(self) -> tuple[Any, ...]:
        """What makes a penalty the same one, whatever the rows."""
        return self.alpha(1.0), self.alpha(2.0)

    @property
    def details(self) -> str:
        """How many predictions there are."""
        return f"{self.n_outputs} {self.predictions_are}"

    @property
    def layout(self) -> Layout:
        """Where θ has what."""
        return Layout(self.n_outputs, self.n_features, self.fit_intercept)

    @property
    def n_coefs(self) -> int:
        """K m: the number of coefficients, without the intercepts."""
        return self.layout.n_coefs

    @property
    def matrix(self) -> Array:
        """Θ̂ (K, c)."""
        return self.layout.matrix(self.theta)

    @property
    @abstractmethod
    def frame(self) -> Array:
        """Q (K, J): orthonormal columns, the combinations of predictions in which solvers see Θ."""

    def still(self, matrix: Array) -> Array:
        """The part of Θ (K, c), or of a step in it, that these combinations leave out."""
        return np.zeros(matrix.shape)

    def sweep(self, source: RowSource, ball: AttackSet | None, executor: Executor) -> VectorSweep:
        """The pass over `source`."""
        return self.passes(source, self.basis, self.n_outputs, self.fit_intercept, ball, executor)

    @abstractmethod
    def fitted(self, sweep: VectorSweep, alpha: float, max_iter: int) -> tuple[NewtonResult, Array]:
        """The fit to the rows of a pass from Θ̂ on: what it ended in, and Θ (K, c)."""

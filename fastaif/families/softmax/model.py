"""The description of a fitted softmax model: z = Wu + b, a row of W and an entry of b a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...losses.softmax import Softmax
from ...passes.softmax import SoftmaxSweep
from ...passes.vector import VectorSweep
from ...solvers.newton import NewtonResult
from ..vector.model import VectorModel
from .fit import fit_softmax
from .gauge import centred, contrasts

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class SoftmaxModel(VectorModel):
    """A fitted model of K classes, ℓ = −log softmax(Wu + b)_y; θ̂ is in the fit's own gauge."""

    kind: ClassVar[str] = "softmax"
    loss: ClassVar[Softmax] = Softmax()
    passes: ClassVar[type[VectorSweep]] = SoftmaxSweep
    predictions_are: ClassVar[str] = "classes"

    @property
    def frame(self) -> Array:
        """The contrasts between classes."""
        return contrasts(self.n_outputs)

    def still(self, matrix: Array) -> Array:
        """The mean over classes."""
        return np.asarray(matrix - centred(matrix))

    def fitted(self, sweep: VectorSweep, alpha: float, max_iter: int) -> tuple[NewtonResult, Array]:
        """Newton's method on the contrasts."""
        return fit_softmax(sweep, alpha, self.matrix, max_iter)

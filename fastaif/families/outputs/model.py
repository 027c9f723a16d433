"""The description of a fitted linear model of several outputs: z = Wu + b, a row of W each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...losses.outputs import SquaredErrors
from ...passes.outputs import OutputsSweep
from ...passes.vector import VectorSweep
from ...solvers.newton import NewtonResult
from ..vector.model import VectorModel
from .fit import fit_outputs

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class OutputsModel(VectorModel):
    """A fitted model of K outputs, ℓ = ‖Wu + b − y‖²."""

    kind: ClassVar[str] = "multi-output"
    loss: ClassVar[SquaredErrors] = SquaredErrors()
    passes: ClassVar[type[VectorSweep]] = OutputsSweep
    predictions_are: ClassVar[str] = "outputs"

    @property
    def n_targets(self) -> int:
        """K: y has a column for each output."""
        return self.n_outputs

    @property
    def frame(self) -> Array:
        """The outputs themselves."""
        return np.eye(self.n_outputs)

    def fitted(self, sweep: VectorSweep, alpha: float, max_iter: int) -> tuple[NewtonResult, Array]:
        """Newton's method on each output."""
        return fit_outputs(sweep, alpha, self.matrix, max_iter)

"""The description of a fitted softmax model: z = Wu + b, a row of W and an entry of b a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from ...losses.softmax import Softmax
from ...passes.softmax import SoftmaxSweep
from ...passes.vector import VectorSweep
from ...solvers.newton import NewtonResult
from ..vector.layout import Layout
from ..vector.model import VectorModel
from .fit import fit_softmax
from .gauge import centred, contrasts, others

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class SoftmaxModel(VectorModel):
    """A fitted model of K classes, ℓ = −log softmax(Wu + b)_y; θ̂ is in the fit's own gauge.

    Attributes
    ----------
    has_reference : bool
        Whether the first class has no parameters: θ has those of the others.
    """

    has_reference: bool = False

    kind: ClassVar[str] = "softmax"
    loss: ClassVar[Softmax] = Softmax()
    passes: ClassVar[type[VectorSweep]] = SoftmaxSweep
    predictions_are: ClassVar[str] = "classes"

    @property
    def layout(self) -> Layout:
        """Where θ has what."""
        return Layout(self.n_outputs, self.n_features, self.fit_intercept, self.has_reference)

    @property
    def frame(self) -> Array:
        """The contrasts between classes, or the classes but for the first."""
        return others(self.n_outputs) if self.has_reference else contrasts(self.n_outputs)

    def still(self, matrix: Array) -> Array:
        """The mean over classes; nothing where the first is zero."""
        return super().still(matrix) if self.has_reference else matrix - centred(matrix)

    def fitted(self, sweep: VectorSweep, alpha: float, max_iter: int) -> tuple[NewtonResult, Array]:
        """Newton's method on the contrasts."""
        found, theta = fit_softmax(sweep, alpha, self.matrix, max_iter)
        return found, theta - theta[0] if self.has_reference else theta

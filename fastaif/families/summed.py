"""Problems whose influence sums over blocks of rows make: what an accumulator asks of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from ..passes.sums import InfluenceSums
from .factored import FactoredProblem
from .model import Model

Array = NDArray[Any]


class SummedModel(Model, Protocol):
    """A model whose objective is a mean over samples, and a penalty of which a number is told."""

    @property
    def fit_intercept(self) -> bool: ...
    @property
    def penalty_key(self) -> tuple[Any, ...]:
        """What makes a penalty the same one, whatever the rows."""


@dataclass(frozen=True)
class SummedProblem(FactoredProblem):
    """The part of an InfluenceProblem that is told by totals over rows."""

    model: SummedModel

    has_coordinates: ClassVar[bool] = True  # whether there are working coordinates to look for

    def refuse_size(self) -> None:
        """Refuse a model whose Hessian has no room, where there is no way without it."""

    @property
    def hessian_size(self) -> int:
        """The rows of the matrix that the sums have for H."""
        return len(self.params)

    @abstractmethod
    def sums_of_part(self) -> InfluenceSums:
        """The one pass over rows that are not all, at which θ̂ need not be stationary.

        Raises
        ------
        FloatingPointError
            Some sum is not finite.
        """

    @abstractmethod
    def natural_sums(self, work: Any) -> InfluenceSums:
        """The natural loss's gradient and Hessian at θ̂ in given working coordinates."""

    @property
    def given_coordinates(self) -> Any:
        """Working coordinates that the model has whatever its rows; None: rows may ask for some."""
        return None

    @property
    def kinked_pairs(self) -> int:
        """Pairs of a sample and a centre at which the model itself has a kink."""
        return 0

    @property
    def rowwise_sums(self) -> Array | None:
        """Sums over rows that have attack sets of their own, beside the pass's; None elsewhere."""
        return None

"""What losses with one parameter share: it is a number within bounds."""

from __future__ import annotations

from typing import ClassVar

from ..utils import validation
from .base import Loss


class OneParameterLoss(Loss):
    """A loss with a field that is a number above `low`, and below `high`.

    Attributes
    ----------
    field : str
        The parameter's name.
    low, high : float
    at_ends : str
        What a refusal says of values that are not within.

    Raises
    ------
    TypeError, ValueError
        The parameter is not a number, or not within the bounds.
    """

    field: ClassVar[str]
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = float("inf")
    at_ends: ClassVar[str] = ""

    def __post_init__(self) -> None:
        number = validation.number(getattr(self, self.field), self.field, low=self.low, strict=True)
        if number >= self.high:
            raise ValueError(
                f"{self.field} must lie between {self.low:g} and {self.high:g}, but is "
                f"{number:g}{self.at_ends}"
            )
        object.__setattr__(self, self.field, number)

    @property
    def parameter(self) -> float:
        """The number that compiled operations are handed beside `code`."""
        return float(getattr(self, self.field))

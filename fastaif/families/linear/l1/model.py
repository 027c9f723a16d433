"""The description of a fitted linear predictor whose penalty has an l1 term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..model import LinearModel

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class L1Model(LinearModel):
    """A LinearModel that minimises E ℓ + α θᵀPθ + λ Σ_j c_j |θ_j|.

    Attributes
    ----------
    l1 : callable
        From the total sample weight W to λ.
    l1_entries : array (d,)
        c: how much λ shrinks each entry of θ; 0 of the intercept.
    """

    l1: Callable[[float], float]
    l1_entries: Array

    @property
    def penalty_key(self) -> tuple[Any, ...]:
        """What makes a penalty the same one, whatever the rows."""
        return (*super().penalty_key, self.l1(1.0), self.l1(2.0), self.l1_entries)

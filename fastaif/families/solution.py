"""What a robust fit of any family ends in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class RobustSolution:
    """A robust optimum θ_ε and how well it is known."""

    theta: Array
    eps: float
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool
    method: str = "exact"
    why: str = ""  # not, where that is known

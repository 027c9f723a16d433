"""What working coordinates are: those in which solvers see θ, because they cost fewer digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from ...passes.sums import InfluenceSums
from ...solvers.cholesky import Inverse

Array = NDArray[Any]


class WorkingCoordinates(Protocol):
    """Coordinates u of θ: `Coordinates` of the columns, or the model's own `Whitening`."""

    @property
    def are_the_models(self) -> bool:
        """Whether the model has them whatever its rows, so that all parts of the rows do."""

    @property
    def are_far(self) -> bool:
        """Whether a column is very far from zero, for its spread."""

    @property
    def m(self) -> int:
        """The number of working coordinates, without the intercept's."""

    @property
    def units(self) -> Array:
        """The columns' scales (m,)."""

    def basis(self, basis: Any) -> Any:
        """The basis of u, given that of v."""

    def enter(self, theta: Array) -> Array:
        """θ (or a step in it) in working coordinates."""

    def leave(self, u: Array) -> Array:
        """u, (r,) or (r, k), as θ."""

    def gradient(self, g: Array) -> Array:
        """A gradient in θ, (d,) or (d, k), as one in u."""

    def cancelled(self, theta: Array) -> float:
        """About by how much terms of f that cancel exceed what is left of them."""

    def carry(self, sums: InfluenceSums, before: Self | None) -> InfluenceSums:
        """Natural sums in other coordinates, or in the model's, as those in these."""

    def damping(self, d: int) -> Array:
        """The identity on θ as a quadratic form in u, (r, r)."""

    def damping_diagonal(self, d: int) -> Array:
        """The diagonal of `damping(d)`."""

    def penalized(self, entries: Array) -> Array:
        """Weights of the penalty on u, given those on θ."""

    def inverse_diagonal(self, factor: Inverse) -> Array:
        """diag(H⁻¹) in θ, given the factor of H in u."""


@dataclass(frozen=True)
class WorkingFactor:
    """H⁻¹ by way of H in working coordinates."""

    inner: Inverse
    coordinates: WorkingCoordinates

    @property
    def rcond(self) -> float:
        """That of the factor."""
        return self.inner.rcond

    def solve(self, b: Array) -> Array:
        """H⁻¹ b for b (d,) or (d, k)."""
        return self.coordinates.leave(self.inner.solve(self.coordinates.gradient(b)))

    def inverse_diagonal(self) -> Array:
        """diag(H⁻¹), shape (d,)."""
        return self.coordinates.inverse_diagonal(self.inner)

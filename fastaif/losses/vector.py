"""Losses of several predictions at once, ℓ(z, y) with z (K,): the protocol.

They are no `Loss` of one prediction, and none that is found by its name: families of models have
them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Terms(Protocol):
    """A loss of n rows at z (n, K) to second order, S = ∇²_z ℓ of each row."""

    @property
    def losses(self) -> Array:
        """ℓ (n,)."""

    @property
    def residuals(self) -> Array:
        """a = ∇_z ℓ (n, K)."""

    def bend(self, step: Array) -> Array:
        """S t for steps t (n, K)."""

    def curvature(self, step: Array) -> Array:
        """tᵀS t (n,)."""


class VectorLoss(ABC):
    """ℓ(z, y), convex in z."""

    name: ClassVar[str]
    bound: ClassVar[float]  # of the eigenvalues of what bends `turning`
    is_of_residuals: ClassVar[bool] = False
    is_quadratic: ClassVar[bool] = False
    is_symmetric: ClassVar[bool] = False
    has_labels: ClassVar[bool] = False
    has_positive_targets: ClassVar[bool] = False
    has_probabilities: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def terms(self, z: Array, y: Array) -> Terms:
        """Losses and their derivatives at z (n, K)."""

    @abstractmethod
    def leads(self, z: Array, y: Array) -> tuple[Array, Array]:
        """What ranks attacks as the loss does (n,), convex in z, and its derivative (n, K).

        The derivative is a multiple of a that keeps its digits.
        """

    @abstractmethod
    def turning(self, z: Array, y: Array, step: Array) -> tuple[Array, Array]:
        """A positive multiple of a that only turns where a does, and its change along t, (n, K)."""

    @abstractmethod
    def change(self, z: Array, step: Array, y: Array) -> Array:
        """ℓ(z + step, y) − ℓ(z, y), (n,): small steps keep their digits."""

    def value(self, z: Array, y: Array) -> Array:
        """ℓ (n,)."""
        return np.asarray(self.terms(z, y).losses)

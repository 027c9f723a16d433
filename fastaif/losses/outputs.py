"""The squared error of several outputs: ℓ(z, y) = ‖z − y‖², without a factor ½."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .vector import VectorLoss

Array = NDArray[Any]


class OutputTerms(NamedTuple):
    """Losses (n,), and a = 2(z − y) (n, K)."""

    losses: Array
    residuals: Array

    def bend(self, step: Array) -> Array:
        """2t for steps t (n, K)."""
        return 2.0 * step

    def curvature(self, step: Array) -> Array:
        """2‖t‖² (n,)."""
        return 2.0 * np.sum(step * step, axis=1)


class SquaredErrors(VectorLoss):
    """‖z − y‖², the sum of the outputs' squared errors."""

    name = "squared_error"
    bound = 2.0
    is_of_residuals = True
    is_quadratic = True
    is_symmetric = True

    def terms(self, z: Array, y: Array) -> OutputTerms:
        """Losses and their derivatives at z (n, K)."""
        r = z - y
        return OutputTerms(np.sum(r * r, axis=1), 2.0 * r)

    def leads(self, z: Array, y: Array) -> tuple[Array, Array]:
        """The loss itself, and a."""
        found = self.terms(z, y)
        return found.losses, found.residuals

    def turning(self, z: Array, y: Array, step: Array) -> tuple[Array, Array]:
        """a, and its change along t."""
        return 2.0 * (z - y), 2.0 * step

    def change(self, z: Array, step: Array, y: Array) -> Array:
        """Σ_k t_k (t_k + 2 r_k), (n,)."""
        return np.asarray(np.sum(step * (step + 2.0 * (z - y)), axis=1))

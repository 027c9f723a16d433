"""Working coordinates in which the penalty α θᵀKθ of kernel functions is α ‖u‖².

K of near-by centres is singular to working precision: the directions of θ that it does not
see change no prediction, and are left at zero.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...passes.sums import InfluenceSums
from ...solvers.cholesky import Inverse
from ...utils.caching import cached_property

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Whitening:
    """u = Λ^½ Qᵀ θ for K = Q Λ Qᵀ without its eigenvalues that are zero to working precision.

    Attributes
    ----------
    forward : array (r, k)
        Λ^½ Qᵀ.
    backward : array (k, r)
        T = Q Λ^-½.
    """

    forward: Array
    backward: Array

    are_the_models: ClassVar[bool] = True
    are_far: ClassVar[bool] = False

    @property
    def units(self) -> Array:
        """The columns' scales: all one."""
        return np.ones(len(self.forward))

    @property
    def m(self) -> int:
        """The number of working coordinates."""
        return len(self.forward)

    def basis(self, basis: Any) -> Any:
        """The basis of u, given an Expansion of a KernelBasis."""
        return dataclasses.replace(
            basis, basis=dataclasses.replace(basis.basis, transform=self.backward)
        )

    def enter(self, theta: Array) -> Array:
        """θ (or a step in it) in working coordinates."""
        return np.asarray(self.forward @ theta)

    def leave(self, u: Array) -> Array:
        """u (r,) or (r, k) as θ."""
        return np.asarray(self.backward @ u)

    def gradient(self, g: Array) -> Array:
        """A gradient in θ as one in u."""
        return np.asarray(self.backward.T @ g)

    def cancelled(self, theta: Array) -> float:
        """Nothing: kernel functions are no columns far from zero."""
        return 0.0

    def carry(self, sums: InfluenceSums, before: Whitening | None) -> InfluenceSums:
        """The same: the model's rows are all summed in these."""
        assert before is not None
        return sums

    def damping(self, d: int) -> Array:
        """The identity on θ as a quadratic form in u, (r, r)."""
        return self._squares

    def damping_diagonal(self, d: int) -> Array:
        """The diagonal of `damping(d)`."""
        return np.asarray(np.diagonal(self._squares))

    @cached_property
    def _squares(self) -> Array:
        return np.asarray(self.backward.T @ self.backward)

    def penalized(self, entries: Array) -> Array:
        """The penalty in u: its square norm."""
        return np.ones(self.m)

    def inverse_diagonal(self, factor: Inverse) -> Array:
        """diag(H⁻¹) in θ, given the factor of H in u."""
        return np.einsum("ij,ji->i", self.backward, factor.solve(self.backward.T))


def whiten(K: Array) -> Whitening:
    """The working coordinates of a Gram matrix of centres."""
    values, vectors = np.linalg.eigh(K)
    kept = values > len(K) * np.finfo(float).eps * float(values[-1])
    roots = np.sqrt(values[kept])
    return Whitening(roots[:, None] * vectors[:, kept].T, vectors[:, kept] / roots)

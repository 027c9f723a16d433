"""The basis v(x) = (K(x, c_j))_j of kernel functions at fixed centres.

It is formed block by block like every basis, so that neither the number of rows nor that
of the attacks on them needs memory.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.functions import Kernel
from ..kernels.pairs import Pairs, Tile
from ..threat.attack_set import AttackSet
from ..utils.arrays import ordered
from .basis import Basis

Array = NDArray[Any]

_ALL = slice(0, None)
_recent = threading.local()  # the pairs of a thread's last block: a pass asks for them thrice


@dataclass(frozen=True, eq=False)
class KernelBasis(Basis):
    """v(x) = Tᵀ (K(x, c_j))_j.

    Parameters
    ----------
    kernel : Kernel
    centers : array (k, m)
        c_j, float64.
    transform : array (k, r), optional
        T; the identity by default.
    """

    kernel: Kernel
    centers: Array
    transform: Array | None = None

    is_dual: ClassVar[bool] = True

    def n_outputs(self, m: int) -> int:
        """The length of v."""
        return len(self.centers) if self.transform is None else self.transform.shape[1]

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        return tuple(f"dual{k}" for k in range(self.n_outputs(len(columns))))

    def features(self, X: Array) -> Array:
        """v(X), shape (n, r)."""
        return self._out(self._at(X)[1].values)

    def jac_vec(self, X: Array, P: Array) -> Array:
        """Jφ for the rows of P (n, m), shape (n, r)."""
        pairs, tile = self._at(X)
        return self._out(pairs.directed(tile, _ALL, *pairs.shifts(_ALL, P)))

    def jac_t_vec(self, X: Array, theta: Array) -> Array:
        """∇_x (θᵀv), shape (n, m)."""
        pairs, tile = self._at(X)
        dual = theta if self.transform is None else self.transform @ theta
        left = np.zeros((len(X), 2))
        left[:, 0] = 1.0
        scaled, sums = pairs.weighted(tile, left, np.stack([dual, np.zeros(len(dual))]))
        return pairs.finished(_ALL, scaled @ pairs.z, sums)

    def lipschitz(self, beta: Array, m: int, attack_set: AttackSet) -> float | None:
        """A Lipschitz constant of t ↦ D∇f(D t) from ℓp to ℓq, or None where none is known."""
        dual = beta if self.transform is None else self.transform @ beta
        return curvature_bound(self.kernel, dual, attack_set)

    def unscaled(self, theta: Array, shift: Array, scale: Array) -> Array:
        """θ as it is: dual coefficients have no units of inputs."""
        return theta

    @property
    def has_kinks(self) -> bool:
        """Whether the kernel has kinks."""
        return not self.kernel.is_smooth

    def count_kinks(self, X: Array) -> int:
        """Pairs of an input and a centre at which the kernel has a kink."""
        return self._at(X)[1].kinks

    def _out(self, values: Array) -> Array:
        return values if self.transform is None else np.asarray(values @ self.transform)

    def _at(self, X: Array) -> tuple[Pairs, Tile]:
        """The pairs of a block and all centres, with derivatives."""
        last = getattr(_recent, "block", None)
        if last is not None and last[0] is X and last[1] is self.centers:
            return last[2]
        U = ordered(X)
        pairs = Pairs(self.kernel.compiled(), U, self.centers, False, 1)
        rows, columns = slice(0, len(U)), slice(0, len(self.centers))
        found = pairs, pairs.tile(rows, columns, derivatives=True)
        _recent.block = X, self.centers, found
        return found


def curvature_bound(kernel: Kernel, dual: Array, attack_set: AttackSet) -> float | None:
    """By how much a unit attack can change a gain of ∇f, or None where no bound is known.

    ‖∂²f‖ ≤ Σ|θ| sup ‖∂²K‖ in the 2-norm.
    """
    bound = kernel.lipschitz_gradient
    if bound is None:
        return None
    return attack_set.curvature_bound(float(np.abs(dual).sum()) * bound)

"""H + damping as an operator in working coordinates, for sums over samples."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...passes.hessian_products import HessianProducts
from ...solvers.lanczos import largest_eigenvalue
from ...solvers.limits import fits
from ...solvers.woodbury import Woodbury, woodbury
from ...utils.caching import cached_property
from ..damping import singular_hessian
from .working import WorkingCoordinates

Array = NDArray[Any]

_MOST_DUAL_ROWS = 4096
_LEAST_RIDGE = 1e-3  # of the diagonal
_ROUNDING = 8.0 * float(np.finfo(float).eps)  # times d: as of factors


@dataclass(frozen=True, eq=False)
class WorkingHessian:
    """H + damping in working coordinates, as an operator.

    Attributes
    ----------
    products : HessianProducts
        The mean loss's part, in working coordinates.
    work : WorkingCoordinates
    ridge : array (r,)
        2α P, which is diagonal in working coordinates.
    damping : float
        Of the identity on θ.
    """

    products: HessianProducts
    work: WorkingCoordinates
    ridge: Array
    damping: float

    def __call__(self, U: Array) -> Array:
        """(H + damping) U for U (r, k)."""
        return self.products(U) + self.rest(U)

    def rest(self, U: Array) -> Array:
        """The part that is no mean over rows: penalty and damping."""
        out = self.ridge[:, None] * U
        if self.damping > 0.0:
            out += self.damping * self.work.gradient(self.work.leave(U))
        return np.asarray(out)

    @cached_property
    def diagonal(self) -> Array:
        """diag(H + damping), shape (r,), 1 where it is zero."""
        found = self.products.diagonal() + self.ridge
        found += self.damping * self.work.damping_diagonal(found.size)
        return np.where(found > 0.0, found, 1.0)

    @cached_property
    def top(self) -> float:
        """About the largest eigenvalue of H + damping, in units of a diagonal of ones."""
        units = 1.0 / np.sqrt(self.diagonal)
        return largest_eigenvalue(
            len(units), lambda u: units * self((units * u)[:, None])[:, 0], tol=0.1
        )

    def refuse_flat(self, x: Array) -> None:
        """Refuse an H of which some x (d, k) shows that it has no digits left to divide by.

        The bound is that of a factor: 8 d times the rounding unit, in units of the diagonal,
        of which the largest eigenvalue is at most d.

        Raises
        ------
        numpy.linalg.LinAlgError
            H is singular to working precision.
        """
        d = len(self.diagonal)
        limit = _ROUNDING * d
        x = x[:, np.any(x, axis=0)]
        if not x.size:
            return
        x = x / np.abs(x).max(axis=0)
        sizes = np.einsum("ij,ij->j", x, self.diagonal[:, None] * x)
        bends = np.einsum("ij,ij->j", x, self(x))
        k = int(np.argmin(bends / sizes))
        quotient = bends[k] / sizes[k]
        if quotient < limit * d and quotient < limit * self.top:
            raise singular_hessian(float(bends[k] / (x[:, k] @ x[:, k])))

    @property
    def dual_rows(self) -> int:
        """How many rows have curvature, where they are few beside the parameters; else 0."""
        n = self.products.curved.size
        return n if n <= min(_MOST_DUAL_ROWS, len(self.ridge) // 2) else 0

    @cached_property
    def dual(self) -> Woodbury | None:
        """Nearly H⁻¹ by the Gram matrix of the rows; None where that is too ill-conditioned.

        What has no penalty gets a small one: conjugate gradients make good for it.
        """
        d = len(self.diagonal)
        R = self.ridge + self.damping * self.work.damping_diagonal(d)
        R = np.maximum(R, _LEAST_RIDGE * self.diagonal)
        products = dataclasses.replace(self.products, keeps_rows=fits(self.dual_rows * d))
        return woodbury(products.forward, products.backward, products.gram(1.0 / R), R)

    @property
    def is_definite(self) -> bool:
        """Whether penalty or damping alone make sure of it."""
        m = self.products.sweep.n_coefs
        return self.damping > 0.0 or bool(np.all(self.ridge[:m] > 0.0))

    @property
    def is_surely_definite(self) -> bool:
        """Whether they make sure of more than `refuse_flat` asks for."""
        m, d = self.products.sweep.n_coefs, len(self.diagonal)
        least = self.ridge + self.damping * self.work.damping_diagonal(d)
        limit = _ROUNDING * d * d
        return self.is_definite and bool(np.all(least[:m] > limit * self.diagonal[:m]))

    @property
    def rank_bound(self) -> int:
        """A bound on the rank: the rows and the penalised entries."""
        rows = int(np.count_nonzero(self.products.curvatures))
        return rows + int(np.count_nonzero(self.ridge))

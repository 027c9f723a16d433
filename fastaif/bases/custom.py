"""A basis of the user's own, as Python callables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..utils.arrays import shaped
from .basis import Basis

Array = NDArray[Any]


@dataclass(frozen=True)
class Custom(Basis):
    """A basis of your own, as vectorised callables; they are handed blocks of rows.

    Parameters
    ----------
    features : callable
        X (n, m) to v(X) (n, d).
    jac_vec : callable
        X (n, m) and P (n, m) to JP (n, d), the derivative of v along each row of P.
    jac_t_vec : callable
        X (n, m) and θ (d,) to Jᵀθ (n, m), the gradient of θᵀv.
    check : bool, default False
        Compare both with finite differences of `features` on the first rows of a fit.
    """

    features: Callable[[Array], Any]
    jac_vec: Callable[[Array, Array], Any]
    jac_t_vec: Callable[[Array, Array], Any]
    check: bool = False
    size: int | None = field(default=None, repr=False)

    is_checked: ClassVar[bool] = False
    _CHECKED_ROWS: ClassVar[int] = 8

    def __post_init__(self) -> None:
        for name in ("features", "jac_vec", "jac_t_vec"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"{name} of a Custom basis must be callable, but is {getattr(self, name)!r}"
                )

    def bind(self, m: int, sample: Array | None = None) -> Custom:
        """The basis with its number of features, which some rows tell."""
        if self.size is not None:
            return self
        if sample is None:
            raise ValueError("a Custom basis is bound with some rows: basis.bind(m, X)")
        rows = np.array(sample[: self._CHECKED_ROWS], dtype=np.float64)
        v = np.asarray(self.features(rows))
        if v.ndim != 2 or v.shape[0] != len(rows) or v.shape[1] == 0:
            raise ValueError(
                f"features(X) of a Custom basis must have shape ({len(rows)}, d) for "
                f"{len(rows)} rows, but has {v.shape}"
            )
        bound = dataclasses.replace(self, size=int(v.shape[1]))
        if self.check:
            bound.check_derivatives(rows)
        return bound

    def n_outputs(self, m: int) -> int:
        """The length d of v."""
        if self.size is None:
            raise ValueError("a Custom basis is bound with some rows: basis.bind(m, X)")
        return self.size

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        return tuple(f"v{h}" for h in range(self.n_outputs(len(columns))))

    def check_derivatives(self, X: Array) -> None:
        """Compare both Jacobian products with central differences of the features.

        Raises
        ------
        ValueError
            They differ by more than a relative 1e-5.
        """
        rng = np.random.default_rng(0)
        P, theta = rng.standard_normal(X.shape), rng.standard_normal(self.n_outputs(X.shape[1]))
        h = np.cbrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(X).max(axis=1, keepdims=True))
        up, down = (np.asarray(self.features(X + side * h * P)) for side in (1.0, -1.0))
        wanted = (up - down) / (2.0 * h)
        scale = np.abs(wanted).max() or 1.0
        found = shaped(self.jac_vec(X, P), wanted.shape, "jac_vec(X, P)")
        if not np.abs(found - wanted).max() <= 1e-5 * scale:
            raise ValueError("jac_vec of the Custom basis is not the derivative of its features")
        gradient = shaped(self.jac_t_vec(X, theta), X.shape, "jac_t_vec(X, theta)")
        along = np.einsum("ij,ij->i", gradient, P)
        if not np.abs(along - wanted @ theta).max() <= 1e-5 * scale * np.abs(theta).sum():
            raise ValueError("jac_t_vec of the Custom basis is not the transpose of its jac_vec")

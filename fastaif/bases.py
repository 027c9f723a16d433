"""Bases: how inputs become the vector v(x) of a model f = βᵀv(x) + b."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Linear:
    """v(x) = (x − shift) / scale, with ∇_x v = diag(1 / scale).

    Parameters
    ----------
    shift, scale : array (m,) or None
        None for both: v(x) = x. They come from a scaler that is held fixed.
    """

    shift: Array | None = None
    scale: Array | None = None

    @property
    def is_identity(self) -> bool:
        """Whether v(x) = x."""
        return self.shift is None and self.scale is None

    def arrays(self, m: int) -> tuple[Array, Array]:
        """Shift and scale (m,), filled in where not given."""
        shift = np.zeros(m) if self.shift is None else np.asarray(self.shift, dtype=float)
        scale = np.ones(m) if self.scale is None else np.asarray(self.scale, dtype=float)
        return shift, scale

    def transform(self, X: Array) -> Array:
        """v(X), float64, shape (n, m)."""
        X = np.asarray(X, dtype=np.float64)
        if self.is_identity:
            return X
        shift, scale = self.arrays(X.shape[1])
        return np.asarray((X - shift) / scale)

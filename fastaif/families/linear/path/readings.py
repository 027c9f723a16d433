"""The rows as a path sees them: products with them, and how often they were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....utils.caching import cached_property
from ..robust.design import Design

Array = NDArray[Any]


@dataclass
class Readings:
    """A Design whose readings are counted.

    Attributes
    ----------
    design : Design
    n_passes : int
        Readings of all rows.
    n_hessians : int
        Those which summed a Hessian.
    squares : array (d,) or None
        E z_j² in the weights of the first of these.
    """

    design: Design
    n_passes: int = 0
    n_hessians: int = 0
    squares: Array | None = None
    _few: dict[int, Array] = field(default_factory=dict, repr=False)

    @property
    def targets(self) -> Array:
        """y (n,)."""
        return self.design.targets

    @cached_property
    def reach(self) -> float:
        """The largest |y|."""
        return float(np.abs(self.targets).max())

    @property
    def weights(self) -> Array:
        """w̄ (n,), of sum one."""
        return self.design.weights

    def predict(self, theta: Array) -> Array:
        """Zθ (n,) or (n, k)."""
        self.n_passes += 1
        return self.design.predict(theta)

    def pull(self, numbers: Array) -> Array:
        """Zᵀg (d, k)."""
        self.n_passes += 1
        return self.design.pull(numbers)

    def through(
        self, theta: Array, see: Callable[[slice, Array], tuple[Array, Array]], width: int
    ) -> tuple[Array, Array, Array]:
        """As of a Design: predictions at θ (d, k), and what is made of them, in one reading."""
        self.n_passes += 1
        return self.design.through(theta, see, width)

    def gram(self, weights: Array, numbers: Array) -> tuple[Array, Array]:
        """ZᵀAZ (d, d) and Zᵀg (d, k)."""
        self.n_passes += 1
        self.n_hessians += 1
        found, pulled = self.design.gram(weights, numbers)
        if self.squares is None:
            self.squares = found.diagonal() / max(float(weights.sum()), 1e-300)
        return found, pulled

    def rows(self, which: Array) -> Array:
        """Some rows z, (k, d)."""
        source, sweep = self.design.sweep.source, self.design.sweep
        numbers = self.design.numbers(which)
        out = np.ones((len(which), self.design.n_columns))
        if isinstance(source.x, np.ndarray):
            block = source.x[numbers].astype(np.float64, copy=False)
            out[:, : sweep.n_coefs] = sweep.basis.transform(block)
            return out
        for place, i in enumerate(map(int, numbers)):
            if i not in self._few:  # reading one takes long: it is kept
                block = source.inputs(i, i + 1).astype(np.float64, copy=False)
                self._few[i] = sweep.basis.transform(block)[0]
            out[place, : sweep.n_coefs] = self._few[i]
        return out

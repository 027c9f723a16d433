"""Where θ of a model with several predictions z = Wu + b has what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..finite_sum.coordinates import Coordinates

Array = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """Where θ has the parameters of each prediction: all of W by rows, then b.

    Passes and solvers see Θ (K, c), a row each, whose last column is b where there is one.
    """

    n_outputs: int
    n_features: int
    fit_intercept: bool

    @property
    def n_coefs(self) -> int:
        """K m, the entries of W."""
        return self.n_outputs * self.n_features

    def matrix(self, theta: Array) -> Array:
        """Θ (K, c) of θ (d,)."""
        W = theta[: self.n_coefs].reshape(self.n_outputs, self.n_features)
        return np.column_stack([W, theta[self.n_coefs :]]) if self.fit_intercept else np.array(W)

    def vector(self, matrix: Array) -> Array:
        """θ (d,) of Θ (K, c)."""
        m = self.n_features
        return np.concatenate([matrix[:, :m].ravel(), matrix[:, m:].ravel()])

    @property
    def places(self) -> Array:
        """Where each entry of θ stands in Θ, row by row."""
        size = self.n_features + self.fit_intercept
        entries = np.arange(self.n_outputs * size).reshape(self.n_outputs, size)
        return np.asarray(self.vector(entries))

    @property
    def penalized(self) -> Array:
        """1 for entries of W, 0 for those of b, (d,)."""
        tail = np.zeros(self.n_outputs * self.fit_intercept)
        return np.append(np.ones(self.n_coefs), tail)


def parameter_names(
    inputs: tuple[str, ...], labels: tuple[str, ...], fit_intercept: bool
) -> tuple[str, ...]:
    """A name for each entry of θ: the input and the class or output."""
    weights = tuple(f"{name}[{label}]" for label in labels for name in inputs)
    return weights + tuple(f"intercept[{label}]" for label in labels) * fit_intercept


def enter(work: Coordinates, matrix: Array) -> Array:
    """Θ (K, c), or a step in it, in working coordinates of the columns."""
    return np.stack([work.enter(row) for row in matrix])


def leave(work: Coordinates, matrix: Array) -> Array:
    """The way back."""
    return work.leave(matrix.T).T

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

    Attributes
    ----------
    n_outputs : int
        K.
    n_features : int
    fit_intercept : bool
    has_reference : bool
        Whether the first row of Θ is zero, and not in θ.
    """

    n_outputs: int
    n_features: int
    fit_intercept: bool
    has_reference: bool = False

    @property
    def n_rows(self) -> int:
        """The rows of Θ that θ has."""
        return self.n_outputs - self.has_reference

    @property
    def n_coefs(self) -> int:
        """The entries of W."""
        return self.n_rows * self.n_features

    def matrix(self, theta: Array) -> Array:
        """Θ (K, c) of θ (d,)."""
        out = np.zeros((self.n_outputs, self.n_features + self.fit_intercept))
        rows = out[int(self.has_reference) :]
        rows[:, : self.n_features] = theta[: self.n_coefs].reshape(self.n_rows, -1)
        if self.fit_intercept:
            rows[:, self.n_features] = theta[self.n_coefs :]
        return out

    def vector(self, matrix: Array) -> Array:
        """θ (d,) of Θ (K, c), and so a gradient in θ of one in Θ."""
        rows, m = matrix[int(self.has_reference) :], self.n_features
        return np.concatenate([rows[:, :m].ravel(), rows[:, m:].ravel()])

    @property
    def places(self) -> Array:
        """Where each entry of θ stands in Θ, row by row."""
        size = self.n_features + self.fit_intercept
        entries = np.arange(self.n_outputs * size).reshape(self.n_outputs, size)
        return np.asarray(self.vector(entries))

    @property
    def penalized(self) -> Array:
        """1 for entries of W, 0 for those of b, (d,)."""
        tail = np.zeros(self.n_rows * self.fit_intercept)
        return np.append(np.ones(self.n_coefs), tail)


def parameter_names(
    inputs: tuple[str, ...],
    labels: tuple[str, ...],
    fit_intercept: bool,
    intercept: str = "intercept",
) -> tuple[str, ...]:
    """A name for each entry of θ: the input and the class or output."""
    weights = tuple(f"{name}[{label}]" for label in labels for name in inputs)
    return weights + tuple(f"{intercept}[{label}]" for label in labels) * fit_intercept


def enter(work: Coordinates, matrix: Array) -> Array:
    """Θ (K, c), or a step in it, in working coordinates of the columns."""
    return np.stack([work.enter(row) for row in matrix])


def leave(work: Coordinates, matrix: Array) -> Array:
    """The way back."""
    return work.leave(matrix.T).T

"""Softmax models under attacks that are more than a ball."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..finite_sum.totals import RowwiseWithoutRows
from ..vector.restricted import RestrictedVector
from .model import SoftmaxModel
from .problem import AccumulatedSoftmax, Array, SoftmaxProblem


@dataclass(frozen=True)
class RestrictedSoftmax(RestrictedVector, SoftmaxProblem):
    """A SoftmaxProblem whose rows have sets of their own, or one that is no ball."""

    model: SoftmaxModel

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Towards each other class; of two classes that is the maximum."""
        W = self.model.layout.matrix(theta)[:, : self.model.n_features]
        own = y.astype(int)
        for ahead in range(1, len(W)):
            yield W[(own + ahead) % len(W)] - W[own]


@dataclass(frozen=True)
class AccumulatedRestrictedSoftmax(RowwiseWithoutRows, AccumulatedSoftmax, RestrictedSoftmax):
    """A RestrictedSoftmax whose rows are gone."""

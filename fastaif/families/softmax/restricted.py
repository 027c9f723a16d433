"""Softmax models under attacks that are more than a ball."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..finite_sum.totals import RowwiseWithoutRows
from ..vector.restricted import RestrictedVector
from .certificate import Reach, bounds
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

    def worst_losses(
        self, W: Array, z: Array, y: Array, reach: Callable[[Array], Array]
    ) -> Array:
        """The least of three bounds for each row, as `certificate` has them; of two classes
        the first is what the worst attack does."""
        leads = reach(W[None] - W[y.astype(int)][:, None])

        def either(slopes: Array) -> Array:
            return np.maximum(reach(slopes), reach(-slopes))

        def pulled(pulls: Array) -> Array:
            return reach((pulls @ W)[:, None])[:, 0]

        return bounds(self.model.loss, W, z, y, Reach(leads, either, pulled))


@dataclass(frozen=True)
class AccumulatedRestrictedSoftmax(RowwiseWithoutRows, AccumulatedSoftmax, RestrictedSoftmax):
    """A RestrictedSoftmax whose rows are gone."""

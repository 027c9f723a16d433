"""The loss of several classes: ℓ(z, y) = −log π_y, π = softmax(z), of a prediction a class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .vector import VectorLoss

Array = NDArray[Any]


class ClassTerms(NamedTuple):
    """Losses (n,), classes' shares π (n, K), and a = π − e_y (n, K)."""

    losses: Array
    shares: Array
    residuals: Array

    def bend(self, step: Array) -> Array:
        """What π moves by where logits move by t (n, K)."""
        return np.asarray(self.shares * self._apart(step))

    def curvature(self, step: Array) -> Array:
        """The variance of t_k for k ~ π, (n,)."""
        apart = self._apart(step)
        return np.asarray(np.sum(self.shares * apart * apart, axis=1))

    def _apart(self, step: Array) -> Array:
        return np.asarray(step - np.sum(self.shares * step, axis=1, keepdims=True))


class Softmax(VectorLoss):
    """−log π_y; targets are numbers of classes, from 0 on, as floats."""

    name = "softmax"
    bound = 0.5  # of the eigenvalues of the covariance of e_k, k ~ ρ
    has_labels = True
    has_probabilities = True

    def terms(self, z: Array, y: Array) -> ClassTerms:
        """Losses, shares and residuals at logits z (n, K), relative to each row's own class.

        Of a row that is sure of its class 1 − π_y keeps its digits, and so does the loss.
        """
        rows, own = np.arange(len(z)), np.asarray(y, dtype=int)
        e = z - z[rows, own][:, None]
        top = e.max(axis=1)
        e = np.exp(e - top[:, None])
        mine = e[rows, own]
        e[rows, own] = 0.0
        others = e.sum(axis=1)
        total = others + mine
        losses = np.where(top == 0.0, np.log1p(others), top + np.log(total))
        residuals = e / total[:, None]
        residuals[rows, own] = -others / total
        shares = e / total[:, None]
        shares[rows, own] = mine / total
        return ClassTerms(losses, shares, residuals)

    def leads(self, z: Array, y: Array) -> tuple[Array, Array]:
        """log Σ_{k≠y} e^{z_k} − z_y (n,), and its derivative in z, ρ − e_y (n, K).

        ρ are the shares of the other classes among themselves. The loss is log(1 + exp(·)) of it,
        so that both rank attacks alike; but this one is not lost where a sample is so sure of its
        class that the loss underflows.
        """
        rows, own = np.arange(len(z)), np.asarray(y, dtype=int)
        e = z - z[rows, own][:, None]
        e[rows, own] = -np.inf
        top = e.max(axis=1)
        e = np.exp(e - top[:, None])
        total = e.sum(axis=1)
        pulls = e / total[:, None]
        pulls[rows, own] = -1.0
        return top + np.log(total), pulls

    def turning(self, z: Array, y: Array, step: Array) -> tuple[Array, Array]:
        """ρ − e_y, which does not shrink with 1 − π_y, and its change along t."""
        _, pulls = self.leads(z, y)
        others = np.maximum(pulls, 0.0)
        return pulls, others * (step - np.sum(others * step, axis=1, keepdims=True))

    def change(self, z: Array, step: Array, y: Array) -> Array:
        """ℓ(z + step, y) − ℓ(z, y), (n,): small steps keep their digits.

        It is log E_π exp(t_k − t_y), whose exponential less one is summed where that is no large
        number.
        """
        rows, own = np.arange(len(z)), np.asarray(y, dtype=int)
        before = self.terms(z, y)
        t = step - step[rows, own][:, None]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            near = np.log1p(np.sum(before.shares * np.expm1(t), axis=1))
            far = self.value(z + step, y) - before.losses
        return np.where(np.abs(t).max(axis=1) < 1.0, near, far)

    def is_right(self, z: Array, y: Array) -> Array:
        """Which rows have their own class's logit as the largest, booleans (n,)."""
        rows, own = np.arange(len(z)), np.asarray(y, dtype=int)
        rest = z.copy()
        rest[rows, own] = -np.inf
        return np.asarray(z[rows, own] > rest.max(axis=1))

    def probabilities(self, z: Array) -> Array:
        """π (n, K)."""
        e = np.exp(z - z.max(axis=1)[:, None])
        return np.asarray(e / e.sum(axis=1)[:, None])

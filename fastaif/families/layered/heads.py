"""What losses make of a network's outputs F (n, K): values, slopes and curvatures of whole rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...losses import Loss
from ...losses.softmax import Softmax

Array = NDArray[Any]


class Head(Protocol):
    """ℓ(F, y) of outputs (n, K) and encoded targets."""

    def value(self, F: Array, y: Array) -> Array:
        """ℓ (n,)."""

    def slope(self, F: Array, y: Array) -> Array:
        """∇_F ℓ (n, K)."""

    def bent(self, F: Array, y: Array, T: Array) -> Array:
        """∇²_F ℓ T for moves T (…, n, K) of the outputs."""

    def change(self, F: Array, step: Array, y: Array) -> Array:
        """ℓ(F + step, y) − ℓ(F, y), (n,), to the digits of the step."""

    def height(self, F: Array, y: Array) -> Array:
        """ℓ, or what orders a row's outputs alike and is not lost where ℓ underflows, (n,)."""

    def rising(self, F: Array, y: Array) -> Array:
        """The derivative of `height` in F, (n, K)."""

    def compiled(self, n_outputs: int) -> c.Head:
        """`height` and `rising` as compiled operations take them."""

    def pull(self, F: Array, y: Array) -> Array:
        """What ∇_F ℓ is a multiple of in each row, ± it, and that does not vanish with ℓ', (n, K).

        Attacks have its direction in the inputs.
        """

    def pull_bent(self, F: Array, y: Array, T: Array) -> Array:
        """The derivative of `pull` for moves T (n, K) of the outputs."""

    def starting_biases(self, y: Array, shares: Array, n_outputs: int) -> Array:
        """Constant outputs (K,) that fit the targets, or nearly."""

    def spread(self, y: Array, shares: Array) -> float:
        """How far outputs have to vary."""


@dataclass(frozen=True)
class OneOutput:
    """A loss of one prediction, f = F[:, 0]."""

    loss: Loss

    def value(self, F: Array, y: Array) -> Array:
        """ℓ (n,)."""
        return self.loss.value(F[:, 0], y)

    def slope(self, F: Array, y: Array) -> Array:
        """ℓ' (n, 1)."""
        return self.loss.slope(F[:, 0], y)[:, None]

    def bent(self, F: Array, y: Array, T: Array) -> Array:
        """ℓ'' T."""
        return np.asarray(self.loss.curvature(F[:, 0], y)[:, None] * T)

    def change(self, F: Array, step: Array, y: Array) -> Array:
        """ℓ(F + step, y) − ℓ(F, y), (n,)."""
        return self.loss.change(F[:, 0], step[:, 0], y)

    def height(self, F: Array, y: Array) -> Array:
        """ℓ, or −yf of a monotone one."""
        return -y * F[:, 0] if self.loss.is_monotone else self.value(F, y)

    def rising(self, F: Array, y: Array) -> Array:
        """ℓ', or −y."""
        return -y[:, None] if self.loss.is_monotone else self.slope(F, y)

    def compiled(self, n_outputs: int) -> c.Head:
        """By the loss's code."""
        return c.Head(c.ONE_OUTPUT, n_outputs, self.loss.code, self.loss.parameter)

    def pull(self, F: Array, y: Array) -> Array:
        """1: the direction is ∇f's, up to a sign."""
        return np.ones_like(F)

    def pull_bent(self, F: Array, y: Array, T: Array) -> Array:
        """0."""
        return np.zeros_like(F)

    def starting_biases(self, y: Array, shares: Array, n_outputs: int) -> Array:
        """The constant prediction that fits the mean."""
        return np.array([self.loss.null_prediction(float(shares @ y))])

    def spread(self, y: Array, shares: Array) -> float:
        """The targets' standard deviation, or 1 for labels."""
        if not self.loss.is_of_residuals:
            return 1.0
        return float(np.sqrt(shares @ (y - shares @ y) ** 2)) or 1.0


@dataclass(frozen=True)
class SeveralOutputs:
    """‖F − y‖² of targets y (n, K): no factor ½, summed over outputs."""

    def value(self, F: Array, y: Array) -> Array:
        """ℓ (n,)."""
        return np.asarray(((F - y) ** 2).sum(axis=1))

    def slope(self, F: Array, y: Array) -> Array:
        """2 (F − y)."""
        return 2.0 * (F - y)

    def bent(self, F: Array, y: Array, T: Array) -> Array:
        """2 T."""
        return 2.0 * T

    def change(self, F: Array, step: Array, y: Array) -> Array:
        """⟨2 (F − y) + step, step⟩."""
        return np.asarray(((2.0 * (F - y) + step) * step).sum(axis=1))

    height, rising, pull = value, slope, slope

    def compiled(self, n_outputs: int) -> c.Head:
        """Without a loss of one output."""
        return c.Head(c.SEVERAL_OUTPUTS, n_outputs, 0, 1.0)

    def pull_bent(self, F: Array, y: Array, T: Array) -> Array:
        """2 T."""
        return 2.0 * T

    def starting_biases(self, y: Array, shares: Array, n_outputs: int) -> Array:
        """The targets' means."""
        return np.asarray(shares @ y)

    def spread(self, y: Array, shares: Array) -> float:
        """Their standard deviation, over all outputs."""
        return float(np.sqrt((shares @ (y - shares @ y) ** 2).mean())) or 1.0


@dataclass(frozen=True)
class Classes:
    """−log softmax(F)_y, y the numbers of the classes."""

    loss: ClassVar[Softmax] = Softmax()

    def value(self, F: Array, y: Array) -> Array:
        """ℓ (n,)."""
        return self.loss.value(F, y)

    def slope(self, F: Array, y: Array) -> Array:
        """π − e_y."""
        return self.loss.terms(F, y).residuals

    def bent(self, F: Array, y: Array, T: Array) -> Array:
        """(diag π − ππᵀ) T."""
        shares = self.loss.terms(F, y).shares
        return np.asarray(shares * (T - (shares * T).sum(axis=-1, keepdims=True)))

    def change(self, F: Array, step: Array, y: Array) -> Array:
        """ℓ(F + step, y) − ℓ(F, y), (n,)."""
        return self.loss.change(F, step, y)

    def height(self, F: Array, y: Array) -> Array:
        """How far the other classes together are ahead of a row's own."""
        return self.loss.leads(F, y)[0]

    def pull(self, F: Array, y: Array) -> Array:
        """ρ − e_y, ρ the shares of the other classes among themselves."""
        return self.loss.leads(F, y)[1]

    rising = pull

    def compiled(self, n_outputs: int) -> c.Head:
        """Without a loss of one output."""
        return c.Head(c.CLASSES, n_outputs, 0, 1.0)

    def pull_bent(self, F: Array, y: Array, T: Array) -> Array:
        """(diag ρ − ρρᵀ) T."""
        others = np.maximum(self.pull(F, y), 0.0)
        return np.asarray(others * (T - (others * T).sum(axis=1, keepdims=True)))

    def starting_biases(self, y: Array, shares: Array, n_outputs: int) -> Array:
        """The logarithms of the classes' shares, about their mean."""
        counts = np.bincount(y.astype(int), weights=shares, minlength=n_outputs)
        logs = np.log(np.maximum(counts, np.finfo(float).tiny))
        return np.asarray(logs - logs.mean())

    def spread(self, y: Array, shares: Array) -> float:
        """1: logits have the scale of labels."""
        return 1.0

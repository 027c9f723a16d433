"""What losses of two labels share: ℓ depends on the margin y f alone, or falls with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.inputs import TargetsLike, WeightsLike
from .base import Loss
from .targets import check_two_classes, sign_encoder

Array = NDArray[Any]


class LabelLoss(Loss):
    """A loss of labels y = ±1 that falls towards zero in y f."""

    is_monotone = True
    has_kinks = False
    attains_minimum = False
    has_labels = True
    has_probabilities = True

    def zero_slope_prediction(self, y: Array) -> Array:
        """NaN: ℓ' never changes its sign."""
        return np.full(np.shape(y), np.nan)

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        if kappa == 0.0:
            return self.slope(f, y)
        return self.change(f - kappa, np.asarray(2.0 * kappa), y) / (2.0 * kappa)

    def worse_end(self, f: Array, y: Array, kappa: float) -> Array:
        """−y: at which end of [f − κ, f + κ] the loss is larger."""
        return -np.asarray(y, dtype=float)

    def encode(self, y: Array) -> Array:
        """The two labels among y, sorted, as −1 and +1."""
        return sign_encoder(check_two_classes(y))(y)

    def score(
        self, y: TargetsLike, predicted: Array, sample_weight: WeightsLike = None
    ) -> float:
        """The accuracy of predicted labels."""
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def probabilities(self, f: Array) -> tuple[Array, Array]:
        """P(y = −1) and P(y = +1) at predictions f, where ℓ is a likelihood: exp(−ℓ)."""
        ones = np.ones(np.shape(f))
        return np.exp(-self.value(f, -ones)), np.exp(-self.value(f, ones))


def share_of(mean: float) -> float:
    """The share of +1 among labels of this mean, away from nothing and all."""
    return 0.5 * (1.0 + min(max(mean, -1.0 + 1e-12), 1.0 - 1e-12))

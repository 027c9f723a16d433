"""The description of a fitted linear model whose loss has a scale that was fitted with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from ...losses.huber_scale import HuberWithScale
from ..autodiff.model import AutodiffModel
from .derivatives import ScaleDerivatives


@dataclass(frozen=True)
class ScaleModel(AutodiffModel):
    """An AutodiffModel f = ⟨β, u⟩ + b with a scale σ: θ is β, b if there is one, and σ."""

    derivatives: ScaleDerivatives

    @property
    def details(self) -> str:  # type: ignore[override]
        """That σ is a parameter, for reports."""
        return "its scale is the last parameter"

    @property
    def scaled_loss(self) -> HuberWithScale:
        """ℓ(f, σ, y)."""
        return self.derivatives.loss


def refuse_sums(model: ScaleModel) -> NoReturn:
    """Refuse to have an influence made of sums over blocks of rows that nobody keeps.

    Raises
    ------
    ValueError
    """
    raise ValueError(
        "a HuberRegressor is not taken by an InfluenceAccumulator, nor by aif of an iterator: call "
        "aif(estimator, X, y) with all of the data, or fit a fastaif.HuberRegression"
    )

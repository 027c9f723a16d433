"""The description of a fitted linear-predictor model, whoever fitted it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ._sums import Sweep
from .balls import Ball
from .bases import Linear
from .losses import Loss
from .streaming import Encoder, RowSource

Array = NDArray[Any]


@dataclass(frozen=True)
class LinearModel:
    """A fitted linear-predictor model f = βᵀ(x − μ)/σ + b, whoever fitted it.

    Attributes
    ----------
    kind : str
        "linear", "logistic", "poisson" or "huber": for reports.
    loss, basis : Loss, Linear
    theta : array (d,)
        β, then b if there is an intercept.
    alpha : callable
        From the total sample weight W to α in L = E ℓ + α ‖β‖².
    names : tuple of str
        A name for each entry of θ.
    encode : callable
        Raw targets to float64 targets (±1 for labels); refuses what cannot be mapped.
    rebuild : callable
        From θ to a fitted copy of the estimator.
    columns : tuple of str or None
        The inputs' own names, where the fit or its data had any.
    """

    kind: str
    loss: Loss
    basis: Linear
    theta: Array
    fit_intercept: bool
    alpha: Callable[[float], float]
    names: tuple[str, ...]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    columns: tuple[str, ...] | None = None

    @property
    def n_features(self) -> int:
        """m, the number of inputs."""
        return len(self.theta) - int(self.fit_intercept)

    def sweep(self, source: RowSource, ball: Ball | None, n_threads: int | None) -> Sweep:
        """The pass over `source` that this model asks for."""
        return Sweep(source, self.loss, self.basis, self.fit_intercept, ball, n_threads)

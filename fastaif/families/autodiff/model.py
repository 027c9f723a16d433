"""The description of a model that is known by its losses alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...data.intake import Intake
from ...data.rows import Encoder
from ..model import names_of_inputs
from .row_derivatives import RowDerivatives

Array = NDArray[Any]


class OwnLoss:
    """A loss that is the user's own, of which nothing is known."""

    is_of_residuals = False
    has_labels = False


_OWN, _AS_IT_IS = OwnLoss(), Linear()


@dataclass(frozen=True)
class AutodiffModel:
    """A model whose per-sample losses ℓ_i(θ) a framework can differentiate.

    Attributes
    ----------
    derivatives : RowDerivatives
    theta : array (d,)
    names : tuple of str
        A name for each entry of θ.
    alpha : callable
        From the total sample weight to the penalty's factor.
    batch_size : int
        Rows that are differentiated at once.
    n_features : int
        m, the number of inputs.
    rebuild : callable
        From θ to a copy of the user's model.
    columns : tuple of str or None
        The inputs' names, where the data had any.
    kind : str
    loss
        What is known of ℓ.
    basis : Linear
        A scaler before the model, or none; `derivatives` take inputs before it.
    intake : Intake or None
        What makes the model's columns of X; None where X is these.
    """

    derivatives: RowDerivatives
    theta: Array
    names: tuple[str, ...]
    alpha: Callable[[float], float]
    batch_size: int
    n_features: int
    encode: Encoder
    rebuild: Callable[[Array], Any]
    columns: tuple[str, ...] | None = None
    kind: str = "differentiable"
    loss: Any = _OWN
    basis: Linear = _AS_IT_IS
    intake: Intake | None = None

    details: ClassVar[str] = ""
    is_dual: ClassVar[bool] = False
    weigh: ClassVar[None] = None
    n_targets: ClassVar[int] = 1

    def moved(self, X: Array, delta: Array) -> Array:
        """X (n, m) with its inputs moved by δ, in the model's own units."""
        if self.basis.is_identity:
            return X + delta
        return np.asarray(X + self.basis.arrays(self.n_features)[1] * delta)

    @property
    def n_coefs(self) -> int:
        """d: there is no intercept apart."""
        return len(self.theta)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input."""
        return names_of_inputs(self.columns, self.n_features)

    def at(self, theta: Array) -> Self:
        """The same model at another θ."""
        return dataclasses.replace(self, theta=theta)

"""What a model's losses ℓ_i(θ) and penalty P(θ) have to offer for an influence: the protocol."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


class RowDerivatives(Protocol):
    """A loss and a penalty with their derivatives, for one batch of rows.

    By name, of arrays: losses (n,) and heights, which order a row's attacks as losses do;
    input_gradients (n, m); gradient and mixed, weighted sums (d,); row_gradients and row_mixed,
    (n, d); input_moves (n, m). Gradients in the inputs are in the model's units, X is not.
    """

    @property
    def has_own_penalty(self) -> bool:
        """Whether the penalty is another one than ‖θ‖²."""

    def __call__(self, name: str, *arrays: Array) -> Array:
        """What has that name."""

    def hess_vecs(self, theta: Array, X: Array, y: Array, w: Array, V: Array) -> Array:
        """Σ w_i ∇²ℓ_i v for each row v of V (k, d)."""

    def penalty(self, theta: Array) -> float:
        """P(θ)."""

    def penalty_gradient(self, theta: Array) -> Array:
        """∇P(θ)."""

    def penalty_hess_vecs(self, theta: Array, V: Array) -> Array:
        """∇²P(θ) v for each row v of V."""

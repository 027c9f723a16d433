"""The derivatives of ℓ_i(θ) = ℓ(⟨β, u_i⟩ + b, σ, y_i), θ = (β, b, σ), written out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...losses.huber_scale import HuberWithScale, ScaleTerms

Array = NDArray[Any]


@dataclass(frozen=True)
class ScaleDerivatives:
    """The `RowDerivatives` of a linear predictor whose loss has a scale.

    Gradients in the inputs and moves of them are those of u = (x − shift) / scale; X is raw.

    Attributes
    ----------
    loss : HuberWithScale
    basis : Linear
        The scaler before the model, or none.
    fit_intercept : bool
    """

    loss: HuberWithScale
    basis: Linear
    fit_intercept: bool

    has_own_penalty = True  # of β alone

    def __call__(self, name: str, *arrays: Array) -> Array:
        """What has that name, of arrays (n, …)."""
        found: Array = getattr(self, name)(*arrays)
        return found

    def features(self, X: Array) -> Array:
        """(u, 1), or u without an intercept: ∂f/∂(β, b), (n, c)."""
        U = self.basis.transform(X)
        return np.column_stack([U, np.ones(len(U))]) if self.fit_intercept else U

    def terms(self, theta: Array, X: Array, y: Array) -> tuple[Array, ScaleTerms]:
        """(u, 1), and the loss's derivatives."""
        Z = self.features(X)
        return Z, self.loss.terms(Z @ theta[:-1], float(theta[-1]), y)

    def losses(self, theta: Array, X: Array, y: Array) -> Array:
        """ℓ (n,)."""
        return self.terms(theta, X, y)[1].value

    heights = losses

    def gradient(self, theta: Array, X: Array, y: Array, w: Array) -> Array:
        """Σ w_i ∇ℓ_i, (d,)."""
        Z, at = self.terms(theta, X, y)
        return np.append((w * at.f) @ Z, w @ at.sigma)

    def row_gradients(self, theta: Array, X: Array, y: Array) -> Array:
        """∇ℓ_i, (n, d)."""
        Z, at = self.terms(theta, X, y)
        return np.column_stack([at.f[:, None] * Z, at.sigma])

    def input_gradients(self, theta: Array, X: Array, y: Array) -> Array:
        """∇_u ℓ (n, m)."""
        _, at = self.terms(theta, X, y)
        return np.multiply.outer(at.f, theta[: X.shape[1]])

    def output_slopes(self, theta: Array, X: Array, y: Array) -> Array:
        """|∂ℓ/∂f| (n,)."""
        return np.abs(self.terms(theta, X, y)[1].f)

    def row_mixed(self, theta: Array, X: Array, y: Array, B: Array) -> Array:
        """∇_θ⟨∇_u ℓ_i, B_i⟩ of each row, (n, d)."""
        Z, at = self.terms(theta, X, y)
        m = X.shape[1]
        moved = B @ theta[:m]
        out = np.column_stack([(at.ff * moved)[:, None] * Z, at.f_sigma * moved])
        out[:, :m] += at.f[:, None] * B
        return out

    def mixed(self, theta: Array, X: Array, y: Array, B: Array) -> Array:
        """Their sum, (d,)."""
        return np.asarray(self.row_mixed(theta, X, y, B).sum(axis=0))

    def hess_vecs(self, theta: Array, X: Array, y: Array, w: Array, V: Array) -> Array:
        """Σ w_i ∇²ℓ_i v for each row v of V (k, d)."""
        Z, at = self.terms(theta, X, y)
        t, s = V[:, :-1] @ Z.T, V[:, -1:]
        first = ((at.ff * t + at.f_sigma * s) * w) @ Z
        return np.column_stack([first, (at.f_sigma * t + at.sigma_sigma * s) @ w])

    def penalty(self, theta: Array) -> float:
        """‖β‖²."""
        beta = theta[self._beta(theta)]
        return float(beta @ beta)

    def penalty_gradient(self, theta: Array) -> Array:
        """2β."""
        return self.penalty_hess_vecs(theta, theta[None])[0]

    def penalty_hess_vecs(self, theta: Array, V: Array) -> Array:
        """Twice β's part of each row of V (k, d)."""
        out = np.zeros(V.shape)
        out[:, self._beta(theta)] = 2.0 * V[:, self._beta(theta)]
        return out

    def _beta(self, theta: Array) -> slice:
        return slice(0, len(theta) - 1 - self.fit_intercept)

"""The attack set ‖δ_i / c‖_p ≤ ε s of one model, in raw and in model units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..norms import conjugate, count_ties, dual_direction, lp_norm, scaled_direction

Array = NDArray[Any]


@dataclass(frozen=True)
class Ball:
    """An ℓp attack on inputs that a model sees as u = (x − μ)/σ.

    Parameters
    ----------
    p : float
        The attack's norm.
    scale : array (m,)
        c, in raw units of each feature; 0: this feature is not attacked.
    basis_scale : array (m,)
        σ, in raw units.
    norm_shift, norm_inverse_scale : array (m,) or None
        s = E‖(x − norm_shift) · norm_inverse_scale‖_p; None for both where that is the
        norm of u, which saves a sweep.
    radius : float or None
        s where it is given; None: s is the mean norm of the data (the paper's scale).
    """

    p: float
    scale: Array
    basis_scale: Array
    norm_shift: Array | None
    norm_inverse_scale: Array | None
    radius: float | None = None

    @property
    def q(self) -> float:
        """The dual exponent."""
        return conjugate(self.p)

    @property
    def weights(self) -> Array:
        """D = c/σ, so that ‖c ∘ ∇_x f‖_q = ‖D β‖_q."""
        return np.asarray(self.scale / self.basis_scale)

    def gain(self, beta: Array) -> float:
        """‖D β‖_q: by how much a unit attack can move the prediction."""
        return float(lp_norm(self.weights * beta, self.q))

    def gain_gradient(self, beta: Array) -> Array:
        """∇_β ‖D β‖_q = D φ(D β), one subgradient where it has a kink."""
        return np.asarray(self.weights * dual_direction(self.weights * beta, self.p))

    def step(self, beta: Array) -> Array:
        """φ_c(∇_x f): the unit attack on raw inputs that raises the prediction most."""
        return scaled_direction(beta / self.basis_scale, self.p, self.scale)

    def ties(self, beta: Array) -> int:
        """Entries of D β (attackable ones) that sit on a kink of the dual norm."""
        return count_ties((self.weights * beta)[self.scale > 0], self.p)


def make_ball(
    basis: Any,
    n_features: int,
    *,
    p: float,
    radius: float | None,
    feature_scale: Array | None,
    attackable: Array | None,
    attack_space: str,
) -> Ball:
    """The ball of arguments as users give them (already checked).

    In the scaled space c = σ ∘ feature_scale and s is measured on (x − μ)/c; in the raw
    space c = feature_scale and s is measured on x/c.
    """
    shift, sigma = basis.arrays(n_features)
    given = np.ones(n_features) if feature_scale is None else feature_scale
    free = given > 0 if attackable is None else (given > 0) & attackable
    unit = sigma * given if attack_space == "scaled" else given
    inverse = np.zeros(n_features)
    inverse[free] = 1.0 / unit[free]
    center = shift if attack_space == "scaled" else np.zeros(n_features)
    plain = feature_scale is None and bool(free.all())
    unscaled = not shift.any() and bool(np.all(sigma == 1.0))
    own = plain and (attack_space == "scaled" or unscaled)
    return Ball(
        p=p,
        scale=np.where(free, unit, 0.0),
        basis_scale=sigma,
        norm_shift=None if own else center,
        norm_inverse_scale=None if own else inverse,
        radius=radius,
    )

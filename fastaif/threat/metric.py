"""Attacks in a metric of their own: tᵀΣ⁻¹t ≤ 1 for t = δ/c (p = 2).

With Σ = LLᵀ that is a ball in τ = L⁻¹t, and a unit attack gains √(uᵀΣu) along u = Dβ. What cannot
be attacked stays, so that of Σ⁻¹ only the attackable rows and columns count; Σ below is their
inverse, which of a diagonal Σ = diag(c²) is that of `feature_scale=c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..norms import dual_direction, lp_norm, smooth_norm
from .attack_set import AttackSet, Turn, register
from .ball import Ball, example_balls
from .on_ball import OnBall
from .softened import Soft, soft_norm
from .turns import sign_turn

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Metric(OnBall):
    """The ellipsoid of a metric.

    Parameters
    ----------
    ball : Ball
        Of p = 2.
    root, inverse : arrays (k, k)
        L and L⁻¹, over the attackable features.
    given : array
        Σ as users gave it, which tells metrics apart.
    """

    root: Array
    inverse: Array
    given: Array

    def __str__(self) -> str:
        return "p=2 and a metric"

    def describe(self) -> dict[str, Any]:
        """What makes a set the same, by the names that users know it by."""
        return {**self.ball.describe(), "the metric": self.given}

    # --- the data's mean norm -------------------------------------------------------------

    def norms(self, rows: Array) -> Array:
        """√(xᵀΣ⁻¹x) of raw inputs (k, m), in units of c from where they are measured."""
        return lp_norm(self._enter(rows - self.norm_shift) @ self.inverse.T, 2.0)

    @property
    def has_compiled_norm(self) -> bool:
        """It takes products with a matrix."""
        return False

    def compiled_norm(self) -> c.NormOf:
        """Refused."""
        self._refuse("a norm within a compiled pass")

    @property
    def reach(self) -> Array:
        """c √Σ_kk: how far a unit attack can move each feature alone."""
        return self._raw(np.sqrt(np.einsum("ij,ij->i", self.root, self.root)))

    # --- first order ----------------------------------------------------------------------

    def directions(self, gradients: Array, rows: Array | None = None) -> tuple[Array, Array, Array]:
        """Unit attacks on u (n, m), gains (n,) and ties (n,), for a gradient a row."""
        slopes = _times(self._slopes(gradients), self.root)
        gains = lp_norm(slopes, 2.0)
        gradients[...] = self._inner(_times(_units(slopes), self.root.T))
        return gradients, gains, np.zeros(len(gains))

    def gain(self, beta: Array) -> float:
        """√(uᵀΣu), u = Dβ."""
        return float(self.gains(beta))

    def gains(self, gradients: Array) -> Array:
        """The same of every gradient (..., m)."""
        return lp_norm(_times(self._slopes(gradients), self.root), 2.0)

    def gain_gradient(self, beta: Array) -> Array:
        """∇_β √(uᵀΣu) = D Σu/√(uᵀΣu)."""
        return self._inner(_times(_units(_times(self._slopes(beta), self.root)), self.root.T))

    def gain_hessian(self, beta: Array) -> Array:
        """∇²_β √(uᵀΣu) (m, m)."""
        _, _, inner = smooth_norm(self._slopes(beta) @ self.root, 2.0, 0.0)
        half = self.ball.own.weights[:, None] * self.root
        found = half @ inner @ half.T
        hessian = np.zeros((self.ball.scale.size, self.ball.scale.size))
        hessian[np.ix_(self.free, self.free)] = 0.5 * (found + found.T)
        return hessian

    def direction(self, beta: Array) -> Array:
        """c Σu/√(uᵀΣu): the unit attack on raw inputs that raises the prediction most."""
        return self._raw(_times(_units(_times(self._slopes(beta), self.root)), self.root.T))

    def kinks(self, beta: Array) -> Array:
        """None off zero."""
        return np.zeros(np.shape(beta), dtype=bool)

    @property
    def has_soft(self) -> bool:
        """Whether there is a `soft`."""
        return True

    def soft(self, beta: Array, width: float) -> Soft:
        """The gain without its kink at zero: value, unit attack on u and Hessian."""
        found = soft_norm(self._slopes(beta) @ self.root, 2.0, width)
        bend = self.root @ found.bend @ self.root.T
        return self._soft(Soft(found.value, self.root @ found.attack, bend))

    # --- where directions change ----------------------------------------------------------

    @property
    def has_turns(self) -> bool:
        """Where one feature alone is attacked."""
        return self.free.size == 1

    @property
    def turning(self) -> str:
        """What an entry of a gradient does where the direction jumps."""
        return "changes sign"

    def first_turn(self, gradients: Array, speeds: Array) -> Turn:
        """The first ε > 0 at which the direction for a row of gradients + ε speeds jumps."""
        if not self.has_turns:
            return Turn(np.inf, 0)
        weights = self.ball.weights
        return Turn(*sign_turn(weights * gradients, weights * speeds))

    def has_turned(self, before: Array, after: Array) -> bool:
        """Whether the direction of some row has jumped."""
        return self.has_turns and self.ball.has_turned(before, after)

    # --- attacks of finite size -----------------------------------------------------------

    def operator_norm(self, matrix: Array) -> float:
        """max √(uᵀΣu) of u = DMDt over unit attacks t: ‖LᵀDMDL‖₂."""
        form = self.root.T @ self.ball.own.form(matrix) @ self.root
        return float(np.linalg.norm(form, 2)) if form.size else 0.0

    def curvature_bound(self, spectral: float) -> float:
        """‖M‖₂ max D² ‖L‖₂²."""
        return spectral * self.longest**2

    @property
    def longest(self) -> float:
        """max D ‖L‖₂."""
        return float(np.linalg.norm(self.root, 2)) * self.ball.longest

    def drawn(self, seed: int, draw: int, keys: Array, sizes: Array) -> Array:
        """Random attacks on u (n, m): τ of the ball."""
        tau = self.ball.drawn(seed, draw, keys, sizes)[:, self.free] / self.ball.own.weights
        return self._inner(_times(tau, self.root.T))

    def contains(self, delta: Array, size: Any, rows: Array | None = None) -> Array:
        """Whether δᵀΣ⁻¹δ ≤ size², and nothing moves that cannot be attacked."""
        lengths = lp_norm(self._enter(delta) @ self.inverse.T, 2.0)
        return np.asarray(self._is_still(delta) & (lengths <= size))


def _times(rows: Array, matrix: Array) -> Array:
    """rows @ matrix, every row with the same roundings whatever the others are."""
    out = np.zeros((*rows.shape[:-1], matrix.shape[1]))
    for column, line in zip(np.moveaxis(rows, -1, 0), matrix, strict=True):
        out += column[..., None] * line
    return out


def _units(slopes: Array) -> Array:
    """slopes/‖slopes‖₂, row by row: of one row with the roundings of many."""
    return dual_direction(np.atleast_2d(slopes), 2.0).reshape(slopes.shape)


def make_metric(ball: Ball, sigma: Array, places: Array) -> Metric:
    """The ellipsoid of Σ (k, k), in units of the ball's c.

    `places` says which of its rows the ball's attackable features are.

    Raises
    ------
    ValueError
        Σ is not positive definite.
    """
    try:
        # Σ⁻¹ = L⁻ᵀL⁻¹, of which the attackable part is RᵀR.
        half = np.linalg.inv(np.linalg.cholesky(sigma))
        inverse = np.asarray(np.linalg.qr(half[:, places])[1])
        root = np.linalg.inv(inverse)
    except np.linalg.LinAlgError:
        root = np.full((1, 1), np.nan)
    if not np.isfinite(root).all():
        raise ValueError(
            "metric is not positive definite: add to its diagonal what makes it so, or leave out "
            "the features that depend on others"
        )
    return Metric(ball, root, inverse, sigma)


def _examples() -> list[AttackSet]:
    """Over scaled inputs, some of which are out of reach."""
    half = np.random.default_rng(1).normal(size=(5, 5))
    sigma = half @ half.T + np.eye(5)
    return [make_metric(ball, sigma, ball.free) for ball in example_balls(2.0)]


register(Metric, _examples)

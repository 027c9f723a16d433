"""The attack set ‖δ_i / c‖_p ≤ ε s of one model, in raw and in model units."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..norms import (
    conjugate,
    dual_direction,
    lp_norm,
    project_ball,
    scaled_direction,
    smooth_norm,
)
from ..utils.arrays import read_only
from ..utils.caching import cached_property
from .attack_set import AttackSet, DualNorm, Turn, register
from .inside import ORDERS, surely_inside
from .own_units import OwnUnits
from .softened import Soft, soft_norm
from .turns import argmax_turn, sign_turn

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ball(AttackSet):
    """An ℓp attack on inputs that a model sees as u = (x − μ)/σ.

    Parameters
    ----------
    p : float
        The attack's norm.
    scale : array (m,)
        c, in raw units of each feature; 0: this feature is not attacked.
    basis_scale : array (m,)
        σ, in raw units.
    norm_shift : array (m,)
        s = E‖(x − norm_shift)/c‖_p over the attackable features.
    measures_inputs : bool
        Whether that is the norm of u, which saves a sweep.
    radius : float or None
        s where it is given; None: s is the mean norm of the data (the paper's scale).
    """

    p: float
    scale: Array
    basis_scale: Array
    norm_shift: Array
    measures_inputs: bool
    radius: float | None = None

    def __str__(self) -> str:
        return f"p={self.p:g}"

    @cached_property
    def q(self) -> float:
        """The dual exponent."""
        return conjugate(self.p)

    @cached_property
    def weights(self) -> Array:
        """D = c/σ, so that ‖c ∘ ∇_x f‖_q = ‖D β‖_q."""
        return np.asarray(self.scale / self.basis_scale)

    @cached_property
    def inverse_scale(self) -> Array:
        """1/c; 0 for what is not attacked."""
        out = np.zeros(self.scale.size)
        np.divide(1.0, self.scale, out=out, where=self.scale > 0)
        return out

    @property
    def reach(self) -> Array | None:
        """c: all of the budget on one feature."""
        return self.scale

    @property
    def units(self) -> Array:
        """D."""
        return self.weights

    @property
    def raw_units(self) -> Array:
        """σ."""
        return self.basis_scale

    # --- first order ----------------------------------------------------------------------

    def gain(self, beta: Array) -> float:
        """‖D β‖_q: by how much a unit attack can move the prediction."""
        return float(lp_norm(self.weights * beta, self.q))

    def gains(self, gradients: Array) -> Array:
        """‖D β‖_q of every gradient."""
        return lp_norm(self.weights * gradients, self.q)

    def gain_gradient(self, beta: Array) -> Array:
        """∇_β ‖D β‖_q = D φ(D β), one subgradient where it has a kink."""
        return np.asarray(self.weights * dual_direction(self.weights * beta, self.p))

    def gain_hessian(self, beta: Array) -> Array:
        """∇²_β ‖D β‖_q (m, m); for q = 1 and ∞ that is 0 beside the kinks."""
        hessian = np.zeros((self.scale.size, self.scale.size))
        own, place = self.own, np.ix_(self.free, self.free)
        _, _, inner = smooth_norm((self.weights * beta)[self.free], self.q, 0.0)
        hessian[place] = np.outer(own.weights, own.weights) * inner
        return hessian

    def direction(self, beta: Array) -> Array:
        """φ_c(∇_x f): the unit attack on raw inputs that raises the prediction most."""
        return scaled_direction(beta / self.basis_scale, self.p, self.scale)

    def kinks(self, beta: Array) -> Array:
        """p = 1: entries that tie with the first of the largest; p = ∞: exact zeros."""
        out = np.zeros(np.shape(beta), dtype=bool)
        sizes = np.abs(self.weights * beta)[..., self.free]
        if np.isinf(self.p):
            out[..., self.free] = sizes == 0.0
        elif self.p == 1:
            first = np.arange(self.free.size) == np.argmax(sizes, axis=-1)[..., None]
            ties = sizes == np.max(sizes, axis=-1, keepdims=True, initial=0.0)
            out[..., self.free] = ties & ~first
        return out

    def ties(self, beta: Array) -> int:
        """How many attackable entries of β (m,) sit on a kink of the gain, but for rounding."""
        return self.dual_norm().face(beta).n_held

    @property
    def has_soft(self) -> bool:
        """Whether there is a `soft`: for every p."""
        return True

    def soft(self, beta: Array, width: float) -> Soft:
        """The gain without its kinks: value, unit attack on u and Hessian."""
        own = self.own
        value, t, bend = soft_norm((self.weights * beta)[self.free], self.p, width)
        attack, hessian = np.zeros(beta.size), np.zeros((beta.size, beta.size))
        attack[self.free] = own.weights * t
        hessian[np.ix_(self.free, self.free)] = own.weights[:, None] * bend * own.weights
        return Soft(value, attack, hessian)

    # --- where directions change ----------------------------------------------------------

    @property
    def _turns_with_signs(self) -> bool:
        # With a single attackable feature every norm is |D_j β_j|, with p = ∞'s kink.
        return bool(np.isinf(self.p)) or self.free.size == 1

    @property
    def has_turns(self) -> bool:
        """For p = 1 and ∞, and where one feature alone is attacked."""
        return self._turns_with_signs or self.p == 1

    @property
    def turning(self) -> str:
        """What an entry of a gradient does where the direction jumps."""
        if self._turns_with_signs:
            return "changes sign"
        return "becomes the largest in the attack's norm"

    def first_turn(self, gradients: Array, speeds: Array) -> Turn:
        """The first ε > 0 at which the direction for a row of gradients + ε speeds jumps."""
        if not self.has_turns:
            return Turn(np.inf, 0)
        slopes, rates = self.weights * gradients, self.weights * speeds
        found = sign_turn if self._turns_with_signs else argmax_turn
        return Turn(*found(slopes, rates))

    def has_turned(self, before: Array, after: Array) -> bool:
        """Whether the direction of some row has jumped (p = 1, ∞)."""
        before, after = self.weights * before, self.weights * after
        if self.p == 1:
            rows, top = np.arange(len(before)), np.abs(before).argmax(axis=1)
            if np.any(np.abs(after).argmax(axis=1) != top):
                return True
            before, after = before[rows, top], after[rows, top]
        return bool(np.any(before * np.sign(after) < 0.0))

    # --- attacks of finite size -----------------------------------------------------------

    @cached_property
    def free(self) -> Array:
        """The attackable features, in order."""
        return (self.scale > 0).nonzero()[0]

    @cached_property
    def own(self) -> OwnUnits:
        """t = δ/c over the attackable features."""
        weights = np.ascontiguousarray(self.weights[self.free])
        return OwnUnits(self.p, self.free, self.scale[self.free], weights)

    @property
    def is_ellipsoid(self) -> bool:
        """Whether p = 2."""
        return self.p == 2

    def contains(self, delta: Array, size: Any, rows: Array | None = None) -> Array:
        """Whether ‖δ/c‖_p ≤ size, and nothing moves that cannot be attacked."""
        still = ~np.any(np.where(self.scale > 0, 0.0, delta), axis=-1)
        inside = lp_norm(delta[..., self.free] / self.own.scale, self.p) <= size
        return np.asarray(still & inside)

    def surely_keeps(self, attacked: Array, size: Any, samples: Array) -> Array:
        """Which attacked samples (n, m) are, without a closer look, in the ball (n,)."""
        return self.surely_within(np.array([[-np.inf], [np.inf]]), attacked, size, samples)

    def surely_within(self, bounds: Array, attacked: Array, size: Any, samples: Array) -> Array:
        """Which are, beside, within bounds (2, m)."""
        if self.p not in ORDERS:
            return np.zeros(len(attacked), dtype=bool)
        bounds = np.broadcast_to(bounds, (2, self.scale.size))
        return surely_inside(samples, attacked, self.scale, bounds, size, self.p)

    def project(self, delta: Array, size: float) -> Array:
        """The attacks of the ball nearest to δ in t = δ/c."""
        rows = np.reshape(delta, (-1, self.scale.size))
        nearest = [project_ball(row, size, self.p, self.scale) for row in rows]
        return np.reshape(nearest, np.shape(delta))

    def operator_norm(self, matrix: Array) -> float:
        """A bound on max ‖D M D t‖_q / ‖t‖_p for a symmetric M; exact for p = 1 and 2."""
        form = self.own.form(matrix)
        if self.p == 1:
            return float(np.abs(form).max(initial=0.0))
        spectral = float(np.linalg.norm(form, 2)) if form.size else 0.0
        bound = spectral * self._spread
        return min(bound, float(np.abs(form).sum())) if np.isinf(self.p) else bound

    def curvature_bound(self, spectral: float) -> float:
        """‖M‖₂ max D² m^(1 − 2/p), without the power for p ≤ 2."""
        return spectral * float(np.max(self.weights)) ** 2 * self._spread

    @property
    def _spread(self) -> float:
        """max ‖Mt‖_q / ‖t‖_p over ‖M‖₂ ≤ 1."""
        if self.p <= 2:
            return 1.0
        return float(self.free.size) ** (1.0 if np.isinf(self.p) else 1.0 - 2.0 / self.p)

    @property
    def longest(self) -> float:
        """max D m^(1/2 − 1/p), without the power for p ≤ 2."""
        return float(self.scale.size ** max(0.0, 0.5 - 1.0 / self.p) * self.weights.max())

    @property
    def widest(self) -> float:
        """max c."""
        return float(self.scale.max())

    # --- the data's mean norm -------------------------------------------------------------

    def norms(self, rows: Array) -> Array:
        """‖(x − norm_shift)/c‖_p of raw inputs (k, m)."""
        return lp_norm((rows - self.norm_shift) * self.inverse_scale, self.p)

    def with_radius(self, radius: float) -> Ball:
        """The same ball with s given."""
        return dataclasses.replace(self, radius=radius)

    # --- elsewhere ------------------------------------------------------------------------

    def compiled(self) -> c.Attack:
        """p and D as compiled operations take them."""
        return c.Attack(float(self.p), read_only(self.weights))

    def compiled_norm(self) -> c.NormOf:
        """The norm of inputs as compiled operations take it."""
        if self.measures_inputs:
            return c.NormOf(float(self.p), c.EMPTY, c.EMPTY)
        return c.NormOf(float(self.p), read_only(self.norm_shift), read_only(self.inverse_scale))

    @property
    def has_dual_norm(self) -> bool:
        """Whether there is a `dual_norm`."""
        return True

    def dual_norm(self, units: Array | None = None) -> DualNorm:
        """D, p and q, for β in given units."""
        return DualNorm(self.weights if units is None else self.weights / units, self.p, self.q)

    def describe(self) -> dict[str, Any]:
        """What makes a ball the same, by the names that users know it by."""
        scales = (self.scale, self.basis_scale, self.norm_shift, self.measures_inputs)
        return {"p": float(self.p), "radius": self.radius, "the feature scale": scales}


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
    scaled = attack_space == "scaled"
    scale = sigma if scaled else np.ones(n_features)
    if feature_scale is not None:
        scale = scale * feature_scale
    if attackable is not None:
        scale = np.where(attackable, scale, 0.0)
    plain = feature_scale is None and (attackable is None or bool(attackable.all()))
    return Ball(
        p=p,
        scale=scale,
        basis_scale=sigma,
        norm_shift=shift if scaled else np.zeros(n_features),
        measures_inputs=plain and (scaled or (not shift.any() and bool(np.all(sigma == 1.0)))),
        radius=radius,
    )


class _Scaling(NamedTuple):
    """What `make_ball` asks of a basis."""

    shift: Array
    scale: Array

    def arrays(self, n_features: int) -> tuple[Array, Array]:
        """Both, of that many features."""
        return self.shift, self.scale


def example_balls(p: float) -> list[Ball]:
    """Balls over scaled inputs, some of which are out of reach."""
    rng = np.random.default_rng(0)
    plain = _Scaling(np.zeros(5), np.ones(5))
    scaled = _Scaling(rng.normal(size=5), rng.uniform(0.5, 2.0, size=5))
    scale, mask = np.array([1.0, 0.0, 2.0, 0.5, 1.5]), np.arange(5) != 3
    options = [
        (plain, None, None, "scaled"), (scaled, scale, None, "scaled"),
        (scaled, None, mask, "raw"), (plain, None, np.arange(5) == 2, "raw"),
    ]  # fmt: skip
    return [
        make_ball(
            basis, 5, p=p, radius=None, feature_scale=feature_scale, attackable=attackable,
            attack_space=space,
        )
        for basis, feature_scale, attackable, space in options
    ]  # fmt: skip


def _examples() -> list[AttackSet]:
    """Balls of every kind of exponent."""
    return [ball for p in (1.0, 1.5, 2.0, 3.0, np.inf) for ball in example_balls(p)]


register(Ball, _examples)

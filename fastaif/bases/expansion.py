"""A basis between two scalings that are held fixed: what a fitted model does to its inputs.

    u = (x − shift) / scale,   v = (basis(u) − out_shift) / out_scale

The first comes from a scaler before the basis, the second from one behind it, or from a
solver's working coordinates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..threat.attack_set import AttackSet
from ..utils.arrays import read_only, shaped
from .basis import Basis
from .builtin import Linear

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Expansion:
    """v(x) with the scalings around it; shift and scale (m,), out_shift and out_scale (d,)."""

    basis: Basis
    shift: Array
    scale: Array
    out_shift: Array | None = None
    out_scale: Array | None = None

    @property
    def m(self) -> int:
        """The number of inputs."""
        return self.shift.size

    def n_outputs(self, m: int) -> int:
        """The length d of v."""
        return self.basis.n_outputs(m)

    @property
    def is_compiled(self) -> bool:
        """Whether operations form the features; others hand them over."""
        return self.basis.is_compiled

    @property
    def is_identity(self) -> bool:
        """Whether the inputs reach the basis as they are, and v leaves it so."""
        return not self.is_scaled and self.out_scale is None

    @property
    def is_scaled(self) -> bool:
        """Whether the inputs are scaled before they reach the basis."""
        return bool(self.shift.any() or np.any(self.scale != 1.0))

    def arrays(self, m: int) -> tuple[Array, Array]:
        """Shift and scale of the inputs, (m,)."""
        return self.shift, self.scale

    def out_arrays(self) -> tuple[Array, Array]:
        """Shift and scale of v, (d,); empty where there are none."""
        if self.out_shift is None or self.out_scale is None:
            return c.EMPTY, c.EMPTY
        return self.out_shift, self.out_scale

    def rescaled(self, shift: Array, scale: Array) -> Expansion:
        """The same with (v − shift) / scale in place of v."""
        if self.out_shift is None or self.out_scale is None:
            return dataclasses.replace(self, out_shift=shift, out_scale=scale)
        return dataclasses.replace(
            self,
            out_shift=self.out_shift + self.out_scale * shift,
            out_scale=self.out_scale * scale,
        )

    def compiled(self) -> c.Basis:
        """The description that operations take, where the basis has one."""
        description = self.basis.compiled(self.m)
        if self.is_scaled:
            description = description._replace(
                shift=read_only(self.shift), inverse_scale=read_only(1.0 / self.scale)
            )
        if self.out_shift is None or self.out_scale is None:
            return description
        return description._replace(
            out_shift=read_only(self.out_shift), out_inverse_scale=read_only(1.0 / self.out_scale)
        )

    def inner(self, X: Array) -> Array:
        """u, float64, shape (k, m)."""
        return np.asarray((np.asarray(X, dtype=np.float64) - self.shift) / self.scale)

    def slope(self, beta: Array) -> Array:
        """The coefficients of the basis itself, given those of v."""
        return beta if self.out_scale is None else np.asarray(beta / self.out_scale)

    def transform(self, X: Array) -> Array:
        """v(X), float64, shape (k, d)."""
        return self.features_at(self.inner(X))

    def features_at(self, U: Array) -> Array:
        """v of scaled inputs, shape (k, d)."""
        V = self._checked(self.basis.features(U), (len(U), self.n_outputs(self.m)), "features(X)")
        if self.out_scale is None:
            return V
        return np.asarray((V - self.out_shift) / self.out_scale)

    def gradients_at(self, U: Array, beta: Array) -> Array:
        """∇_u (βᵀv), shape (k, m)."""
        found = self.basis.jac_t_vec(U, self.slope(beta))
        return self._checked(found, U.shape, "jac_t_vec(X, theta)")

    def moves_at(self, U: Array, P: Array) -> Array:
        """JP: how v moves along P (k, m) in scaled inputs, shape (k, d)."""
        shape = (len(U), self.n_outputs(self.m))
        moves = self._checked(self.basis.jac_vec(U, P), shape, "jac_vec(X, P)")
        return moves if self.out_scale is None else np.asarray(moves / self.out_scale)

    def _checked(self, values: Any, shape: tuple[int, ...], what: str) -> Array:
        return values if self.basis.is_checked else shaped(values, shape, what)

    def moments(self, read: Callable[[], c.Rows], origin: Array) -> Array | None:
        """Moments of v about an origin (d,), as `coordinates.measure` merges them.

        Rows of the result (4, d): Σ w (v − o), l = max |v − o|, Σ w (v − o)² / l², Σ w. None for
        bases without operations, and where squares could over- or underflow.
        """
        if not self.is_compiled:
            return None
        rows, totals = read(), np.zeros((3, origin.size))
        get("basis_moments")(rows, self.compiled(), origin, totals)
        total, squares, largest = totals
        if not np.all((largest == 0.0) | ((largest > 1e-140) & (largest < 1e140))):
            return None
        largest = np.maximum(largest, np.finfo(float).tiny)
        ratio = np.where(squares > 0, squares / largest / largest, 0.0)
        weight = rows.weight.sum() if rows.weight.size else float(len(rows.x))
        return np.vstack([total, largest, ratio, np.full(origin.size, weight)])

    def lipschitz(self, beta: Array, attack_set: AttackSet) -> float | None:
        """By how much a unit attack can change a gain of ∇f, or None where no bound is known.

        With it gains are at least g − ρ Lip within attacks of size ρ: no gradient of a sample
        with g > ρ Lip can vanish there.
        """
        return self.basis.lipschitz(self.slope(beta), self.m, attack_set)

    def raw_coefficients(self, theta: Array) -> Array:
        """θ, or a step in it, for the basis of the raw inputs x.

        Raises
        ------
        ValueError
            A scaler stands before a basis that does not contain its own rescalings.
        """
        d = self.n_outputs(self.m)
        raw = np.array(theta, dtype=float)
        if self.out_shift is not None and self.out_scale is not None:
            raw[:d] /= self.out_scale
            raw[d:] -= self.out_shift @ raw[:d]
        return self.basis.unscaled(raw, self.shift, self.scale) if self.is_scaled else raw


def make_expansion(
    basis: Any, shift: Array | None, scale: Array | None, m: int
) -> Linear | Expansion:
    """A basis bound to m inputs, behind a scaler or none."""
    if isinstance(basis, Linear):
        if shift is None or scale is None:
            return basis
        own_shift, own_scale = basis.arrays(m)
        return Linear(shift + scale * own_shift, scale * own_scale)
    inner = (np.zeros(m), np.ones(m)) if shift is None or scale is None else (shift, scale)
    return Expansion(basis, *inner)

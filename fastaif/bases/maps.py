"""Smooth maps between features: projections, products, splines, waves, kernels, powers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nodes import Map

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Projection(Map):
    """A (z − origin), A (d, j)."""

    matrix: Array
    origin: Array

    def n_outputs(self, j: int) -> int:
        return len(self.matrix)

    def value(self, Z: Array) -> Array:
        return np.asarray((Z - self.origin) @ self.matrix.T)

    def push(self, Z: Array, moves: Array) -> Array:
        return np.asarray(moves @ self.matrix.T)

    def pull(self, Z: Array, slopes: Array) -> Array:
        return np.asarray(slopes @ self.matrix)

    def varies(self, inner: Array) -> Array:
        return np.asarray(np.any((self.matrix != 0.0) & inner, axis=1))

    @property
    def is_affine(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class Products(Map):
    """Π_j z_j^{r_j}, a row r of powers (d, j) for each."""

    powers: Array

    def n_outputs(self, j: int) -> int:
        return len(self.powers)

    def value(self, Z: Array) -> Array:
        out = np.ones((len(Z), len(self.powers)))
        for j, z in enumerate(Z.T):
            rows = np.flatnonzero(self.powers[:, j])
            out[:, rows] *= z[:, None] ** self.powers[rows, j]
        return out

    def _by_entry(self, Z: Array, j: int) -> tuple[Array, Array]:
        """Which products have z_j in them, and their derivatives in it (n, ·)."""
        rows = np.flatnonzero(self.powers[:, j])
        less = self.powers[rows].copy()
        less[:, j] -= 1
        return rows, Products(less).value(Z) * self.powers[rows, j]

    def push(self, Z: Array, moves: Array) -> Array:
        out = np.zeros((len(Z), len(self.powers)))
        for j in range(Z.shape[1]):
            rows, slopes = self._by_entry(Z, j)
            out[:, rows] += slopes * moves[:, j : j + 1]
        return out

    def pull(self, Z: Array, slopes: Array) -> Array:
        out = np.zeros(Z.shape)
        for j in range(Z.shape[1]):
            rows, own = self._by_entry(Z, j)
            out[:, j] = np.einsum("ij,ij->i", own, slopes[:, rows])
        return out

    def varies(self, inner: Array) -> Array:
        return np.asarray(np.any((self.powers > 0) & inner, axis=1))


@dataclass(frozen=True, eq=False)
class Waves(Map):
    """height · cos(zᵀω_h + b_h), ω (j, d)."""

    frequencies: Array
    phases: Array
    height: float

    def n_outputs(self, j: int) -> int:
        return self.phases.size

    def _slope(self, Z: Array) -> Array:
        return np.asarray(-self.height * np.sin(Z @ self.frequencies + self.phases))

    def value(self, Z: Array) -> Array:
        return np.asarray(self.height * np.cos(Z @ self.frequencies + self.phases))

    def push(self, Z: Array, moves: Array) -> Array:
        return np.asarray(self._slope(Z) * (moves @ self.frequencies))

    def pull(self, Z: Array, slopes: Array) -> Array:
        return np.asarray((self._slope(Z) * slopes) @ self.frequencies.T)


@dataclass(frozen=True, eq=False)
class Bumps(Map):
    """exp(−γ‖z − c_h‖²), centres c (d, j)."""

    centers: Array
    gamma: float

    def n_outputs(self, j: int) -> int:
        return len(self.centers)

    def value(self, Z: Array) -> Array:
        return np.exp(-self.gamma * np.sum((Z[:, None] - self.centers) ** 2, axis=2))

    def push(self, Z: Array, moves: Array) -> Array:
        along = np.einsum("ihj,ij->ih", Z[:, None] - self.centers, moves)
        return np.asarray(-2.0 * self.gamma * self.value(Z) * along)

    def pull(self, Z: Array, slopes: Array) -> Array:
        heights = -2.0 * self.gamma * self.value(Z) * slopes
        return np.asarray(heights.sum(axis=1, keepdims=True) * Z - heights @ self.centers)


class Entrywise(Map):
    """A function of each entry by itself."""

    def n_outputs(self, j: int) -> int:
        return j

    def slope(self, Z: Array) -> Array:
        """The derivative, entry by entry (n, j)."""
        raise NotImplementedError

    def push(self, Z: Array, moves: Array) -> Array:
        return np.asarray(self.slope(Z) * moves)

    def pull(self, Z: Array, slopes: Array) -> Array:
        return np.asarray(self.slope(Z) * slopes)

    def varies(self, inner: Array) -> Array:
        return inner


_SLOPES: dict[Any, Callable[[Array], Array]] = {
    np.log: lambda z: 1.0 / z, np.log1p: lambda z: 1.0 / (1.0 + z),
    np.log2: lambda z: 1.0 / (z * np.log(2.0)), np.log10: lambda z: 1.0 / (z * np.log(10.0)),
    np.sqrt: lambda z: 0.5 / np.sqrt(z), np.cbrt: lambda z: 1.0 / (3.0 * np.cbrt(z) ** 2),
    np.exp: np.exp, np.expm1: np.exp, np.square: lambda z: 2.0 * z, np.sin: np.cos,
    np.cos: lambda z: -np.sin(z), np.tanh: lambda z: np.cosh(z) ** -2.0,
    np.arcsinh: lambda z: 1.0 / np.hypot(1.0, z), np.reciprocal: lambda z: -(z**-2.0),
    np.negative: lambda z: np.full(z.shape, -1.0),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Ufunc(Entrywise):
    """One of NumPy's functions of which the derivative is known."""

    function: Any

    @staticmethod
    def is_known(function: Any) -> bool:
        """Whether its derivative is known."""
        return isinstance(function, np.ufunc) and function in _SLOPES

    def value(self, Z: Array) -> Array:
        return np.asarray(self.function(Z))

    def slope(self, Z: Array) -> Array:
        return np.asarray(_SLOPES[self.function](Z))


@dataclass(frozen=True, eq=False)
class Powered(Entrywise):
    """Box and Cox's, or Yeo and Johnson's, power of each entry, with λ (j,)."""

    exponents: Array
    takes_negative: bool

    def value(self, Z: Array) -> Array:
        if not self.takes_negative:
            return _box_cox(Z, self.exponents)
        up, down = np.maximum(Z, 0.0), np.maximum(-Z, 0.0)
        high, low = _box_cox(1.0 + up, self.exponents), _box_cox(1.0 + down, 2.0 - self.exponents)
        return np.where(Z >= 0.0, high, -low)

    def slope(self, Z: Array) -> Array:
        if not self.takes_negative:
            return np.asarray(Z ** (self.exponents - 1.0))
        power = np.where(Z >= 0.0, self.exponents - 1.0, 1.0 - self.exponents)
        return np.asarray((1.0 + np.abs(Z)) ** power)


def _box_cox(z: Array, exponents: Array) -> Array:
    """(z^λ − 1)/λ, and its limit log z, without cancellation near it."""
    log = np.log(z)
    small = np.where(exponents == 0.0, 1.0, exponents)
    return np.where(exponents == 0.0, log, np.expm1(small * log) / small)


@dataclass(frozen=True, eq=False)
class Splines(Map):
    """B-splines of each entry, as scikit-learn's SplineTransformer has them.

    Attributes
    ----------
    splines : tuple of BSpline
        One an entry, with a column for each of its basis functions.
    n_each : int
        How many of these are kept.
    beyond : {"constant", "linear", "continue", "error"}
        What becomes of them outside the knots.
    """

    splines: tuple[Any, ...]
    n_each: int
    beyond: str

    def n_outputs(self, j: int) -> int:
        return j * self.n_each

    def value(self, Z: Array) -> Array:
        parts = [self._one(spline, z)[0] for spline, z in zip(self.splines, Z.T, strict=True)]
        return np.concatenate(parts, axis=1)

    def slopes(self, Z: Array) -> Array:
        """The derivatives of each entry's splines in it, (n, j, n_each)."""
        each = zip(self.splines, Z.T, strict=True)
        return np.stack([self._one(spline, z)[1] for spline, z in each], axis=1)

    def push(self, Z: Array, moves: Array) -> Array:
        return np.reshape(self.slopes(Z) * moves[:, :, None], (len(Z), -1))

    def pull(self, Z: Array, slopes: Array) -> Array:
        given = np.reshape(slopes, (len(Z), Z.shape[1], self.n_each))
        return np.einsum("ijk,ijk->ij", self.slopes(Z), given)

    @property
    def has_kinks(self) -> bool:
        return self.beyond == "constant"

    def count_kinks(self, Z: Array) -> int:
        ends = [(spline.t[spline.k], spline.t[-spline.k - 1]) for spline in self.splines]
        return sum(int(np.isin(z, end).sum()) for z, end in zip(Z.T, ends, strict=True))

    def _one(self, spline: Any, z: Array) -> tuple[Array, Array]:
        first, last = spline.t[spline.k], spline.t[-spline.k - 1]
        inside = z if self.beyond == "continue" else np.clip(z, first, last)
        value, slope = spline(inside), spline.derivative()(inside)
        out = (z != inside)[:, None]
        if self.beyond == "linear":
            value = value + slope * (z - inside)[:, None]
        elif self.beyond == "constant":
            slope = np.where(out, 0.0, slope)
        return value[:, : self.n_each], slope[:, : self.n_each]

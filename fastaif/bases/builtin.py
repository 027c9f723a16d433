"""Bases: how inputs become the vector v(x) of a model f = βᵀv(x) + b.

Each is an immutable description. Before use it is bound to a number of inputs (`bind`);
then `features`, `jac_vec` and `jac_t_vec` give v(X), Jφ and Jᵀβ with J = ∂v/∂x (section 5).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..threat.attack_set import AttackSet
from ..utils import validation
from ..utils.arrays import columns_of, read_only
from .basis import Basis
from .custom import Custom

Array = NDArray[Any]

__all__ = ["Custom", "Fourier", "Linear", "Powers", "Quadratic"]


@dataclass(frozen=True, eq=False)
class Linear:
    """v(x) = (x − shift) / scale, with ∇_x v = diag(1 / scale).

    Parameters
    ----------
    shift, scale : array (m,) or None
        None for both: v(x) = x. They come from a scaler that is held fixed.
    """

    shift: Array | None = None
    scale: Array | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not np.all(np.abs(self.scale) > 0):
            raise ValueError("scale of a Linear basis must not be zero anywhere")

    @property
    def is_identity(self) -> bool:
        """Whether v(x) = x."""
        return self.shift is None and self.scale is None

    def n_outputs(self, m: int) -> int:
        """The length d of v for m inputs."""
        return m

    def bind(self, m: int, sample: Array | None = None) -> Linear:
        """The basis for m inputs."""
        for name, given in (("shift", self.shift), ("scale", self.scale)):
            if given is not None and np.shape(given) != (m,):
                raise ValueError(f"{name} must have shape ({m},), but has {np.shape(given)}")
        return self

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        return tuple(columns)

    def penalized(self, m: int) -> Array:
        """1 for each coefficient that α shrinks, shape (d,)."""
        return np.ones(m)

    def arrays(self, m: int) -> tuple[Array, Array]:
        """Shift and scale (m,), filled in where not given."""
        nothing, one = _as_it_is(m)
        shift = nothing if self.shift is None else np.asarray(self.shift, dtype=float)
        scale = one if self.scale is None else np.asarray(self.scale, dtype=float)
        return shift, scale

    def transform(self, X: Array) -> Array:
        """v(X), float64, shape (n, m)."""
        X = np.asarray(X, dtype=np.float64)
        if self.is_identity:
            return X
        shift, scale = self.arrays(X.shape[1])
        return np.asarray((X - shift) / scale)

    def moments(self, read: Callable[[], c.Rows], origin: Array) -> Array | None:
        """None: there is no operation for the moments of plain columns."""
        return None

    def rescaled(self, shift: Array, scale: Array) -> Linear:
        """The basis (v − shift) / scale."""
        own_shift, own_scale = self.arrays(shift.size)
        return Linear(own_shift + own_scale * shift, own_scale * scale)

    def features(self, X: Any) -> Array:
        """v(X), shape (n, m)."""
        return self.transform(X)

    def jac_vec(self, X: Any, P: Any) -> Array:
        """Jφ for the rows of P, shape (n, m)."""
        return np.asarray(np.asarray(P, dtype=float) / self.arrays(np.shape(P)[1])[1])

    def jac_t_vec(self, X: Any, theta: Any) -> Array:
        """∇_x (θᵀv), shape (n, m)."""
        theta = np.asarray(theta, dtype=float)
        return np.tile(theta / self.arrays(theta.size)[1], (len(X), 1))


@functools.lru_cache(maxsize=8)
def _as_it_is(m: int) -> tuple[Array, Array]:
    """The shift and the scale that change nothing; neither can be written into."""
    return read_only(np.zeros(m)), read_only(np.ones(m))


class BuiltIn(Basis):
    """What the bases with compiled operations share."""

    is_compiled: ClassVar[bool] = True

    def features(self, X: Any) -> Array:
        """v(X), shape (n, d)."""
        U, basis, out = self._prepared(X)
        get("basis_features")(U, basis, out)
        return out.T

    def jac_vec(self, X: Any, P: Any) -> Array:
        """Jφ for the rows φ of P (n, m), shape (n, d)."""
        U, basis, out = self._prepared(X)
        moves = columns_of(P, "P")
        if moves.shape != U.shape:
            raise ValueError(f"P must have X's shape {U.T.shape}, but has {moves.T.shape}")
        get("basis_moves")(U, basis, moves, out)
        return out.T

    def jac_t_vec(self, X: Any, theta: Any) -> Array:
        """∇_x (θᵀv) for θ (d,), shape (n, m)."""
        U, basis, out = self._prepared(X)
        beta, gradients = read_only(theta), np.empty(U.shape)
        if beta.shape != out.shape[:1]:
            raise ValueError(f"theta must have shape ({len(out)},), but has {beta.shape}")
        get("basis_gradients")(U, basis, beta, gradients)
        return gradients.T

    def _prepared(self, X: Any) -> tuple[Array, c.Basis, Array]:
        """Feature-major inputs, the operations' description, and space for (d, n) numbers."""
        U = columns_of(X)
        basis = self.compiled(U.shape[0])
        if basis.frequencies.size and basis.frequencies.shape[1] != U.shape[0]:
            raise ValueError(
                f"X has {U.shape[0]} columns, but the basis is bound to "
                f"{basis.frequencies.shape[1]}"
            )
        return U, basis, np.empty((self.n_outputs(U.shape[0]), U.shape[1]))


@dataclass(frozen=True)
class Quadratic(BuiltIn):
    """v = (x_1 … x_m, x_j x_k for j ≤ k by rows of the upper triangle), d = m + m(m+1)/2.

    A penalty shrinks the coefficients of the products only.
    """

    is_quadratic: ClassVar[bool] = True

    def n_outputs(self, m: int) -> int:
        """The length d of v for m inputs."""
        return m + m * (m + 1) // 2

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        products = [
            f"{a}^2" if j == k else f"{a} {b}"
            for j, a in enumerate(columns)
            for k, b in enumerate(columns)
            if j <= k
        ]
        return (*columns, *products)

    def penalized(self, m: int) -> Array:
        """1 for the coefficients of products, shape (d,)."""
        return np.concatenate([np.zeros(m), np.ones(m * (m + 1) // 2)])

    def compiled(self, m: int) -> c.Basis:
        """The description that operations take."""
        return _compiled(c.QUADRATIC)

    def lipschitz(self, beta: Array, m: int, attack_set: AttackSet) -> float | None:
        """‖2A‖, as the attacks measure it."""
        return attack_set.operator_norm(2.0 * self.matrix(beta, m))

    def unscaled(self, theta: Array, shift: Array, scale: Array) -> Array:
        """θ = (β, b) of β₁ᵀu + uᵀAu + b, u = (x − shift) / scale, expanded in x."""
        m, d = shift.size, self.n_outputs(shift.size)
        raw = theta.copy()
        A = self.matrix(raw[:d], m) / np.multiply.outer(scale, scale)
        linear = raw[:m] / scale
        raw[d:] += shift @ A @ shift - linear @ shift
        raw[:d] = self.coefficients(linear - 2.0 * A @ shift, A)
        return raw

    @staticmethod
    def matrix(beta: Array, m: int) -> Array:
        """A (m, m), symmetric, with f = β₁ᵀx + xᵀAx."""
        A = np.zeros((m, m))
        A[np.triu_indices(m)] = beta[m:]
        return np.asarray(0.5 * (A + A.T))

    @staticmethod
    def coefficients(linear: Array, A: Array) -> Array:
        """The inverse of `matrix`: β from β₁ (m,) and A (m, m)."""
        products = (A + A.T)[np.triu_indices(len(A))]
        diagonal = np.concatenate([[0], np.cumsum(np.arange(len(A), 1, -1))])
        products[diagonal] *= 0.5
        return np.concatenate([linear, products])


@dataclass(frozen=True)
class Powers(BuiltIn):
    """v = (x, x², …, x^degree), entry by entry, in blocks of m.

    Parameters
    ----------
    degree : int, at least 1
    """

    degree: int = 2

    def __post_init__(self) -> None:
        validation.count(self.degree, "degree")

    def n_outputs(self, m: int) -> int:
        """The length d of v for m inputs."""
        return m * self.degree

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        higher = [f"{name}^{r}" for r in range(2, self.degree + 1) for name in columns]
        return (*columns, *higher)

    def compiled(self, m: int) -> c.Basis:
        """The description that operations take."""
        return _compiled(c.POWERS, degree=int(self.degree))

    def lipschitz(self, beta: Array, m: int, attack_set: AttackSet) -> float | None:
        """‖2A‖ of the diagonal A of degree 2; higher powers bend without bound."""
        if self.degree > 2:
            return None
        second = beta[m:] if self.degree == 2 else np.zeros(m)
        return attack_set.operator_norm(np.diag(2.0 * second))


@dataclass(frozen=True)
class Fourier(BuiltIn):
    """v_h = √(2/d) cos(ω_h·x + b_h), random features of the kernel exp(−γ‖x − z‖²).

    Parameters
    ----------
    n_components : int
        d.
    gamma : float
        γ: the entries of ω are normal with variance 2γ; b is uniform on [0, 2π).
    random_state : int, RandomState, Generator or None
        Of ω and b, which are drawn when the basis is bound to its number of inputs.

    Attributes
    ----------
    frequencies : array (d, m) or None
        ω, once bound.
    phases : array (d,) or None
        b, once bound.
    """

    n_components: int = 100
    gamma: float = 1.0
    random_state: Any = None
    frequencies: Array | None = field(default=None, repr=False, compare=False)
    phases: Array | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        validation.count(self.n_components, "n_components")
        validation.number(self.gamma, "gamma", low=0.0, strict=True)
        d = self.n_components
        for name, given in (("frequencies", self.frequencies), ("phases", self.phases)):
            if given is not None and len(given) != d:
                raise ValueError(f"{name} must have n_components = {d} rows, but has {len(given)}")

    def bind(self, m: int, sample: Array | None = None) -> Fourier:
        """The basis for m inputs, with its frequencies and phases."""
        if self.frequencies is not None:
            return self
        rng = np.random.default_rng(validation.seed(self.random_state))
        omega = np.sqrt(2.0 * self.gamma) * rng.standard_normal((self.n_components, m))
        b = rng.uniform(0.0, 2.0 * np.pi, self.n_components)
        return dataclasses.replace(self, frequencies=omega, phases=b)

    def n_outputs(self, m: int) -> int:
        """The length d of v."""
        return self.n_components

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        return tuple(f"cos{h}" for h in range(self.n_components))

    def compiled(self, m: int) -> c.Basis:
        """The description that operations take."""
        if self.frequencies is None or self.phases is None:
            raise ValueError("Fourier features have no frequencies yet: use basis.bind(m)")
        return _compiled(c.FOURIER, frequencies=self.frequencies, phases=self.phases)

    def lipschitz(self, beta: Array, m: int, attack_set: AttackSet) -> float | None:
        """``√(2/d) Σ |β_h| gain(ω_h)²``."""
        assert self.frequencies is not None
        reach = attack_set.gains(self.frequencies)
        height = np.sqrt(2.0 / beta.size)
        return float(height * np.sum(np.abs(beta) * reach**2))


def _compiled(kind: int, degree: int = 0, **arrays: Array) -> c.Basis:
    frequencies = arrays.get("frequencies", np.empty((0, 0)))
    phases = arrays.get("phases", c.EMPTY)
    return c.Basis(
        kind, degree, read_only(frequencies), read_only(phases), c.EMPTY, c.EMPTY, c.EMPTY, c.EMPTY
    )

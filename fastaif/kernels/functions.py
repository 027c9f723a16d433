"""Kernels K(x, z), with the gradient ∂₁K(x, z) in their first argument.

Each is an immutable description. Called with rows it gives their matrix of kernel values;
`gradient` and `directional` contract its derivatives without an entry for each pair and
feature. Of a sample with itself ∂₁K(x, x) is half the gradient of x ↦ K(x, x).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..utils import validation
from ..utils.arrays import ordered
from . import pairs

Array = NDArray[Any]

__all__ = ["NTK", "RBF", "Linear", "Matern", "Polynomial"]


class Kernel:
    """What all kernels share."""

    def compiled(self) -> c.Kernel:
        """The description that operations take."""
        raise NotImplementedError

    @property
    def is_smooth(self) -> bool:
        """Whether K has a gradient everywhere."""
        return True

    @property
    def lipschitz_gradient(self) -> float | None:
        """The largest ‖∂²K/∂x²‖₂ over all x and z; None where it has no bound."""
        return None

    @classmethod
    def usual_gamma(cls, n_features: int) -> float | None:
        """γ for standardised features, of a squared length; None of a kernel without γ."""
        return 1.0 / n_features if "gamma" in inspect.signature(cls).parameters else None

    def check_inputs(self, X: Any, name: str = "X") -> None:
        """Raise a ValueError for rows of X (n, m) at which the kernel is not defined."""

    def diagonal(self, X: Any) -> Array:
        """K(x_i, x_i), shape (n,)."""
        return self._of_squares(_squares(self._rows(X, "X")))

    def _of_squares(self, squares: Array) -> Array:
        """K(x, x) from ‖x‖², shape (n,): 1 of kernels of the distance."""
        return np.ones(squares.shape)

    def __call__(self, X: Any, Z: Any = None) -> Array:
        """The matrix of kernel values K(x_i, z_j).

        Parameters
        ----------
        X : array (n, m)
        Z : array (k, m), optional
            Without it the rows of X, known to be the same samples.

        Returns
        -------
        array (n, k)
        """
        rows, others = self._pair(X, Z)
        return pairs.values(self.compiled(), rows, others)

    def gradient(self, X: Any, Z: Any, V: Any) -> Array:
        """Σ_j V_j ∂₁K(x_i, z_j), the gradient of x ↦ Σ_j V_j K(x, z_j) at each row.

        Parameters
        ----------
        X : array (n, m)
        Z : array (k, m) or None
            None for the rows of X: then the term j = i is half of what x ↦ K(x, x) has.
        V : array (k,)

        Returns
        -------
        array (n, m)
        """
        rows, others = self._pair(X, Z)
        return pairs.gradient(self.compiled(), rows, others, _vector(V, rows, others))

    def directional(self, X: Any, Z: Any, B: Any, V: Any) -> Array:
        """Σ_j ⟨∂₁K(x_i, z_j), B_i⟩ V_j: how Σ_j V_j K(x_i, z_j) changes as x_i moves by B_i.

        Parameters
        ----------
        X : array (n, m)
        Z, V
            As in `gradient`.
        B : array (n, m)

        Returns
        -------
        array (n,)
        """
        rows, others = self._pair(X, Z)
        moves = _matrix(B, "B")
        if moves.shape != rows.shape:
            raise ValueError(f"B must have X's shape {rows.shape}, but has {moves.shape}")
        weights = _vector(V, rows, others)
        return pairs.directional(self.compiled(), rows, others, moves, weights)

    def _rows(self, X: Any, name: str) -> Array:
        rows = _matrix(X, name)
        self.check_inputs(rows, name)
        return rows

    def _pair(self, X: Any, Z: Any) -> tuple[Array, Array | None]:
        """Both sets of rows as operations take them, the second None if it is the first."""
        rows = self._rows(X, "X")
        if Z is None or Z is X:
            return rows, None
        others = self._rows(Z, "Z")
        if others.shape[1] != rows.shape[1]:
            raise ValueError(f"Z has {others.shape[1]} columns, but X has {rows.shape[1]}")
        return rows, others


@dataclass(frozen=True)
class RBF(Kernel):
    """K(x, z) = exp(−γ ‖x − z‖²), with ∂₁K = −2γ K (x − z).

    Parameters
    ----------
    gamma : float, above 0
        γ, the inverse of a squared length.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        _keep(self, gamma=_positive(self.gamma))

    def compiled(self) -> c.Kernel:
        return c.Kernel(c.RBF, 0, self.gamma, 0.0, 0)

    @property
    def lipschitz_gradient(self) -> float:
        """2γ, reached at x = z."""
        return 2.0 * self.gamma


@dataclass(frozen=True)
class Matern(Kernel):
    """Matérn's kernel of order 3/2 or 5/2, for the distance d = ‖x − z‖.

    K = (1 + s) e^{−s}, s = √3 γ d (nu = 1.5) or K = (1 + s + s²/3) e^{−s}, s = √5 γ d
    (nu = 2.5); ∂₁K = −3γ² e^{−s} (x − z) or −(5/3) γ² (1 + s) e^{−s} (x − z).

    Parameters
    ----------
    nu : 1.5 or 2.5
    gamma : float, above 0
        γ, the inverse of the length scale.
    """

    nu: float = 1.5
    gamma: float = 1.0

    def __post_init__(self) -> None:
        nu = validation.number(self.nu, "nu", low=0.0, strict=True)
        if nu not in (1.5, 2.5):
            raise ValueError(f"nu must be 1.5 or 2.5, but is {self.nu!r}")
        _keep(self, nu=nu, gamma=_positive(self.gamma))

    @classmethod
    def usual_gamma(cls, n_features: int) -> float:
        """γ for standardised features, of a length."""
        return float(n_features**-0.5)

    def compiled(self) -> c.Kernel:
        return c.Kernel(c.MATERN_3_2 if self.nu == 1.5 else c.MATERN_5_2, 0, self.gamma, 0.0, 0)

    @property
    def lipschitz_gradient(self) -> float:
        """3γ² (nu = 1.5) or 5γ²/3 (nu = 2.5), reached at x = z."""
        return (3.0 if self.nu == 1.5 else 5.0 / 3.0) * self.gamma**2


@dataclass(frozen=True)
class Polynomial(Kernel):
    """K(x, z) = (γ⟨x, z⟩ + c)^degree, with ∂₁K = γ degree (γ⟨x, z⟩ + c)^{degree − 1} z.

    Parameters
    ----------
    degree : int, at least 1
    gamma : float, above 0
        γ.
    coef0 : float, at least 0
        c; K would not be positive semidefinite below 0.
    """

    degree: int = 3
    gamma: float = 1.0
    coef0: float = 1.0

    def __post_init__(self) -> None:
        degree = validation.count(self.degree, "degree")
        coef0 = validation.number(self.coef0, "coef0", low=0.0)
        _keep(self, degree=degree, gamma=_positive(self.gamma), coef0=coef0)

    def compiled(self) -> c.Kernel:
        return c.Kernel(c.POLYNOMIAL, self.degree, self.gamma, self.coef0, 0)

    def _of_squares(self, squares: Array) -> Array:
        return np.asarray((self.gamma * squares + self.coef0) ** self.degree)

    @property
    def lipschitz_gradient(self) -> float | None:
        """0 for degree 1; none above."""
        return 0.0 if self.degree == 1 else None


@dataclass(frozen=True)
class Linear(Kernel):
    """K(x, z) = ⟨x, z⟩, with ∂₁K = z."""

    def compiled(self) -> c.Kernel:
        return c.Kernel(c.POLYNOMIAL, 1, 1.0, 0.0, 0)

    def _of_squares(self, squares: Array) -> Array:
        return squares

    @property
    def lipschitz_gradient(self) -> float:
        return 0.0


@dataclass(frozen=True)
class NTK(Kernel):
    """The neural tangent kernel of a wide ReLU network [1]_.

    K(x, z) = ‖x‖ ‖z‖ k(ϑ), ϑ the angle between x and z. With κ₀(ρ) = 1 − arccos(ρ)/π and
    κ₁(ρ) = (ρ (π − arccos ρ) + √(1 − ρ²))/π: ρ₀ = τ₀ = cos ϑ, ρ_h = κ₁(ρ_{h−1}),
    τ_h = τ_{h−1} κ₀(ρ_{h−1}) + ρ_h, and with L = depth

        k = ½ τ_{L−1} κ₀(ρ_{L−1}), to which output_layer=True adds ½ κ₁(ρ_{L−1}).

    L = 1 is ⟨x, z⟩ (π − ϑ)/2π. The gradient is ∂₁K = ‖z‖ (k x/‖x‖ − k'(ϑ) t), t the unit
    tangent at x/‖x‖ towards z. Where x and z are parallel or antiparallel and not the same
    sample, K has a kink; there t = 0 is used. At zero vectors it is not defined.

    Parameters
    ----------
    depth : int, at least 1
        L, the number of hidden ReLU layers. Their weights are trained.
    output_layer : bool
        Whether the output layer is trained as well; otherwise it is random ±1 and frozen.

    References
    ----------
    .. [1] Jacot, Gabriel and Hongler, "Neural Tangent Kernel: Convergence and Generalization
       in Neural Networks", NeurIPS 2018.
    """

    depth: int = 1
    output_layer: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.output_layer, (bool, np.bool_)):
            raise TypeError(f"output_layer must be True or False, but is {self.output_layer!r}")
        depth = validation.count(self.depth, "depth")
        _keep(self, depth=depth, output_layer=bool(self.output_layer))

    def compiled(self) -> c.Kernel:
        return c.Kernel(c.NTK, self.depth, 1.0, 0.0, int(self.output_layer))

    def _of_squares(self, squares: Array) -> Array:
        return 0.5 * (self.depth + self.output_layer) * squares

    @property
    def is_smooth(self) -> bool:
        """False: there are kinks where x and z are parallel or antiparallel."""
        return False

    def check_inputs(self, X: Any, name: str = "X") -> None:
        """Raise a ValueError that names the first row of X (n, m) that is zero."""
        zero = _squares(np.asarray(X, dtype=np.float64)) == 0.0
        if zero.any():
            row = int(np.argmax(zero))
            raise ValueError(f"NTK is not defined at a zero vector, as row {row} of {name} is")


def _positive(gamma: Any) -> float:
    return validation.number(gamma, "gamma", low=0.0, strict=True)


def _keep(kernel: Kernel, **checked: Any) -> None:
    for name, value in checked.items():
        object.__setattr__(kernel, name, value)


def _matrix(X: Any, name: str) -> Array:
    return ordered(validation.matrix(X, name)[0])


def _squares(rows: Array) -> Array:
    return np.einsum("ij,ij->i", rows, rows)


def _vector(V: Any, rows: Array, others: Array | None) -> Array:
    """V as float64, one number for each column of the kernel matrix."""
    name, k = ("X", len(rows)) if others is None else ("Z", len(others))
    vector = np.asarray(V)
    if vector.dtype.kind not in "buif":
        raise TypeError(f"V must hold real numbers, but its type is {vector.dtype}")
    if vector.shape != (k,):
        raise ValueError(f"V must have shape ({k},) as {name} has rows, but has {vector.shape}")
    return ordered(vector)

"""The description of a fitted kernel regression, whoever fitted it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...bases.expansion import Expansion
from ...bases.kernel_functions import KernelBasis
from ...data.rows import Encoder
from ...kernels.functions import Kernel
from ...kernels.pairs import make_gram
from ...losses import Loss
from ..finite_sum.whitening import Whitening, whiten
from ..linear.model import LinearModel

Array = NDArray[Any]


@dataclass(frozen=True)
class KernelModel:
    """f(x) = Σ_j θ_j K(x, c_j), fitted with least squares and a penalty.

    Attributes
    ----------
    kernel : Kernel
    penalty : {"l2", "rkhs"}
        α ‖θ‖², or α θᵀKθ with K of the centres.
    moving : bool
        Whether the centres are the inputs of the fit, and move when these are attacked.
    basis : Linear
        A scaler before the kernel, or none: the kernel sees u = (x − shift) / scale.
    centers : array (k, m)
        In the kernel's units.
    theta : array (k,)
    alpha : callable
        From the total sample weight W to α.
    encode : callable
        Raw targets to float64.
    rebuild : callable
        From θ to a fitted copy of the estimator.
    columns : tuple of str or None
        The inputs' names, where the fit or its data had any.
    """

    kernel: Kernel
    penalty: str
    moving: bool
    basis: Linear
    centers: Array
    theta: Array
    alpha: Callable[[float], float]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    columns: tuple[str, ...] | None = None

    kind: ClassVar[str] = "kernel"
    loss: ClassVar[Loss] = Loss("squared_error")

    @property
    def n_features(self) -> int:
        """m, the number of inputs."""
        return int(self.centers.shape[1])

    @property
    def n_coefs(self) -> int:
        """The number of dual coefficients."""
        return len(self.theta)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each dual coefficient."""
        return tuple(f"dual{k}" for k in range(self.n_coefs))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input."""
        return self.columns or tuple(f"x{k}" for k in range(self.n_features))

    def at_fixed_centers(self) -> LinearModel:
        """The same as a model on the basis v(x) = (K(x, c_j))_j, for other inputs."""
        m = self.n_features
        basis = Expansion(KernelBasis(self.kernel, self.centers), *self.basis.arrays(m))
        penalized, whitening = penalty_at(self.kernel, self.centers, self.penalty)
        return LinearModel(
            self.kind, self.loss, basis, self.theta, False, self.alpha, self.names, self.encode,
            self.rebuild, m, penalized, self.columns, whitening,
        )  # fmt: skip

    def inner(self, X: Array) -> Array:
        """u (n, m), float64 and C-contiguous."""
        return np.ascontiguousarray(self.basis.transform(X), dtype=np.float64)

    def is_at(self, U: Array) -> bool:
        """Whether the centres are these inputs, in this order, but for rounding to float32."""
        if U.shape != self.centers.shape:
            return False
        shift, scale = self.basis.arrays(U.shape[1])
        rounding = np.finfo(np.float32).eps * (np.abs(self.centers) + np.abs(shift / scale))
        return bool(np.all(np.abs(U - self.centers) <= 2.0 * rounding))


def penalty_at(kernel: Kernel, centers: Array, penalty: str) -> tuple[Array, Whitening | None]:
    """P of the penalty αθᵀPθ at fixed centres, and coordinates in which it is the identity."""
    if penalty == "l2":
        return np.ones(len(centers)), None
    K = make_gram(kernel.compiled(), centers, derivatives=False).K
    return K, whiten(K)

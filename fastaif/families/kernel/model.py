"""The description of a fitted kernel regression, whoever fitted it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...bases.expansion import Expansion
from ...bases.kernel_functions import KernelBasis
from ...data.intake import Intake
from ...data.rows import Encoder
from ...kernels.functions import Kernel
from ...kernels.pairs import make_gram
from ...losses import Loss, SquaredError
from ..basis.model import ExpansionModel
from ..finite_sum.whitening import Whitening, whiten
from ..model import names_of_inputs

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class KernelModel:
    """f(x) = Σ_j θ_j K(x, c_j), fitted with least squares and a penalty.

    What its centres do under attack tells its two kinds apart.

    Attributes
    ----------
    kernel : Kernel
    penalty : {"l2", "rkhs"}
        α ‖θ‖², or α θᵀKθ with K of the centres.
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
    intake : Intake or None
        What makes the model's columns of X; None where X is these.
    """

    kernel: Kernel
    penalty: str
    basis: Linear
    centers: Array
    theta: Array
    alpha: Callable[[float], float]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    columns: tuple[str, ...] | None = None
    intake: Intake | None = None

    weigh: ClassVar[None] = None
    n_targets: ClassVar[int] = 1
    kind: ClassVar[str] = "kernel"
    is_dual: ClassVar[bool] = True
    loss: ClassVar[Loss] = SquaredError()
    centers_are: ClassVar[str]  # "moving" or "fixed", for reports

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
        return names_of_inputs(self.columns, self.n_features)

    @property
    def details(self) -> str:
        """The kernel, the penalty and the centres, for reports."""
        return f"{self.kernel}, {self.penalty} penalty, {self.centers_are} centers"

    def at(self, theta: Array) -> Self:
        """The same model at another θ."""
        return dataclasses.replace(self, theta=theta)

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


@dataclass(frozen=True, kw_only=True)
class MovingCentersModel(KernelModel):
    """A KernelModel whose centres are the inputs of the fit, and move when these are attacked."""

    centers_are: ClassVar[str] = "moving"


@dataclass(frozen=True, kw_only=True)
class FixedCentersModel(KernelModel):
    """A KernelModel whose centres stay where they are, as in attacks at prediction time."""

    centers_are: ClassVar[str] = "fixed"

    def on_basis(self) -> ExpansionModel:
        """The same as a model on the basis v(x) = (K(x, c_j))_j."""
        m = self.n_features
        penalized, whitening = penalty_at(self.kernel, self.centers, self.penalty)
        return ExpansionModel(
            kind=self.kind, loss=self.loss, theta=self.theta, alpha=self.alpha, names=self.names,
            basis=Expansion(KernelBasis(self.kernel, self.centers), *self.basis.arrays(m)),
            encode=self.encode, rebuild=self.rebuild, n_features=m, penalized=penalized,
            fit_intercept=False, columns=self.columns, whitening=whitening,
            intake=self.intake,
        )  # fmt: skip


def penalty_at(kernel: Kernel, centers: Array, penalty: str) -> tuple[Array, Whitening | None]:
    """P of the penalty αθᵀPθ at fixed centres, and coordinates in which it is the identity."""
    if penalty == "l2":
        return np.ones(len(centers)), None
    K = make_gram(kernel.compiled(), centers, derivatives=False).K
    return K, whiten(K)

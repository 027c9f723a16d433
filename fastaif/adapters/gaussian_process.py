"""From a fitted GaussianProcessRegressor to a kernel regression: its posterior mean.

With the kernel c k + noise · 1, alpha = a and targets of mean μ (where normalize_y is set) it is
μ + Σ_j θ_j k(x, x_j), θ = (k + (a + noise)/c · 1)⁻¹ (y − μ): a kernel ridge regression on
y − μ. Hyperparameters and μ are held fixed under attack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as theirs

from ..families.kernel.model import MovingCentersModel
from ..kernels.functions import RBF, Kernel, Matern, Polynomial
from ..losses.targets import as_float
from .nesting import with_last_step
from .parts import over_weight
from .pipelines import Preprocessing

Array = NDArray[Any]


class _Term(NamedTuple):
    """constant · kernel + noise · 1; of a plain constant the kernel is None."""

    constant: float = 1.0
    kernel: Kernel | None = None
    noise: float = 0.0
    is_white: bool = False


def is_gaussian_process(step: Any) -> bool:
    """Whether a step is a GaussianProcessRegressor."""
    return type(step) is GaussianProcessRegressor


def describe_gaussian_process(
    estimator: Any, before: Preprocessing, step: GaussianProcessRegressor,
    columns: tuple[str, ...] | None,
) -> MovingCentersModel:  # fmt: skip
    """The description of a fitted GaussianProcessRegressor's mean."""
    name = type(step).__name__
    if before.expands:
        raise TypeError(
            f"{before.expands} before a {name} is not supported: the kernel forms the features; "
            "leave it out"
        )
    if np.ndim(step.alpha_) > 1 and np.shape(step.alpha_)[1] > 1:
        raise ValueError(
            f"the fitted {name} has {np.shape(step.alpha_)[1]} outputs, but only one is supported: "
            "fit one for each"
        )
    if np.ndim(step.alpha) > 0:
        raise ValueError(f"{name} with an alpha for each sample is not supported: give a number")
    found = _read(step.kernel_)
    if found.kernel is None:
        raise _refused(step.kernel_)
    mean, sd = (float(np.ravel(part)[0]) for part in (step._y_train_mean, step._y_train_std))
    noise = (float(step.alpha) + found.noise) / found.constant
    return MovingCentersModel(
        kernel=found.kernel, penalty="rkhs", basis=before.linear_basis(),
        centers=np.array(step.X_train_, dtype=np.float64, order="C"),
        theta=np.ravel(step.alpha_).astype(float) * (sd * found.constant),
        alpha=over_weight(noise), encode=before.encoder(Centred(mean)),
        rebuild=_Rebuild(estimator, sd * found.constant), columns=columns, intake=before.intake,
    )  # fmt: skip


# --- kernels ----------------------------------------------------------------------------------


def _read(kernel: Any) -> _Term:
    """A kernel of theirs as one of ours, times a constant, and white noise.

    Raises
    ------
    ValueError
        Another kernel.
    """
    reader = _READERS.get(type(kernel))
    if reader is None:
        raise _refused(kernel)
    return reader(kernel)


def _sum(kernel: Any) -> _Term:
    first, second = _read(kernel.k1), _read(kernel.k2)
    for one, other in ((first, second), (second, first)):
        if one.is_white:
            return other._replace(noise=other.noise + one.noise)
    raise _refused(kernel)


def _product(kernel: Any) -> _Term:
    first, second = _read(kernel.k1), _read(kernel.k2)
    for one, other in ((first, second), (second, first)):
        if one.kernel is None and not one.is_white:
            size = one.constant
            return other._replace(constant=size * other.constant, noise=size * other.noise)
    raise _refused(kernel)


def _length_of(kernel: Any) -> float:
    lengths = np.unique(np.ravel(kernel.length_scale))
    if lengths.size > 1:
        raise ValueError(
            f"GaussianProcessRegressor with the kernel {kernel} is not supported: only one "
            "length_scale is; scale the columns by a StandardScaler before it"
        )
    return float(lengths[0])


def _matern(kernel: Any) -> _Term:
    if kernel.nu not in (1.5, 2.5):
        raise _refused(kernel)
    return _Term(kernel=Matern(float(kernel.nu), 1.0 / _length_of(kernel)))


_READERS: dict[type, Callable[[Any], _Term]] = {
    theirs.RBF: lambda k: _Term(kernel=RBF(0.5 / _length_of(k) ** 2)),
    theirs.Matern: _matern,
    theirs.DotProduct: lambda k: _Term(kernel=Polynomial(1, 1.0, float(k.sigma_0) ** 2)),
    theirs.ConstantKernel: lambda k: _Term(float(k.constant_value)),
    theirs.WhiteKernel: lambda k: _Term(noise=float(k.noise_level), is_white=True),
    theirs.Sum: _sum,
    theirs.Product: _product,
}


def _refused(kernel: Any) -> ValueError:
    return ValueError(
        f"GaussianProcessRegressor with the kernel {kernel} is not supported: RBF, Matern (nu 1.5 "
        "and 2.5) or DotProduct is, times a ConstantKernel, plus a WhiteKernel; "
        "fastaif.KernelRegression has more kernels"
    )


# --- targets, and the way back ----------------------------------------------------------------


@dataclass(frozen=True)
class Centred:
    """Targets less the mean of those of the fit, held fixed."""

    mean: float

    def __call__(self, y: Array) -> Array:
        """y − μ, float64."""
        return np.asarray(as_float(y) - self.mean)


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same process with another mean; its variances stay."""

    estimator: Any
    size: float

    def __call__(self, theta: Array) -> Any:
        def put(step: Any) -> Any:
            shape = np.shape(step.alpha_)
            step.alpha_ = (np.array(theta, dtype=float) / self.size).reshape(shape)
            return step

        return with_last_step(self.estimator, put)

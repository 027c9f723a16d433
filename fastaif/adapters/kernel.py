"""From fitted kernel regressions, ours and scikit-learn's, to model descriptions."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge

from ..families.kernel.model import FixedCentersModel, KernelModel, MovingCentersModel
from ..kernels.functions import RBF, Kernel, Linear, Polynomial
from ..losses.targets import as_float
from ..models.kernel import KernelRegression
from .fitted import require_fitted
from .nesting import with_last_step
from .pipelines import Preprocessing

Array = NDArray[Any]


@dataclass(frozen=True)
class _Parts:
    kernel: Kernel
    penalty: str
    family: type[KernelModel]
    alpha: Callable[[float], float]


def is_kernel_model(step: Any) -> bool:
    """Whether a step is one of the kernel regressions that are accepted."""
    return type(step) in (KernelRegression, KernelRidge)


def describe_kernel(
    estimator: Any, before: Preprocessing, step: Any, columns: tuple[str, ...] | None
) -> KernelModel:
    """The description of a fitted kernel regression, `step`, behind a preprocessing.

    `estimator` is the whole; `columns` names its inputs, where they have names.
    """
    require_fitted(step, "dual_coef_")
    if before.expands:
        raise TypeError(
            f"{before.expands} before a {type(step).__name__} is not supported: the kernel forms "
            "the features; leave it out"
        )
    parts = _read_ours(step) if isinstance(step, KernelRegression) else _read_ridge(step)
    theta = np.array(np.ravel(step.dual_coef_), dtype=float)
    centers = np.array(step.X_fit_, dtype=np.float64, order="C")
    return parts.family(
        kernel=parts.kernel, penalty=parts.penalty, basis=before.linear_basis(), centers=centers,
        theta=theta, alpha=parts.alpha, encode=before.encoder(as_float),
        rebuild=_Rebuild(estimator), columns=columns, intake=before.intake,
    )  # fmt: skip


def _fixed(alpha: float, weight: float) -> float:
    return alpha


def _over_weight(alpha: float, weight: float) -> float:
    return alpha / weight


def _read_ours(model: KernelRegression) -> _Parts:
    alpha = partial(_fixed, float(model.alpha))
    family = MovingCentersModel if model.centers == "moving" else FixedCentersModel
    return _Parts(model.kernel, model.penalty, family, alpha)


def _read_ridge(model: KernelRidge) -> _Parts:
    """KernelRidge(alpha=a) minimises Σ w r² + a θᵀKθ; its centres are all the inputs."""
    if np.ndim(model.dual_coef_) > 1 and np.shape(model.dual_coef_)[1] > 1:
        raise ValueError(
            f"the fitted KernelRidge has {np.shape(model.dual_coef_)[1]} outputs, but only one is "
            "supported"
        )
    if np.ndim(model.alpha) > 0 and np.size(model.alpha) != 1:
        raise ValueError("KernelRidge with one alpha per output is not supported")
    alpha = float(np.ravel(model.alpha)[0])
    return _Parts(_ridge_kernel(model), "rkhs", MovingCentersModel, partial(_over_weight, alpha))


def _ridge_kernel(model: KernelRidge) -> Kernel:
    gamma = 1.0 / np.shape(model.X_fit_)[1] if model.gamma is None else float(model.gamma)
    if model.kernel == "linear":
        return Linear()
    if model.kernel == "rbf":
        return RBF(gamma)
    if model.kernel in ("poly", "polynomial"):
        if not isinstance(model.degree, numbers.Integral) and float(model.degree) % 1:
            raise ValueError(
                f"KernelRidge with degree={model.degree!r} is not supported: only integers are"
            )
        return Polynomial(int(model.degree), gamma, float(model.coef0))
    if model.kernel == "laplacian":
        raise ValueError(
            "KernelRidge(kernel='laplacian') is not supported: exp(−γ‖x − z‖₁) has a kink "
            "wherever two samples share a coordinate, at the samples themselves above all"
        )
    raise ValueError(
        f"KernelRidge(kernel={model.kernel!r}) is not supported: only 'rbf', 'polynomial' and "
        "'linear' are; fastaif.KernelRegression has more kernels"
    )


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other dual coefficients."""

    estimator: Any

    def __call__(self, theta: Array) -> Any:
        return with_last_step(self.estimator, lambda step: _with_dual(step, theta))


def _with_dual(step: Any, theta: Array) -> Any:
    step.dual_coef_ = np.array(theta, dtype=float).reshape(np.shape(step.dual_coef_))
    return step

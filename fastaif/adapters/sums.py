"""From what a reader says of a fitted step, and of what is before it, to a model f = βᵀv(x) + b."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bases.builtin import Linear
from ..bases.expansion import Expansion, make_expansion
from ..data.intake import WithConstant, refuse_other_columns
from ..families.basis.model import ExpansionModel
from ..families.finite_sum.model import SumModel
from ..families.finite_sum.natural_fit import penalized_entries
from ..families.linear.l1.model import L1Model
from ..families.linear.model import LinearModel
from ..families.model import names_of_inputs
from ..models.basis import BasisModel
from .nesting import with_last_step
from .parts import Holder, Parts
from .pipelines import Preprocessing

Array = NDArray[Any]


def describe_sum(
    estimator: Any, before: Preprocessing, step: Any, read: Parts, names: tuple[str, ...] | None
) -> SumModel:
    """The description of a model f = βᵀv(x) + b, given what its reader says of it."""
    if read.pruned:
        before = _without(before, read, _names_of(estimator))
    basis, penalized = before.basis(), read.penalized
    if isinstance(step, BasisModel):
        basis, penalized = _on_basis(before, step)
    layout = _layout(step, before, read)
    theta = layout.theta(step)
    n_coefs = len(theta) - layout.has_intercept
    expands = isinstance(basis, Expansion)
    m = basis.m if isinstance(basis, Expansion) else n_coefs
    intake = before.intake
    columns = names_of_fit(estimator, names, m) if intake is None else intake.columns
    inputs = names_of_inputs(columns, m)
    tail = int(layout.has_intercept)
    if penalized is None and not read.intercept_penalty:
        shrinkage = penalized_entries(n_coefs, layout.has_intercept)
    else:
        coefs = np.ones(n_coefs) if penalized is None else penalized
        shrinkage = np.append(coefs, np.full(tail, read.intercept_penalty))
    own = before.names or (basis.basis.names(inputs) if isinstance(basis, Expansion) else inputs)
    shrunk = bool(tail) and read.intercept_penalty > 0.0
    if shrunk:
        basis, intake = _beside_constant(basis, before, inputs, columns is not None)
        m, columns = m + 1, intake.columns
    family: Callable[..., SumModel] = ExpansionModel if expands else LinearModel
    if read.l1 is not None:
        _refuse_l1(step, read, expands)
        entries = np.append(np.ones(n_coefs), np.zeros(tail))
        family = partial(L1Model, l1=read.l1, l1_entries=entries)
    return family(
        kind=read.kind, loss=read.loss, basis=basis, theta=theta, alpha=read.alpha,
        names=(*own, *[before.constant_name] * tail), encode=before.encoder(read.encode),
        rebuild=_Rebuild(estimator, layout), n_features=m,
        penalized=shrinkage,
        fit_intercept=layout.has_intercept and not shrunk, columns=columns, intake=intake,
        weigh=read.weigh,
    )  # fmt: skip


def _refuse_l1(step: Any, read: Parts, expands: bool) -> None:
    """Refuse an l1 penalty on what are not the coefficients of inputs."""
    name = type(step).__name__
    if expands:
        raise TypeError(
            f"{name} with an l1 penalty behind preprocessing that mixes or expands inputs "
            "(PolynomialFeatures, PCA and the like) is not supported: its coefficients are not "
            "the inputs' own; fit it with an l2 penalty"
        )
    if read.intercept_penalty:
        raise ValueError(
            f"{name} with an l1 penalty on its intercept, as liblinear has it, is not supported: "
            "fit it with solver='saga', or fit_intercept=False"
        )


def _without(
    before: Preprocessing, read: Parts, names: tuple[str, ...] | None
) -> Preprocessing:
    """The preprocessing without the columns of v whose coefficients the fit has left out."""
    assert read.penalized is not None
    d = len(read.pruned) + len(read.penalized)
    kept = np.delete(np.arange(d), read.pruned)
    constants = (*before.constants, *[(k, 0.0) for k in read.pruned])
    return dataclasses.replace(before.selected(kept, d, names), constants=constants)


def _beside_constant(
    basis: Any, before: Preprocessing, inputs: tuple[str, ...], has_names: bool
) -> tuple[Linear, WithConstant]:
    """A linear basis whose last column is the constant of a penalised intercept."""
    if not isinstance(basis, Linear):
        raise TypeError(
            "liblinear penalises the intercept, which is not supported behind PolynomialFeatures, "
            "PCA and the like: use another solver"
        )
    shift, scale = basis.arrays(len(inputs))
    intake = WithConstant.beside(before.intake, inputs, has_names)
    return Linear(np.append(shift, 0.0), np.append(scale, 1.0)), intake


def _on_basis(before: Preprocessing, step: BasisModel) -> tuple[Any, Array]:
    """v, and which of its coefficients α shrinks, of one of our basis models."""
    if before.expands:
        raise TypeError(
            f"{before.expands} before a {type(step).__name__} is not supported: its basis "
            "forms the features"
        )
    m = step.n_features_in_
    linear = before.linear_basis()
    basis = make_expansion(step.basis_, linear.shift, linear.scale, m)
    return basis, step.basis_.penalized(m)


@dataclass(frozen=True)
class _Layout:
    """Where θ sits in a step.

    The coefficients of `constants`, columns (place, value) of v that never change, are not in θ:
    their shares of the prediction belong to the intercept.
    """

    holder: Holder
    own_intercept: bool
    constants: tuple[tuple[int, float], ...] = ()

    @property
    def has_intercept(self) -> bool:
        if self.own_intercept or not self.constants:
            return self.own_intercept
        return any(value for _, value in self.constants)

    def theta(self, step: Any) -> Array:
        """The coefficients, then the intercept if there is one."""
        coef, intercept = self.holder.get(step)
        if self.constants:
            for place, value in self.constants:
                intercept += value * coef[place]
            coef = np.delete(coef, [place for place, _ in self.constants])
        theta = np.empty(coef.size + self.has_intercept)
        theta[: coef.size] = coef
        theta[coef.size :] = intercept
        return theta

    def put(self, step: Any, theta: Array) -> Any:
        """The step at another θ."""
        coef = theta[: theta.size - self.has_intercept]
        intercept = float(theta[-1]) if self.has_intercept else 0.0
        if self.constants:
            places = [place for place, _ in self.constants]
            inner = np.zeros(coef.size + len(places))
            inner[np.delete(np.arange(inner.size), places)] = coef
            for place, value in [] if self.own_intercept else self.constants:
                if value:
                    inner[place], intercept = intercept / value, 0.0
            coef = inner
        return self.holder.put(step, coef, intercept)


def _layout(step: Any, before: Preprocessing, read: Parts) -> _Layout:
    coef = np.asarray(getattr(step, "coef_", 0.0))
    if coef.ndim == 2 and coef.shape[0] > 1:
        raise ValueError(
            f"the fitted {type(step).__name__} has {coef.shape[0]} outputs, but only one is "
            "supported"
        )
    own = read.holder.has_intercept(step)
    if not own and any(value for _, value in before.constants) and (
        read.alpha(1.0) > 0.0 or read.l1 is not None
    ):
        raise ValueError(
            f"{type(step).__name__}(fit_intercept=False) behind PolynomialFeatures("
            "include_bias=True) penalises the intercept; use fit_intercept=True"
        )
    return _Layout(read.holder, own, before.constants)


def _names_of(estimator: Any) -> tuple[str, ...] | None:
    fitted = getattr(estimator, "feature_names_in_", None)
    return None if fitted is None else tuple(str(name) for name in fitted)


def names_of_fit(
    estimator: Any, columns: tuple[str, ...] | None, m: int
) -> tuple[str, ...] | None:
    """The inputs' names: those of the fit, which the data must not contradict, or the data's."""
    fitted = _names_of(estimator)
    if fitted is None:
        return columns if columns is not None and len(columns) == m else None
    refuse_other_columns(columns, fitted)
    return fitted


@dataclass(frozen=True)
class _Rebuild:
    """θ to a fitted copy: the same estimator with other coefficients."""

    estimator: Any
    layout: _Layout

    def __call__(self, theta: Array) -> Any:
        return with_last_step(self.estimator, lambda step: self.layout.put(step, theta))

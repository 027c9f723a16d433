"""What a reader of fitted models says: kind, loss, α, targets, weights, and where θ sits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.rows import Encoder
from ..families.model import Weighing
from ..models.basis import BasisModel

Array = NDArray[Any]


class Holder(Protocol):
    """Where θ sits in a kind of fitted models."""

    def has_intercept(self, step: Any) -> bool:
        """Whether an intercept was fitted."""

    def get(self, step: Any) -> tuple[Array, float]:
        """The coefficients, those of constant columns among them, and the intercept or 0."""

    def put(self, step: Any, coef: Array, intercept: float) -> Any:
        """The same model at others; it may be changed in place."""


class RowsHolder(Protocol):
    """Where θ sits in a kind of fitted models with several predictions."""

    @property
    def has_constants(self) -> bool:
        """Whether b may be the coefficients of a constant column."""

    def labels(self, step: Any) -> tuple[str, ...]:
        """A name for each of them."""

    def get_rows(self, step: Any) -> tuple[Array, Array | None]:
        """W, those of constant columns among its columns, and b; None: there is none."""

    def put_rows(self, step: Any, coef: Array, intercept: Array | None) -> Any:
        """The same model at others; it may be changed in place."""


class Attributes:
    """θ in `coef_` and `intercept_`, as scikit-learn has it."""

    has_constants = False

    def has_intercept(self, step: Any) -> bool:
        """`fit_intercept`."""
        return bool(step.fit_intercept)

    def get(self, step: Any) -> tuple[Array, float]:
        """`coef_` and `intercept_`."""
        intercept = np.asarray(step.intercept_, dtype=float).flat[0] if step.fit_intercept else 0.0
        return np.asarray(step.coef_, dtype=float).ravel(), float(intercept)

    def put(self, step: Any, coef: Array, intercept: float) -> Any:
        """Set both, in their own shapes."""
        step.coef_ = np.array(coef).reshape(np.shape(step.coef_))
        set_intercept(step, intercept)
        return step

    def labels(self, step: Any) -> tuple[str, ...]:
        """The classes, or the outputs' numbers."""
        classes = getattr(step, "classes_", None)
        if classes is None:
            return tuple(f"y{k}" for k in range(len(step.coef_)))
        return tuple(str(label) for label in np.asarray(classes).tolist())

    def get_rows(self, step: Any) -> tuple[Array, Array | None]:
        """`coef_` and `intercept_`."""
        intercept = np.asarray(step.intercept_, dtype=float) if step.fit_intercept else None
        return np.asarray(step.coef_, dtype=float), intercept

    def put_rows(self, step: Any, coef: Array, intercept: Array | None) -> Any:
        """Set both."""
        step.coef_ = np.array(coef)
        if intercept is not None:
            step.intercept_ = np.array(intercept)
        return step


class OurBasis(Attributes):
    """θ of our basis models, whose coefficients users see by parts."""

    def get(self, step: BasisModel) -> tuple[Array, float]:
        """The coefficients of v, and the intercept."""
        intercept = float(step.intercept_) if step.fit_intercept else 0.0
        return np.asarray(step.theta_coefficients(), dtype=float), intercept

    def put(self, step: BasisModel, coef: Array, intercept: float) -> Any:
        """Set both."""
        step.set_coefficients(coef)
        set_intercept(step, intercept)
        return step


def set_intercept(step: Any, intercept: float) -> None:
    """Set `intercept_`, where there is one, in its own shape."""
    if step.fit_intercept:
        shape = np.shape(step.intercept_)
        step.intercept_ = np.full(shape, intercept) if shape else float(intercept)


ATTRIBUTES, OUR_BASIS = Attributes(), OurBasis()


class Parts(NamedTuple):
    """What a reader says of a fitted model.

    Attributes
    ----------
    kind : str
    loss : Loss or VectorLoss
        VectorLoss: of a model with several predictions.
    alpha : callable
        From the total weight to α.
    encode : callable
        Raw targets to those of the loss.
    weigh : callable or None
        From targets and given weights to those that the fit took.
    holder : Holder
    penalized : array (d,) or None
        How much α shrinks each coefficient, where that is not alike.
    intercept_penalty : float
        How much α shrinks the intercept.
    pruned : tuple of int
        Coefficients that the fit has left out for good.
    rows : RowsHolder
        Where θ sits in a model with several predictions.
    has_reference : bool
        Whether the first class of such a model has no parameters.
    l1 : callable or None
        From the total weight to λ of λ ‖β‖₁; None: there is no such term.
    """

    kind: str
    loss: Any
    alpha: Callable[[float], float]
    encode: Encoder
    weigh: Weighing | None = None
    holder: Holder = ATTRIBUTES
    penalized: Array | None = None
    intercept_penalty: float = 0.0
    pruned: tuple[int, ...] = ()
    rows: RowsHolder = ATTRIBUTES
    has_reference: bool = False
    l1: Callable[[float], float] | None = None


def _same(alpha: float, weight: float) -> float:
    return alpha


def _over_weight(alpha: float, weight: float) -> float:
    return alpha / weight


def fixed(alpha: float) -> Callable[[float], float]:
    """α whatever the weight; a partial, so that results can be pickled."""
    return partial(_same, float(alpha))


@dataclass(frozen=True)
class PerRow:
    """α n/W, for sums over n rows whose penalty is divided by n too, and not by their weight W."""

    size: float

    def __call__(self, weight: float) -> float:
        """Of rows whose weights are one on average."""
        return self.size

    def of_rows(self, weight: float, n_rows: int) -> float:
        """α n/W."""
        return self.size * n_rows / weight


def over_weight(alpha: float) -> Callable[[float], float]:
    """α/W, for objectives that are sums."""
    return partial(_over_weight, float(alpha))


unpenalized = fixed(0.0)

"""What a fitted model is, whoever fitted it: the protocol that every family's description keeps."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from ..data.intake import Intake
from ..data.rows import Encoder

Array = NDArray[Any]
Weighing = Callable[[Array, Array | None], Array | None]


class Model(Protocol):
    """A model at θ̂, without data; immutable.

    `registry` says what is made of each family's.
    """

    @property
    def kind(self) -> str:
        """ "linear", "logistic", "kernel", …: for reports."""

    @property
    def details(self) -> str:
        """What reports say of it beside its kind; empty where there is nothing to say."""

    @property
    def is_dual(self) -> bool:
        """Whether θ has an entry for every centre, and none for inputs."""

    @property
    def loss(self) -> Any:
        """ℓ, by its name at least."""

    @property
    def basis(self) -> Any:
        """What the inputs go through first."""

    @property
    def theta(self) -> Array:
        """θ̂ (d,)."""

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of θ."""

    @property
    def n_coefs(self) -> int:
        """The number of coefficients, without the intercept."""

    @property
    def alpha(self) -> Callable[[float], float]:
        """From the total sample weight W to α in L = E ℓ + α ‖θ_pen‖²."""

    @property
    def n_targets(self) -> int:
        """The number of columns of y."""

    @property
    def encode(self) -> Encoder:
        """Raw targets to those that the loss expects; refuses what cannot be mapped."""

    @property
    def intake(self) -> Intake | None:
        """What makes the model's columns of X; None where X is these."""

    @property
    def weigh(self) -> Weighing | None:
        """From targets and the weights given to those that the fit took; None: these are they."""

    @property
    def rebuild(self) -> Callable[[Array], Any]:
        """From θ to a fitted copy of the estimator."""

    @property
    def n_features(self) -> int:
        """m, the number of its columns: the inputs, but for an intake."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The inputs' own names, where the fit or its data had any."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each of these columns."""

    def at(self, theta: Array) -> Self:
        """The same model at another θ."""


def input_names(model: Model) -> tuple[str, ...]:
    """A name for each of X's columns."""
    return model.feature_names if model.intake is None else model.intake.inputs


def penalty_at(size: Callable[[float], float], weight: float, n_rows: int) -> float:
    """The level of a penalty for rows of a total weight; where it counts rows it says so."""
    of_rows: Callable[[float, int], float] | None = getattr(size, "of_rows", None)
    return size(weight) if of_rows is None else of_rows(weight, n_rows)


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """What descriptions of fitted models with coefficients for their inputs have in common.

    Attributes
    ----------
    basis
        What the inputs go through first.
    theta : array (d,)
    alpha : callable
        From the total sample weight W to α in L = E ℓ + α θᵀPθ.
    names : tuple of str
        A name for each entry of θ.
    encode : callable
        Raw targets to those that the loss expects; refuses what cannot be mapped.
    rebuild : callable
        From θ to a fitted copy of the estimator.
    n_features : int
        m, the number of inputs.
    fit_intercept : bool
    columns : tuple of str or None
        The inputs' own names, where the fit or its data had any.
    intake : Intake or None
        What makes the model's columns of X; None where X is these.
    weigh : callable or None
        From targets and the weights given to those that the fit took.
    """

    basis: Any
    theta: Array
    alpha: Callable[[float], float]
    names: tuple[str, ...]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    n_features: int
    fit_intercept: bool = True
    columns: tuple[str, ...] | None = None
    intake: Intake | None = None
    weigh: Weighing | None = None

    @property
    def is_dual(self) -> bool:
        """Whether θ has an entry for every centre, and none for inputs."""
        return False

    @property
    def details(self) -> str:
        """What reports say of it beside its kind."""
        return ""

    @property
    def n_targets(self) -> int:
        """The number of columns of y: one."""
        return 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input."""
        return names_of_inputs(self.columns, self.n_features)

    def at(self, theta: Array) -> Self:
        """The same model at another θ."""
        return dataclasses.replace(self, theta=theta)


def told(model: Model) -> str:
    """A model in a message: its kind, and what makes it another than most of that kind."""
    details = f" ({model.details})" if model.details else ""
    return f"{model.kind} model{details}"


def names_of_inputs(columns: tuple[str, ...] | None, n_features: int) -> tuple[str, ...]:
    """The inputs' own names, or x0, x1, …."""
    return columns or _numbered(n_features)


@functools.lru_cache(maxsize=8)
def _numbered(n_features: int) -> tuple[str, ...]:
    return tuple([f"x{k}" for k in range(n_features)])

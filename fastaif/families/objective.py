"""What a fitted model minimises on its data: the natural objective, at θ̂ and elsewhere."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..data.rows import RowSource
from ..passes.executor import Executor
from ..solvers.newton import NewtonResult
from .model import Model, penalty_at

Array = NDArray[Any]


class Evaluation(NamedTuple):
    """The natural loss on some data at θ: no penalty, no damping."""

    loss: float
    gradient: Array
    hessian: Array


def number(value: float) -> float:
    """A mean over rows; NaN says that some row is not finite."""
    if np.isnan(value):
        raise FloatingPointError("a mean over the rows is not a number")
    return value


@dataclass(frozen=True)
class Objective(ABC):
    """L(θ) = E ℓ + α θᵀPθ of a model on the rows of its fit.

    Attributes
    ----------
    model : Model
        The model at θ̂.
    source : RowSource
        The rows of its fit.
    weight_unit : float
        By what the rows' weights were divided: α is that of the true total.
    executor : Executor
        What runs the passes over the rows.
    """

    model: Model
    source: RowSource
    weight_unit: float = field(default=1.0, kw_only=True)
    executor: Executor = field(default_factory=Executor, kw_only=True)

    @property
    def n_threads(self) -> int | None:
        """Of this process; None for as many as it may use cores."""
        return self.executor.n_threads

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of θ."""
        return self.model.names

    @property
    def params(self) -> Array:
        """θ̂ (d,)."""
        return self.model.theta

    @property
    def n_rows(self) -> int:
        """n."""
        return self.source.n_rows

    def at(self, theta: Array) -> Self:
        """The same of the model at another θ."""
        return dataclasses.replace(self, model=self.model.at(theta))

    def alpha_at(self, weight: float) -> float:
        """α for rows of this total weight, as it is given here."""
        return penalty_at(self.model.alpha, weight * self.weight_unit, self.n_rows)

    @property
    @abstractmethod
    def alpha(self) -> float:
        """α for the total weight of these data."""

    @property
    def is_penalized(self) -> bool:
        """Whether there is a penalty."""
        return self.alpha > 0.0

    @property
    def penalty_is(self) -> str:
        """The penalty's size, for reports."""
        return f"alpha = {self.alpha:g}"

    @property
    def penalty_key(self) -> tuple[Any, ...]:
        """What makes a penalty on these rows the same one."""
        return (self.alpha,)

    @abstractmethod
    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), its change along a step, and targets, each (n,), on these or other rows."""

    @abstractmethod
    def shrinkage(self, step: Array) -> Array:
        """αP step, where α θᵀPθ is the penalty."""

    @abstractmethod
    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss, its gradient and Hessian at θ, on these or other rows."""

    @abstractmethod
    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """A fit to these data from θ̂, the sample weights multiplied by `weights`."""

    def moved(self, step: Array) -> Array:
        """θ̂ + step, as far as the penalty lets it go straight."""
        return self.params + step

    def loss_change(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) − E ℓ(θ̂), as the mean of per-sample changes."""
        step, loss = theta - self.params, self.model.loss

        def change(rows: RowSource) -> tuple[Array]:
            return (loss.change(*self.moves(step, rows)),)

        (mean,) = (source or self.source).means(change)
        return number(mean)

    def penalty_change(self, theta: Array) -> float:
        """The penalty at θ less that at θ̂."""
        return float((theta - self.params) @ self.shrinkage(theta + self.params))

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ for a step Δ in θ: E ℓ' t and E ℓ'' t² with t = ⟨(v, 1), Δ⟩.

        Natural loss, no penalty, at θ̂ on these or other rows.
        """
        loss = self.model.loss

        def terms(rows: RowSource) -> tuple[Array, Array]:
            f, t, y = self.moves(step, rows)
            return loss.slope(f, y) * t, loss.curvature(f, y) * t * t

        slope, curvature = (source or self.source).means(terms)
        return number(slope), number(curvature)

    def mean_loss(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) on these or other rows."""
        return self.evaluate(theta, source).loss

"""The description of a fitted softmax model: z = Wu + b, a row of W and an entry of b a class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...data.intake import Intake
from ...data.rows import Encoder, RowSource
from ...losses.softmax import Softmax
from ...passes.executor import Executor
from ...passes.softmax import SoftmaxSweep
from ...threat.attack_set import AttackSet
from ..model import Weighing, names_of_inputs

Array = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """Where θ has the parameters of each class: all of W by rows, then b.

    Passes and solvers see Θ (K, c), a row a class, whose last column is b where there is one.
    """

    n_classes: int
    n_features: int
    fit_intercept: bool

    @property
    def n_coefs(self) -> int:
        """K m, the entries of W."""
        return self.n_classes * self.n_features

    def matrix(self, theta: Array) -> Array:
        """Θ (K, c) of θ (d,)."""
        W = theta[: self.n_coefs].reshape(self.n_classes, self.n_features)
        return np.column_stack([W, theta[self.n_coefs :]]) if self.fit_intercept else np.array(W)

    def vector(self, matrix: Array) -> Array:
        """θ (d,) of Θ (K, c)."""
        m = self.n_features
        return np.concatenate([matrix[:, :m].ravel(), matrix[:, m:].ravel()])

    @property
    def places(self) -> Array:
        """Where each entry of θ stands in Θ, row by row."""
        size = self.n_features + self.fit_intercept
        entries = np.arange(self.n_classes * size).reshape(self.n_classes, size)
        return np.asarray(self.vector(entries))

    @property
    def penalized(self) -> Array:
        """1 for entries of W, 0 for those of b, (d,)."""
        tail = np.zeros(self.n_classes * self.fit_intercept)
        return np.append(np.ones(self.n_coefs), tail)


@dataclass(frozen=True, kw_only=True)
class SoftmaxModel:
    """A fitted model of K classes, ℓ = −log softmax(Wu + b)_y, with the penalty α ‖W‖².

    Attributes
    ----------
    basis : Linear
        The scaler before the model, or none.
    theta : array (d,)
        All of W by rows, then b; in the fit's own gauge.
    n_classes : int
    alpha : callable
        From the total sample weight to α.
    names : tuple of str
    encode : callable
        Raw labels to numbers of classes.
    rebuild : callable
        From θ to a fitted copy of the estimator.
    n_features : int
        m.
    fit_intercept : bool
    columns : tuple of str or None
    intake : Intake or None
    weigh : callable or None
    """

    basis: Linear
    theta: Array
    n_classes: int
    alpha: Callable[[float], float]
    names: tuple[str, ...]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    n_features: int
    fit_intercept: bool = True
    columns: tuple[str, ...] | None = None
    intake: Intake | None = None
    weigh: Weighing | None = None

    kind: ClassVar[str] = "softmax"
    loss: ClassVar[Softmax] = Softmax()
    is_dual: ClassVar[bool] = False

    @property
    def details(self) -> str:
        """How many classes there are."""
        return f"{self.n_classes} classes"

    @property
    def layout(self) -> Layout:
        """Where θ has what."""
        return Layout(self.n_classes, self.n_features, self.fit_intercept)

    @property
    def n_coefs(self) -> int:
        """K m: the number of coefficients, without the intercepts."""
        return self.layout.n_coefs

    @property
    def matrix(self) -> Array:
        """Θ̂ (K, c)."""
        return self.layout.matrix(self.theta)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input."""
        return names_of_inputs(self.columns, self.n_features)

    def sweep(
        self, source: RowSource, ball: AttackSet | None, executor: Executor
    ) -> SoftmaxSweep:
        """The pass over `source`."""
        return SoftmaxSweep(
            source, self.basis, self.n_classes, self.fit_intercept, ball, executor
        )

    def at(self, theta: Array) -> Self:
        """The same model at another θ."""
        return dataclasses.replace(self, theta=theta)


def parameter_names(
    inputs: tuple[str, ...], labels: tuple[str, ...], fit_intercept: bool
) -> tuple[str, ...]:
    """A name for each entry of θ: the input and the class."""
    weights = tuple(f"{name}[{label}]" for label in labels for name in inputs)
    return weights + tuple(f"intercept[{label}]" for label in labels) * fit_intercept


def refuse_sums(model: SoftmaxModel) -> NoReturn:
    """Refuse to have an influence made of sums over blocks of rows that nobody keeps.

    Raises
    ------
    ValueError
    """
    raise ValueError(
        f"a softmax model ({model.details}) is not taken by an InfluenceAccumulator, nor by aif of "
        "an iterator: call aif(estimator, X, y) with all of the data, which may be a list of blocks"
    )

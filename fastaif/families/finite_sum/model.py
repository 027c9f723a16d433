"""What fitted models have in common whose objectives are a mean over samples and a penalty."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from ..._compute.types import NEED_NORM
from ...data.intake import Intake
from ...data.rows import Encoder, RowSource
from ...losses import Loss
from ...passes.executor import Executor
from ...passes.linear import Sweep
from ...passes.sums import InfluenceSums
from ...threat.attack_set import AttackSet
from ..model import Weighing, names_of_inputs
from .whitening import Whitening

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class SumModel(ABC):
    """A fitted model of which one pass over the rows gives everything.

    Attributes
    ----------
    kind : str
        "linear", "logistic", "quadratic", …: for reports.
    loss : Loss
    basis
        What the inputs go through first.
    theta : array (d,)
        The parameters, the intercept last if there is one.
    alpha : callable
        From the total sample weight W to α in L = E ℓ + α θᵀPθ.
    names : tuple of str
        A name for each entry of θ.
    encode : callable
        Raw targets to float64 targets (±1 for labels); refuses what cannot be mapped.
    rebuild : callable
        From θ to a fitted copy of the estimator.
    n_features : int
        m, the number of inputs.
    penalized : array (d,) or (d, d)
        1 where ‖θ_pen‖² counts an entry of θ, else 0; or P of a penalty α θᵀPθ.
    fit_intercept : bool
    columns : tuple of str or None
        The inputs' own names, where the fit or its data had any.
    whitening : Whitening or None
        Coordinates in which a P that is not diagonal is the identity.
    intake : Intake or None
        What makes the model's columns of X; None where X is these.
    weigh : callable or None
        From targets and the weights given to those that the fit took.
    """

    kind: str
    loss: Loss
    basis: Any
    theta: Array
    alpha: Callable[[float], float]
    names: tuple[str, ...]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    n_features: int
    penalized: Array
    fit_intercept: bool = True
    columns: tuple[str, ...] | None = None
    whitening: Whitening | None = None
    intake: Intake | None = None
    weigh: Weighing | None = None

    details: ClassVar[str] = ""
    @property
    def is_dual(self) -> bool:
        """Whether θ has an entry for every centre, and none for inputs."""
        return False

    @abstractmethod
    def sweep(self, source: RowSource, ball: AttackSet | None, executor: Executor) -> Sweep:
        """The pass over `source` that this model asks for."""

    @property
    def n_coefs(self) -> int:
        """The number of coefficients, without the intercept."""
        return len(self.theta) - int(self.fit_intercept)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input."""
        return names_of_inputs(self.columns, self.n_features)

    def at(self, theta: Array) -> Self:
        """The same model at another θ."""
        return dataclasses.replace(self, theta=theta)

    def radius(self, source: RowSource, ball: AttackSet, executor: Executor) -> float:
        """s on these rows: given, or E ‖x/c‖_p.

        Raises
        ------
        FloatingPointError
            The norms' mean is not finite.
        """
        if ball.radius is not None:
            return ball.radius
        return finite(self.sweep(source, ball, executor).run(self.theta, NEED_NORM)).mean_norm


def finite(sums: InfluenceSums) -> InfluenceSums:
    """The sums, if they are numbers: else the caller looks for the culprit in the data."""
    if not sums.is_finite:
        raise FloatingPointError("sums are not finite")
    return sums

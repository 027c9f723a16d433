"""What fitted models have in common whose objectives are a mean over samples and a penalty."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..._compute.types import NEED_NORM
from ...data.rows import RowSource
from ...losses import Loss
from ...passes.executor import Executor
from ...passes.linear import Sweep
from ...passes.sums import InfluenceSums
from ...threat.attack_set import AttackSet
from ..model import FittedModel
from .whitening import Whitening

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class SumModel(FittedModel, ABC):
    """A fitted model of which one pass over the rows gives everything; θ ends in the intercept, if
    there is one.

    Attributes
    ----------
    kind : str
        "linear", "logistic", "quadratic", …: for reports.
    loss : Loss
    penalized : array (d,) or (d, d)
        1 where ‖θ_pen‖² counts an entry of θ, else 0; or P of a penalty α θᵀPθ.
    whitening : Whitening or None
        Coordinates in which a P that is not diagonal is the identity.
    """

    kind: str
    loss: Loss
    penalized: Array
    whitening: Whitening | None = None

    @property
    def penalty_key(self) -> tuple[Any, ...]:
        """What makes a penalty the same one, whatever the rows."""
        return self.alpha(1.0), self.alpha(2.0), self.penalized

    @abstractmethod
    def sweep(self, source: RowSource, ball: AttackSet | None, executor: Executor) -> Sweep:
        """The pass over `source` that this model asks for."""

    @property
    def n_coefs(self) -> int:
        """The number of coefficients, without the intercept."""
        return len(self.theta) - int(self.fit_intercept)

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

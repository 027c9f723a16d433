"""Linear predictors with an l1 penalty under attacks that are more than a ball.

Predictions are linear, whatever the penalty: the worst inputs, and what first-order attacks add up
to, are those of other linear predictors. The influence is that of the support.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....threat.ascent_settings import PgdSettings
from ...finite_sum.totals import RowwiseWithoutRows
from ...problem import Counts
from ...set_ascent import unknown_fits
from ...solution import RobustSolution
from ..rowwise.adversary import RowwiseAdversary
from ..rowwise.problem import RowwiseLinear
from .model import L1Model
from .problem import AccumulatedL1, L1Problem


@dataclass(frozen=True)
class RestrictedL1(L1Problem, RowwiseLinear):
    """An L1Problem whose rows have sets of their own, or one that is no ball."""

    model: L1Model

    @property
    def counts(self) -> Counts:
        """As of any linear predictor, but for zeros that the l1 term holds whatever the attack."""
        found, m = super().counts, self.model.n_features
        if not self.ball.pushes_at_zero:
            return found
        at_zero = self.at_bounds()  # of these the set may have more to say than is known
        kinks = self.ball.kinks(self.beta) & self.support[:m]
        kinks[at_zero[at_zero < m]] = True
        return found._replace(ties=int(np.count_nonzero(kinks)))


@dataclass(frozen=True)
class AccumulatedRestrictedL1(RowwiseWithoutRows, AccumulatedL1, RestrictedL1):
    """A RestrictedL1 whose rows are gone."""


@dataclass(frozen=True)
class RestrictedL1Adversary(RowwiseAdversary):
    """Exact attacks; robust fits are refused."""

    problem: RestrictedL1

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """Refused.

        Raises
        ------
        ValueError
            Always.
        """
        raise unknown_fits(self.problem)

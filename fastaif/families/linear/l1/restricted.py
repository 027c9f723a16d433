"""Linear predictors with an l1 penalty under attacks that are more than a ball: their attacks.

Predictions are linear, whatever the penalty: the worst inputs are those of other linear predictors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....data.rows import RowSource
from ....threat.ascent_settings import PgdSettings
from ....threat.attack_set import AttackSet
from ...set_ascent import UnknownInfluence
from ...solution import RobustSolution
from ..rowwise.adversary import RowwiseAdversary
from .model import L1Model
from .problem import L1Problem


@dataclass(frozen=True)
class RestrictedL1(UnknownInfluence, L1Problem):
    """An L1Problem whose rows have sets of their own, or one that is no ball."""

    model: L1Model


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
        raise self.problem.unknown()


def restricted_l1(
    model: L1Model, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> RestrictedL1:  # fmt: skip
    """The problem, of which the attacks are known."""
    return RestrictedL1(model, source, ball, solver="cholesky", **common)

"""The description of a fitted linear predictor f = βᵀ(x − μ)/σ + b, whoever fitted it."""

from __future__ import annotations

from dataclasses import dataclass

from ...bases.builtin import Linear
from ...data.rows import RowSource
from ...passes.executor import Executor
from ...passes.linear import Sweep
from ...threat.attack_set import AttackSet
from ..finite_sum.model import SumModel


@dataclass(frozen=True, kw_only=True)
class LinearModel(SumModel):
    """A SumModel f = βᵀv + b whose v is the inputs; θ is β, then b if there is an intercept.

    Attributes
    ----------
    basis : Linear
        v = (x − μ)/σ: a scaler before the predictor, or none.
    """

    basis: Linear

    def sweep(self, source: RowSource, ball: AttackSet | None, executor: Executor) -> Sweep:
        """The pass over `source` that this model asks for."""
        return Sweep(source, self.loss, self.basis, self.fit_intercept, ball, executor)

"""The description of a fitted model f = βᵀv(x) + b on a basis, whoever fitted it."""

from __future__ import annotations

from dataclasses import dataclass

from ...bases.expansion import Expansion
from ...data.rows import RowSource
from ...passes.basis import BasisSweep
from ...passes.executor import Executor
from ...threat.attack_set import AttackSet
from ..finite_sum.model import SumModel


@dataclass(frozen=True, kw_only=True)
class ExpansionModel(SumModel):
    """A SumModel f = βᵀv(x) + b; θ is β, then b if there is an intercept.

    Attributes
    ----------
    basis : Expansion
        v, bound to the inputs.
    """

    basis: Expansion

    @property
    def details(self) -> str:
        """Whether some cells are missing, so that each row is attacked elsewhere."""
        return "missing cells are not attacked" if getattr(self.intake, "rest", None) else ""

    @property
    def is_dual(self) -> bool:
        """Whether θ has an entry for every centre, and none for inputs."""
        return self.basis.basis.is_dual

    def sweep(
        self, source: RowSource, ball: AttackSet | None, executor: Executor
    ) -> BasisSweep:
        """The pass over `source` that this model asks for."""
        return BasisSweep(source, self.loss, self.basis, self.fit_intercept, ball, executor)

"""The adversaries of linear predictors with an l1 term in their penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from ....threat.ascent_settings import PgdSettings
from ...path import Path, WarmPath
from ...solution import RobustSolution
from ..adversary import LinearAdversary, SharedLinearAdversary
from .problem import L1Problem

_END = 1e-12  # of the objective


def _refuse_ascent(settings: PgdSettings | None) -> None:
    if settings is not None:
        raise ValueError(
            "method='pgd' is not for a model with an l1 penalty, whose robust fits are exact: use "
            "method='auto'"
        )


class _FittedToTheEnd(WarmPath):
    """Fits at which coefficients that the penalty holds are zeros, not numbers near zero.

    That comes with the last steps; what is asked for decides whether they have converged.
    """

    def __init__(self, adversary: L1Adversary, tol: float) -> None:
        super().__init__(adversary, min(tol, _END))
        self._asked = tol

    @property
    def converged(self) -> bool:  # type: ignore[override]
        """Whether all fits are as good as was asked for."""
        return all(self._is_close(found) for found in self._found.values())

    def solve(self, eps: Sequence[float]) -> list[RobustSolution]:
        """The robust optima."""
        return [replace(one, converged=self._is_close(one)) for one in super().solve(eps)]

    def _is_close(self, found: RobustSolution) -> bool:
        return found.converged or 0.0 < found.gap <= self._asked


@dataclass(frozen=True)
class L1Adversary(LinearAdversary):
    """Each sample has a budget of its own: the worst prediction is f ± ε s ‖Dβ‖_q."""

    problem: L1Problem

    def path(self, eps: float, tol: float, asked: Sequence[float] = ()) -> Path:
        """By robust fits one after the other."""
        return _FittedToTheEnd(self, tol)

    def tangent_at(self, eps: float) -> NoReturn:
        """The path's derivative is known at ε = 0 alone."""
        raise ValueError(
            f"at={eps:g} is not for a model with an l1 penalty, of which the derivative of the "
            "robust optimum is known at ε = 0 alone: leave at out, or use l1_ratio=0"
        )

    def interpolation_radius(self) -> float:
        """0: the penalty is in the way of fitting every target."""
        return 0.0

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The closed inner maximum and a convex outer problem."""
        _refuse_ascent(settings)
        return super().train(eps, tol, max_iter, settings)


@dataclass(frozen=True)
class SharedL1Adversary(SharedLinearAdversary):
    """All samples share a budget; robust optima are known where the worst loss is closed."""

    problem: L1Problem

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """Squares at order 2; others are refused."""
        order = self.problem.sharing.order
        if order != 2.0 or not self.problem.model.loss.is_quadratic:
            raise ValueError(
                f"robust fits at order={order:g} of a {self.problem.model.kind} model with an l1 "
                "penalty are not supported, but for the squared error at order 2: use order=inf, "
                "or l1_ratio=0"
            )
        _refuse_ascent(settings)
        return super().train(eps, tol, max_iter, settings)

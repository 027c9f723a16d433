"""Problems whose Hessian is solved with by a factor."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..utils.caching import cached_property
from .damping import singular_hessian
from .problem import InfluenceProblem


@dataclass(frozen=True)
class FactoredProblem(InfluenceProblem):
    """The part of an InfluenceProblem that finds the factor of H, or says why there is none."""

    @property
    @abstractmethod
    def coordinates(self) -> Any:
        """Working coordinates, or None where there is no need of any."""

    @abstractmethod
    def _factorized(self, damping: float) -> Any:
        """The factor, or None where H + damping is not numerically positive definite."""

    @cached_property
    def factor(self) -> Any:
        """The Cholesky factor of H + damping · 1, in working coordinates.

        Raises
        ------
        numpy.linalg.LinAlgError
            H is singular or indefinite, or θ̂ separates the classes without a penalty.
        """
        found = self._undamped
        if self.added_damping == 0.0:
            self._refuse_separable()
        else:
            found = self._factorized(self.added_damping)
        if found is None:
            raise singular_hessian(self.spectrum()[0], self._why_singular())
        return found

    def _why_singular(self) -> str:
        """What may be to blame beside the model, for a message."""
        work = self.coordinates
        if work is not None and work.are_far:
            return " (X is far from the origin, which costs digits: centre the columns)"
        return ""

    @cached_property
    def _undamped(self) -> Any:
        return self._factorized(0.0)

    @property
    def has_run_away(self) -> bool:
        """Whether θ̂ classifies every sample rightly, without a penalty that would hold it."""
        return False

    def _refuse_separable(self) -> None:
        """A θ̂ that classifies every sample rightly shows that there is no finite optimum."""
        if not self.has_run_away:
            return
        raise np.linalg.LinAlgError(
            "the classes are linearly separable, so that without a penalty there is no finite "
            f"optimum and the Hessian tends to zero (least eigenvalue {self.spectrum()[0]:.3g}): "
            "the influence is not defined; pass damping > 0, or fit with alpha > 0"
        )

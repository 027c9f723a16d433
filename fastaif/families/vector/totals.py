"""Influence problems of models with several predictions of which only totals are left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...passes.vector import VectorSums
from ...utils.caching import cached_property
from ..finite_sum.coordinates import Coordinates
from ..finite_sum.totals import WithoutRows
from ..objective import number
from .layout import enter
from .model import VectorModel
from .problem import VectorProblem

Array = NDArray[Any]


@dataclass(frozen=True)
class AccumulatedVector(WithoutRows, VectorProblem):
    """A VectorProblem whose rows are gone."""

    model: VectorModel

    @property
    def _working_sums(self) -> VectorSums:
        """The natural loss's gradient and H, in working coordinates where there are any."""
        working = self.totals.working
        return cast(VectorSums, self.totals.sums if working is None else working)

    @cached_property
    def _working_form(self) -> Array:
        """H as a form in working coordinates, without penalty."""
        return self.form(self._working_sums)

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ for a step Δ in θ, from the sums; on given rows as ever."""
        if source is not None and source is not self.source:
            return super().along(step, source)
        sums, move = self._working_sums, self.model.layout.matrix(step)
        work = cast(Coordinates | None, self.coordinates)
        move = move if work is None else enter(work, move)
        curvature = np.einsum("ki,klij,lj->", move, sums.blocks, move, optimize=True)
        return number(np.sum(sums.gradient * move)), number(curvature)

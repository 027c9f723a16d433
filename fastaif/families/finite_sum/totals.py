"""Sums over rows that are not kept, and the influence problems that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.rows import RowSource
from ...passes.sums import InfluenceSums
from ...utils.caching import cached_property
from ..kinks import Kinks
from ..rowwise import FirstOrder, RowwiseProblem
from ..summed import SummedProblem
from .coordinates import Coordinates, are_needed, measure
from .problem import SumProblem
from .whitening import Whitening
from .working import WorkingCoordinates

Array = NDArray[Any]

# Scalar sums that count rows or hold a maximum, whatever the unit of the weights.
_UNWEIGHTED = [c.S_ZERO, c.S_WRONG, c.S_TIES, c.S_PEAK]


@dataclass(frozen=True, eq=False)
class Totals:
    """What one pass over some rows leaves of them.

    Attributes
    ----------
    sums : InfluenceSums
        Of the model's own coordinates.
    unit : float
        A power of two by which the weights were divided.
    n_rows : int
    target_size : float
        The largest |y|.
    kinked_pairs : int
        Pairs of a row and a centre at which the model has a kink.
    work : WorkingCoordinates or None
        Working coordinates, where some of the rows asked for them.
    working : InfluenceSums or None
        The natural loss's gradient and Hessian there.
    rowwise : array or None
        What first-order attacks add up to, where rows have sets of their own.
    """

    sums: InfluenceSums
    unit: float
    n_rows: int
    target_size: float
    kinked_pairs: int
    work: WorkingCoordinates | None = None
    working: InfluenceSums | None = None
    rowwise: Array | None = None

    def merge(self, other: Totals) -> Totals:
        """The totals of both sets of rows; neither is changed.

        Working coordinates are the heavier part's. A column that is far from zero in a part
        need not be so in the whole: there they are given up.
        """
        unit = max(self.unit, other.unit)
        both = self, other
        total = Totals(
            _added(*(_scaled(part.sums, part.unit / unit) for part in both)),
            unit,
            self.n_rows + other.n_rows,
            max(self.target_size, other.target_size),
            self.kinked_pairs + other.kinked_pairs,
            rowwise=self._rowwise_with(other, unit),
        )
        work = self._work_with(other)
        if work is None or not (work.are_the_models or total.asks_for_coordinates):
            return total
        parts = (_scaled(part.natural(work), part.unit / unit) for part in both)
        return dataclasses.replace(total, work=work, working=_added(*parts))

    def _rowwise_with(self, other: Totals, unit: float) -> Array | None:
        """The sum of what first-order attacks add up to, for weights of another unit."""
        if self.rowwise is None or other.rowwise is None:
            return None
        return self.rowwise * (self.unit / unit) + other.rowwise * (other.unit / unit)

    def _work_with(self, other: Totals) -> WorkingCoordinates | None:
        """The heavier part's working coordinates, where it has any."""
        if self.work is None or other.work is None:
            return other.work if self.work is None else self.work
        mine, theirs = (part.unit * part.sums.raw.scalars[c.S_FF] for part in (self, other))
        return self.work if mine >= theirs else other.work

    def arrays(self) -> dict[str, Array]:
        """All that they hold, as plain arrays by name."""
        numbers = [self.unit, self.n_rows, self.target_size, self.kinked_pairs]
        found = {"numbers": np.array(numbers, dtype=np.float64)}
        parts: list[tuple[str, InfluenceSums | None]] = [
            ("sums", self.sums), ("working", self.working)
        ]  # fmt: skip
        for name, sums in parts:
            if sums is not None:
                found |= {f"{name}.{key}": part for key, part in sums.arrays().items()}
        if self.work is not None:
            kind = type(self.work).__name__
            found |= {f"{kind}.{key}": part for key, part in vars(self.work).items()}
        if self.rowwise is not None:
            found["rowwise"] = self.rowwise
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Totals:
        """The same totals again."""

        def part(name: str) -> dict[str, Array]:
            start = f"{name}."
            keys = [key for key in arrays if key.startswith(start)]
            return {key.removeprefix(start): np.array(arrays[key]) for key in keys}

        unit, n_rows, target_size, kinked_pairs = (float(entry) for entry in arrays["numbers"])
        sums, working = (
            InfluenceSums.from_arrays(part(name), ("of a file",)) if part(name) else None
            for name in ("sums", "working")
        )
        if sums is None:
            raise KeyError("sums")
        work: WorkingCoordinates | None = None
        for kind in (Coordinates, Whitening):
            if part(kind.__name__):
                work = kind(**part(kind.__name__))
        return cls(
            sums, unit, int(n_rows), target_size, int(kinked_pairs), work, working,
            arrays.get("rowwise"),
        )  # fmt: skip

    @property
    def asks_for_coordinates(self) -> bool:
        """Whether columns, as they are summed, are far from zero or of extreme scales."""
        sums = self.sums if self.working is None else self.working
        if sums.weight == 0.0:
            return False
        return are_needed(sums.curvature, sums.n_columns, sums.scalar(c.S_FF))

    def natural(self, work: WorkingCoordinates) -> InfluenceSums:
        """The natural loss's sums in these working coordinates."""
        if self.working is None:
            return work.carry(self.sums, None)
        return self.working if self.work is work else work.carry(self.working, self.work)


def totals_of(problem: SummedProblem, unit: float, before: Totals | None) -> Totals:
    """The totals of a problem's rows, in one pass over these, to be merged with earlier ones.

    Where columns are far from zero, or the penalty asks for other coordinates, a second pass
    over them sums the Hessian in working coordinates.

    Parameters
    ----------
    problem : SummedProblem
    unit : float
        What the weights of its rows were divided by.
    before : Totals or None
        Of earlier rows, whose coordinates these take over; they are not changed.

    Raises
    ------
    FloatingPointError
        Some sum is not finite.
    """
    model, source = problem.model, problem.source
    size = float(np.abs(source.targets()).max())
    found = Totals(
        problem.sums_of_part(), unit, problem.n_rows, size, problem.kinked_pairs,
        rowwise=problem.rowwise_sums,
    )  # fmt: skip
    work = problem.given_coordinates if before is None else before.work
    if work is not None:
        found = _in_coordinates(found, problem, work)
    total = merged(before, found)
    given = total.work is not None and total.work.are_the_models
    if given or not problem.has_coordinates:
        return found
    if not (found.sums.weight > 0.0 and total.asks_for_coordinates):
        return found
    measured = measure(source, model.basis, model.fit_intercept, problem.executor)
    return _in_coordinates(found, problem, measured)


def merged(before: Totals | None, found: Totals) -> Totals:
    """Totals of both sets of rows, where there are earlier ones."""
    return found if before is None else before.merge(found)


def _in_coordinates(
    found: Totals, problem: SummedProblem, work: WorkingCoordinates
) -> Totals:
    return dataclasses.replace(found, work=work, working=problem.natural_sums(work))


def _scaled(sums: InfluenceSums, factor: float) -> InfluenceSums:
    """A copy, for weights times a factor."""
    hessian, vectors, scalars = (factor * part for part in sums.raw)
    scalars[c.S_W2] *= factor
    if factor > 0.0:  # else these rows have no weight beside the others
        scalars[_UNWEIGHTED] = sums.raw.scalars[_UNWEIGHTED]
    return dataclasses.replace(sums, raw=c.Sums(hessian, vectors, scalars))


def _added(mine: InfluenceSums, theirs: InfluenceSums) -> InfluenceSums:
    """The sum of two copies of sums that are known to be alike."""
    return mine.merge(dataclasses.replace(theirs, fingerprint=mine.fingerprint))


def needs_rows(what: str) -> ValueError:
    """The error of what sums alone cannot tell."""
    return ValueError(
        f"{what} needs the rows themselves, and an InfluenceAccumulator keeps nothing but sums "
        "over them: call aif(estimator, X, y) with the data"
    )


@dataclass(frozen=True)
class WithoutRows(SummedProblem):
    """The part of a SummedProblem whose rows are gone that its totals tell.

    Attributes
    ----------
    totals : Totals
        What is left of them; `source` has no rows.
    """

    totals: Totals = field(kw_only=True)

    keeps_rows: ClassVar[bool] = False

    @classmethod
    def of(cls, problem: SummedProblem, totals: Totals) -> Self:
        """A problem of the same kind, model and attack, of which only totals are left."""
        parts = {f.name: getattr(problem, f.name) for f in dataclasses.fields(problem)}
        return cls(**parts | {"weight_unit": totals.unit}, totals=totals)

    @property
    def n_rows(self) -> int:
        """n."""
        return self.totals.n_rows

    @property
    def target_size(self) -> float:
        """The largest |y|."""
        return self.totals.target_size

    @property
    def kinked_pairs(self) -> int:
        """Pairs of a row and a centre at which the model has a kink."""
        return self.totals.kinked_pairs

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        return self.totals.sums.mean_norm if self.ball.radius is None else self.ball.radius

    @cached_property
    def coordinates(self) -> Any:
        """Working coordinates where the penalty, or the columns' scales, ask for them."""
        return self.totals.work

    def per_sample(self) -> Array:
        """Refused."""
        raise needs_rows("per_sample")

    def kinks(self, influence: Array) -> Kinks:
        """Refused."""
        raise needs_rows("validity_radius")


@dataclass(frozen=True)
class RowwiseWithoutRows(WithoutRows, RowwiseProblem):
    """A RowwiseProblem whose rows are gone."""

    @cached_property
    def first_order(self) -> FirstOrder:
        """What first-order attacks on all rows add up to; how much room they have is not known."""
        assert self.totals.rowwise is not None
        return self.from_sums(self.totals.rowwise, self.totals.sums.weight)


@dataclass(frozen=True)
class Accumulated(WithoutRows, SumProblem):
    """A SumProblem whose rows are gone."""

    @cached_property
    def sums(self) -> InfluenceSums:
        """The sums over all rows."""
        return self.totals.sums

    def working_sums(self) -> InfluenceSums:
        """The natural loss's gradient and Hessian at θ̂ in working coordinates."""
        return self.sums if self.totals.working is None else self.totals.working

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """gᵀΔ and ΔᵀHΔ for a step Δ in θ, natural loss, no penalty; on given rows as ever."""
        if source is not None and source is not self.source:
            return super().along(step, source)
        sums, inner = self.working_sums(), self.enter(step)
        return float(sums.gradient @ inner), float(inner @ (sums.hessian @ inner))

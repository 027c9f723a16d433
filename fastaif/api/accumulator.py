"""`InfluenceAccumulator`: the influence from blocks of rows that nobody keeps."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..adapters.describe import describe_for_sums
from ..data.blas import blas_for_solves
from ..data.checked_rows import evened, locating, rows_of
from ..data.intake import Intake, columns_read, refuse_other_columns
from ..data.rows import RowSource
from ..data.sources import opened
from ..families.finite_sum.compatibility import refuse_unlike
from ..families.finite_sum.totals import Totals, merged, needs_rows, totals_of
from ..families.model import Model
from ..families.registry import refuse_restricted_sums, summed, without_rows
from ..families.summed import SummedProblem
from ..influence.bootstrap import N_DRAWS
from ..influence.compute import conclude
from ..influence.intervals import BootstrapDraws
from ..influence.result import InfluenceResult
from ..solvers.limits import cholesky_fits
from ..threat.threat import Threat
from ..utils import validation
from ..utils.inputs import (
    AttackableLike,
    BoundsLike,
    GroupsLike,
    MatrixLike,
    RandomState,
    ScaleLike,
    TargetsLike,
    WeightsLike,
)
from ..utils.locks import Lock
from .accumulator_file import load_accumulator, save_accumulator
from .prepare import assemble, refuse_zero_radius

Array = NDArray[Any]


class InfluenceAccumulator:
    """`aif` for data in parts: the sums of its one pass, block by block.

    H, Φ, s and all else that `aif` needs are sums over samples (or a running maximum), so
    that blocks of rows can come one after the other, from other machines, or from yesterday:
    `update` adds a block, `merge` puts two accumulators together, `result` solves. The result
    is that of `aif` on all rows at once, to rounding, in whatever order they came.

    Parameters
    ----------
    estimator
        A fitted model that `aif` accepts and whose objective is a mean over samples: all but
        kernel regressions with moving centres, RandomizedSmoothing and DifferentiableModel. It
        is copied: fitting it again changes nothing here.
    p, order, radius, feature_scale, attackable, attack_space, formula, damping
        As in `aif`. Names in `attackable` are those of the fit.
    n_threads : int, optional
        For the sums over a block; all cores by default.
    bounds, metric, groups
        As in `aif`; a row outside of the bounds is refused with its block.
    budgets
        Refused: they are of all rows at once.

    Attributes
    ----------
    n_rows : int
        How many rows have been added up.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        For what is wrong with the arguments; the message names it.

    Notes
    -----
    Memory is that of a few d × d matrices, however many rows there are. Several threads may call
    `update`. `save` and `load` use a file that cannot run code. Accumulators can be pickled as
    well, if the estimator can: unpickle only what you trust. α is that of the total weight, whose
    mean is taken at the end.

    Examples
    --------
    >>> import fastaif as fa
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = fa.LinearRegression().fit(X, y)
    >>> monday = fa.InfluenceAccumulator(model, p=2).update(X[:200], y[:200])
    >>> tuesday = fa.InfluenceAccumulator(model, p=2).update(X[200:], y[200:])
    >>> monday.merge(tuesday).result().influence.shape
    (11,)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        p: float = 2,
        order: float = math.inf,
        radius: str | float = "mean_norm",
        feature_scale: ScaleLike = None,
        attackable: AttackableLike = None,
        attack_space: str = "scaled",
        formula: str = "exact",
        damping: float | str = 0.0,
        n_threads: int | None = None,
        bounds: BoundsLike = None,
        budgets: ArrayLike | None = None,
        metric: ArrayLike | None = None,
        groups: GroupsLike = None,
    ) -> None:
        threat = Threat(
            p, order, radius, feature_scale, attackable, attack_space, formula, bounds, budgets,
            metric, groups,
        )  # fmt: skip
        self._begin(threat, estimator, damping, n_threads)

    @classmethod
    def against(
        cls, threat: Threat, estimator: Any, damping: float | str, n_threads: int | None
    ) -> InfluenceAccumulator:
        """An accumulator for an attacker."""
        self = cls.__new__(cls)
        self._begin(threat, estimator, damping, n_threads)
        return self

    def _begin(
        self, threat: Threat, estimator: Any, damping: float | str, n_threads: int | None
    ) -> None:
        if damping != "auto":
            damping = validation.number(damping, "damping", low=0.0)
        if threat.budget.splits_samples:
            raise ValueError(
                "formula='ball' is not for sums of blocks: call aif(estimator, X, y) with all of "
                "the data, or use formula='exact'"
            )
        threat.refuse_blocks()
        self._estimator, self._threat = copy.deepcopy(estimator), threat
        self._lock = Lock()
        model = summed(describe_for_sums(self._estimator))
        problem = assemble(
            model, _no_rows(model), threat, damping=damping, solver="cholesky",
            n_threads=n_threads,
        )  # fmt: skip
        refuse_restricted_sums(problem)
        self._problem = cast(SummedProblem, problem)
        _refuse_size(self._problem)
        self._totals: Totals | None = None

    @property
    def n_rows(self) -> int:
        """How many rows have been added up."""
        return 0 if self._totals is None else self._totals.n_rows

    def __repr__(self) -> str:
        order, attack_set = self._problem.sharing.order, self._problem.ball
        return (
            f"InfluenceAccumulator({self._estimator!r}, {attack_set}, order={order:g}) of "
            f"{self.n_rows} rows"
        )

    def update(
        self, X: MatrixLike, y: TargetsLike, sample_weight: WeightsLike = None
    ) -> InfluenceAccumulator:
        """Add a block of rows.

        Parameters
        ----------
        X : array (k, m)
            Of any size: a few thousand rows or more make good use of the machine.
        y : array (k,)
        sample_weight : array (k,), optional
            1 by default. Here, unlike in `aif`, all weights of a block may be zero.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As of `aif`; a NaN is located by its row in this block. The accumulator is then as it
            was before.
        """
        intake = self._problem.model.intake
        given = opened(X, y, sample_weight, None if intake else self._problem.model.columns)
        if np.ndim(given.X) == 2 and np.shape(given.X)[0] == 0:
            raise ValueError("X is an empty block (0 rows): leave it out")
        _refuse_gaps(intake, given.X)
        array, columns = columns_read(intake, given.X)
        problem = self._named(columns)
        source, unit = evened(
            rows_of(
                problem.model, array, given.y, given.sample_weight, weightless=True, weighed=True
            )
        )
        ball = problem.ball.in_type(source.x.dtype)
        block = dataclasses.replace(problem, source=source, ball=ball)
        block.refuse_outside(source)
        with locating(source):
            found = totals_of(block, unit, self._totals)
        with self._lock.section:  # other threads may have added rows meanwhile
            self._problem = self._named(columns)
            self._totals = merged(self._totals, found)
        return self

    def merge(self, other: InfluenceAccumulator) -> InfluenceAccumulator:
        """Add another accumulator's rows to these, in place; the other one is not changed.

        `a + b` makes a new one and changes neither: use it in a tree reduction, such as Dask's,
        which may take a part twice.

        Parameters
        ----------
        other : InfluenceAccumulator
            Of the same model, θ̂ included, and the same attack.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            `other` is no InfluenceAccumulator.
        ValueError
            The two do not sum the same thing; the message says what differs.
        """
        if not isinstance(other, InfluenceAccumulator):
            raise TypeError(
                f"merge takes another InfluenceAccumulator, but was given {type(other).__name__}"
            )
        if other is self and self.n_rows:
            raise ValueError("an accumulator merged with itself would count its rows twice")
        refuse_unlike(self._problem, other._problem)
        theirs = other._totals
        with self._lock.section:
            self._problem = self._named(other._problem.model.columns)
            if theirs is not None:
                self._totals = merged(self._totals, theirs)
        return self

    def __add__(self, other: InfluenceAccumulator) -> InfluenceAccumulator:
        """The accumulator of both sets of rows, a new one; neither of the two is changed."""
        if not isinstance(other, InfluenceAccumulator):
            return NotImplemented
        if other is self and self.n_rows:
            raise ValueError("an accumulator added to itself would count its rows twice")
        return copy.copy(self).merge(other)

    def __copy__(self) -> InfluenceAccumulator:
        new = type(self).__new__(type(self))
        vars(new).update(vars(self), _lock=Lock())
        return new

    def save(self, path: Any) -> None:
        """Write the sums to a file, from which `load` goes on.

        It is an npz archive of plain arrays and a header in JSON: reading it runs no code. The
        model is not in it.

        Parameters
        ----------
        path : path
            An earlier file is replaced as a whole, once the new one is complete.
        """
        save_accumulator(path, self._problem, self._threat, self._totals)

    @classmethod
    def load(cls, path: Any, estimator: Any, n_threads: int | None = None) -> InfluenceAccumulator:
        """An accumulator that `save` wrote.

        Parameters
        ----------
        path : path
        estimator
            The fitted model of the accumulator, with the same parameters.
        n_threads : int, optional
            As of the constructor.

        Raises
        ------
        ValueError
            It is no such file, or one of another model; the message says what differs.
        """
        saved = load_accumulator(path)
        self = cls.against(saved.threat, estimator, saved.damping, n_threads)
        if saved.columns is not None:
            self._problem = self._named(saved.columns)
        saved.refuse_other(self._problem)
        self._totals = saved.totals
        return self

    def result(self) -> InfluenceResult:
        """The influence on all rows so far; more may be added afterwards.

        Returns
        -------
        InfluenceResult
            As of `aif` on all rows, but for what needs the rows themselves: per_sample,
            bootstrap, std_error, conf_int, validity_radius, flip_fraction and verify raise a
            ValueError. So `sensitivity` and `predict_params` cannot warn about samples whose
            attacks turn round.

        Raises
        ------
        ValueError
            No rows yet, or none with a positive weight; and as of `aif`.
        numpy.linalg.LinAlgError
            The Hessian is singular or indefinite.

        Warns
        -----
        InfluenceWarning
            As `aif`.
        """
        totals = self._totals
        if totals is None:
            raise ValueError("no rows have been added yet: call update(X, y) first")
        if totals.sums.weight == 0.0:
            raise ValueError(
                f"sample_weight is zero for all of the {totals.n_rows} rows added so far"
            )
        problem = without_rows(self._problem, totals)
        refuse_zero_radius(problem)
        with blas_for_solves(len(problem.params)):
            return conclude(problem, _ResultWithoutRows, self._estimator)

    def _named(self, columns: tuple[str, ...] | None) -> SummedProblem:
        """The problem with the inputs' names, if it has none and these have."""
        model = self._problem.model
        if columns is None or model.columns is not None:
            refuse_other_columns(columns, model.columns)
            return self._problem
        model = summed(describe_for_sums(self._estimator, columns))
        return dataclasses.replace(self._problem, model=model)


def _no_rows(model: Model) -> RowSource:
    """Rows of which there are none."""
    return RowSource(np.empty((0, model.n_features)), np.empty(0), None, model.encode)


def _refuse_gaps(intake: Intake | None, X: Any) -> None:
    """Which cells are missing makes the attack another one, from block to block."""
    gaps = () if intake is None else intake.gaps(X)
    if intake is not None and gaps:
        raise ValueError(
            f"X has missing cells in {intake.inputs[gaps[0]]}, which are not attacked, and "
            "an InfluenceAccumulator does not tell rows apart: call aif(estimator, X, y) with all "
            "of the data, or impute beforehand, and all cells are attacked"
        )


def _refuse_size(problem: SummedProblem) -> None:
    problem.refuse_size()
    if not cholesky_fits(problem.hessian_size):
        raise ValueError(
            f"the model has {len(problem.params)} parameters, too many for an "
            "InfluenceAccumulator, which sums the Hessian: call aif(estimator, X, y, "
            "solver='cg') with the data"
        )


class _ResultWithoutRows(InfluenceResult):
    """An `InfluenceResult` of sums alone: what needs the rows themselves is refused."""

    def per_sample(self) -> Array:
        """Refused: it needs the rows."""
        raise needs_rows("per_sample")

    def bootstrap(self, n_draws: int = N_DRAWS, random_state: RandomState = 0) -> BootstrapDraws:
        """Refused: it needs the rows."""
        raise needs_rows("bootstrap")

    def std_error(self, method: str = "bootstrap", **options: Any) -> Any:
        """Refused: it needs the rows."""
        raise needs_rows("std_error")

    def conf_int(self, *arguments: Any, **options: Any) -> Array:
        """Refused: it needs the rows."""
        raise needs_rows("conf_int")

    def interval_columns(self, *arguments: Any, **options: Any) -> dict[str, Array]:
        """Refused: it needs the rows."""
        raise needs_rows("conf_int")

    @property
    def validity_radius(self) -> float:
        """Refused: it needs the rows."""
        raise needs_rows("validity_radius")

    @property
    def validity_reason(self) -> str:
        """Refused: it needs the rows."""
        raise needs_rows("validity_reason")

    def flip_fraction(self, eps: ArrayLike) -> Any:
        """Refused: it needs the rows."""
        raise needs_rows("flip_fraction")

    def verify(self, eps: ArrayLike) -> Any:
        """Refused: it needs the rows."""
        raise needs_rows("verify")

"""From the arguments that every public function takes to a problem: described and made once."""

from __future__ import annotations

from typing import Any

from ..adapters.describe import describe, judge, take_apart
from ..adapters.frames import Gaps
from ..data.checked_rows import evened, locating, rows_of
from ..data.intake import columns_read
from ..data.rows import RowSource
from ..data.sources import opened
from ..families.model import Model
from ..families.problem import InfluenceProblem
from ..families.registry import make_problem
from ..models.inputs import columns_of_fit
from ..passes.executor import Executor
from ..threat.threat import Threat
from ..utils import validation


def prepare(
    estimator: Any,
    X: Any,
    y: Any,
    threat: Threat,
    *,
    sample_weight: Any,
    damping: float | str = 0.0,
    solver: str = "auto",
    random_state: Any = None,
    n_threads: Any = None,
    hessian: str = "exact",
    begin: bool = True,
    only_radius: bool = False,
) -> InfluenceProblem:
    """The influence problem of an estimator and its data.

    `only_radius` leaves the pass for H and Φ until something asks for it; with `begin` False the
    caller calls `start`, which makes it.
    """
    taken = take_apart(estimator)
    intake = None if taken is None else taken.intake
    try:
        given = opened(X, y, sample_weight, columns_of_fit(estimator))
        gaps = () if intake is None else intake.gaps(given.X)
        if gaps:  # which cells are missing makes the model, or its attack set, another one
            is_scaled = threat.attack_space == "scaled"
            taken = take_apart(estimator, Gaps(gaps, is_scaled, threat.takes_gaps))
            intake = None if taken is None else taken.intake
        array, columns = columns_read(intake, given.X)
    except (TypeError, ValueError):
        judge(estimator)  # what no data would mend comes first
        raise
    model, smoothing = describe(
        estimator, array.shape[1], columns if intake is None else None, taken
    )  # fmt: skip
    source, unit = evened(rows_of(model, array, given.y, given.sample_weight, weighed=True))
    if threat.budgets is not None:
        source = source._replace(budget=validation.budgets(threat.budgets, source.n_rows))
    clean = None
    if smoothing is not None:
        threat.refuse_copies()
    if smoothing is not None and not only_radius:
        source, clean = smoothing.copies(source), source
    with locating(source if clean is None else clean):
        problem = assemble(
            model, source, threat, damping=damping, solver=solver, random_state=random_state,
            n_threads=n_threads, hessian=hessian, weight_unit=unit, clean=clean,
        )  # fmt: skip
    if begin:
        start(problem, only_radius)
    return problem


def start(problem: InfluenceProblem, only_radius: bool = False) -> None:
    """Make the one pass over the rows, or the part of it that the radius takes."""
    if only_radius or not problem.pass_refuses_outside:
        problem.refuse_outside(problem.source)
    with locating(problem.evaluation):
        if not only_radius:
            problem.begin()
        refuse_zero_radius(problem)


def assemble(
    model: Model,
    source: RowSource,
    threat: Threat,
    *,
    damping: float | str = 0.0,
    solver: str = "auto",
    random_state: Any = None,
    n_threads: Any = None,
    hessian: str = "exact",
    **rows: Any,
) -> InfluenceProblem:
    """The problem of a model, its rows and an attacker.

    `rows` says more of the rows: the unit of their weights, and which are clean.
    """
    executor = Executor(validation.threads(n_threads))
    ball = threat.attack_set(model.basis, model.feature_names, model.intake)
    ball = ball.in_type(source.x.dtype)
    return make_problem(
        model, source, ball, sharing=threat.budget, damping=damping, solver=solver,
        hessian=hessian, seed=validation.seed(random_state) if solver == "lissa" else 0,
        executor=executor, **rows,
    )  # fmt: skip


def refuse_zero_radius(problem: InfluenceProblem) -> None:
    """Rows of zeros give an attack no length."""
    if problem.radius == 0.0:
        raise ValueError(
            "every row of X is zero, so that radius='mean_norm' is zero; give a radius"
        )

"""From a problem to its result: the solve, and the refusals and warnings that sums can tell."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ..adapters.stopping import early_stop
from ..families.problem import InfluenceProblem
from ..utils.warnings import (
    InfluenceWarning,
    SolverWarning,
    StationarityWarning,
    TieWarning,
    ZeroGradientWarning,
    warn,
)
from .result import InfluenceResult

_ROUNDED, _LOST = 1e-8, 1e-5  # of the influence, for rounding: from where on to warn, and refuse
_STATIONARITY = 0.05  # of a standard error: nothing that the data could tell from the optimum

Result = TypeVar("Result", bound=InfluenceResult)


def conclude(problem: InfluenceProblem, kind: type[Result], estimator: Any) -> Result:
    """Solve, with the refusals and warnings that only the sums can tell.

    `estimator` is what the problem's model was read from: it may say why θ̂ is no optimum. The
    caller says how many threads BLAS has (`blas_for_solves`).
    """
    _refuse_zero_gradients(problem)
    problem.refuse_kinks()
    with problem.executor.watching("influence"):
        influence = problem.influence()  # a singular H is refused before any rounding
        _refuse_flat_samples(problem)
        _refuse_rounding(problem)
        _warn(problem)
        _warn_if_not_stationary(problem, estimator)
    return kind(
        influence=influence, problem=problem, p=problem.ball.describe()["p"],
        order=problem.sharing.order,
    )


def _refuse_zero_gradients(problem: InfluenceProblem) -> None:
    if problem.value_derivative == 0.0 or problem.loss_slope <= _rounding(problem):
        raise _no_gradients(problem)


def _refuse_flat_samples(problem: InfluenceProblem) -> None:
    """Refuse a fit that meets every target but for rounding, row by row.

    Of residuals it takes the kinks' care to tell: the pass counts those of targets far from zero.
    """
    counts = problem.counts
    of_residuals = problem.model.loss.is_of_residuals
    flat = counts.pinned_samples + (0 if of_residuals else counts.zero_gradients)
    if not flat or not problem.keeps_rows:
        return
    if flat == (np.count_nonzero(problem.source.weights()) or problem.n_rows):
        raise _no_gradients(problem)


def _no_gradients(problem: InfluenceProblem) -> ValueError:
    return ValueError(
        "every sample's input gradient is zero (the attackable coefficients are all zero, or "
        "the model fits every target exactly): no first-order attack exists"
        f"{problem.way_out_without_gradients}"
    )


def _refuse_rounding(problem: InfluenceProblem) -> None:
    """Predictions whose terms cancel to the last digits; where few are left, a warning."""
    share = problem.rounding()
    if share <= _ROUNDED:
        return
    far = "X is so far from the origin that the terms of the model's predictions cancel"
    way_out = "centre the columns (a StandardScaler before the model) and fit again"
    if share > _LOST:
        raise ValueError(
            f"{far} to the last digits: the influence would be wrong by about {share:.1g} of "
            f"itself; {way_out}"
        )
    warn(
        f"{far}, and rounding leaves the influence wrong by about {share:.1g} of itself; {way_out}",
        InfluenceWarning,
    )


def _rounding(problem: InfluenceProblem) -> float:
    """How large |ℓ'| is where a regression fits its targets to the last digits."""
    if not problem.model.loss.is_of_residuals:
        return 0.0
    return 1e-13 * problem.target_size


def _warn(problem: InfluenceProblem) -> None:
    if problem.stopped_at is not None:
        warn(
            f"the solver stopped at a relative residual of {problem.stopped_at:.1e}: the Hessian "
            "is badly conditioned; pass damping > 0, or solver='cholesky'",
            SolverWarning,
        )
    counts = problem.counts
    if counts.zero_gradients:
        warn(
            f"{counts.zero_gradients} of {problem.n_rows} samples have a zero input gradient; "
            "Theorem 4.1 assumes there are none, and counts them as unattacked",
            ZeroGradientWarning,
        )
    if counts.ties:
        warn(
            f"the attack direction is not unique ({counts.ties} tied entries or samples at "
            f"{problem.ball}): the robust optimum has a kink at eps=0 and the influence "
            "is one of its one-sided candidates",
            TieWarning,
        )
    if counts.kinked_pairs:
        warn(
            f"{counts.kinked_pairs} {problem.kinked_are}",
            TieWarning,
        )


def _warn_if_not_stationary(problem: InfluenceProblem, estimator: Any) -> None:
    """Say that θ̂ is no optimum on these data, beginning with why that probably is."""
    step = problem.newton_step(below=_STATIONARITY)
    if not step > _STATIONARITY:
        return
    give, refine = "Give", ", or pass refine=True"
    if not problem.keeps_rows:
        give, refine = "Add up", ""
    stop = early_stop(estimator)
    if stop is not None:
        cause = stop.cause
        advice = f"{stop.remedy}{refine}; or else {give.lower()} the data of the fit"
    else:
        cause = (
            "these are probably not the data, the order, the sample weights or the penalty (alpha) "
            "of the fit"
        )
        advice = f"{give} all of the data of the fit and no others, or tighten its tol{refine}"
    warn(
        f"{cause}: the model is not stationary on (X, y), a Newton step moves it by {step:.2g} "
        f"standard errors. {advice}",
        StationarityWarning,
    )

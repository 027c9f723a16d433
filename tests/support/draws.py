"""Draws of the bootstrap of linear predictors, and the twin's."""

from __future__ import annotations

from typing import Any

from oracles import bootstrap as twin

import fastaif as fa
from fastaif.utils import validation as _validate
from support.makers import DELTA, LOSS, assert_close, estimator, make

ALPHA = 0.02
DRAWS = 5


def inspected(kind: str, *, weighted: bool = True, fit_intercept: bool = True, **options: Any):
    """A fitted model's result and its data."""
    data = make(kind, weighted=weighted)
    model = estimator(kind, ALPHA, fit_intercept).fit(data.X, data.y, sample_weight=data.w)
    return fa.aif(model, data.X, data.y, sample_weight=data.w, **options), data


def naive_draws(kind, data, fit_intercept=True, n_draws=DRAWS, seed=0, **attack):
    factors = [twin.weights(_validate.seed(seed), b, len(data.y)) for b in range(n_draws)]
    fit = {"loss": LOSS[kind], "alpha": ALPHA, "fit_intercept": fit_intercept, "delta": DELTA}
    return twin.draws(data.X, data.y, factors, sample_weight=data.w, fit=fit, attack=attack)


def assert_draws(found: Any, wanted: Any, tol: float = 1e-9) -> None:
    assert_close(found.params, wanted[0], tol)
    assert_close(found.influence, wanted[1], tol)
    assert_close(found.sensitivity_coefficient, wanted[2], tol)

"""Linear predictors against their twin and against robust optima."""

from __future__ import annotations

import numpy as np
from oracles import losses

import fastaif as fa
from support.makers import (
    DELTA,
    LOSS,
    about,
    assert_close,
    estimator,
    make_clear,
)


def assert_agrees(result, wanted, tol=1e-9):
    assert_close(result.influence, wanted["influence"], tol)
    assert_close(result.mixed, wanted["mixed"], tol)
    assert_close(result.hessian, wanted["hessian"], tol)
    assert result.radius == about(wanted["radius"])
    assert result.value_derivative == about(wanted["value_derivative"], tol)
    assert_close(result.per_sample(), wanted["per_sample"], tol)


MODELS = {
    "plain": {"alpha": 0.0, "fit_intercept": True},
    "ridge": {"alpha": 0.1, "fit_intercept": True},
    "no intercept": {"alpha": 0.1, "fit_intercept": False},
}


def result_of(kind, p, options, weighted=True):
    X, y, w = make_clear(kind)
    w = w if weighted else None
    model = estimator(kind, **options).fit(X, y, w)
    return fa.aif(model, X, y, p=p, sample_weight=w)


def errors(result, eps):
    """The distance of the robust optimum's difference quotient from the influence."""
    fits = [result.verify(float(e)).robust for e in eps]
    assert all(fit.converged for fit in fits)
    slopes = [(fit.params - result.params) / fit.eps for fit in fits]
    return np.array([np.linalg.norm(slope - result.influence) for slope in slopes])


def radii(result):
    """Five eps from well inside the smooth part of the path down to 1e-6."""
    largest = min(1e-3, result.validity_radius / 10.0)
    assert largest == 1e-3, "these data were chosen to leave the slope three decades"
    return np.geomspace(largest, 1e-6, 5)


def slopes(result, data, kind, eps):
    """The sign of each sample's l' at theta + eps I."""
    theta = result.params + eps * result.influence
    f = data.X @ theta[:-1] + theta[-1]
    return np.sign(losses.loss(LOSS[kind], f, data.y, DELTA)[1])

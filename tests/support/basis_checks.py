"""Models on bases, fitted and inspected."""

from __future__ import annotations

import numpy as np
from oracles import basis as twin

import fastaif as fa
from support.basis_makers import (
    estimator,
    known_to_twin,
    params_of,
    twin_of,
)  # fmt: skip


def inspected(name, kind, data, *, alpha=0.02, fit_intercept=True, **options):
    """The library's result and the twin's, at the library's parameters."""
    model = estimator(name, kind, alpha, fit_intercept).fit(*data)
    options = {"sample_weight": data.w} | options
    result = fa.aif(model, data.X, data.y, **options)
    known = known_to_twin(kind, alpha, fit_intercept)
    theta = params_of(model)
    wanted = twin.influence(twin_of(name, model), data.X, data.y, theta, **known, **options)
    np.testing.assert_array_equal(result.params, theta)
    return result, wanted

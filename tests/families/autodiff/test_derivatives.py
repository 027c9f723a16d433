"""The mixed derivative and the Hessian against automatic differentiation of the loss."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.makers import DELTA, LOSS, ORDERS, assert_close, estimator, make, theta_of

import fastaif as fa

pytest.importorskip("jax", reason="JAX is not installed")

ATTACK = {"feature_scale": np.array([1.0, 0.5, 2.0, 0.0]), "radius": "mean_norm"}


def differentiated(*args, **options):
    from oracles.autodiff import mixed_and_hessian

    return mixed_and_hessian(*args, **options)


@pytest.mark.parametrize("p", ORDERS)
def test_derivatives(kind, p):
    X, y, w = make(kind, n=60, m=4, weighted=True)
    model = estimator(kind, 0.03).fit(X, y, w)
    result = fa.aif(model, X, y, p=p, sample_weight=w, **ATTACK)
    mixed, hessian = differentiated(
        X, y, theta_of(model), loss=LOSS[kind], delta=DELTA, alpha=0.03, p=p, sample_weight=w,
        **ATTACK,
    )  # fmt: skip
    assert_close(result.mixed, mixed)
    assert_close(result.hessian, hessian)
    assert_close(result.influence, -np.linalg.solve(hessian, mixed))


@pytest.mark.long
@pytest.mark.parametrize("space", ["scaled", "raw"])
@pytest.mark.parametrize("p", [1.0, 3.0, np.inf])
def test_derivatives_behind_a_scaler(kind, p, space):
    X, y, _ = make(kind, n=60, m=4)
    pipeline = make_pipeline(StandardScaler(), estimator(kind, 0.03, fit_intercept=False))
    pipeline.fit(X, y)
    result = fa.aif(pipeline, X, y, p=p, attack_space=space)
    mixed, hessian = differentiated(
        X, y, theta_of(pipeline[-1]), loss=LOSS[kind], delta=DELTA, alpha=0.03, p=p,
        fit_intercept=False, shift=pipeline[0].mean_, scale=pipeline[0].scale_,
        attack_space=space,
    )  # fmt: skip
    assert_close(result.mixed, mixed)
    assert_close(result.hessian, hessian)

"""`aif` against the slow twin: every loss, norm, and option of the attack."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import linear as twin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.linear_checks import assert_agrees
from support.makers import DELTA, LOSS, ORDERS, about, assert_close, estimator, make, theta_of

import fastaif as fa

M = 5
SCALE = np.array([1.0, 0.5, 0.0, 2.0, 1.5])
MASK = np.array([True, False, True, True, True])
ATTACKS = {
    "plain": {},
    "radius": {"radius": 1.7},
    "feature_scale": {"feature_scale": SCALE},
    "attackable": {"attackable": MASK},
    "both": {"feature_scale": SCALE, "attackable": MASK, "radius": 0.4},
}
MODELS = {
    "plain": {"alpha": 0.0},
    "ridge": {"alpha": 0.05},
    "no intercept": {"alpha": 0.05, "fit_intercept": False},
}


def problem(kind, weighted, alpha=0.0, fit_intercept=True):
    """A fitted model, its data, and what the twin needs to know of them."""
    data = make(kind, weighted=weighted)
    model = estimator(kind, alpha, fit_intercept).fit(*data)
    known = {"loss": LOSS[kind], "fit_intercept": fit_intercept, "delta": DELTA}
    return model, data, known


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", MODELS)
def test_models(kind, p, weighted, options):
    model, (X, y, w), known = problem(kind, weighted, **MODELS[options])
    theta = theta_of(model)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    alpha = MODELS[options]["alpha"]
    wanted = twin.influence(X, y, theta, p=p, sample_weight=w, alpha=alpha, **known)
    assert_agrees(result, wanted)
    np.testing.assert_array_equal(result.params, theta)
    assert result.p == p
    assert len(result.names) == theta.size


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(kind, p, attack):
    model, (X, y, w), known = problem(kind, weighted=True, alpha=0.02)
    options = {"p": p, "sample_weight": w} | ATTACKS[attack]
    result = fa.aif(model, X, y, **options)
    assert_agrees(result, twin.influence(X, y, theta_of(model), alpha=0.02, **known, **options))


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("space", ["scaled", "raw"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_behind_a_scaler(kind, p, space, attack):
    data = make(kind, weighted=True)
    pipeline = make_pipeline(StandardScaler(), estimator(kind))
    step = pipeline.steps[-1][0]
    pipeline.fit(data.X, data.y, **{f"{step}__sample_weight": data.w})
    scaler, last = pipeline[0], pipeline[-1]
    options = {"p": p, "sample_weight": data.w, "attack_space": space} | ATTACKS[attack]
    result = fa.aif(pipeline, data.X, data.y, **options)
    wanted = twin.influence(
        data.X, data.y, theta_of(last), loss=LOSS[kind], delta=DELTA, alpha=0.02,
        shift=scaler.mean_, scale=scaler.scale_, **options,
    )  # fmt: skip
    assert_agrees(result, wanted)


@pytest.mark.parametrize("p", ORDERS)
def test_mean_of_the_samples_is_the_whole(kind, p):
    model, (X, y, w), _ = problem(kind, weighted=True, alpha=0.02)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    shares = result.per_sample()
    assert shares.shape == (len(X), M + 1)
    assert_close(np.average(shares, axis=0, weights=w), result.influence, 1e-12)


@pytest.mark.parametrize("expansion", ["quadratic", "taylor"])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_sensitivity(kind, expansion, held_out, p):
    model, (X, y, w), known = problem(kind, weighted=True, alpha=0.02)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    evaluation = make(kind, n=60, seed=99) if held_out else None
    given = () if evaluation is None else (evaluation.X, evaluation.y)
    eps = np.array([0.0, 1e-5, 1e-4])
    found = result.sensitivity(eps, *given, expansion=expansion)
    Xe, ye, we = evaluation or (X, y, w)
    wanted = [
        twin.sensitivity(
            Xe, ye, result.params, result.influence, e, expansion=expansion, sample_weight=we,
            **known,
        )
        for e in eps
    ]  # fmt: skip
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    alone = result.sensitivity(1e-4, *given, expansion=expansion)
    assert isinstance(alone, float)
    assert alone == found[-1]


def test_sensitivity_coefficient(kind):
    model, (X, y, w), _ = problem(kind, weighted=True, alpha=0.02)
    result = fa.aif(model, X, y, sample_weight=w)
    cost = result.sensitivity(1e-4, expansion="quadratic")
    assert cost == about(1e-8 * result.sensitivity_coefficient)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_shares_of_the_sensitivity(kind, p):
    """Of S, which is without the penalty, and with the weights of the samples."""
    model, (X, y, w), known = problem(kind, weighted=True, alpha=0.3)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    free = twin.influence(X, y, theta_of(model), sample_weight=w, alpha=0.0, **known)
    pull = free["hessian"] @ result.influence
    wanted = w / w.sum() * (result.per_sample() @ pull) / (result.influence @ pull)
    shares = result.sensitivity_shares()
    assert_close(shares, wanted)
    assert shares.sum() == about(1.0)


def test_damping_is_added_before_the_inverse_alone(kind):
    model, (X, y, w), known = problem(kind, weighted=True, alpha=0.02)
    result = fa.aif(model, X, y, sample_weight=w, damping=0.3)
    wanted = twin.influence(X, y, theta_of(model), sample_weight=w, alpha=0.02, **known)
    assert_close(result.hessian, wanted["hessian"])
    damped = wanted["hessian"] + 0.3 * np.eye(M + 1)
    assert_close(result.influence, -np.linalg.solve(damped, wanted["mixed"]))
    assert_close(np.average(result.per_sample(), axis=0, weights=w), result.influence, 1e-12)


def test_refine_goes_to_the_optimum_of_the_data(kind):
    model, (X, y, w), known = problem(kind, weighted=True, alpha=0.02)
    rough = estimator(kind, 0.02).fit(X, y, w)
    rough.coef_ = rough.coef_ + 0.05
    result = fa.aif(rough, X, y, sample_weight=w, refine=True)
    assert_close(result.params, theta_of(model), 1e-12)
    wanted = twin.influence(X, y, theta_of(model), sample_weight=w, alpha=0.02, **known)
    assert_close(result.influence, wanted["influence"])


def test_predicted_parameters(kind):
    model, (X, y, w), _ = problem(kind, weighted=True, alpha=0.02)
    result = fa.aif(model, X, y, sample_weight=w)
    np.testing.assert_array_equal(result.predict_params(0.0), result.params)
    tangent = result.predict_params(1e-4, expansion="linear")
    assert_close(tangent, result.params + 1e-4 * result.influence, 1e-15)


def test_attackable_takes_names_too():
    data = make("linear", m=3)
    model = estimator("linear").fit(data.X, data.y)
    mask = fa.aif(model, data.X, data.y, attackable=[True, False, True])
    named = fa.aif(model, data.X, data.y, attackable=["x2", "x0"])
    np.testing.assert_array_equal(mask.influence, named.influence)

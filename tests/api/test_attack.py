"""Attacks stay in the ball and reach the closed inner maximum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import linear as naive

import fastaif as fa

P = [1, 1.5, 2, 3, np.inf]
KINDS = ["linear", "logistic", "poisson", "huber"]
ESTIMATORS = {
    "linear": fa.LinearRegression,
    "logistic": fa.LogisticRegression,
    "poisson": fa.PoissonRegression,
    "huber": fa.HuberRegression,
}
LOSSES = {
    "linear": "squared_error", "logistic": "logistic", "poisson": "poisson", "huber": "huber",
}  # fmt: skip


def _data(kind):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(200, 4)) * np.array([1.0, 0.5, 2.0, 1.0])
    f = X @ np.array([0.5, -0.8, 0.3, 0.2])
    y = {
        "linear": f + rng.normal(size=200),
        "logistic": np.where(f + rng.logistic(size=200) > 0, 1.0, -1.0),
        "poisson": rng.poisson(np.exp(f)).astype(float),
        "huber": f + rng.standard_t(2, size=200),
    }[kind]
    return X, y, ESTIMATORS[kind](alpha=0.01).fit(X, y)


def _theta(model):
    return np.append(model.coef_, model.intercept_)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("eps", [0.01, 0.3])
def test_the_closed_form_is_the_maximum(kind, p, eps):
    X, y, model = _data(kind)
    worst = naive.adversarial_losses(X, y, _theta(model), eps, loss=LOSSES[kind], p=p)
    assert fa.adversarial_loss(model, X, y, eps, p=p) == pytest.approx(worst.mean(), rel=1e-12)
    attacked = fa.attack(model, X, y, eps, p=p)
    per_sample = naive.adversarial_losses(attacked, y, _theta(model), 0.0, loss=LOSSES[kind], p=p)
    np.testing.assert_allclose(per_sample, worst, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", P)
def test_projected_ascent_reaches_it(kind, p):
    X, y, model = _data(kind)
    for eps in (0.01, 0.3):
        exact = fa.adversarial_loss(model, X, y, eps, p=p)
        clean = fa.adversarial_loss(model, X, y, 0.0, p=p)
        found = fa.adversarial_loss(
            model, X, y, eps, p=p, method="pgd", n_restarts=3, random_state=0
        )
        assert found <= exact * (1 + 1e-12)
        assert found - clean >= 0.999 * (exact - clean)


@pytest.mark.parametrize("method", ["exact", "pgd"])
@pytest.mark.parametrize("p", P)
def test_attacks_stay_in_the_ball(method, p):
    X, y, model = _data("linear")
    scale = np.array([1.0, 0.0, 2.0, 0.5])
    attacked = fa.attack(
        model, X, y, 0.2, p=p, feature_scale=scale, method=method, n_restarts=4, random_state=1
    )
    free = scale > 0
    s = np.mean(np.linalg.norm(X[:, free] / scale[free], ord=p, axis=1))
    moved = np.linalg.norm((attacked - X)[:, free] / scale[free], ord=p, axis=1)
    assert moved.max() <= 0.2 * s * (1 + 1e-12)
    np.testing.assert_array_equal(attacked[:, ~free], X[:, ~free])


def test_random_starts_do_not_depend_on_the_rows_around():
    X, y, model = _data("poisson")
    options = {"p": 1.5, "radius": 1.0, "method": "pgd", "n_restarts": 3, "n_steps": 2}
    whole = fa.attack(model, X, y, 0.3, random_state=3, **options)
    head = fa.attack(model, X[:50], y[:50], 0.3, random_state=3, **options)
    np.testing.assert_array_equal(whole[:50], head)
    other = fa.attack(model, X, y, 0.3, random_state=4, **options)
    assert not np.array_equal(whole, other)


def test_types_are_kept():
    X, y, model = _data("linear")
    assert fa.attack(model, X.astype(np.float32), y, 0.1).dtype == np.float32
    assert fa.attack(model, np.round(X).astype(int), y, 0.1).dtype == np.float64
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(200) + 5)
    attacked = fa.attack(fa.LinearRegression().fit(frame, y), frame, y, 0.1)
    assert list(attacked.columns) == list("abcd")
    assert attacked.index[0] == 5


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("others", ["float64", "int64"])
def test_each_column_of_a_frame_keeps_its_type_and_stays_inside(p, others):
    X, y, _ = _data("linear")
    frame = pd.DataFrame(1e3 * X, columns=list("abcd"))
    frame = frame.astype({"a": "float32", "b": "float16", "c": others})
    model = fa.LinearRegression().fit(frame, y)
    low = frame.min()
    attacked = fa.attack(model, frame, y, 1e-3, p=p, radius=1e3, bounds=(low, None))
    kinds = ["float32", "float16", "float64", "float64"]
    assert [str(kind) for kind in attacked.dtypes] == kinds
    assert (attacked >= low).all().all()
    delta = attacked.astype(float) - frame.astype(float)
    assert np.linalg.norm(delta, ord=p, axis=1).max() <= 1.0
    assert (delta != 0.0).any().all() or p == 1
    metric = fa.attack(model, frame, y, 1e-3, radius=1e3, metric=np.eye(4) + 0.5)
    assert (metric.dtypes == "float64").all()


def test_zero_radius_changes_nothing():
    X, y, model = _data("linear")
    np.testing.assert_array_equal(fa.attack(model, X, y, 0.0), X)


@pytest.mark.parametrize("p", [1, 1.5, 2, np.inf])
def test_robust_fits_by_ascent_come_close_to_the_exact_ones(p):
    X, y, model = _data("linear")
    exact = fa.robust_fit(model, X, y, 0.05, p=p)
    ascent = fa.robust_fit(model, X, y, 0.05, p=p, method="pgd")
    assert ascent.method == "pgd"
    assert exact.objective <= ascent.objective * (1 + 1e-12)
    assert ascent.objective == pytest.approx(exact.objective, rel=1e-4)
    np.testing.assert_allclose(ascent.params, exact.params, atol=0.02)


def test_sensitivities_agree_with_robust_fits():
    X, y, model = _data("logistic")
    robust = fa.robust_fit(model, X, y, 0.05)
    held, target = X[::-1][:50] + 0.1, y[::-1][:50]

    def clean(estimator):
        return fa.adversarial_loss(estimator, held, target, 0.0)

    exact = fa.sensitivity(model, X, y, 0.05, X_eval=held, y_eval=target, method="exact")
    assert exact == pytest.approx(clean(robust.estimator) - clean(model), rel=1e-9)
    taylor = fa.sensitivity(
        model, X, y, 1e-4, X_eval=held, y_eval=target, method="quadratic", expansion="taylor"
    )
    small = fa.sensitivity(model, X, y, 1e-4, X_eval=held, y_eval=target, method="exact")
    assert taylor == pytest.approx(small, rel=1e-4)
    values = fa.sensitivity(model, X, y, [[0.01, 0.02]], method="exact")
    assert values.shape == (1, 2)

"""Attacks on basis models by projected ascent: in the ball, and close to what a search finds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from oracles import basis as twin
from oracles import basis_attack, losses, norms
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from support.basis_makers import BASES, LOSSES, estimator, make, params_of, twin_of
from support.makers import DELTA, ORDERS, about

import fastaif as fa

CURVED = ["quadratic", "powers 2", "powers 3", "fourier", "custom"]
SCALE = np.array([1.0, 0.0, 2.0])


def loss_at(name, kind, model, X, y):
    """Each sample's loss at X, by the twin."""
    f = twin.rows(twin_of(name, model), X, True) @ params_of(model)
    return losses.loss(LOSSES[kind], f, y, DELTA)[0]


def points_of_the_ball(p, count, m, rng):
    """Half of them on the lp sphere of radius one."""
    U = rng.normal(size=(count, m)) * rng.choice([1.0, 0.1], size=(count, m))
    U /= norms.norm(U, p)[:, None]
    U[::2] *= rng.uniform(size=(count // 2, 1)) ** (1.0 / m)
    return U


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize(("eps", "kind", "n_restarts"), [(0.02, "poisson", 2), (0.5, "linear", 30)])
def test_ascent_stays_in_the_ball_and_beats_a_search(name, kind, p, eps, n_restarts, rng):
    """A single start often ends at a local maximum of a large ball; thirty seldom do."""
    X, y, _ = make(kind, n=16)
    model = estimator(name, kind).fit(X, y)
    options = {"p": p, "n_restarts": n_restarts, "random_state": 0, "method": "pgd"}
    attacked = fa.attack(model, X, y, eps, **options)
    reach = eps * np.mean(norms.norm(X, p))
    assert norms.norm(attacked - X, p).max() <= reach * (1 + 1e-12)
    found = loss_at(name, kind, model, attacked, y)
    clean = loss_at(name, kind, model, X, y)
    assert np.all(found >= clean - 1e-12)
    moves = reach * points_of_the_ball(p, 300, 3, rng)
    best = np.max([loss_at(name, kind, model, X + move, y) for move in moves], axis=0)
    assert np.mean(found - clean) >= 0.999 * np.mean(best - clean)
    assert np.mean(found >= clean + 0.97 * (best - clean)) >= 0.9
    value = fa.adversarial_loss(model, X, y, eps, **options)
    assert value == about(found.mean(), 1e-10)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("kind", ["linear", "poisson"])
def test_small_attacks_gain_the_value_derivative(name, kind, p):
    """To first order in eps; the second order is a share of about eps."""
    X, y, w = make(kind, weighted=True)
    model = estimator(name, kind).fit(X, y, w)
    result = fa.aif(model, X, y, p=p, sample_weight=w)
    options = {"p": p, "sample_weight": w, "method": "pgd"}
    attacked, clean = (fa.adversarial_loss(model, X, y, e, **options) for e in (1e-4, 0.0))
    assert (attacked - clean) / 1e-4 == about(result.value_derivative, 5e-3)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("kind", ["logistic", "huber"])
def test_small_attacks_are_the_twins_fixed_points(name, kind, p):
    X, y, w = make(kind, weighted=True)
    model = estimator(name, kind).fit(X, y, w)
    reach = 1e-3
    attacked = fa.attack(model, X, y, 1.0, p=p, radius=reach, method="pgd", n_steps=100)
    points = basis_attack.worst_points(
        twin_of(name, model), X, y, params_of(model), reach, np.ones(3), loss=LOSSES[kind], p=p,
        delta=DELTA,
    )  # fmt: skip
    clean, found, wanted = (
        np.mean(loss_at(name, kind, model, Z, y)) for Z in (X, attacked, points)
    )
    assert found - clean == about(wanted - clean, 1e-3)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", [*CURVED, "linear"])
def test_features_that_cannot_be_attacked_stay(name, p):
    X, y, _ = make("linear")
    model = estimator(name, "linear").fit(X, y)
    attacked = fa.attack(
        model, X, y, 0.3, p=p, feature_scale=SCALE, method="pgd", n_restarts=3, random_state=1
    )
    free = SCALE > 0
    s = np.mean(norms.norm(X[:, free] / SCALE[free], p))
    moved = norms.norm((attacked - X)[:, free] / SCALE[free], p)
    assert moved.max() <= 0.3 * s * (1 + 1e-12)
    np.testing.assert_array_equal(attacked[:, ~free], X[:, ~free])


@pytest.mark.parametrize("name", ["quadratic", "fourier", "custom"])
def test_restarts_do_no_harm(name, kind):
    X, y, _ = make(kind)
    model = estimator(name, kind).fit(X, y)
    options = {"p": 3, "method": "pgd", "random_state": 2, "n_steps": 10}
    one, many = (
        loss_at(name, kind, model, fa.attack(model, X, y, 1.0, n_restarts=k, **options), y)
        for k in (1, 6)
    )
    assert np.all(many >= one - 1e-12 * (1 + np.abs(one)))


def test_random_starts_do_not_depend_on_the_rows_around():
    for name in CURVED:
        X, y, _ = make("poisson", n=90)
        model = estimator(name, "poisson").fit(X, y)
        options = {"p": 1.5, "radius": 1.0, "method": "pgd", "n_restarts": 3, "n_steps": 2}
        whole = fa.attack(model, X, y, 0.3, random_state=3, **options)
        head = fa.attack(model, X[:30], y[:30], 0.3, random_state=3, **options)
        np.testing.assert_allclose(whole[:30], head, rtol=1e-12, atol=1e-13)
        other = fa.attack(model, X, y, 0.3, random_state=4, **options)
        assert not np.array_equal(whole, other)


@pytest.mark.parametrize("method", ["auto", "pgd"])
def test_types_are_kept(method):
    X, y, _ = make("linear")
    for name in BASES:
        model = estimator(name, "linear").fit(X, y)
        assert fa.attack(model, X.astype(np.float32), y, 0.1, method=method).dtype == np.float32
        frame = pd.DataFrame(X, columns=list("abc"), index=np.arange(len(X)) + 5)
        attacked = fa.attack(model, frame, y, 0.1, method=method)
        assert list(attacked.columns) == list("abc")
        assert attacked.index[0] == 5
        np.testing.assert_array_equal(fa.attack(model, X, y, 0.0, method=method), X)


@pytest.mark.parametrize("space", ["scaled", "raw"])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_pipelines(space, p):
    """Attacks move raw inputs; the ball is in the units of the scaler before the polynomials."""
    X, y, _ = make("linear")
    X = X * [1.0, 10.0, 0.1] + [0.0, 5.0, -3.0]
    pipe = make_pipeline(StandardScaler(), PolynomialFeatures(2), StandardScaler())
    pipe = make_pipeline(*[step for _, step in pipe.steps], LinearRegression()).fit(X, y)
    options = {"p": p, "attack_space": space, "n_restarts": 30, "random_state": 0}
    attacked = fa.attack(pipe, X, y, 0.2, **options)
    mean, sd = (pipe[0].mean_, pipe[0].scale_) if space == "scaled" else (0.0, 1.0)
    reach = 0.2 * np.mean(norms.norm((X - mean) / sd, p))
    assert norms.norm((attacked - X) / sd, p).max() <= reach * (1 + 1e-11)
    found = (pipe.predict(attacked) - y) ** 2
    moves = reach * sd * points_of_the_ball(p, 300, 3, np.random.default_rng(0))
    best = np.max([(pipe.predict(X + move) - y) ** 2 for move in moves], axis=0)
    assert np.mean(found) >= 0.999 * np.mean(best)
    value = fa.adversarial_loss(pipe, X, y, 0.2, **options)
    assert value == about(found.mean(), 1e-9)

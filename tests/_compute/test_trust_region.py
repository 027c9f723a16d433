"""Attacks on quadratic models for p = 2 are global maxima, hard cases included.

The extremes of a quadratic f over a ball are trust-region subproblems. They are hard where the
gradient is orthogonal to the eigenvectors of the extreme eigenvalue.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracles import basis as twin
from oracles import basis_attack, losses
from support.basis_makers import LOSSES, estimator, make
from support.makers import about

import fastaif as fa

N, M = 60, 4


def turned(eigenvalues, seed=3):
    """A symmetric matrix with these eigenvalues, and its eigenvectors."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(M, M)))[0]
    return (Q * eigenvalues) @ Q.T, Q


def ordinary(eigenvalues, factor=1.0):
    def build(rng):
        A, _ = turned(np.array(eigenvalues))
        return factor * A, factor * rng.normal(size=M), rng.normal(size=(N, M))

    return build


def orthogonal(*eigenvalues):
    """Gradients with exact zeros for the largest eigenvalue, then for the least one."""

    def build(rng):
        X, coef = rng.normal(size=(N, M)), np.array([0.0, 0.4, -0.3, 0.0])
        X[: N // 2, 0] = X[N // 2 :, 3] = 0.0
        return np.diag(eigenvalues), coef, X

    return build


def nearly_orthogonal(rng):
    """The same behind a rotation: the zeros become roundings."""
    A, Q = turned(np.array([2.0, 0.5, -0.7, -1.0]))
    Z = rng.normal(size=(N, M))
    Z[: N // 2, 0] = Z[N // 2 :, 3] = 0.0
    return A, Q @ np.array([0.0, 0.4, -0.3, 0.0]), Z @ Q.T


def at_the_stationary_point(*eigenvalues):
    """Samples at which f has a zero gradient, exactly."""

    def build(rng):
        return turned(np.array(eigenvalues))[0], np.zeros(M), np.zeros((N, M))

    return build


FAMILIES = {
    "indefinite": ordinary([2.0, 0.5, -0.7, -1.5]),
    "positive": ordinary([2.0, 1.0, 0.5, 0.1]),
    "interior maximum": ordinary([-0.5, -1.0, -1.1, -3.0]),
    "rank one": ordinary([1.5, 0.0, 0.0, 0.0]),
    "rank one, negative": ordinary([0.0, 0.0, 0.0, -1.5]),
    "multiple": ordinary([1.0, 1.0, -1.0, -1.0]),
    "identity": ordinary([1.0, 1.0, 1.0, 1.0]),
    "no squares": ordinary([0.0, 0.0, 0.0, 0.0]),
    "tiny": ordinary([2.0, 0.5, -0.7, -1.5], 1e-9),
    "huge": ordinary([2.0, 0.5, -0.7, -1.5], 1e9),
    "unlike": ordinary([1e6, 1.0, -1e-6, -1e3]),
    "hard": orthogonal(2.0, 0.5, -0.7, -1.5),
    "hard, multiple": orthogonal(2.0, 2.0, -1.5, -1.5),
    "hard, definite": orthogonal(3.0, 2.0, 1.0, 0.5),
    "hard, rotated": nearly_orthogonal,
    "zero gradient": at_the_stationary_point(2.0, 0.5, -0.7, -1.5),
    "zero gradient, multiple": at_the_stationary_point(1.0, 1.0, -1.0, -1.0),
    "zero gradient, positive": at_the_stationary_point(2.0, 1.0, 0.5, 0.1),
    "zero gradient, no squares": at_the_stationary_point(0.0, 0.0, 0.0, 0.0),
}


def quadratic(A, coef, intercept=0.3):
    """A `QuadraticRegression` with these parameters."""
    rng = np.random.default_rng(0)
    model = fa.QuadraticRegression().fit(rng.normal(size=(40, len(coef))), rng.normal(size=40))
    model.coef_, model.quadratic_, model.intercept_ = coef, np.array(A), intercept
    return model


def values(A, coef, X, intercept=0.3):
    return intercept + X @ coef + np.einsum("ij,jk,ik->i", X, A, X)


def problem(family, reach):
    """The model's parts, samples, and targets: above all of f, below it, and in its midst."""
    rng = np.random.default_rng(7)
    A, coef, X = FAMILIES[family](rng)
    f = values(A, coef, X)
    spread = 10.0 * (1.0 + np.abs(A).max() * (1.0 + reach) ** 2 + np.abs(coef).max() * reach)
    y = f + spread * np.resize([1.0, -1.0, 0.0, 0.1, -0.1, 0.01], N)
    return A, coef, X, y


def points_of_the_ball(rng, count=10_000):
    """Half of them on the sphere of radius one, half inside."""
    U = rng.normal(size=(count, M))
    U /= np.linalg.norm(U, axis=1)[:, None]
    U[::2] *= rng.uniform(size=(count // 2, 1)) ** (1.0 / M)
    return U


def worst_of(A, coef, X, y, moves):
    """The largest squared error over these moves, the same for each sample."""
    bent = np.einsum("ij,jk,ik->i", moves, A, moves)
    f = values(A, coef, X)[:, None] + (coef + 2.0 * X @ A) @ moves.T + bent
    return np.max((f - y[:, None]) ** 2, axis=1)


@pytest.mark.parametrize("reach", [0.01, 1.0, 20.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_attacks_are_never_beaten(family, reach, rng):
    A, coef, X, y = problem(family, reach)
    model = quadratic(A, coef)
    ball = {"p": 2, "radius": reach}
    attacked = fa.attack(model, X, y, 1.0, **ball)
    assert np.linalg.norm(attacked - X, axis=1).max() <= reach * (1 + 1e-12) + 1e-14
    found = (values(A, coef, attacked) - y) ** 2
    size = (np.abs(y) + np.abs(values(A, coef, X)) + np.abs(values(A, coef, attacked))) ** 2
    assert np.all(found >= worst_of(A, coef, X, y, reach * points_of_the_ball(rng)) - 1e-13 * size)
    ascent = fa.attack(model, X, y, 1.0, method="pgd", n_restarts=10, random_state=0, **ball)
    assert np.all(found >= (values(A, coef, ascent) - y) ** 2 - 1e-13 * size)


def theta_of(A, coef):
    j, k = np.triu_indices(len(coef))
    return np.concatenate([coef, A[j, k] * np.where(j == k, 1.0, 2.0), [0.3]])


@pytest.mark.parametrize("reach", [1e-8, 0.01, 1.0, 20.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_attacks_reach_the_dual_bound(family, reach):
    A, coef, X, y = problem(family, reach)
    worst = basis_attack.adversarial_losses(
        twin.Quadratic(), X, y, theta_of(A, coef), 1.0, loss="squared_error", radius=reach
    )
    model = quadratic(A, coef)
    attacked = fa.attack(model, X, y, 1.0, radius=reach)
    size = (np.abs(y) + np.abs(values(A, coef, X)) + np.abs(values(A, coef, attacked))) ** 2
    found = (values(A, coef, attacked) - y) ** 2
    assert np.max(np.abs(found - worst) / size) <= 1e-13
    assert fa.adversarial_loss(model, X, y, 1.0, radius=reach) == about(worst.mean(), 1e-11)


@pytest.mark.parametrize("family", ["indefinite", "interior maximum", "hard", "multiple"])
@pytest.mark.parametrize("scale", [[1.0, 0.0, 3.0, 0.2], [0.0, 0.0, 1.0, 0.0]])
def test_units_of_the_attack(family, scale):
    A, coef, X, y = problem(family, 1.0)
    scale = np.array(scale)
    attack = {"radius": 1.0, "feature_scale": scale}
    worst = basis_attack.adversarial_losses(
        twin.Quadratic(), X, y, theta_of(A, coef), 0.7, loss="squared_error", **attack
    )
    attacked = fa.attack(quadratic(A, coef), X, y, 0.7, **attack)
    np.testing.assert_allclose((values(A, coef, attacked) - y) ** 2, worst, rtol=1e-10)
    free = scale > 0
    np.testing.assert_array_equal(attacked[:, ~free], X[:, ~free])
    moved = np.linalg.norm((attacked - X)[:, free] / scale[free], axis=1)
    assert moved.max() <= 0.7 * (1 + 1e-12) + 1e-14


@pytest.mark.parametrize("eps", [1e-7, 0.05, 1.0])
def test_other_losses(kind, eps):
    X, y, w = make(kind, n=200, weighted=True)
    model = estimator("quadratic", kind).fit(X, y, w)
    theta = np.append(model.coef_, model.intercept_)
    known = {"loss": LOSSES[kind], "delta": 1.3}
    worst = basis_attack.adversarial_losses(
        twin.Quadratic(), X, y, theta, eps, sample_weight=w, **known
    )
    attacked = fa.attack(model, X, y, eps, sample_weight=w)
    f = twin.rows(twin.Quadratic(), attacked, True) @ theta
    np.testing.assert_allclose(losses.loss(LOSSES[kind], f, y, 1.3)[0], worst, rtol=1e-11)
    assert fa.adversarial_loss(model, X, y, eps, sample_weight=w) == about(w @ worst / w.sum())


@pytest.mark.parametrize("a", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("b", [0.5, 0.0])
def test_a_single_input(a, b):
    """The extremes of a parabola over an interval: its ends, or the vertex."""
    x = np.linspace(-2.0, 2.0, 41)
    y = np.resize([-30.0, 30.0, 0.0], 41)
    model = quadratic([[a]], np.array([b]))
    attacked = fa.attack(model, x[:, None], y, 1.0, radius=0.6)[:, 0]
    vertex = np.clip(-b / (2 * a), x - 0.6, x + 0.6) if a else x
    candidates = np.stack([x - 0.6, x + 0.6, vertex])
    worst = np.max((0.3 + b * candidates + a * candidates**2 - y) ** 2, axis=0)
    found = (0.3 + b * attacked + a * attacked**2 - y) ** 2
    np.testing.assert_allclose(found, worst, rtol=1e-13)


def test_the_twins_bound_has_all_its_digits(rng):
    """The dual in 50 digits, with mpmath's own eigenvalues."""
    mp = pytest.importorskip("mpmath", reason="mpmath is not installed")
    mp.mp.dps = 50
    for family in ("indefinite", "interior maximum", "hard, multiple"):
        A, coef, X, _ = problem(family, 1.0)
        G = (coef + 2.0 * X @ A)[::15]
        values, axes = mp.eigsy(mp.matrix(A.tolist()))
        for g, found in zip(G, basis_attack.largest_quadratic(G, A, 0.8), strict=True):
            h = axes.T * mp.matrix(g.tolist())
            parts = [(h[k] ** 2 / 4, values[k]) for k in range(M) if abs(h[k]) > 1e-40]
            low = max(mp.mpf(0), values[M - 1])
            high = low + mp.norm(h)
            for _ in range(170):
                t = (low + high) / 2
                falling = sum(part / (t - a) ** 2 for part, a in parts) > mp.mpf(0.8) ** 2
                low, high = (t, high) if falling else (low, t)
            wanted = high * mp.mpf(0.8) ** 2 + sum(part / (high - a) for part, a in parts)
            assert abs(found / wanted - 1) <= 1e-14


def test_samples_do_not_see_each_other():
    A, coef, X, y = problem("hard", 1.0)
    model = quadratic(A, coef)
    whole = fa.attack(model, X, y, 1.0, radius=1.0)
    np.testing.assert_array_equal(whole[:30], fa.attack(model, X[:30], y[:30], 1.0, radius=1.0))
    np.testing.assert_array_equal(fa.attack(model, X, y, 0.0, radius=1.0), X)

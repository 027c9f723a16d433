"""Robust fits of softmax models and several outputs within sets, against what is known exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

import fastaif as fa
from fastaif.families.registry import adversary_of

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
RNG = np.random.default_rng(7)
N = 30
X = np.clip(RNG.normal(size=(N, 3)), -1.2, 1.2)
LINE = X @ [1.0, -1.0, 0.5] + 0.4 * RNG.normal(size=N)
CLASSES = np.digitize(LINE, [-0.6, 0.7])
PAIR = np.stack([LINE, X[:, 0] - 2.0 * LINE + RNG.normal(size=N)], axis=1)
WEIGHTS = RNG.exponential(size=N) * (np.arange(N) % 6 > 0)
HALF = RNG.normal(size=(3, 3))
SIZES = RNG.choice([0.0, 0.5, 1.0, 2.0], size=N)
SETS = {
    "bounds": {"bounds": (-1.2, 1.2), "p": 2},
    "box": {"bounds": (-1.2, np.inf), "p": np.inf},
    "budgets": {"budgets": SIZES, "p": 2},
    "both": {"bounds": (-1.2, 1.2), "budgets": SIZES, "p": np.inf},
    "metric": {"metric": HALF @ HALF.T + np.eye(3), "p": 2},
    "groups": {"groups": [[0, 2], [1]], "p": 2},
}
TARGETS = {"softmax": (fa.LogisticRegression, CLASSES), "outputs": (fa.LinearRegression, PAIR)}


def losses_of(model, inputs, y):
    """Of one target y, at inputs (k, m)."""
    if hasattr(model, "predict_proba"):
        return -np.log(model.predict_proba(inputs)[:, int(y)])
    return np.sum((model.predict(inputs) - y) ** 2, axis=1)


@pytest.mark.long
@pytest.mark.parametrize("eps", [0.05, 0.4])
@pytest.mark.parametrize("kind", SETS)
def test_an_output_twice_has_the_fit_of_one(kind, eps):
    """Whose robust optimum is known exactly."""
    once = fa.LinearRegression(alpha=0.02).fit(X, LINE, sample_weight=WEIGHTS)
    twice = fa.LinearRegression(alpha=0.02).fit(X, np.stack([LINE, LINE], axis=1), WEIGHTS)
    options = {"radius": 1.0, "sample_weight": WEIGHTS, **SETS[kind]}
    known = fa.robust_fit(once, X, LINE, eps, **options)
    found = fa.robust_fit(twice, X, np.stack([LINE, LINE], axis=1), eps, **options)
    assert found.converged
    assert found.method == "pgd"
    assert 0.0 <= found.gap <= 1e-9
    assert found.objective == pytest.approx(2.0 * known.objective, rel=2e-9)
    coef = found.estimator.coef_
    np.testing.assert_allclose(coef[0], coef[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(coef[0], known.estimator.coef_, rtol=1e-3, atol=1e-4)


def corners(rho, low, high):
    """Those of the box in which each row of X[:, :2] may be, (n, 4, 2)."""
    ends = np.clip(X[:, None, :2] + rho * np.array([[-1.0], [1.0]]), low, high)
    return np.stack(
        [np.stack([ends[:, a, 0], ends[:, b, 1]], axis=1)
         for a, b in itertools.product((0, 1), (0, 1))], axis=1,
    )  # fmt: skip


def least_of_corners(family, Y, at, alpha, start):
    """min mean_i t_i + α‖W‖² over t_i ≥ ℓ_i at every corner, by sequential programming."""
    k, d = start.shape
    inputs = np.concatenate([at, np.ones((*at.shape[:2], 1))], axis=2)

    def losses(theta):
        z = inputs @ theta.reshape(k, d).T
        if family == "outputs":
            r = z - Y[:, None]
            return np.sum(r * r, axis=2), 2.0 * r
        top = z.max(axis=2, keepdims=True)
        shares = np.exp(z - top)
        total = shares.sum(axis=2, keepdims=True)
        own = np.eye(k)[Y][:, None, :]
        values = (top + np.log(total))[..., 0] - np.sum(z * own, axis=2)
        return values, shares / total - own

    def room(v):
        return (v[k * d :, None] - losses(v[: k * d])[0]).ravel()

    def slopes(v):
        pulls = losses(v[: k * d])[1][..., :, None] * inputs[:, :, None, :]
        moves = -pulls.reshape(-1, k * d)
        return np.hstack([moves, np.repeat(np.eye(len(Y)), inputs.shape[1], axis=0)])

    inner = np.tile(np.arange(d) < d - 1, k)

    def value(v):
        return v[k * d :].mean() + alpha * np.sum(v[: k * d][inner] ** 2)

    def slope(v):
        return np.concatenate(
            [2.0 * alpha * v[: k * d] * inner, np.full(len(Y), 1.0 / len(Y))]
        )

    v = np.concatenate([start.ravel(), losses(start.ravel())[0].max(axis=1)])
    found = minimize(
        value, v, jac=slope, constraints={"type": "ineq", "fun": room, "jac": slopes},
        method="SLSQP", options={"maxiter": 500, "ftol": 1e-13},
    )  # fmt: skip
    return value(np.concatenate([found.x[: k * d], losses(found.x[: k * d])[0].max(axis=1)]))


@pytest.mark.parametrize("eps", [0.1, 0.5])
@pytest.mark.parametrize("family", TARGETS)
def test_within_a_box_nothing_is_below_but_what_the_gap_says(family, eps):
    kind, y = TARGETS[family]
    model = kind(alpha=0.02).fit(X[:, :2], y)
    found = fa.robust_fit(
        model, X[:, :2], y, eps, p=np.inf, radius=1.0, bounds=(-1.2, 1.2)
    )
    start = np.column_stack([found.estimator.coef_, found.estimator.intercept_])
    natural = np.column_stack([model.coef_, model.intercept_])
    at = corners(eps, -1.2, 1.2)
    known = min(
        least_of_corners(family, y, at, 0.02, theta) for theta in (start, natural)
    )
    assert found.objective == pytest.approx(known, rel=2e-6)
    assert found.objective * (1.0 - found.gap) <= known * (1.0 + 1e-9)
    assert 0.0 <= found.gap < 0.1


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("family", TARGETS)
def test_the_certificate_bounds_every_attack(family, kind):
    estimator, y = TARGETS[family]
    model = estimator(alpha=0.02).fit(X, y)
    options = {"radius": 1.0, **SETS[kind]}
    problem = fa.aif(model, X, y, **options).problem
    adversary, opened = adversary_of(problem), []
    for eps in (0.4, 0.004, 0.002):
        proven = problem.certificate(problem.params, eps)
        found = adversary.loss(problem.params, eps, adversary.training)
        assert found <= proven * (1.0 + 1e-12)
        opened.append(proven - found)
        for draw in range(30):
            moves = problem.ball.drawn(3, draw, np.arange(N), eps * problem.budgets)
            there = X + problem.ball.raw(problem.ball.cut(moves, X))
            reached = [losses_of(model, x[None], t)[0] for x, t in zip(there, y, strict=True)]
            assert np.mean(reached) <= proven
    assert opened[0] < 0.1 * proven
    assert opened[2] < 0.4 * opened[1] + 1e-15  # of second order


@pytest.mark.parametrize("family", TARGETS)
def test_influences_are_the_slopes_of_robust_optima(family):
    kind, y = TARGETS[family]
    model = kind(alpha=0.02).fit(X, y)
    options = {"bounds": (-1.2, 1.2), "p": 2}
    result = fa.aif(model, X, y, **options)
    slope = (fa.robust_fit(model, X, y, 1e-6, **options).params - result.params) / 1e-6
    assert np.linalg.norm(slope - result.influence) <= 1e-3 * np.linalg.norm(slope)
    verified = result.verify(1e-4)
    assert verified.exact_gain == pytest.approx(verified.predicted_gain, rel=5e-3)


@pytest.mark.parametrize("family", ["softmax", pytest.param("outputs", marks=pytest.mark.long)])
def test_a_path_is_its_robust_fits(family):
    kind, y = TARGETS[family]
    model = kind(alpha=0.02).fit(X, y)
    options = {"bounds": (-1.2, 1.2), "p": 2}
    path = fa.robust_path(model, X, y, 0.05, **options)
    fit = fa.robust_fit(model, X, y, 0.05, **options)
    assert path.objective(0.05) == pytest.approx(fit.objective, rel=1e-9)

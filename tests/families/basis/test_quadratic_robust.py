"""The smoothed robust objective of quadratic models, its bounds, and fits at their kinks."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import basis as twin
from oracles import basis_attack
from support.basis_makers import estimator, known_to_twin, make
from support.makers import about

import fastaif as fa
from fastaif._compute import get
from fastaif.api.prepare import prepare
from fastaif.families.basis.extremes import Extremes
from fastaif.families.basis.robust_objective import RobustObjective
from fastaif.families.basis.smooth_extremes import SmoothExtremes
from fastaif.families.basis.smooth_objective import Smoothing, SmoothRobust
from fastaif.threat.threat import Threat
from fastaif.utils.warnings import SolverWarning

MASKS = {"all": None, "some": np.array([True, False, True])}


def problem_of(kind, mask=None, n=40):
    X, y, w = make(kind, n=n, weighted=True)
    model = estimator("quadratic", kind).fit(X, y, w)
    return prepare(model, X, y, Threat(attackable=mask), sample_weight=w)


def scaled(problem):
    """v behind an output scaling, as in working coordinates."""
    d = problem.model.n_coefs
    return problem.basis.rescaled(0.1 * np.arange(d), 1.0 + 0.3 * np.arange(d))


def smooth_at(problem, theta, level, step=None):
    smoothing = Smoothing(level, level, 1.0)
    return SmoothRobust(
        problem, scaled(problem), problem.penalized, 0.3 * problem.radius, smoothing, theta, step
    )


def near(problem, seed=0, size=0.1):
    rng = np.random.default_rng(seed)
    return problem.params + size * rng.normal(size=problem.params.size)


def differences(f, theta, step=1e-5):
    moves = step * np.eye(theta.size)
    return np.array([(f(theta + e) - f(theta - e)) / (2.0 * step) for e in moves])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("level", [0.1, 1e-3])
def test_derivatives(kind, level, mask):
    problem = problem_of(kind, MASKS[mask])
    theta = near(problem)
    local = smooth_at(problem, theta, level).local()
    step = 1e-4 * level  # an error of (step / level)²
    slope = differences(lambda t: smooth_at(problem, t, level).local().value, theta, step)
    bend = differences(lambda t: smooth_at(problem, t, level).local().gradient, theta, step)
    np.testing.assert_allclose(local.gradient, slope, atol=1e-8)
    np.testing.assert_allclose(local.hessian, bend, atol=1e-6)
    assert np.linalg.eigvalsh(local.hessian)[0] > 0


def test_derivatives_where_all_coefficients_are_zero(kind):
    problem = problem_of(kind)
    theta = np.zeros(problem.params.size)
    local = smooth_at(problem, theta, 0.1).local()
    bend = differences(lambda t: smooth_at(problem, t, 0.1).local().gradient, theta)
    np.testing.assert_allclose(local.hessian, bend, atol=1e-8)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("barrier", [1.0, 1e-3, 1e-9])
def test_exact_ends_are_within_the_bounds(mask, barrier):
    problem = problem_of("linear", MASKS[mask])
    basis, radius = scaled(problem), 0.5 * problem.radius
    U = basis.inner(problem.source.inputs())
    for seed, size in ((0, 0.1), (1, 3.0), (2, 0.0)):
        beta = near(problem, seed, size)[:-1] * (size > 0)
        smooth = SmoothExtremes(basis, beta, problem.ball, radius, barrier, 1.0)
        exact = Extremes(basis, beta, problem.ball, radius, True)
        base = basis.features_at(U) @ beta
        for side in (1.0, -1.0):
            end = smooth.end(U, side)
            low = side * (smooth.features(end) @ beta - base)
            best = side * exact.end(U, side).change
            slack = barrier * end.widths.shape[1]
            rounding = 1e-13 * (1.0 + np.abs(best))
            assert np.all(low <= best + rounding)
            assert np.all(best <= low + slack + rounding)
            second = (end.t**2 + barrier / end.widths[:, :-1]).sum(axis=1)
            np.testing.assert_allclose(second + barrier / end.widths[:, -1], radius**2, rtol=1e-13)


@pytest.mark.parametrize("size", [1e-280, 1e-30, 1.0, 1e30, 1e150])
def test_widths_keep_their_digits(size):
    """A hard case: no slope along the top eigenvector."""
    h, values = size * np.array([[0.0, 1.0, 0.5], [0.0, 0.0, 0.0]]), size * np.array([1.0, 0, -2])
    t, widths, gains = np.empty((2, 3)), np.empty((2, 4)), np.empty((2, 2))
    nu = 1e-12 * size
    get("smooth_ball_ascent")(h, values, 0.8, nu, size, t, widths, gains)
    second = (t**2).sum(axis=1) + (nu / widths).sum(axis=1)
    np.testing.assert_allclose(second, 0.64, rtol=1e-12)
    np.testing.assert_allclose(gains[1, 1] / size, 0.64, rtol=1e-10)
    np.testing.assert_allclose(t[0, 1:] * widths[0, 1:3], 0.5 * h[0, 1:], rtol=1e-12)


@pytest.mark.parametrize("mask", MASKS)
def test_no_robust_objective_is_below_a_strategys(kind, mask):
    """Whatever step the strategy answers to, its attacks stay within reach."""
    problem = problem_of(kind, MASKS[mask])
    hard = RobustObjective(
        problem, scaled(problem), problem.penalized, 0.3 * problem.radius, True
    )
    theta = near(problem)
    for size in (None, 1e-6, 1e-2, 10.0):
        step = None if size is None else near(problem, 3, size) - problem.params
        for level in (0.1, 1e-4):
            strategy = smooth_at(problem, theta, level, step)
            for seed in range(8):
                other = near(problem, seed, 0.1 * seed)
                hard(other)
                assert strategy.bound(other).value <= hard.hard + 1e-12 * abs(hard.hard)


def test_a_strategy_that_answers_a_step_is_that_of_the_next_point():
    """Its gradient changes along a step by the Hessian, up to second order."""
    problem = problem_of("linear")
    theta, along = near(problem), near(problem, 5) - problem.params
    local = smooth_at(problem, theta, 0.05).local()
    at_rest = smooth_at(problem, theta, 0.05).bound(theta).gradient
    error = []
    for size in (1e-2, 1e-3, 1e-4):
        step = size * along
        found = smooth_at(problem, theta, 0.05, step).bound(theta + step).gradient
        there = smooth_at(problem, theta + step, 0.05).bound(theta + step).gradient
        error.append(np.linalg.norm(found - there))
    assert np.isfinite(local.value)
    assert np.linalg.norm(at_rest) > 0
    assert error[1] <= 0.02 * error[0]
    assert error[2] <= 0.02 * error[1]


def fit(kind, eps, n=40, **options):
    X, y, w = make(kind, n=n, weighted=True)
    model = estimator("quadratic", kind).fit(X, y, w)
    return fa.robust_fit(model, X, y, eps, sample_weight=w, **options), (model, X, y, w)


@pytest.mark.parametrize("eps", [0.15, 0.3])
@pytest.mark.parametrize("mask", MASKS)
def test_fits_at_kinks_prove_their_gap(kind, eps, mask):
    robust, (_, X, y, w) = fit(kind, eps, attackable=MASKS[mask])
    assert robust.converged
    assert 0.0 <= robust.gap <= 1e-9
    known = known_to_twin(kind) | {"sample_weight": w, "attackable": MASKS[mask]}

    def objective(theta):
        return basis_attack.robust_objective(twin.Quadratic(), X, y, theta, eps, **known)

    value = objective(robust.params)
    assert robust.objective == about(value, 1e-11)
    rng = np.random.default_rng(0)
    for step in (1e-7, 1e-4, 1e-2):
        for d in rng.normal(size=(10, robust.params.size)):
            assert objective(robust.params + step * d) >= value - 2e-9 * abs(value)


def test_large_attacks_leave_exact_zeros(kind):
    robust, (_, _, y, w) = fit(kind, 2.0)
    assert robust.converged
    np.testing.assert_array_equal(robust.params[:-1], 0.0)
    if kind in ("linear", "poisson"):
        mean = np.average(y, weights=w)
        assert robust.params[-1] == about(mean if kind == "linear" else np.log(mean), 1e-12)


def test_weights_are_repetitions_and_rows_without_weight_do_not_count():
    robust, (model, X, y, w) = fit("linear", 0.3)
    kept = np.repeat(np.arange(len(y)), w.astype(int))
    again = fa.robust_fit(model, X[kept], y[kept], 0.3)
    np.testing.assert_allclose(again.params, robust.params, atol=1e-7)
    far = np.where(w[:, None] > 0, X, 1e3)
    other = fa.robust_fit(model, far, y, 0.3, sample_weight=w)
    np.testing.assert_array_equal(other.params, robust.params)


@pytest.mark.parametrize("kind", ["linear", "huber"])
def test_more_coefficients_than_samples(kind):
    """The natural fit leaves no residual: nothing about the attacked loss can be read off it."""
    X, y, _ = make(kind, n=6)
    model = estimator("quadratic", kind, 0.01).fit(X, y)
    robust = fa.robust_fit(model, X, y, 0.02)
    assert robust.converged
    assert robust.gap <= 1e-9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_infimum_at_infinity_is_not_an_optimum():
    X = np.array([[-2.0], [-1.5], [1.0], [2.5]])
    y = np.array([0, 0, 1, 1])
    model = fa.BasisRegression(fa.bases.Quadratic(), loss="logistic", alpha=0.1)
    model.fit(X, y)
    with pytest.warns(SolverWarning):
        robust = fa.robust_fit(model, X, y, 0.01)
    assert not robust.converged


def test_few_passes_are_honest_about_it():
    X, y, w = make("linear", n=40, weighted=True)
    model = estimator("quadratic", "linear").fit(X, y, w)
    with pytest.warns(SolverWarning):
        robust = fa.robust_fit(model, X, y, 0.3, sample_weight=w, max_iter=12)
    best = fa.robust_fit(model, X, y, 0.3, sample_weight=w)
    assert not robust.converged
    assert robust.objective >= best.objective
    assert robust.objective - best.objective <= robust.gap * robust.objective


@pytest.mark.long
def test_ascent_finds_the_constant_model():
    X, y, _ = make("logistic", n=20, m=2)
    model = estimator("powers 2", "logistic").fit(X, y)
    with pytest.warns(SolverWarning):
        robust = fa.robust_fit(model, X, y, 2.0)
    np.testing.assert_array_equal(robust.params[:-1], 0.0)

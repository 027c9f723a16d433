"""Closed forms of section 5 against known numbers, quadrature and samples."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.makers import about

import fastaif as fa
from fastaif import bases, theory
from fastaif.norms import conjugate, dual_direction, lp_norm

NORMS = [1.0, 1.3, 2.0, 3.0, np.inf]
B1, B2 = np.array([1.0, -0.5, 0.3]), np.array([0.7, 0.2, -0.4])
SCALES = {"sigma_x": 1.3, "sigma_noise": 0.5}


# --- linear models ---------------------------------------------------------------------


def test_mean_norm_of_a_normal_vector() -> None:
    found = theory.gaussian_mean_norm(np.array([1, 2, 3]), 2.0)
    wanted = [2.0 * math.sqrt(2 / math.pi), math.sqrt(2 * math.pi), 4.0 * math.sqrt(2 / math.pi)]
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert theory.gaussian_mean_norm(3) == about(2.0 * math.sqrt(2 / math.pi))


@pytest.mark.parametrize("m", [10**5, 10**9])
def test_mean_norm_of_many_features(m: int) -> None:
    series = math.sqrt(m) * (1 - 1 / (4 * m) + 1 / (32 * m**2))
    assert theory.gaussian_mean_norm(m) == about(series, 1e-13)


def test_linear_sensitivity_of_figure_1() -> None:
    """x ~ N(0, I_2), noise .1: S/ε² is .01 in the population."""
    s, residual = theory.gaussian_mean_norm(2), 0.1 * math.sqrt(2 / math.pi)
    assert theory.linear_sensitivity(s, residual, 1.0) == about(0.01)
    np.testing.assert_allclose(
        theory.linear_sensitivity(s, residual, 1.0, [0.1, 0.2]), [1e-4, 4e-4], rtol=1e-13
    )
    beta = [2.0, -3.4]
    assert theory.linear_sensitivity(s, residual, 1.0, beta=beta) == about(0.01)
    # For p = ∞ the direction is a vector of signs, of length √2.
    assert theory.linear_sensitivity(s, residual, 1.0, beta=beta, p=np.inf) == about(0.02)


def test_random_effects() -> None:
    m = np.array([2, 5, 10, 15, 20])
    found = theory.random_effects_sensitivity(m, 20, 1.3, 0.5)
    np.testing.assert_allclose(found, [30.67, 73.78, 103.86, 80.36, 3.10], atol=5.1e-3)
    assert theory.random_effects_sensitivity(10, 20, 1.3, 0.5, 0.1) == about(0.01 * found[2])
    # All effects in the model: only the noise is left, and the theorem gives the rest.
    s, residual = theory.gaussian_mean_norm(20, 1.3), 0.5 * math.sqrt(2 / math.pi)
    assert found[-1] == about(theory.linear_sensitivity(s, residual, 1.3))


def test_random_effects_of_many_features_peak_where_they_should() -> None:
    m = np.arange(1, 10**6 + 1)
    found = theory.random_effects_sensitivity(m, 10**6, 2.0, 3.0)
    assert m[np.argmax(found)] == pytest.approx((10**6 * 4 + 9) / 8, abs=2)
    # Twice the size at twice the scales.
    np.testing.assert_allclose(
        theory.random_effects_sensitivity(m[::1000], 10**6, 4.0, 6.0), 16 * found[::1000] / 4
    )


def test_smoothing_ratio() -> None:
    sigma_r = np.linspace(0.0, 20.0, 2001)
    for signal in (0.5, 1.9, 2.1, 5.0):
        ratio = theory.smoothing_ratio([0.6 * signal**0.5, 0.8 * signal**0.5], 1.0, sigma_r, 1.0)
        assert ratio[0] == 1.0
        assert ratio[-1] < 1e-4
        assert (ratio.max() > 1.0 + 1e-6) == (signal > 2)
    # c = 1/2: (1/4) (‖β‖²/2 + 1)
    assert theory.smoothing_ratio([2.0], 1.0, 1.0, 1.0) == about(0.75)
    assert theory.smoothing_ratio([2.0], 3.0, 3.0, 3.0) == about(0.75)


# --- quadratic truths ------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_without_curvature_both_sides_are_the_linear_model(fit_intercept: bool) -> None:
    for p in NORMS:
        found = theory.quadratic_vs_linear(
            B1, np.zeros(3), **SCALES, p=p, fit_intercept=fit_intercept, mean_norm=2.0
        )
        residual = 0.5 * math.sqrt(2 / math.pi)
        wanted = theory.linear_sensitivity(2.0, residual, 1.3, beta=B1, p=p)
        assert found.linear == about(wanted, 1e-11)
        assert found.quadratic == about(wanted, 1e-11)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_quadratic_side_in_closed_form_for_signs(fit_intercept: bool) -> None:
    """p = ∞: E sgn(a + bt) and E[t sgn(a + bt)] are known, entry by entry."""
    slope, sd = 2.0 * np.linalg.norm(B2) * B2, 1.3
    e = B2 / np.linalg.norm(B2)
    mean = np.array([math.erf(u) for u in B1 / (np.abs(slope) * sd * math.sqrt(2))])
    w = np.sign(slope) * sd * math.sqrt(2 / math.pi) * np.exp(-0.5 * (B1 / (slope * sd)) ** 2)
    M = np.outer(e, w) + np.outer(w, e)
    trace = 0.0 if fit_intercept else np.trace(M) ** 2 / 5
    size = mean @ mean / sd**2 + (np.sum(M**2) - trace) / (2 * sd**4)
    found = theory.quadratic_vs_linear(
        B1, B2, **SCALES, p=np.inf, fit_intercept=fit_intercept, mean_norm=1.0
    )
    assert found.quadratic == about(2 / math.pi * 0.25 * size, 1e-11)


def product_rule(nodes: int = 120) -> tuple[Any, Any]:
    """Points (n, 2) and weights of a Gauss–Hermite rule for two features of sd 1.3."""
    z, weight = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.array(np.meshgrid(z, z)).reshape(2, -1).T
    return 1.3 * grid, np.outer(weight, weight).ravel() / (2 * math.pi)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_quadratic_side_against_a_rule_in_all_inputs(fit_intercept: bool) -> None:
    b1, b2 = np.array([2.0, 1.0]), np.array([0.3, -0.4])
    X, weight = product_rule()
    phi = dual_direction(b1 + 2 * np.outer(X @ b2, b2), 2.0)
    j, k = np.triu_indices(2)
    V = np.hstack([X, X[:, j] * X[:, k]])
    moved = np.hstack([phi, phi[:, j] * X[:, k] + X[:, j] * phi[:, k]])
    if fit_intercept:
        V, moved = np.c_[V, np.ones(len(X))], np.c_[moved, np.zeros(len(X))]
    a, gram = weight @ moved, (V.T * weight) @ V
    moments = theory.BasisMoments(gram, a, theory.gaussian_mean_norm(2, 1.3), np.nan, 2, 2.0)
    wanted = theory.basis_sensitivity(moments, 0.5 * math.sqrt(2 / math.pi))
    found = theory.quadratic_vs_linear(b1, b2, **SCALES, fit_intercept=fit_intercept)
    assert found.quadratic == about(wanted, 1e-8)
    assert found.quadratic_error < 1e-10


@pytest.mark.long
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_both_sides_in_a_sample(p: float, fit_intercept: bool, rng: np.random.Generator) -> None:
    half = 1.3 * rng.standard_normal((100_000, 3))
    X = np.concatenate([half, -half])
    eta = (X @ B2) ** 2 + 0.5 * rng.standard_normal(len(X))
    eta -= eta.mean() if fit_intercept else 0.0
    mean_norm = np.mean(np.linalg.norm(X, ord=p, axis=1))
    found = theory.quadratic_vs_linear(
        B1, B2, **SCALES, p=p, fit_intercept=fit_intercept,
        mean_norm=None if p in (1, 2, np.inf) else mean_norm,
    )  # fmt: skip
    side = lp_norm(B1, conjugate(p)) * np.mean(np.sign(eta)) if fit_intercept else 0.0
    move = np.mean(np.abs(eta)) * np.linalg.norm(dual_direction(B1, p)) / 1.3
    assert found.linear == pytest.approx(mean_norm**2 * (move**2 + side**2), rel=0.02)
    if not fit_intercept:
        coef = bases.Quadratic.coefficients(B1, np.outer(B2, B2))
        moments = theory.basis_moments(bases.Quadratic(), coef, X, p)
        value = theory.basis_sensitivity(moments, 0.5 * math.sqrt(2 / math.pi))
        assert found.quadratic == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_both_sides_by_the_library(p: float, fit_intercept: bool, rng: np.random.Generator) -> None:
    part, xi = 1.3 * rng.standard_normal((50_000, 3)), 0.5 * rng.standard_normal(50_000)
    # Every input and noise with both signs: E[v sgn ξ] = 0, as in the population.
    X = np.concatenate([part, -part, part, -part])
    y = X @ B1 + (X @ B2) ** 2 + np.concatenate([xi, xi, -xi, -xi])
    wanted = theory.quadratic_vs_linear(B1, B2, **SCALES, p=p, fit_intercept=fit_intercept)
    models = (
        fa.LinearRegression(fit_intercept=fit_intercept),
        fa.QuadraticRegression(alpha=0.0, fit_intercept=fit_intercept),
    )
    for model, value in zip(models, wanted[:2], strict=True):
        found = fa.aif(model.fit(X, y), X, y, p=p).sensitivity_coefficient
        assert found == pytest.approx(value, rel=0.02)


def test_capacity_can_raise_or_lower_the_sensitivity() -> None:
    sides = [theory.quadratic_vs_linear([0.3, 0.0], [0.0, size], 1.0, 1.0) for size in (0.3, 2.0)]
    assert sides[0].quadratic > 1.05 * sides[0].linear
    assert sides[1].linear > 10 * sides[1].quadratic
    scaled = theory.quadratic_vs_linear([0.3, 0.0], [0.0, 0.3], 1.0, 1.0, 0.1)
    np.testing.assert_allclose(scaled[:2], np.multiply(0.01, sides[0][:2]))


@pytest.mark.parametrize("p", NORMS)
def test_hard_integrands(p: float) -> None:
    """Gradients that almost or exactly vanish somewhere: the estimated error stays small."""
    for b2 in (B1, B1 + np.array([0.0, 0.0, 1e-7]), np.array([30.0, 0.0, 0.0]), 1e-5 * B2):
        found = theory.quadratic_vs_linear(B1, b2, 1.0, 1e-3, p=p, mean_norm=1.0)
        assert found.linear_error <= 1e-10 * found.linear
        assert found.quadratic_error <= 1e-9 * found.quadratic


# --- basis models ----------------------------------------------------------------------


def cubes() -> bases.Custom:
    """v = (x, x³)."""
    return bases.Custom(
        lambda X: np.hstack([X, X**3]),
        lambda X, P: np.hstack([P, 3 * X**2 * P]),
        lambda X, theta: theta[: X.shape[1]] + 3 * X**2 * theta[X.shape[1] :],
        check=True,
    )


BASES = [
    bases.Linear(), bases.Quadratic(), bases.Powers(2), bases.Powers(3),
    bases.Fourier(4, 1.0, random_state=0), cubes(),
]  # fmt: skip


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("basis", BASES, ids=lambda basis: type(basis).__name__)
def test_bound_is_above_the_value(basis: Any, p: float, rng: np.random.Generator) -> None:
    for m in (1, 2, 5):
        for inputs in (rng.uniform(-1, 1, (300, m)), rng.standard_normal((300, m)) + 0.4):
            d = basis.bind(m, inputs).n_outputs(m)
            moments = theory.basis_moments(basis, rng.standard_normal(d), inputs, p)
            value = theory.basis_sensitivity(moments, 0.7)
            assert 0.0 < value <= theory.basis_sensitivity_bound(moments, 0.7) * (1 + 1e-12)


@pytest.mark.parametrize("p", NORMS)
def test_moments_are_those_of_the_definition(p: float, rng: np.random.Generator) -> None:
    X, theta = rng.standard_normal((50, 2)), rng.standard_normal(4)
    found = theory.basis_moments(bases.Powers(2), theta, X, p)
    v = np.hstack([X, X**2])
    J = [np.vstack([np.eye(2), np.diag(2 * x)]) for x in X]
    np.testing.assert_allclose(found.gram, v.T @ v / 50, rtol=1e-13, atol=1e-15)
    moved = [j @ dual_direction(j.T @ theta, p) for j in J]
    np.testing.assert_allclose(found.move, np.mean(moved, axis=0), rtol=1e-13)
    assert found.mean_jacobian == about(np.mean([np.linalg.norm(j, 2) ** 2 for j in J]))
    assert found.mean_norm == about(np.mean(np.linalg.norm(X, ord=p, axis=1)))
    size = found.move @ np.linalg.inv(found.gram) @ found.move
    wanted = (found.mean_norm * 0.7 * 0.1) ** 2 * size
    assert theory.basis_sensitivity(found, 0.7, 0.1) == about(wanted)


def test_blocks_of_rows_make_no_difference(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, theta = rng.standard_normal((50, 3)), rng.standard_normal(9)
    whole = theory.basis_moments(bases.Quadratic(), theta, X)
    monkeypatch.setattr("fastaif.theory._theorem_5_3._BLOCK_ENTRIES", 7 * 27)
    parts = theory.basis_moments(bases.Quadratic(), theta, X)
    np.testing.assert_allclose(parts.move, whole.move, rtol=1e-13)
    assert parts.mean_jacobian == about(whole.mean_jacobian)


def test_linear_models_reach_the_bound(rng: np.random.Generator) -> None:
    """Equality at p = 2, and at p = ∞ with the factor m: without it there is no bound."""
    m = 4
    X = np.sqrt(m) * np.concatenate([np.eye(m), -np.eye(m)])  # covariance I
    for p in (2.0, np.inf):
        moments = theory.basis_moments(bases.Linear(), np.full(m, 0.3), X, p)
        value = theory.basis_sensitivity(moments, 1.0)
        assert value == about(theory.basis_sensitivity_bound(moments, 1.0))
        s = moments.mean_norm
        assert value == about(theory.linear_sensitivity(s, 1.0, 1.0, beta=np.ones(m), p=p))


def test_bound_of_a_norm_above_2_grows_with_m() -> None:
    args = (np.eye(3), np.ones(3), 1.0, 1.0)
    bounds = [
        theory.basis_sensitivity_bound(theory.BasisMoments(*args, 16, p), 1.0)
        for p in (1.5, 2.0, 4.0, np.inf)
    ]
    np.testing.assert_allclose(bounds, [1.0, 1.0, 4.0, 16.0])
    assert all(a <= b for a, b in pairwise(bounds))


# --- refusals --------------------------------------------------------------------------

X4 = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.linear_sensitivity(-1.0, 1.0, 1.0), "mean_norm"),
        (lambda: theory.linear_sensitivity(1.0, np.nan, 1.0), "mean_abs_residual"),
        (lambda: theory.linear_sensitivity(1.0, 1.0, 0.0), "sigma_x"),
        (lambda: theory.linear_sensitivity(1.0, 1.0, 1.0, -0.1), "eps"),
        (lambda: theory.linear_sensitivity(1.0, 1.0, 1.0, p=1.0), "needs beta"),
        (lambda: theory.linear_sensitivity(1.0, 1.0, 1.0, beta=[1.0], p=0.5), "p must"),
        (lambda: theory.linear_sensitivity(1.0, 1.0, 1.0, beta=[0.0, 0.0]), "beta is zero"),
        (lambda: theory.random_effects_sensitivity(0, 3, 1.0, 1.0), "m must"),
        (lambda: theory.random_effects_sensitivity([1, 4], 3, 1.0, 1.0), "at most n_effects = 3"),
        (lambda: theory.random_effects_sensitivity(1.5, 3, 1.0, 1.0), "m must"),
        (lambda: theory.random_effects_sensitivity(1, 3, 1.0, -1.0), "sigma_noise"),
        (lambda: theory.gaussian_mean_norm(0), "m must"),
        (lambda: theory.smoothing_ratio([1.0], 1.0, -1.0, 1.0), "sigma_r"),
        (lambda: theory.smoothing_ratio([1.0], 1.0, [np.inf], 1.0), "sigma_r"),
        (lambda: theory.smoothing_ratio([1.0], 1.0, 1.0, 0.0), "sigma_noise"),
        (lambda: theory.smoothing_ratio([np.nan], 1.0, 1.0, 1.0), "beta contains NaN"),
        (lambda: theory.quadratic_vs_linear(B1, B2[:2], 1.0, 1.0), r"beta2 must have shape \(3,\)"),
        (lambda: theory.quadratic_vs_linear(0 * B1, B2, 1.0, 1.0), "beta1 is zero"),
        (lambda: theory.quadratic_vs_linear(B1, B2, 1.0, 0.0), "sigma_noise"),
        (lambda: theory.quadratic_vs_linear(B1, B2, 1.0, 1.0, p=3.0), "needs mean_norm"),
        (lambda: theory.quadratic_vs_linear(B1, B2, 1.0, 1.0, np.inf), "eps"),
        (lambda: theory.basis_moments(bases.Powers(2), np.ones(3), X4), r"coef must have shape"),
        (lambda: theory.basis_moments(bases.Powers(2), np.zeros(4), X4), "coef is zero"),
        (lambda: theory.basis_moments(bases.Powers(2), np.ones(4), X4[0]), "two-dimensional"),
        (lambda: theory.basis_moments(bases.Linear(), np.ones(2), X4 * np.nan), "X contains NaN"),
        (lambda: theory.basis_moments(bases.Linear(), np.ones(2), X4, 0.5), "p must"),
    ],
)  # fmt: skip
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_singular_moments_are_refused() -> None:
    moments = theory.basis_moments(bases.Powers(2), np.ones(4), X4[:3])
    for function in (theory.basis_sensitivity, theory.basis_sensitivity_bound):
        with pytest.raises(np.linalg.LinAlgError, match="least eigenvalue"):
            function(moments, 1.0)

"""The least of a quadratic and a norm, against a conic solver."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastaif.solvers.cholesky import factorize
from fastaif.solvers.norm_quadratic import NormQuadratic, UnitHessian
from fastaif.threat.attack_set import DualNorm

NORMS = [1.0, 1.5, 2.0, 3.0, np.inf]


def model(seed, m=6, extra=1, first_order=0.0):
    """[[H, h], [hᵀ, c]] positive definite; β with entries of all sizes."""
    rng = np.random.default_rng(seed)
    d = m + extra
    root = rng.normal(size=(3 * d, d + 1))
    full = root.T @ root / len(root)
    beta = rng.normal(size=m) * rng.choice([0.05, 1.0], size=m)
    weights = rng.uniform(0.5, 2.0, size=m)
    weights[0] = 0.0 if seed % 3 == 0 else weights[0]
    gradient = first_order * rng.normal(size=d)
    factor = factorize(full[:d, :d])
    numbers = (1.0 + rng.random(), full[d, d], 0.1 if first_order else 0.0)
    cross, free = full[:d, d], weights > 0
    quadratic = NormQuadratic(UnitHessian(factor), gradient, cross, *numbers, beta, free)
    return quadratic, full, weights


def dual_norm(weights, p):
    q = np.inf if p == 1 else 1.0 if np.isinf(p) else p / (p - 1.0)
    return DualNorm(weights, p, q)


def conic(quadratic, full, weights, rho, q):
    """The minimum over v and t ≥ ρ ‖D(β + v)‖_q."""
    cp = pytest.importorskip("cvxpy")
    d, m = len(full) - 1, quadratic.beta.size
    v, t = cp.Variable(d), cp.Variable()
    shifted = t - quadratic.kappa
    joint = cp.hstack([v, shifted])
    value = 0.5 * cp.quad_form(joint, cp.psd_wrap(full))
    value += quadratic.gradient @ v + quadratic.slope * shifted
    norm = cp.norm(cp.multiply(weights, quadratic.beta + v[:m]), q)
    problem = cp.Problem(cp.Minimize(value), [t >= rho * norm])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it may stop at somewhat larger gaps
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return v.value


@pytest.mark.parametrize("first_order", [0.0, 0.05])
@pytest.mark.parametrize("rho", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(4))
def test_against_a_conic_solver(seed, p, rho, first_order):
    quadratic, full, weights = model(seed, first_order=first_order)
    norm = dual_norm(weights, p)
    wanted = conic(quadratic, full, weights, rho, norm.q)
    v, gradient, slope = quadratic.zero
    if rho * slope >= norm.gauge(gradient):
        found = v
    else:
        least = quadratic.minimise(rho, norm)
        found = least.v
        assert least.n_steps < 60
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.every
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(("seed", "m"), [(4, 1), (9, 3)])
def test_near_where_nothing_is_left(seed, m, p):
    """Ways down from v = 0 may lead to the kink at β + v_β = 0, beside which m is lower."""
    quadratic, full, weights = model(seed, m, first_order=0.5)
    norm = dual_norm(weights, p)
    _, gradient, slope = quadratic.zero
    rho = 0.97 * norm.gauge(gradient) / slope
    found, wanted = quadratic.minimise(rho, norm), conic(quadratic, full, weights, rho, norm.q)
    assert found.n_steps < 60
    np.testing.assert_allclose(found.v, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
    left = norm.value(quadratic.beta + found.v[:m])
    assert left == pytest.approx(norm.value(quadratic.beta + wanted[:m]), rel=1e-3)


@pytest.mark.parametrize("p", NORMS)
def test_from_another_minimum(p):
    quadratic, _, weights = model(1, m=30)
    start, norm = None, dual_norm(weights, p)
    for rho in (0.01, 0.03, 0.1):
        alone = quadratic.minimise(rho, norm)
        start = quadratic.minimise(rho, norm, start)
        np.testing.assert_allclose(start.v, alone.v, rtol=0, atol=1e-9 * np.abs(alone.v).max())

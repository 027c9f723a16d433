"""Solvers of linear systems on small dense matrices, where NumPy has the answer."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import about

from fastaif.solvers.cg import conjugate_gradients
from fastaif.solvers.cholesky import factorize, minimum_norm_solve
from fastaif.solvers.gram_solver import make_system
from fastaif.solvers.lanczos import extreme_eigenvalues, lanczos, largest_eigenvalue
from fastaif.solvers.lbfgs_memory import Secants
from fastaif.solvers.nystrom import nystrom
from fastaif.solvers.woodbury import woodbury


def definite(rng, d, condition=100.0):
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (Q * np.geomspace(1.0, condition, d)) @ Q.T


def test_conjugate_gradients_end_after_as_many_steps_as_there_are_eigenvalues(rng):
    Q = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    A = (Q * np.repeat([1.0, 3.0, 10.0], 10)) @ Q.T
    b = rng.normal(size=(30, 2))
    found = conjugate_gradients(lambda V: A @ V, b, lambda R: R, tol=1e-13)
    np.testing.assert_allclose(A @ found.x, b, rtol=1e-11, atol=1e-12)
    assert found.iterations <= 5
    assert found.curvature is None


def test_conjugate_gradients_with_a_preconditioner(rng):
    A, scales = definite(rng, 20, 10.0), np.geomspace(1.0, 1e4, 20)
    bad, b = scales[:, None] * A * scales, rng.normal(size=(20, 1))
    found = conjugate_gradients(
        lambda V: bad @ V, b, lambda R: R / scales[:, None] ** 2, tol=1e-12, max_iter=60
    )
    np.testing.assert_allclose(found.x, np.linalg.solve(bad, b), rtol=1e-8)
    assert found.iterations <= 30


def test_conjugate_gradients_meet_negative_curvature(rng):
    A = np.diag([3.0, 1.0, -2.0])
    found = conjugate_gradients(lambda V: A @ V, np.ones((3, 1)), lambda R: R)
    assert found.curvature is not None
    assert found.curvature < 0.0
    assert not found.flat


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_nystrom_of_full_rank_is_the_inverse(rng, shift):
    """Times the least eigenvalue: M⁻¹ = (λ_d + μ) (A + μ)⁻¹."""
    A, b = definite(rng, 12), rng.normal(size=(12, 3))
    found = nystrom(lambda V: A @ V, 12, 12, shift)(b)
    wanted = (1.0 + shift) * np.linalg.solve(A + shift * np.eye(12), b)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_nystrom_of_low_rank_keeps_the_rest(rng):
    """On what a matrix of that rank does not reach M⁻¹ is the identity."""
    W = np.linalg.qr(rng.normal(size=(15, 3)))[0]
    A, shift = W @ np.diag([9.0, 4.0, 2.0]) @ W.T, 0.1
    found = nystrom(lambda V: A @ V, 15, 6, shift)
    rest = rng.normal(size=15)
    rest -= W @ (W.T @ rest)
    np.testing.assert_allclose(found(rest[:, None])[:, 0], rest, rtol=1e-9, atol=1e-10)
    values = np.sort(np.linalg.eigvalsh(W.T @ found(W)))
    np.testing.assert_allclose(values, 2.1 / (np.array([9.0, 4.0, 2.0]) + shift), rtol=1e-9)


def test_woodbury(rng):
    W, R, b = rng.normal(size=(4, 25)), rng.uniform(0.5, 2.0, 25), rng.normal(size=(25, 2))
    inverse = woodbury(lambda V: W @ V, lambda V: W.T @ V, (W / R) @ W.T, R)
    np.testing.assert_allclose(inverse(b), np.linalg.solve(W.T @ W + np.diag(R), b), rtol=1e-11)


def test_factors(rng):
    A, b = definite(rng, 9), rng.normal(size=9)
    factor = factorize(A)
    np.testing.assert_allclose(factor.solve(b), np.linalg.solve(A, b), rtol=1e-12)
    inverse = np.linalg.inv(A)
    np.testing.assert_allclose(factor.inverse_diagonal(), np.diagonal(inverse), rtol=1e-12)
    assert factorize(A - 2.0 * np.eye(9)) is None
    singular = A - np.outer(*[np.linalg.eigh(A)[1][:, 0]] * 2) * np.linalg.eigvalsh(A)[0]
    found = minimum_norm_solve(singular, singular @ b)
    np.testing.assert_allclose(found, np.linalg.pinv(singular, 1e-10) @ (singular @ b), rtol=1e-8)


def test_factors_know_their_condition(rng):
    A = definite(rng, 30, 1e5)
    factor = factorize(A)
    scaled = A / factor.scale / factor.scale[:, None]
    assert factor.norm == about(np.linalg.norm(scaled, 1), 1e-12)
    assert factor.rcond == about(1.0 / np.linalg.cond(scaled, 1), 0.5)
    for wrong in (np.nan, np.inf):
        A[20, 3] = A[3, 20] = wrong
        assert factorize(A) is None


@pytest.mark.parametrize("free", [[], [4, 39]])
def test_ridges_bound_the_least_eigenvalue(rng, free):
    """Of sums of few rows, whose determinant says nothing."""
    rows, ridge = rng.normal(size=(12, 40)), np.full(40, 1e-4)
    ridge[free] = 0.0
    factor = factorize(rows.T @ rows, ridge)
    H = rows.T @ rows + np.diag(ridge)
    scaled = H / factor.scale / factor.scale[:, None]
    assert 1e-9 < factor.least_by(ridge) <= np.linalg.eigvalsh(scaled)[0]
    np.testing.assert_allclose(H @ factor.solve(rows[0]), rows[0], rtol=1e-10)


def test_ridges_hide_no_singular_rest(rng):
    """Two columns without a ridge that are the same."""
    rows, ridge = rng.normal(size=(12, 40)), np.full(40, 1e-4)
    rows[:, 39] = rows[:, 4]
    ridge[[4, 39]] = 0.0
    assert factorize(rows.T @ rows, ridge) is None


def test_eigenvalues(rng):
    A = definite(rng, 40, 50.0)
    least, largest = lanczos(40, lambda v: A @ v)
    assert least == about(1.0, 1e-2)
    assert largest == about(50.0, 1e-3)
    assert largest_eigenvalue(40, lambda v: A @ v) == about(50.0, 1e-3)
    least, largest = extreme_eigenvalues(40, lambda v: A @ v, lambda v: np.linalg.solve(A, v))
    assert (least, largest) == (about(1.0, 1e-3), about(50.0, 1e-3))


def test_secants_know_the_curvature_along_their_steps(rng):
    A, memory = definite(rng, 6, 10.0), Secants()
    steps = rng.normal(size=(6, 6))
    for step in steps:
        memory.add(step, A @ step)
    # The last pair holds exactly: B⁻¹ (A s) = s.
    np.testing.assert_allclose(memory.solve(A @ steps[-1], lambda g: g), steps[-1], rtol=1e-11)


@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize("weightless", [False, True])
def test_gram_systems(rng, penalty, damping, weightless):
    """(KΩK + αP + damping/2) x = KΩu + v."""
    n, alpha = 12, 0.05
    K, w = definite(rng, n, 30.0), rng.uniform(0.5, 2.0, n)
    w[3] = 0.0 if weightless else w[3]
    w /= w.sum()
    u, v = rng.normal(size=(2, n))
    P = np.eye(n) if penalty == "l2" else K
    normal = K @ (w[:, None] * K) + alpha * P + 0.5 * damping * np.eye(n)
    system = make_system(K.copy(), w, alpha, penalty, damping)
    np.testing.assert_allclose(system.multiply(u), K @ u, rtol=1e-11, atol=1e-12)
    for second in (None, v):
        extra = 0.0 if second is None else second
        wanted = np.linalg.solve(normal, K @ (w * u) + extra)
        np.testing.assert_allclose(system.solve(u, second).x, wanted, rtol=1e-8, atol=1e-10)

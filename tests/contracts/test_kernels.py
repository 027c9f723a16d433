"""What every kernel promises: a symmetric, definite matrix, and derivatives that are its own."""

from __future__ import annotations

import numpy as np
import pytest
from support.kernel_makers import KERNELS
from support.makers import about

from fastaif import kernels


@pytest.fixture(params=kernels.__all__)
def kernel(request):
    """By its defaults: a new kernel has some."""
    return getattr(kernels, request.param)()


@pytest.fixture
def points(rng):
    return rng.normal(size=(7, 3)), rng.normal(size=(5, 3))


def test_matrix(engine, kernel, points):
    X, Z = points
    K = kernel(X)
    np.testing.assert_allclose(K, K.T, rtol=1e-13, atol=1e-14)
    assert np.linalg.eigvalsh(K)[0] >= -1e-10 * np.trace(K)
    np.testing.assert_allclose(kernel.diagonal(X), np.diagonal(K), rtol=1e-13)
    np.testing.assert_allclose(kernel(X, Z), kernel(Z, X).T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(kernel(X, X), K, rtol=1e-7, atol=1e-13)


def test_neither_nan_nor_distance_is_hidden(engine, kernel, points):
    """NaN stays in its row; equal rows have equal columns; far rows overflow no power."""
    X, Z = (part.copy() for part in points)
    X[2, 1], X[4] = np.nan, X[3]
    K = kernel(X, Z)
    np.testing.assert_array_equal(np.isnan(K), np.arange(len(X))[:, None] == np.full(len(Z), 2))
    np.testing.assert_array_equal(K[3], K[4])
    X[2] = 1e8
    assert np.isfinite(kernel(X, Z)).all()
    assert np.isfinite(kernel.gradient(X, Z, np.ones(len(Z)))).all()


def test_gradient(engine, kernel, points):
    """Σ_j V_j ∂₁K(x_i, z_j), by differences of K."""
    X, Z = points
    V, h = np.linspace(-1.0, 2.0, len(Z)), 1e-5
    found = kernel.gradient(X, Z, V)
    for k in range(X.shape[1]):
        step = h * np.eye(X.shape[1])[k]
        wanted = (kernel(X + step, Z) - kernel(X - step, Z)) @ V / (2.0 * h)
        np.testing.assert_allclose(found[:, k], wanted, rtol=1e-6, atol=1e-8)


def test_directional(engine, kernel, points):
    """Σ_j ⟨∂₁K(x_i, z_j), b_i⟩ V_j is the gradient along b_i."""
    X, Z = points
    B, V = np.sin(np.arange(X.size)).reshape(X.shape), np.linspace(0.5, 1.5, len(Z))
    found = kernel.directional(X, Z, B, V)
    wanted = np.einsum("ik,ik->i", kernel.gradient(X, Z, V), B)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


def test_bound_on_the_gradient(kernel, points):
    """∂₁K(·, z) is Lipschitz by what the kernel says."""
    bound = kernel.lipschitz_gradient
    if bound is None or not kernel.is_smooth:
        pytest.skip("this kernel knows no bound")
    X, Z = points
    for z in Z:
        there = kernel.gradient(X, z[None], np.ones(1))
        for a in range(len(X)):
            moves = np.linalg.norm(there - there[a], axis=1)
            apart = np.linalg.norm(X - X[a], axis=1)
            assert np.all(moves <= bound * apart * (1.0 + 1e-12))


def test_it_is_a_value(kernel):
    assert kernel == type(kernel)()
    assert hash(kernel) == hash(type(kernel)())
    assert type(kernel).__name__ in repr(kernel)
    assert kernel.diagonal(np.zeros((1, 2)) + 1.0)[0] == about(kernel(np.ones((1, 2)))[0, 0])


def test_it_has_a_twin(kernel):
    assert any(type(make()) is type(kernel) for make, _ in KERNELS.values())


def test_usual_gamma(kernel):
    """What the command line takes where nobody says: a length of the root of the features."""
    usual = kernel.usual_gamma(4)
    assert (usual is None) == (not hasattr(kernel, "gamma"))
    assert usual is None or usual in (0.5, 0.25)
    assert usual is None or type(kernel)(gamma=usual).gamma == usual

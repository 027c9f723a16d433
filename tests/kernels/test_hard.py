"""Kernel regressions on data that try their numerics."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

import fastaif as fa


@pytest.mark.parametrize("spread", [0.5, 0.2])
def test_weights_of_very_different_size(rng, spread):
    n, alpha = 100, 1e-2
    X = rng.normal(size=(n, 3))
    y, w = np.sin(X[:, 0]) + 0.1 * rng.normal(size=n), np.exp(-spread * np.arange(n))
    model = fa.KernelRegression(fa.kernels.RBF(0.5), alpha=alpha, penalty="rkhs").fit(X, y, w)
    ridge = KernelRidge(alpha=alpha * w.sum(), kernel="rbf", gamma=0.5).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(model.predict(X), ridge.predict(X), atol=1e-12)
    result = fa.aif(model, X, y, sample_weight=w)
    assert result.diagnostics["solver_residual"] < 1e-12


@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
def test_nearly_parallel_samples_bound_the_validity_of_a_tangent_kernel(rng, penalty):
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model = fa.KernelRegression(fa.kernels.NTK(2), alpha=1e-2, penalty=penalty)
    apart = fa.aif(model.fit(X, y), X, y)
    X = X.copy()  # results read their data when asked
    X[1] = X[0] + 1e-6 * rng.normal(size=3)
    close = fa.aif(model.fit(X, y), X, y)
    assert close.validity_radius < 1e-5 < 1e-3 < apart.validity_radius
    assert "nearly parallel" in close.validity_reason
    angle = np.linalg.norm(X[1] - X[0] * (X[1] @ X[0]) / (X[0] @ X[0])) / np.linalg.norm(X[0])
    reach = angle * min(np.linalg.norm(X[:2], axis=1)) / (2.0 * close.radius)
    assert close.validity_radius == pytest.approx(reach, rel=5e-3)


def test_an_offset_does_not_hide_that_the_inputs_are_others(rng):
    X, y = 2e9 + rng.normal(size=(12, 2)) * 1e3, rng.normal(size=12)
    model = fa.KernelRegression(fa.kernels.RBF(1e-6), alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="X is not the X of the fit"):
        fa.aif(model, X[::-1], y[::-1])
    with pytest.warns(fa.InfluenceWarning, match="not stationary"):  # rounded to 8
        fa.aif(model, X.astype(np.float32), y)


def test_an_unknown_radius_is_not_called_infinite(rng):
    X, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    result = fa.aif(fa.KernelRegression(alpha=0.1).fit(X, y), X, y)
    assert np.isinf(result.validity_radius)
    assert "Validity radius not known" in result.summary()

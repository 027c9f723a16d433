"""Bases by themselves, and natural fits of basis models."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import basis as twin
from oracles import losses
from scipy.optimize import minimize
from sklearn.base import clone
from support.basis_makers import (
    BASES,
    LOSSES,
    WAVES,
    estimator,
    known_to_twin,
    loss_of,
    make,
    params_of,
    twin_of,
)  # fmt: skip
from support.layouts import backwards, big_endian, fortran, mapped, read_only, strided_columns
from support.makers import DELTA, about, assert_close

import fastaif as fa

PUBLIC = ["linear", "quadratic", "powers 1", "powers 2", "powers 3", "fourier", "custom"]


def bound(name, m=3):
    """A public basis that can be called, and the twin's."""
    basis = BASES[name]()
    if name != "fourier":
        return basis, twin_of(name)
    basis = basis.bind(m)
    return basis, twin.Fourier(basis.frequencies, basis.phases)


# --- features and Jacobians ---------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("n", [1, 7, 300])
def test_features_and_jacobians(name, n, rng):
    basis, wanted = bound(name)
    X, P = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    V, J = wanted.features(X), wanted.jacobian(X)
    theta = rng.normal(size=V.shape[1])
    np.testing.assert_allclose(basis.features(X), V, rtol=1e-13, atol=1e-15)
    found = basis.jac_vec(X, P)
    np.testing.assert_allclose(found, np.einsum("idk,ik->id", J, P), rtol=1e-12, atol=1e-14)
    found = basis.jac_t_vec(X, theta)
    np.testing.assert_allclose(found, np.einsum("idk,d->ik", J, theta), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["quadratic", "powers 1", "powers 3", "fourier"])
@pytest.mark.parametrize("m", [1, 2, 9])
def test_other_numbers_of_inputs(name, m, rng):
    basis, wanted = bound(name, m)
    X, P = rng.normal(size=(20, m)), rng.normal(size=(20, m))
    V, J = wanted.features(X), wanted.jacobian(X)
    assert basis.features(X).shape == V.shape
    np.testing.assert_allclose(basis.features(X), V, rtol=1e-12, atol=1e-14)
    found = basis.jac_vec(X, P)
    np.testing.assert_allclose(found, np.einsum("idk,ik->id", J, P), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", PUBLIC)
def test_jacobians_are_the_slopes_of_the_features(name, rng):
    """Central differences of the library's own features; the error is of order h^2."""
    basis, _ = bound(name)
    X, P, h = rng.normal(size=(10, 3)), rng.normal(size=(10, 3)), 1e-5
    slope = (basis.features(X + h * P) - basis.features(X - h * P)) / (2 * h)
    np.testing.assert_allclose(basis.jac_vec(X, P), slope, rtol=1e-8, atol=1e-8)
    theta = rng.normal(size=slope.shape[1])
    paired = np.sum(basis.jac_t_vec(X, theta) * P, axis=1)
    np.testing.assert_allclose(paired, basis.jac_vec(X, P) @ theta, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["quadratic", "powers 3", "fourier", "custom"])
def test_the_twins_jacobians_by_the_complex_step(name, rng):
    _, basis = bound(name)
    x = rng.normal(size=3)
    slopes = [basis.features(x + 1e-30j * e).imag / 1e-30 for e in np.eye(3)]
    np.testing.assert_allclose(basis.jacobian(x), np.stack(slopes, axis=-1), atol=1e-14)


def test_frequencies_and_phases_have_their_law():
    gamma, m = 0.7, 3
    basis = fa.bases.Fourier(20_000, gamma, 0).bind(m)
    assert basis.frequencies.shape == (20_000, m)
    assert basis.phases.shape == (20_000,)
    # Standard errors are about 0.007 of a variance and 0.013 of a phase.
    covariance = np.cov(basis.frequencies.T)
    np.testing.assert_allclose(covariance, 2 * gamma * np.eye(m), atol=5 * 0.012)
    assert abs(basis.frequencies.mean()) < 5 * np.sqrt(2 * gamma / 60_000)
    assert basis.phases.min() >= 0.0
    assert basis.phases.max() <= 2 * np.pi
    shares = np.histogram(basis.phases, bins=10, range=(0, 2 * np.pi))[0] / 20_000
    np.testing.assert_allclose(shares, 0.1, atol=5 * np.sqrt(0.09 / 20_000))


def test_fourier_features_approach_the_gaussian_kernel(rng):
    X = rng.normal(size=(6, 3))
    V = fa.bases.Fourier(100_000, 0.4, 1).bind(3).features(X)
    distance = np.sum((X[:, None] - X[None]) ** 2, axis=-1)
    np.testing.assert_allclose(V @ V.T, np.exp(-0.4 * distance), atol=0.02)


def test_random_state_fixes_the_frequencies():
    X, y, _ = make("linear")
    first, second, other = (
        fa.BasisRegression(fa.bases.Fourier(7, 0.3, seed)).fit(X, y) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.basis_.frequencies, second.basis_.frequencies)
    np.testing.assert_array_equal(first.coef_, second.coef_)
    assert not np.array_equal(first.basis_.frequencies, other.basis_.frequencies)


# --- natural fits -------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("alpha", [0.0, 0.02])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_squared_error_fits_are_least_squares(name, alpha, fit_intercept, weighted):
    X, y, w = make("linear", weighted=weighted)
    model = estimator(name, "linear", alpha, fit_intercept).fit(X, y, w)
    basis = twin_of(name, model)
    Z = twin.rows(basis, X, fit_intercept)
    share = np.sqrt(twin.normalised_weights(len(X), w))
    pen = twin.penalty_of(basis, Z.shape[1], fit_intercept)
    A = np.vstack([share[:, None] * Z, np.diag(np.sqrt(alpha * pen))])
    wanted = np.linalg.lstsq(A, np.append(share * y, np.zeros(len(pen))), rcond=None)[0]
    assert_close(params_of(model), wanted, 1e-10)
    np.testing.assert_allclose(model.predict(X), Z @ wanted, rtol=1e-9, atol=1e-10)
    if not fit_intercept:
        assert model.intercept_ == 0.0


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_fits_are_the_twins(name, kind, fit_intercept):
    X, y, w = make(kind, weighted=True)
    model = estimator(name, kind, 0.02, fit_intercept).fit(X, y, w)
    known = known_to_twin(kind, 0.02, fit_intercept)
    wanted = twin.natural_fit(twin_of(name, model), X, y, sample_weight=w, **known)
    assert_close(params_of(model), wanted, 1e-10)


@pytest.mark.parametrize("name", ["quadratic", "fourier"])
def test_a_general_optimiser_does_no_better(name, kind):
    X, y, w = make(kind, weighted=True)
    model = estimator(name, kind, 0.02).fit(X, y, w)
    basis = twin_of(name, model)
    Z, share = twin.rows(basis, X, True), w / w.sum()
    pen = twin.penalty_of(basis, Z.shape[1], True)

    def objective(theta):
        value, slope, _ = losses.loss(LOSSES[kind], Z @ theta, y, DELTA)
        return (
            share @ value + 0.02 * pen @ theta**2,
            Z.T @ (share * slope) + 0.04 * pen * theta,
        )

    found = minimize(objective, np.zeros(Z.shape[1]), jac=True, method="BFGS", tol=1e-9)
    assert objective(params_of(model))[0] <= found.fun * (1 + 1e-14)
    # BFGS stops where the objective is flat to rounding: half of the digits.
    assert_close(params_of(model), found.x, 1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_quadratic_regression_is_the_quadratic_basis(alpha, fit_intercept, weighted):
    X, y, w = make("linear", weighted=weighted)
    general = estimator("quadratic", "linear", alpha, fit_intercept).fit(X, y, w)
    model = fa.QuadraticRegression(alpha=alpha, fit_intercept=fit_intercept).fit(X, y, w)
    assert model.coef_.shape == (3,)
    assert model.quadratic_.shape == (3, 3)
    np.testing.assert_array_equal(model.quadratic_, model.quadratic_.T)
    assert_close(params_of(model), params_of(general), 1e-10)
    predicted = X @ model.coef_ + np.sum((X @ model.quadratic_) * X, axis=1) + model.intercept_
    np.testing.assert_allclose(model.predict(X), predicted, rtol=1e-12, atol=1e-13)
    assert model.score(X, y) == about(general.score(X, y), 1e-9)


@pytest.mark.parametrize("layout", [fortran, backwards, read_only, big_endian, strided_columns,
                                    mapped])  # fmt: skip
@pytest.mark.parametrize("name", ["quadratic", "powers 3", "fourier", "custom"])
def test_layouts_do_not_matter(name, layout, tmp_path):
    X, y, w = make("linear", weighted=True)
    other = layout(X, tmp_path)
    model = estimator(name, "linear").fit(X, y, w)
    again = estimator(name, "linear").fit(other, y, w)
    np.testing.assert_array_equal(params_of(again), params_of(model))
    found = fa.aif(again, other, y, p=1.5, sample_weight=w)
    wanted = fa.aif(model, X, y, p=1.5, sample_weight=w)
    np.testing.assert_array_equal(found.influence, wanted.influence)
    np.testing.assert_array_equal(found.per_sample(), wanted.per_sample())
    np.testing.assert_array_equal(other, X)


@pytest.mark.parametrize("name", BASES)
def test_single_precision_is_storage_alone(name, kind):
    X, y, w = make(kind, weighted=True)
    single = X.astype(np.float32)
    one, two = (
        fa.aif(estimator(name, kind).fit(data, y, w), data, y, p=3, sample_weight=w)
        for data in (single, single.astype(float))
    )
    assert_close(one.params, two.params, 1e-12)
    assert_close(one.influence, two.influence, 1e-12)
    assert_close(one.per_sample(), two.per_sample(), 1e-12)


@pytest.mark.parametrize("name", BASES)
def test_estimators_can_be_cloned(name):
    model = estimator(name, "huber", 0.3, False)
    copy = clone(model)
    assert copy.get_params().keys() >= {"basis", "loss", "alpha", "fit_intercept"}
    assert copy.alpha == 0.3
    assert copy.loss == loss_of("huber")
    assert not hasattr(copy, "coef_")


def test_inputs_are_never_modified():
    X, y, w = make("linear", weighted=True)
    kept = X.copy(), y.copy(), w.copy()
    for name in BASES:
        model = estimator(name, "linear").fit(X, y, w)
        theta = params_of(model).copy()
        result = fa.aif(model, X, y, p=1.5, sample_weight=w)
        result.sensitivity([1e-4, 2e-4], X, y)
        result.per_sample()
        assert result.validity_radius > 0
        fa.attack(model, X, y, 0.1)
        np.testing.assert_array_equal(params_of(model), theta)
    for array, copy in zip((X, y, w), kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    V = WAVES.features(X)
    np.testing.assert_array_equal(V, WAVES.features(kept[0]))

"""The influence at kinks of the robust path, against differences of exact robust optima."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastaif as fa

MODELS = {
    "linear": fa.LinearRegression, "huber": fa.HuberRegression, "poisson": fa.PoissonRegression,
}  # fmt: skip


def slope(model, X, y, start, h=1e-5, **options):
    """dθ_ε/dε at 0 from three exact robust optima."""
    radii = (h, 2.0 * h, 4.0 * h)
    found = [fa.robust_fit(model, X, y, eps=eps, **options) for eps in radii]
    assert all(fit.converged for fit in found)
    a, b, c = ((fit.params - start) / eps for fit, eps in zip(found, radii, strict=True))
    return (4.0 * (2.0 * a - b) - (2.0 * b - c)) / 3.0


def check(model, X, y, samples, coefficients, **options):
    """No warning, the counts, and the derivative to the right."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", fa.InfluenceWarning)
        result = fa.aif(model, X, y, **options)
    assert result.diagnostics["pinned_samples"] == samples
    assert result.diagnostics["pinned_coefficients"] == coefficients
    assert result.diagnostics["zero_gradients"] == result.diagnostics["ties"] == 0
    wanted = slope(model, X, y, result.params, **options)
    np.testing.assert_allclose(
        result.influence, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max()
    )
    return result


def with_singletons(kind, seed, weighted):
    """Four categories that occur once, and three that do not."""
    rng = np.random.default_rng(seed)
    n = 60
    x = rng.normal(size=(n, 3))
    category = np.r_[np.arange(4), rng.integers(4, 7, n - 4)]
    X = np.column_stack([x, (category[:, None] == np.arange(6)).astype(float)])
    f = x @ [0.5, -0.7, 0.3] + 0.3 * rng.normal(size=7)[category] + 1.0
    if kind == "poisson":
        y = rng.poisson(np.exp(f)).astype(float)
        y[:4] = np.maximum(y[:4], 1.0)
    else:
        y = f + rng.normal(size=n)
    return X, y, rng.uniform(0.5, 2.0, n) if weighted else None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("kind", MODELS)
def test_categories_that_occur_once(kind, p, weighted):
    X, y, w = with_singletons(kind, 3, weighted)
    model = MODELS[kind]().fit(X, y, w)
    result = check(model, X, y, 4, 0, p=p, radius=1.0, sample_weight=w)
    assert result.validity_radius > 1e-5
    mean = np.average(result.per_sample(), axis=0, weights=w)
    np.testing.assert_allclose(mean, result.influence, rtol=0, atol=1e-10 * np.abs(mean).max())
    step = result.problem.norm_expansion.step(1e-7) / 1e-7
    np.testing.assert_allclose(step, result.influence, rtol=0, atol=1e-3 * np.abs(mean).max())


@pytest.mark.every
@pytest.mark.parametrize("off", [1e-6, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12])
@pytest.mark.parametrize("kind", ["linear", "poisson"])
def test_a_sloppy_fit_pins_the_same_rows(kind, off):
    X, y, _ = with_singletons(kind, 5, False)
    if kind == "poisson":  # f is not in the units of the largest counts
        y[20:40] += 100.0
    model = MODELS[kind]().fit(X, y)
    exact = fa.aif(model, X, y, radius=1.0)
    model.coef_ = model.coef_ + off * np.random.default_rng(0).normal(size=X.shape[1])
    found = fa.aif(model, X, y, radius=1.0)
    assert found.diagnostics["pinned_samples"] == 4
    scale = np.abs(exact.influence).max()
    np.testing.assert_allclose(found.influence, exact.influence, rtol=0, atol=100.0 * off * scale)


def test_coefficients_at_zero_of_a_sloppy_fit(rng):
    x, z = rng.normal(size=(40, 2)), rng.normal(size=40)
    X, y = np.column_stack([np.vstack([x, x]), np.r_[z, -z]]), np.tile(x[:, 0] + z**2, 2)
    model = fa.LinearRegression().fit(X, y)
    exact = fa.aif(model, X, y, p=np.inf, radius=1.0)
    for off in (1e-7, 1e-9, 1e-11, 1e-13):
        model.coef_ = exact.params[:-1] + off * np.array([0.5, 0.5, 1.0])
        found = fa.aif(model, X, y, p=np.inf, radius=1.0)
        assert found.diagnostics["pinned_coefficients"] == 1
        np.testing.assert_allclose(found.influence, exact.influence, rtol=0, atol=100.0 * off)


def test_scales_penalties_and_what_cannot_be_attacked():
    X, y, w = with_singletons("linear", 7, True)
    model = fa.LinearRegression().fit(X, y, w)
    scale = np.linspace(0.5, 2.0, X.shape[1])
    mask = np.arange(X.shape[1]) != 1
    for p in (1.0, 1.5, np.inf):
        check(model, X, y, 4, 0, p=p, sample_weight=w, feature_scale=scale, attackable=mask)


def with_zeros(rng, alpha=0.0, weighted=False):
    """Targets for which two of six coefficients are zero."""
    n = 64
    X = rng.integers(-3, 4, size=(n, 6)).astype(float)
    w = rng.uniform(0.5, 2.0, n) if weighted else np.ones(n)
    beta = np.array([2.0, -1.0, 0.0, 0.5, 0.0, 1.0])
    Z = np.column_stack([np.ones(n), X])
    noise = rng.normal(size=n)
    noise -= Z @ np.linalg.lstsq(np.sqrt(w)[:, None] * Z, np.sqrt(w) * noise, rcond=None)[0]
    push = n * 0.0 if alpha == 0.0 else w.sum() * alpha * beta  # Zᵀ Ω noise = α W β
    if alpha > 0.0:
        noise += Z @ np.linalg.solve(Z.T @ (w[:, None] * Z), np.append(0.0, push))
    return X, X @ beta + 0.3 + noise, w, beta


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("order", [2.0, np.inf])
def test_coefficients_at_zero(rng, order, alpha, weighted):
    X, y, w, beta = with_zeros(rng, alpha, weighted)
    model = fa.LinearRegression(alpha=alpha).fit(X, y, w)
    np.testing.assert_allclose(model.coef_, beta, atol=1e-12)
    model.coef_ = np.where(beta == 0.0, 0.0, model.coef_)
    check(model, X, y, 0, 2, p=np.inf, order=order, radius=1.0, sample_weight=w)


@pytest.mark.parametrize("order", [2.0, np.inf])
def test_tied_coefficients(rng, order):
    n = 64
    X = rng.normal(size=(n, 5))
    Z = np.column_stack([np.ones(n), X])
    noise = rng.normal(size=n)
    noise -= Z @ np.linalg.lstsq(Z, noise, rcond=None)[0]
    y = X @ [1.0, -1.0, 0.5, 1.0, 0.2] + noise
    model = fa.LinearRegression().fit(X, y)
    check(model, X, y, 0, 2, p=1.0, order=order, radius=1.0)


def test_rows_at_a_kink_beside_coefficients_at_a_kink(rng):
    """A category that occurs once has a coefficient of its own, here zero."""
    X, y, _, _ = with_zeros(rng)
    dummy = np.zeros((len(X) + 1, 1))
    dummy[-1] = 1.0
    extra = rng.normal(size=6)
    whole = np.column_stack([np.vstack([X, extra]), dummy])
    model = fa.LinearRegression().fit(X, y)
    target = np.append(y, extra @ model.coef_ + model.intercept_)
    both = fa.LinearRegression().fit(whole, target)
    both.coef_ = np.where(np.abs(both.coef_) < 1e-12, 0.0, both.coef_)
    result = check(both, whole, target, 1, 3, p=np.inf, radius=1.0)
    assert result.influence[-2] == pytest.approx(0.0, abs=1e-12)


def test_equal_rows_at_a_kink():
    """Their shares are not unique, what they make of the influence is."""
    X, y, _ = with_singletons("linear", 11, False)
    twice = np.vstack([X, X[:2]]), np.append(y, y[:2])
    model = fa.LinearRegression().fit(*twice)
    check(model, *twice, 6, 0, radius=1.0)
    w = np.ones(len(y))
    w[:2] = 2.0
    weighted = fa.aif(fa.LinearRegression().fit(X, y, w), X, y, sample_weight=w, radius=1.0)
    found = fa.aif(model, *twice, radius=1.0).influence
    np.testing.assert_allclose(found, weighted.influence, rtol=0, atol=1e-9)


def test_sums_alone_say_that_they_cannot_tell():
    X, y, _ = with_singletons("linear", 3, False)
    model = fa.LinearRegression().fit(X, y)
    total = fa.InfluenceAccumulator(model, radius=1.0)
    total.update(X, y)
    with pytest.warns(fa.ZeroGradientWarning, match="samples have a zero input gradient"):
        total.result()

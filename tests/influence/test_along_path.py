"""The influence at ε > 0 against differences of exact robust optima."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa

MODELS = {
    "linear": fa.LinearRegression, "huber": fa.HuberRegression, "poisson": fa.PoissonRegression,
    "logistic": fa.LogisticRegression,
}  # fmt: skip


def case(kind, alpha, weighted, seed):
    rng = np.random.default_rng(seed)
    n = 40
    X = rng.normal(size=(n, 4)) @ (np.eye(4) + 0.4 * rng.normal(size=(4, 4)))
    f = X @ [0.9, -0.6, 0.4, 0.1] + 0.3
    y = f + rng.normal(size=n)
    if kind == "poisson":
        y = rng.poisson(np.exp(0.5 * f)).astype(float)
    if kind == "logistic":
        y = np.where(y > 0.0, 1.0, -1.0)
    w = rng.uniform(0.5, 2.0, n) if weighted else None
    return MODELS[kind](alpha=alpha).fit(X, y, w), X, y, w


def slope(model, X, y, eps, h, **options):
    """dθ_ε/dε to the right, from exact optima by another solver."""
    found = [fa.robust_fit(model, X, y, eps + k * h, **options).params for k in range(4)]
    ahead = (-11.0 * found[0] + 18.0 * found[1] - 9.0 * found[2] + 2.0 * found[3]) / (6.0 * h)
    return found[0], ahead


SETTINGS = [
    (kind, p, alpha, weighted)
    for kind in MODELS for p in (1.0, 2.0, 3.0, np.inf) for alpha, weighted in
    ((0.0, True), (0.02, False))
]  # fmt: skip


@pytest.mark.parametrize(("kind", "p", "alpha", "weighted"), SETTINGS)
def test_is_the_slope_of_exact_optima(kind, p, alpha, weighted):
    model, X, y, w = case(kind, alpha, weighted, seed=5)
    options = {"p": p, "radius": 1.0, "sample_weight": w}
    end = fa.zero_radius(model, X, y, **options)
    eps = 0.4 * end
    result = fa.aif(model, X, y, at=eps, **options)
    h = 1e-4 * end
    assert result.validity_radius > eps + 3.0 * h
    there, wanted = slope(model, X, y, eps, h, **options)
    np.testing.assert_allclose(result.params, there, rtol=0, atol=1e-8 * np.abs(there).max())
    # At a vertex, where kinks determine θ, it does not move at all.
    scale = max(np.abs(wanted).max(), 1e-3 * np.abs(there).max() / end)
    np.testing.assert_allclose(result.influence, wanted, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_goes_on_from_the_robust_optimum(p):
    model, X, y, _ = case("huber", 0.0, False, seed=6)
    options = {"p": p, "radius": 1.0}
    result = fa.aif(model, X, y, at=0.1, **options)
    assert result.at == 0.1
    assert fa.aif(model, X, y, **options).at == 0.0
    fit = fa.robust_fit(model, X, y, 0.1, **options)
    cost = fa.sensitivity(model, X, y, 0.1, method="exact", **options)
    assert result.sensitivity(0.1) == pytest.approx(cost, rel=1e-7)
    h = min(0.3 * (result.validity_radius - 0.1), 0.002)
    ahead = fa.robust_fit(model, X, y, 0.1 + h, **options)
    moved = np.linalg.norm(ahead.params - fit.params)
    error = np.linalg.norm(result.predict_params(0.1 + h) - ahead.params)
    assert error <= 0.1 * moved + 1e-9
    rise = (ahead.objective - fit.objective) / h
    assert result.value_derivative == pytest.approx(rise, rel=1e-2)


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_the_next_kink_is_where_the_path_bends(p):
    model, X, y, _ = case("logistic", 0.01, False, seed=7)
    end = fa.zero_radius(model, X, y, p=p)
    result = fa.aif(model, X, y, p=p, at=0.3 * end)
    kink = result.validity_radius
    assert kink > 0.3 * end
    before, after = (
        fa.aif(model, X, y, p=p, at=e).diagnostics["pinned_coefficients"]
        for e in (0.3 * end + 0.5 * (kink - 0.3 * end), 0.3 * end + 1.6 * (kink - 0.3 * end))
    )
    assert before == result.diagnostics["pinned_coefficients"]
    assert after != before


def test_beyond_the_zero_radius_nothing_moves():
    model, X, y, _ = case("poisson", 0.0, False, seed=8)
    end = fa.zero_radius(model, X, y)
    result = fa.aif(model, X, y, at=1.1 * end)
    assert not result.influence.any()
    assert not result.params[:-1].any()
    assert result.validity_radius == np.inf


def test_refusals():
    model, X, y, _ = case("linear", 0.0, False, seed=9)
    result = fa.aif(model, X, y, at=0.1)
    assert "at eps = 0.1" in str(result)
    assert list(result.to_frame().columns) == ["param", "influence", "relative"]
    for name in ("per_sample", "conf_int", "std_error", "bootstrap"):
        with pytest.raises(ValueError, match="of the natural optimum alone"):
            getattr(result, name)()
    for name in ("verify", "flip_fraction", "rough_at"):
        with pytest.raises(ValueError, match="of the natural optimum alone"):
            getattr(result, name)(0.1)
    with pytest.raises(ValueError, match="for order=inf"):
        fa.aif(model, X, y, at=0.1, order=2)
    with pytest.raises(ValueError, match="damping is of the influence at ε = 0"):
        fa.aif(model, X, y, at=0.1, damping=0.1)
    quadratic = fa.QuadraticRegression(alpha=0.1).fit(X[:, :2], y)
    with pytest.raises(ValueError, match="for linear predictors at order inf"):
        fa.aif(quadratic, X[:, :2], y, at=0.1)

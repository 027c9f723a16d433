"""Robust paths against robust fits, which a solver of another kind makes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles.norms import dual_order, norm
from sklearn.exceptions import ConvergenceWarning
from support.real_data import LOADERS, load

import fastaif as fa
from fastaif.families.linear.robust.design import Design
from fastaif.passes.linear import Sweep

MODELS = {
    "linear": lambda: fa.LinearRegression(),
    "huber": lambda: fa.HuberRegression(delta=0.7),
    "poisson": lambda: fa.PoissonRegression(),
    "logistic": lambda: fa.LogisticRegression(alpha=1e-3),
}


def case(kind, seed=0, n=80, m=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.3 * rng.normal(size=(m, m)))
    f = X @ rng.normal(size=m) + 0.5
    targets = {
        "poisson": lambda: rng.poisson(np.exp(0.4 * f)).astype(float),
        "logistic": lambda: np.where(f + rng.normal(size=n) > 0.0, 1.0, -1.0),
    }
    y = targets.get(kind, lambda: f + rng.standard_t(4, size=n))()
    return MODELS[kind]().fit(X, y), X, y


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("kind", MODELS)
def test_objectives_are_those_of_robust_fits(kind, p):
    model, X, y = case(kind)
    end = 1.2 * fa.zero_radius(model, X, y, p=p)
    eps = end * np.array([0.003, 0.1, 0.45, 0.8, 1.0])
    path = fa.robust_path(model, X, y, eps, p=p)
    assert path.converged
    assert not path.is_local
    np.testing.assert_array_equal(path.eps, np.r_[0.0, eps])
    assert path.gap(path.eps).max() <= 1e-8
    wanted = np.array([fa.robust_fit(model, X, y, e, p=p).objective for e in path.eps])
    np.testing.assert_allclose(path.objective(path.eps), wanted, rtol=1e-10)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", MODELS)
def test_influence_is_that_at_each_radius(kind, p):
    """Which is compared with differences of robust fits in tests/influence/test_along_path.py."""
    model, X, y = case(kind, seed=1, n=30)
    end = fa.zero_radius(model, X, y, p=p)
    path = fa.robust_path(model, X, y, end, p=p)
    for e in end * np.array([0.21, 0.37, 0.62]):
        single = fa.aif(model, X, y, p=p, at=e)
        # At a vertex, where kinks determine θ, it does not move at all.
        scale = max(np.abs(single.influence).max(), 1e-3 * np.abs(single.params).max() / end)
        np.testing.assert_allclose(
            path.influence_at(e), single.influence, rtol=0, atol=1e-6 * scale
        )


@pytest.mark.parametrize("kind", MODELS)
def test_the_path_starts_with_the_influence_and_ends_at_zero(kind):
    model, X, y = case(kind)
    path = fa.robust_path(model, X, y, 10.0)
    np.testing.assert_allclose(path.influence_at(0.0), fa.aif(model, X, y).influence, rtol=1e-9)
    assert path.zero_radius == fa.zero_radius(model, X, y)
    assert not path.params_at(1.01 * path.zero_radius)[:-1].any()
    assert not path.influence_at(1.01 * path.zero_radius).any()
    cost = path.cost(path.eps)
    assert cost[0] == 0.0
    assert np.all(np.diff(cost) >= -1e-9 * cost[-1])
    np.testing.assert_allclose(path.clean_loss(path.eps), path.clean_loss(0.0) + cost, rtol=1e-9)


@pytest.mark.parametrize("kind", MODELS)
def test_losses_are_those_of_the_models(kind):
    model, X, y = case(kind)
    w = np.random.default_rng(3).uniform(0.5, 2.0, len(y))
    scale = np.array([1.0, 2.0, 0.5, 0.0, 1.0])
    attack = {"p": 2, "feature_scale": scale, "sample_weight": w}
    model = MODELS[kind]().fit(X, y, w)
    path = fa.robust_path(model, X, y, 0.3, **attack)
    robust = path.estimator(0.1)
    fit = fa.robust_fit(model, X, y, 0.1, **attack)
    np.testing.assert_allclose(path.params_at(0.1), fit.params, rtol=1e-5, atol=1e-8)
    s = fit.radius
    for size in (0.1, 0.02):
        wanted = fa.adversarial_loss(robust, X, y, size, **{**attack, "radius": s})
        assert path.adversarial_loss(0.1, size) == pytest.approx(wanted, rel=1e-12)
    before = fa.adversarial_loss(model, X, y, 0.1, **{**attack, "radius": s})
    after = path.adversarial_loss(0.1)
    assert path.gain(0.1) == pytest.approx(before - after, rel=1e-7)
    unweighted = np.mean(path.problem.model.loss.change(
        X @ model.coef_.ravel() + model.intercept_,
        X @ (robust.coef_ - model.coef_).ravel() + robust.intercept_ - model.intercept_, y,
    ))  # fmt: skip
    assert path.cost(0.1, X, y) == pytest.approx(unweighted, rel=1e-7)


def readings(monkeypatch, call):
    """How often all rows are read in a call."""
    count = [0]

    def counted(kind, name):
        original = getattr(kind, name)

        def method(self, *arguments, **named):
            count[0] += 1
            return original(self, *arguments, **named)

        monkeypatch.setattr(kind, name, method)

    for name in ("predict", "pull", "gram", "through"):
        counted(Design, name)
    for name in ("run", "predictions"):
        counted(Sweep, name)
    result = call()
    monkeypatch.undo()
    return result, count[0]


@pytest.mark.parametrize("kind", MODELS)
def test_hundred_radii_take_no_more_readings_than_three_robust_fits(kind, monkeypatch):
    model, X, y = case(kind, n=300)
    eps = np.linspace(0.0, 0.9 * fa.zero_radius(model, X, y), 101)[1:]
    path, ours = readings(monkeypatch, lambda: fa.robust_path(model, X, y, eps))
    fit, theirs = readings(monkeypatch, lambda: fa.robust_fit(model, X, y, eps[-1]))
    assert path.gap(eps).max() < 1e-8
    assert ours <= 3 * theirs
    most = 2 if kind == "linear" else 3 * fit.n_iter
    assert path.solver.n_hessians + 1 <= most  # with the one of the influence
    assert path.n_passes <= ours


@pytest.mark.parametrize("kind", ["linear", "poisson"])
def test_paths_from_models_that_lead_nowhere(kind):
    """A constant column, or a category without counts: H is singular, robust fits are not."""
    model, X, y = case(kind)
    X = X.copy()
    if kind == "linear":
        X[:, 0] = 0.0
    else:
        X[:, 0], y = 0.0, y.copy()
        X[0, 0], y[0] = 1.0, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MODELS[kind]().fit(X, y)
    eps = [0.01, 0.1, 0.4]
    path = fa.robust_path(model, X, y, eps)
    assert path.converged
    wanted = [fa.robust_fit(model, X, y, e).objective for e in eps]
    np.testing.assert_allclose(path.objective(eps), wanted, rtol=1e-8)


def test_choice_of_a_radius():
    model, X, y = case("linear")
    path = fa.robust_path(model, X, y, 0.3)
    limit = 0.5 * path.cost(0.3)
    chosen = path.choose_eps(max_cost=limit)
    assert path.cost(chosen) == pytest.approx(limit, rel=1e-4)
    share = limit / path.clean_loss(0.0)
    assert path.choose_eps(max_relative_cost=share) == pytest.approx(chosen, rel=1e-9)
    assert path.choose_eps(max_cost=1e9) == 0.3
    assert path.choose_eps(max_cost=0.0) == 0.0
    with pytest.raises(ValueError, match="give one of max_cost and max_relative_cost"):
        path.choose_eps()


def test_reports():
    model, X, y = case("linear")
    path = fa.robust_path(model, X, y, 0.3)
    frame = path.to_frame()
    assert list(frame.columns) == [
        "eps", "clean_loss", "cost", "adversarial_loss", "gain", *path.names
    ]  # fmt: skip
    assert "is off by more than a factor of two" in path.summary()
    assert "<table" in path._repr_html_()
    assert str(path) == path.summary()
    with pytest.raises(ValueError, match="beyond the path's last node"):
        path.params_at(0.31)
    with pytest.raises(ValueError, match="read-only"):
        path.params[0, 0] = 1.0


@pytest.mark.parametrize("kind", ["frontier", "coefficients", "loss"])
def test_plots(kind):
    pytest.importorskip("matplotlib").use("Agg")
    model, X, y = case("logistic")
    axes = fa.robust_path(model, X, y, 0.3).plot(kind)
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert axes.lines
    import matplotlib.pyplot as plt

    plt.close(axes.figure)


def test_other_models_are_fitted_from_the_least_radius_up():
    model, X, y = case("linear", n=30, m=2)
    model = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    path = fa.robust_path(model, X, y, [0.02, 0.05])
    assert not path.is_local
    assert path.converged
    wanted = fa.robust_fit(model, X, y, 0.05).objective
    assert path.objective(0.05) == pytest.approx(wanted, rel=1e-7)
    with pytest.raises(ValueError, match="derivative of the robust optimum is known at"):
        path.influence_at(0.02)
    network = fa.MLPRegression(2, alpha=0.1).fit(X, y)
    path = fa.robust_path(network, X, y, [0.01])
    assert path.is_local
    assert "local optima" in path.summary()


@pytest.mark.long
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("name", [n for n in LOADERS if n != "threes and eights"])
def test_real_data(name, p):
    kind, X, y = load(name)
    model = MODELS[kind]().fit(X, y)
    eps = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3])
    path = fa.robust_path(model, X, y, eps, p=p)
    assert path.converged
    for e in eps:
        fit = fa.robust_fit(model, X, y, e, p=p, tol=1e-10)
        assert path.objective(e) - fit.objective <= 1e-8 * abs(fit.objective)


def test_frontiers_on_one_pair_of_axes_have_names():
    pytest.importorskip("matplotlib").use("Agg")
    model, X, y = case("logistic")
    axes = None
    for p in (1, 2):
        axes = fa.robust_path(model, X, y, 0.1, p=p).plot("frontier", axes, label=f"p = {p}")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["p = 1", "p = 2"]
    assert len({line.get_color() for line in axes.lines}) == 2
    with pytest.raises(ValueError, match="label is for frontiers"):
        fa.robust_path(model, X, y, 0.1).plot("loss", label="mine")
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("kind", ["poisson", "linear"])
def test_its_objective_is_that_of_its_parameters(kind, p):
    """Rows at kinks are there to the last digit: what a step leaves is of first order in J."""
    rng = np.random.default_rng(3)
    X, eps = rng.normal(size=(20, 3)), np.linspace(0.01, 1.0, 23)
    f = X @ [1.0, -0.5, 0.3]
    y = rng.poisson(np.exp(0.5 * f)) if kind == "poisson" else f + 0.5 * rng.normal(size=20)
    make = fa.PoissonRegression if kind == "poisson" else fa.LinearRegression
    path = fa.robust_path(make(alpha=0.01).fit(X, y), X, y, eps, p=p, radius=1.0)
    theta = path.params_at(eps).T
    kappa = eps * norm(theta[:3].T, dual_order(p))
    ends = [X @ theta[:3] + theta[3] + side * kappa for side in (-1.0, 1.0)]
    loss = (lambda f: np.exp(f) - y[:, None] * f) if kind == "poisson" else (
        lambda f: (f - y[:, None]) ** 2)  # fmt: skip
    worst = np.maximum(*map(loss, ends)).mean(axis=0) + 0.01 * np.sum(theta[:3] ** 2, axis=0)
    np.testing.assert_allclose(path.objective(eps), worst, rtol=1e-10)

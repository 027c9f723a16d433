"""Where robust training of a wide model begins to cost, against robust fits on both sides."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa


@pytest.mark.filterwarnings("ignore:.*Hessian is singular")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", [fa.LinearRegression, fa.HuberRegression])
def test_cost_begins_there(kind, p, weighted):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(12, 25))
    y = X[:, :3] @ [1.0, 2.0, -1.0] + 0.3 * rng.normal(size=12)
    w = rng.uniform(0.5, 2.0, 12) if weighted else None
    model = kind().fit(X, y, w)
    attack = {"p": p, "sample_weight": w, "attackable": np.arange(25) < 23}
    eps = fa.interpolation_radius(model, X, y, **attack)
    assert eps > 0.0

    def misfit(radius):
        fit = fa.robust_fit(model, X, y, radius, **attack)
        return np.abs(fit.estimator.predict(X) - y).max()

    assert misfit(0.99 * eps) < 1e-6
    assert misfit(1.01 * eps) > 1e-5


def test_zero_and_refusals():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    assert fa.interpolation_radius(fa.LinearRegression().fit(X, y), X, y) == 0.0
    wide, few = rng.normal(size=(5, 9)), y[:5]
    assert fa.interpolation_radius(fa.LinearRegression(alpha=0.1).fit(wide, few), wide, few) == 0.0
    counts = np.arange(5.0)
    model = fa.PoissonRegression(alpha=0.1).fit(wide, counts)
    with pytest.raises(ValueError, match="loss is of the residual"):
        fa.interpolation_radius(model, wide, counts)
    with pytest.warns(UserWarning, match="singular"):
        model = fa.LinearRegression().fit(wide, few)
    with pytest.raises(ValueError, match="known for p = 1, 2 and inf"):
        fa.interpolation_radius(model, wide, few, p=3)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*Hessian is singular")
def test_path_has_it():
    rng = np.random.default_rng(4)
    wide, few = rng.normal(size=(6, 9)), rng.normal(size=6)
    model = fa.LinearRegression().fit(wide, few)
    path = fa.robust_path(model, wide, few, eps=0.1)
    assert path.interpolation_radius == fa.interpolation_radius(model, wide, few)
    path = fa.robust_path(model, wide, few, eps=0.01, p=3)
    assert np.isnan(path.interpolation_radius)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    path = fa.robust_path(fa.LinearRegression().fit(X, y), X, y, eps=0.1)
    assert path.interpolation_radius == 0.0

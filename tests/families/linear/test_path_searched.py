"""Few radii of small least-squares problems: searched one by one, or by the steps of a path."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif.families.linear.path import path as linear_path

SHARES = np.array([0.02, 0.1, 0.3, 0.5, 0.8, 0.95])


def case(rng, noise=1.0, n=120, m=6):
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.3 * rng.normal(size=(m, m))) + 1.0
    y = X @ rng.normal(size=m) + noise * rng.standard_t(4, size=n)
    return X, y, rng.integers(0, 3, n).astype(float)


def both(monkeypatch, model, X, y, eps, **more):
    """The path, which is searched, and the same by steps."""
    counts = []
    search = linear_path.searched

    def counted(*arguments):
        found = list(search(*arguments))
        counts.append(sum(one.gap < np.inf for one in found))
        return found

    monkeypatch.setattr(linear_path, "searched", counted)
    searched = fa.robust_path(model, X, y, eps, **more)
    monkeypatch.setattr(linear_path, "suits", lambda problem, eps: False)
    return searched, fa.robust_path(model, X, y, eps, **more), sum(counts)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("p", [1.5, 2.0, 3.0, np.inf])
def test_searches_find_what_steps_do(p, alpha, rng, monkeypatch):
    """With weights of zero, features of unlike scales and one that is not attacked."""
    X, y, w = case(rng)
    model = fa.LinearRegression(alpha=alpha).fit(X, y, w)
    more = {"p": p, "sample_weight": w, "attackable": np.arange(6) != 4,
            "feature_scale": [1.0, 2.0, 0.5, 1.0, 1.0, 3.0]}  # fmt: skip
    eps = SHARES * fa.zero_radius(model, X, y, **more)
    path, steps, found = both(monkeypatch, model, X, y, eps, **more)
    assert found >= eps.size - 2  # the last radius is a knot
    np.testing.assert_allclose(path.objective(eps), steps.objective(eps), rtol=3e-11)
    np.testing.assert_allclose(path.params, steps.params, atol=1e-4)
    np.testing.assert_array_equal(path.params == 0.0, steps.params == 0.0)
    wanted = [fa.robust_fit(model, X, y, e, tol=1e-11, **more).objective for e in eps]
    np.testing.assert_allclose(path.objective(eps), wanted, rtol=1e-10)
    assert path.gap(eps).max() <= 1e-10
    assert path.converged
    np.testing.assert_allclose(
        path.influence_at(eps[2]), steps.influence_at(eps[2]), rtol=1e-5, atol=1e-6
    )


def test_what_is_left_to_steps(rng, monkeypatch):
    """p = 1, other losses, many radii, and targets that are nearly met."""
    X, y, _ = case(rng, noise=1e-3)
    model = fa.LinearRegression().fit(X, y)
    eps = SHARES * fa.zero_radius(model, X, y)
    path, steps, found = both(monkeypatch, model, X, y, eps)
    assert found == 0
    np.testing.assert_array_equal(path.params, steps.params)
    monkeypatch.undo()
    X, y, _ = case(rng)
    model = fa.LinearRegression().fit(X, y)
    huber = fa.HuberRegression().fit(X, y)
    for fitted, p, radii in ((model, 1.0, SHARES), (huber, 2.0, SHARES),
                             (model, 2.0, np.linspace(0.01, 0.9, 40))):  # fmt: skip
        eps = radii * fa.zero_radius(fitted, X, y, p=p)
        *_, found = both(monkeypatch, fitted, X, y, eps, p=p)
        monkeypatch.undo()
        assert found == 0


def test_searches_that_prove_nothing_are_readings_too(rng, monkeypatch):
    X, y, _ = case(rng)
    model = fa.LinearRegression().fit(X, y)
    eps = SHARES[:3] * fa.zero_radius(model, X, y)
    search, read = linear_path.searched, []

    def passes(counted):
        def nothing(*arguments):
            for one in search(*arguments):
                read.append(one.n_passes)
                yield one._replace(gap=np.inf, n_passes=counted * one.n_passes)

        monkeypatch.setattr(linear_path, "searched", nothing)
        read.clear()
        return fa.robust_path(model, X, y, eps).n_passes

    least, told = passes(0), passes(1)
    assert sum(read) > 0.0
    assert told == least + np.ceil(sum(read))


def test_products_of_searches_are_readings(rng):
    """A product with the start, two with what its multipliers pull and a residual, two a step."""
    X, y, _ = case(rng)
    model = fa.LinearRegression().fit(X, y)
    eps = SHARES[:4] * fa.zero_radius(model, X, y)
    last = fa.robust_path(model, X, y, eps[[3]]).n_passes  # a knot
    assert fa.robust_path(model, X, y, eps).n_passes >= last + 3 * 7

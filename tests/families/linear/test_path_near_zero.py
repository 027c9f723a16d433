"""Robust paths about their end, the zero radius, where the norm has a kink."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif.families.linear.path.trace import Trace
from fastaif.families.linear.problem import LinearProblem
from fastaif.threat.near_norm import near_norm


def steep(kind, m=8, n=150):
    """Data that the natural fit explains well: far from there J is above that of no model."""
    rng = np.random.default_rng(m)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.3 * rng.normal(size=(m, m)))
    f = X @ rng.normal(size=m)
    if kind == "logistic":
        y = np.where(f + rng.normal(size=n) > 0.0, 1.0, -1.0)
        return fa.LogisticRegression(alpha=1e-4).fit(X, y), X, y
    y = f + 0.3 * rng.standard_t(4, size=n)
    model = fa.HuberRegression(delta=0.7) if kind == "huber" else fa.LinearRegression()
    return model.fit(X, y), X, y


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("kind", ["linear", "huber", "logistic"])
def test_no_optimum_is_where_only_the_norm_bends(kind, p):
    """Where N is smooth off zero a model of J about β = 0 foresees no fall, whatever ε."""
    model, X, y = steep(kind)
    zero = fa.zero_radius(model, X, y, p=p)
    eps = zero * np.array([0.5, 0.6, 0.75, 0.9, 0.97, 0.999])
    path = fa.robust_path(model, X, y, eps, p=p)
    wanted = [fa.robust_fit(model, X, y, e, p=p, tol=1e-11).objective for e in eps]
    np.testing.assert_allclose(path.objective(eps), wanted, rtol=1e-9)
    single = fa.aif(model, X, y, p=p, at=eps[3])
    np.testing.assert_allclose(single.params, path.params_at(eps[3]), atol=1e-4)


def test_below_the_zero_radius(monkeypatch):
    """Whatever is foreseen from both ends, a start is lower than no model is."""
    model, X, y = steep("logistic")
    problem = fa.aif(model, X, y).problem
    assert isinstance(problem, LinearProblem)
    trace = Trace.of(problem, 1e-8)
    last = trace.zero()
    for share in (0.1, 0.9, 0.9999):
        rho = share * last.eps * problem.radius
        theta = trace.ray.lowest(rho)
        assert trace.inner.value(trace.inner.readings.predict(theta), theta, rho) < last.objective
    beyond = 1.001 * last.eps * problem.radius
    np.testing.assert_array_equal(trace.ray.lowest(beyond), last.theta)


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_norms_made_of_planes_are_what_they_are_about_a_point(p, rng):
    """Steps of any length are then cut by rows alone."""
    weights, beta = rng.uniform(0.5, 2.0, 6) * [1, 1, 0, 1, 1, 1], rng.normal(size=6)
    near = near_norm(weights, p, beta, None)
    q = 1.0 if p > 1.0 else np.inf
    for length in (1e-3, 1.0, 10.0):
        there = beta + length * rng.normal(size=6)
        ends = near.factors * there[near.places]
        size = ends.max() if near.in_simplex else np.abs(ends).sum()
        assert size == pytest.approx(np.linalg.norm(weights * there, q), rel=1e-14)

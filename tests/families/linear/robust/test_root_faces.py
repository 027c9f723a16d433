"""Least squares of order 2 on the faces of the norm: what moments alone lead to."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.norms import norm

import fastaif as fa
from fastaif.families.linear.robust import root_faces

MASK = np.array([1, 1, 0, 1, 1, 1, 1, 0, 1, 1], dtype=bool)


def data(seed, n=80, m=10, together=1.0):
    """Columns that go together, and weights of which some vanish."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, m)) + together * rng.standard_normal((n, 1))
    y = X @ (rng.standard_normal(m) * (rng.random(m) < 0.5)) + rng.standard_normal(n)
    return X, y, rng.integers(0, 4, size=n).astype(float)


def slope_and_level(X, y, w, theta, eps, q, alpha, scale):
    """Of J all but the norm's slope over 2K, and c∘β."""
    w = w / w.sum()
    beta, r = theta[:-1], X @ theta[:-1] + theta[-1] - y
    root = np.sqrt(w @ r**2)
    level = root + eps * norm(scale * beta, q)
    slope = np.append(X.T @ (w * r), w @ r) / root
    slope[:-1] += alpha * beta / level
    return slope, scale * beta


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("p", [1, np.inf])
@pytest.mark.parametrize("eps", [0.003, 0.03, 0.2])
def test_one_pass_and_the_conditions_of_a_minimum(monkeypatch, seed, alpha, p, eps):
    """The slope of all but the norm is within the dual norm's ball, and on it against β."""
    taken, least = [], root_faces.least_on_faces

    def counted(*arguments):
        taken.append(least(*arguments))
        return taken[-1]

    monkeypatch.setattr("fastaif.families.linear.robust.order_2.least_on_faces", counted)
    X, y, w = data(seed)
    scale = np.where(MASK, np.linspace(0.5, 2.0, MASK.size), 0.0)
    model = fa.LinearRegression(alpha=alpha).fit(X, y, w)
    fit = fa.robust_fit(
        model, X, y, eps, p=p, order=2, radius=1.0, sample_weight=w, attackable=MASK,
        feature_scale=np.linspace(0.5, 2.0, MASK.size),
    )  # fmt: skip
    assert fit.converged
    assert fit.gap <= 1e-11
    assert fit.n_iter <= 2
    assert len(taken) == 1
    assert taken[0] is not None
    q = np.inf if p == 1 else 1.0
    slope, v = slope_and_level(X, y, w, fit.params, eps, q, alpha, scale)
    np.testing.assert_allclose(slope[np.append(~MASK, True)], 0.0, atol=1e-12)
    pulls = slope[:-1][MASK] / scale[MASK]
    assert norm(pulls, p) <= eps * (1.0 + 1e-10)
    assert -float(pulls @ v[MASK]) == pytest.approx(eps * norm(v, q), rel=1e-10)


def test_zeros_are_exact():
    X, y, _ = data(3)
    model = fa.LinearRegression().fit(X, y)
    fit = fa.robust_fit(model, X, y, 0.3, p=np.inf, order=2, radius=1.0)
    assert 0 < np.sum(fit.params[:-1] == 0.0) < X.shape[1]


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("share", [0.99, 1.0 - 1e-9, 1.0, 1.0 + 1e-9, 1.01])
def test_about_the_radius_of_zero(p, share):
    """s‖Dβ‖_q ε with ε = ‖∇A‖_p at the mean: from there on all coefficients are zero."""
    X, y, _ = data(5)
    r = y.mean() - y
    zero = norm(X.T @ r / (y.size * np.sqrt(np.mean(r**2))), p)
    model = fa.LinearRegression().fit(X, y)
    fit = fa.robust_fit(model, X, y, share * zero, p=p, order=2, radius=1.0)
    assert fit.converged
    assert fit.gap <= 1e-11
    assert fit.objective <= np.var(y) * (1.0 + 1e-12)
    if share >= 1.0 + 1e-9:
        assert not fit.params[:-1].any()
    if share == 0.99:
        assert fit.params[:-1].any()


@pytest.mark.filterwarnings("ignore:.*Hessian is singular")
def test_columns_that_are_the_same_go_the_other_way():
    """Their moments are singular."""
    X, y, _ = data(7)
    X[:, 1] = X[:, 0]
    model = fa.LinearRegression().fit(X, y)
    fit = fa.robust_fit(model, X, y, 0.05, p=np.inf, order=2, radius=1.0)
    assert fit.converged
    assert fit.gap <= 1e-9
